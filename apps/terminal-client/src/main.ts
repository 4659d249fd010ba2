/** The terminal client's entry. */

import { main } from "./cli.ts";

process.exitCode = await main(process.argv);
