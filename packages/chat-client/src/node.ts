/** The entry for Node: TCP, and shared memory, whose native library is loaded only when a shm:// URL is opened. */

import { type Connect, connectWith } from "./connect.ts";
import { openSharedMemory } from "./shared-memory-transport.ts";
import { openTcp } from "./tcp-transport.ts";

export * from "./index.ts";

export const connect: Connect = connectWith({ tcp: openTcp, shm: openSharedMemory }, "Node");
