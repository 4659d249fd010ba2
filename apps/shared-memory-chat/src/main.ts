/** The shared-memory chat's entry. */

import { run } from "./cli.ts";

process.exitCode = await run(process.argv.slice(2));
