/**
 * A chat connection without a server: a session of this process, on the log in the segment.
 *
 * - What goes in and out is the chat protocol's binary frames, exactly as on a socket, so that a client needs to know no
 *   more than how to send and receive bytes.
 * - `receive` is called with whole frames, never before the promise of the transport has resolved.
 * - `close` ends the session: LEFT is appended, the name is free, and the segment is left. While another process sits on
 *   the lock, it waits a moment and then leaves without a word: whoever looks next finds a dead one's name and frees it.
 */

import { setTimeout as delay } from "node:timers/promises";
import { FrameDecoder } from "@parley/chat-protocol";
import { binaryEncoding, ChatHub } from "@parley/chat-room";
import { type OpenRoomOptions, openSharedMemoryRoomLog } from "./open-room-log.ts";
import type { SharedMemoryRoomLog } from "./shared-memory-room-log.ts";

/** How long `close` waits for LEFT to be taken. */
const LEAVE_TIMEOUT_MS = 1000;

export interface TransportHandlers {
  /** Bytes of one or more whole frames; they must not be changed. */
  receive(bytes: Uint8Array): void;
  /** The session has ended, and nothing more comes. Called once, not if `close` was called before. */
  closed(): void;
}

export interface SharedMemoryTransport {
  /** Any bytes of the stream of frames; a stream that isn't one ends the session. */
  send(bytes: Uint8Array): void;
  /** Ends the session if it hasn't ended; resolves once the segment is left. */
  close(): Promise<void>;
}

/** Joins the room in the named segment, which is made if there is none. Throws what `openSharedMemoryRoomLog` throws. */
export async function openSharedMemoryTransport(
  name: string,
  handlers: TransportHandlers,
  options: OpenRoomOptions = {},
): Promise<SharedMemoryTransport> {
  const log = openSharedMemoryRoomLog(name, options);
  const transport = await transportOver(log, handlers);
  return {
    send: transport.send,
    close: async () => {
      await transport.close();
      await log.close();
    },
  };
}

/** A session on a log that is open, and stays open after `close`. */
export async function transportOver(
  log: SharedMemoryRoomLog,
  handlers: TransportHandlers,
): Promise<SharedMemoryTransport> {
  // A process that died has taken its sessions with it: there is nobody to resume them.
  const hub = await ChatHub.start(log, { deathGraceMs: 0 });
  const decoder = new FrameDecoder();
  let outgoing: Uint8Array[] = [];
  let isDelivering = false;
  /** The session has sent its last bytes. */
  let isEnding = false;
  let isOver = false;

  // Not at once, because a session must not be called back while it sends.
  const deliverSoon = (): void => {
    if (isDelivering) return;
    isDelivering = true;
    queueMicrotask(() => {
      isDelivering = false;
      const frames = outgoing;
      outgoing = [];
      for (const bytes of frames) if (!isOver) handlers.receive(bytes);
      if (!isEnding || isOver) return;
      isOver = true;
      handlers.closed();
    });
  };
  const session = hub.connect({
    encoding: binaryEncoding,
    peer: `pid ${process.pid}`,
    send: (bytes) => {
      if (isEnding) return;
      outgoing.push(bytes);
      deliverSoon();
    },
    end: () => {
      isEnding = true;
      deliverSoon();
    },
  });
  return {
    send: (bytes) => {
      if (isEnding || isOver) return;
      try {
        decoder.push(bytes, (frame) => session.receiveFrame(frame));
      } catch (error) {
        session.disconnect("PROTOCOL_ERROR", error instanceof Error ? error.message : String(error));
      }
    },
    close: async () => {
      isOver = true;
      session.closed();
      // Draining ends the wait for a resume: with this process's session its client is gone.
      const timeout = new AbortController();
      const left = hub.drain().then(() => session.over());
      await Promise.race([left, delay(LEAVE_TIMEOUT_MS, undefined, { signal: timeout.signal })]);
      timeout.abort();
    },
  };
}
