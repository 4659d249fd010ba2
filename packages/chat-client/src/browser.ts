/** The entry for browsers. Nothing here may import what only Node has; its transport will be WebSocket. */

import { type Connect, connectWith } from "./connect.ts";

export * from "./index.ts";

export const connect: Connect = connectWith({}, "a browser");
