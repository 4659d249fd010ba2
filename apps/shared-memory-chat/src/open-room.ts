/** Opens the room of a segment for writer and reader, with what they say about it. */

import { openSharedMemoryRoomLog, type SharedMemoryRoomLog } from "@parley/shared-memory-room";
import { SharedMemoryError, unsupportedReason } from "shared-memory-ringbuffer";
import { UsageError } from "./errors.ts";
import { note, printTrace } from "./terminal.ts";

/**
 * Throws UsageError for a name that can't be, and where named segments aren't supported an error that says what to run
 * instead; otherwise what `openSharedMemoryRoomLog` throws.
 */
export function openRoom(segment: string, options: { readonly trace: boolean }): SharedMemoryRoomLog {
  requireNamedSegments();
  try {
    return openSharedMemoryRoomLog(segment, {
      overlay: true,
      // A message counts as read when the reader has shown it, not when this process has fetched it.
      marksRead: false,
      ...(options.trace ? { onTrace: printTrace } : {}),
    });
  } catch (error) {
    if (error instanceof SharedMemoryError && error.code === "ERR_SHM_NAME") throw new UsageError(error.message);
    throw error;
  }
}

/** Throws where processes can't share memory by name. */
export function requireNamedSegments(): void {
  const reason = unsupportedReason();
  if (reason === undefined) return;
  throw new Error(
    `named shared memory is not supported here (${reason}); ` +
      "run the version with threads of one process instead: npm run -s demo -- --threads",
  );
}

/** Says what kind of memory this process works on. */
export function sayBacking(log: SharedMemoryRoomLog): void {
  note(
    log.mapping === "shared-array-buffer"
      ? `memory: a SharedArrayBuffer laid over ${log.path}`
      : `memory: koffi's view of ${log.path} (laying a SharedArrayBuffer over it failed its self-test)`,
  );
}
