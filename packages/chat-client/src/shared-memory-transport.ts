/**
 * Frames to a session of this same process, on the log in a shared-memory segment: there is no server.
 *
 * - Its library (and with it the native one) is loaded at the first shm:// URL, never for others.
 * - `closed` comes only when the segment is left, so that a process may exit right after it.
 */

import { ChatClientError } from "./errors.ts";
import type { OpenTransport } from "./transport.ts";
import type { SharedMemoryTarget } from "./url.ts";

export const openSharedMemory: OpenTransport<SharedMemoryTarget> = async (target, handlers, signal) => {
  let isClosing = false;
  const opened = await (async () => {
    try {
      const { openSharedMemoryTransport } = await import("@parley/shared-memory-room");
      return await openSharedMemoryTransport(target.segment, {
        receive: (bytes) => handlers.data(bytes),
        closed: () => close(),
      });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ChatClientError("CANNOT_REACH", `cannot open ${target.href}: ${reason}`, { cause });
    }
  })();
  const close = (): void => {
    if (isClosing) return;
    isClosing = true;
    opened.close().then(
      () => handlers.closed(),
      (error) => handlers.closed(error instanceof Error ? error : new Error(String(error))),
    );
  };
  if (signal.aborted) {
    close();
    throw signal.reason;
  }
  return { send: (bytes) => opened.send(bytes), close };
};
