/**
 * All followers of a log in this process, and when they get their turns: one doorbell and one cursor for all of them.
 *
 * - Woken by a doorbell, which also looks for itself every 100 ms: a writer killed before it rang costs no more than that.
 * - In a turn of the event loop each follower gets one bite; while there is more, the next turn follows at once.
 * - The position of the slowest is published in the segment, for whoever looks at it from outside.
 */

import type { Position } from "@parley/chat-protocol";
import type { Follower, LogListener } from "@parley/chat-room";
import { EventLoopDoorbell, type Segment, type SharedLog } from "shared-memory-ringbuffer";
import { LogFollower } from "./log-follower.ts";

export class Followers {
  readonly #segment: Segment;
  readonly #log: SharedLog;
  readonly #onRead: (events: number, position: Position) => void;
  readonly #followers = new Set<LogFollower>();
  #doorbell: EventLoopDoorbell | undefined;
  #nextTurn: NodeJS.Immediate | undefined;

  /** `onRead` hears how many events a follower was given, and up to where. */
  constructor(segment: Segment, log: SharedLog, onRead: (events: number, position: Position) => void) {
    this.#segment = segment;
    this.#log = log;
    this.#onRead = onRead;
  }

  add(after: Position, listener: LogListener): Follower {
    const stopped = (follower: LogFollower): void => void this.#followers.delete(follower);
    const follower = new LogFollower(this.#log, this.#segment.epoch, after, listener, stopped);
    this.#followers.add(follower);
    this.#segment.me.setReader(true);
    this.#doorbell ??= new EventLoopDoorbell(this.#segment, {
      onRing: () => this.#turn(),
      hasWork: () => this.#hasMore(),
    });
    // A ring on its way would make two turns of one.
    this.#doorbell.disarm();
    this.#turnSoon();
    return follower;
  }

  /** No listener is called any more. */
  stop(): void {
    clearImmediate(this.#nextTurn);
    for (const follower of [...this.#followers]) follower.stop();
  }

  /** Every listener's last call. */
  fail(error: Error): void {
    for (const follower of [...this.#followers]) follower.fail(error);
  }

  #turnSoon(): void {
    this.#nextTurn ??= setImmediate(() => {
      this.#nextTurn = undefined;
      this.#turn();
    });
  }

  #turn(): void {
    for (const follower of [...this.#followers]) {
      const events = follower.turn();
      if (events > 0) this.#onRead(events, follower.position);
    }
    // A listener may have closed the log, and with it the memory.
    if (this.#segment.closed) return;
    let slowest = Number.POSITIVE_INFINITY;
    for (const { position } of this.#followers) slowest = Math.min(slowest, position.seq);
    if (slowest !== Number.POSITIVE_INFINITY) this.#segment.me.publishCursor(slowest);
    if (this.#hasMore()) this.#turnSoon();
    else this.#doorbell?.arm();
  }

  #hasMore(): boolean {
    for (const follower of this.#followers) if (follower.hasMore) return true;
    return false;
  }
}
