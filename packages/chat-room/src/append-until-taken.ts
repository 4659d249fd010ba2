/**
 * Appends an event that nobody else would send again: JOINED and LEFT.
 *
 * - A rejected append may have landed, so it is repeated with the same message id, before anything later of the session.
 * - Gives up after a bounded time, or at once when the log is closed, with the last rejection.
 */

import type { SessionId } from "@parley/chat-protocol";
import { type Appended, type RoomLog, RoomLogError } from "./room-log.ts";

const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 25;

export async function appendUntilTaken(log: RoomLog, sessionId: SessionId, frame: Uint8Array): Promise<Appended> {
  for (let attempt = 1; ; attempt++) {
    try {
      // A copy each time: the log may keep and change what it is given.
      return await log.append(sessionId, frame.slice());
    } catch (error) {
      const mayPass = error instanceof RoomLogError && error.code !== "CLOSED";
      if (!mayPass || attempt === ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, FIRST_PAUSE_MS * 2 ** (attempt - 1)));
    }
  }
}
