/**
 * What this process knows of the log by having walked over it: message ids, where each room's messages are, the latest time.
 *
 * - Derived from the log and private to the process: it is brought up to the tail under the lock before each write, so
 *   that whatever another process wrote is known, and made anew by walking again.
 * - A room's `prev` is 0 when no message of it is known any more.
 */

import { logFieldsOf, type MessageId, messageIdOf, streamOf } from "@parley/chat-protocol";
import { MessageIdIndex, type RememberedMessage, RoomHistory } from "@parley/chat-room";

export class KnownEvents {
  readonly #messageIds = new MessageIdIndex();
  /** Of each message where its record begins: a reader at that position reads it next. */
  readonly history: RoomHistory<number> = new RoomHistory<number>();
  #lastSeq = 0;
  #latestTimeMs = 0;

  /** What is taken up next comes after `seq`; `missed`: what is between was overwritten, and nobody here knows it. */
  continueAfter(seq: number, missed: boolean): void {
    this.#lastSeq = seq;
    if (missed) this.history.missedUpTo(seq);
  }

  /** Takes up one event of the log, in log order. Throws ProtocolError MALFORMED for what is no event frame. */
  add(frame: Uint8Array): void {
    const { position, timeMs } = logFieldsOf(frame);
    this.#messageIds.remember(messageIdOf(frame), { position, timeMs });
    const stream = streamOf(frame);
    if (stream !== undefined) this.history.add(stream, position.seq, frame.length, this.#lastSeq);
    this.#lastSeq = position.seq;
    if (timeMs > this.#latestTimeMs) this.#latestTimeMs = timeMs;
  }

  /** Where the message is, if it is in the log and remembered. */
  find(messageId: MessageId, nowMs: number): RememberedMessage | undefined {
    return this.#messageIds.find(messageId, nowMs);
  }

  /** Seq of the room's last message, 0 if none is known. */
  lastSeqOf(room: string): number {
    return this.history.lastSeqOf(room);
  }

  /** The time to write into the next event: the clock's, but never before the last event's. */
  nextTimeMs(): number {
    return Math.max(Date.now(), this.#latestTimeMs);
  }

  clear(): void {
    this.#messageIds.clear();
    this.history.clear();
    this.#lastSeq = 0;
    this.#latestTimeMs = 0;
  }
}
