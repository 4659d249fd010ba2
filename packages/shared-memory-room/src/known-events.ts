/**
 * What this process knows of the log by having walked over it: message ids, each room's last event, the latest time.
 *
 * - Derived from the log and private to the process: it is brought up to the tail under the lock before each write, so
 *   that whatever another process wrote is known, and made anew by walking again.
 * - A room's `prev` is 0 when its last event is not retained any more.
 */

import { logFieldsOf, type MessageId, messageIdOf, roomOf } from "@parley/chat-protocol";
import { MessageIdIndex, type RememberedMessage } from "@parley/chat-room";

export class KnownEvents {
  readonly #messageIds = new MessageIdIndex();
  readonly #lastSeqOfRoom = new Map<string, number>();
  #latestTimeMs = 0;

  /** Takes up one event of the log, in log order. Throws ProtocolError MALFORMED for what is no event frame. */
  add(frame: Uint8Array): void {
    const { position, timeMs } = logFieldsOf(frame);
    this.#messageIds.remember(messageIdOf(frame), { position, timeMs });
    this.#lastSeqOfRoom.set(roomOf(frame), position.seq);
    if (timeMs > this.#latestTimeMs) this.#latestTimeMs = timeMs;
  }

  /** Where the message is, if it is in the log and remembered. */
  find(messageId: MessageId, nowMs: number): RememberedMessage | undefined {
    return this.#messageIds.find(messageId, nowMs);
  }

  /** Seq of the room's last event, 0 if none is known. */
  lastSeqOf(room: string): number {
    return this.#lastSeqOfRoom.get(room) ?? 0;
  }

  /** The time to write into the next event: the clock's, but never before the last event's. */
  nextTimeMs(): number {
    return Math.max(Date.now(), this.#latestTimeMs);
  }

  clear(): void {
    this.#messageIds.clear();
    this.#lastSeqOfRoom.clear();
    this.#latestTimeMs = 0;
  }
}
