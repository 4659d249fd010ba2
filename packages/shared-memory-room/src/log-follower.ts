/**
 * One follower of the log: its cursor, and a bounded bite of events for its listener in each turn of the event loop.
 *
 * - At most MAX_EVENTS_A_TURN events in one call, one call a turn: sockets and other followers get their turn between.
 * - Overtaken by the writers, or started at a position of another log: `lost`, then on from the oldest event.
 * - A record that is no event frame, or a log that no writer could have left: `failed`, and that was all.
 */

import { assertEventFrame, logFieldsOf, type Position, ProtocolError } from "@parley/chat-protocol";
import { type Follower, type LogListener, RoomLogError } from "@parley/chat-room";
import { CorruptSegmentError, type LogReader, type SharedLog } from "shared-memory-ringbuffer";

const MAX_EVENTS_A_TURN = 512;
const MAX_BYTES_A_TURN = 256 * 1024;

export class LogFollower implements Follower {
  readonly #log: SharedLog;
  readonly #epoch: number;
  readonly #listener: LogListener;
  readonly #onStop: (follower: LogFollower) => void;
  #reader: LogReader;
  /** `after` was a position of another log, or not of any record: to be told in the first turn. */
  #startsLost: boolean;
  #stopped = false;

  constructor(
    log: SharedLog,
    epoch: number,
    after: Position,
    listener: LogListener,
    onStop: (follower: LogFollower) => void,
  ) {
    this.#log = log;
    this.#epoch = epoch;
    this.#listener = listener;
    this.#onStop = onStop;
    this.#startsLost = after.epoch !== epoch || !log.isRetained(after.seq);
    this.#reader = log.reader(this.#startsLost ? "oldest" : after.seq);
  }

  get position(): Position {
    return { epoch: this.#epoch, seq: this.#reader.position };
  }

  /** Whether a turn would bring anything. Looks at shared memory, so it may find the log corrupt: then it fails. */
  get hasMore(): boolean {
    if (this.#stopped) return false;
    try {
      return this.#startsLost || this.#reader.position !== this.#log.tail();
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#onStop(this);
  }

  /** One turn: at most one call of the listener. Returns how many events it got. */
  turn(): number {
    if (this.#stopped) return 0;
    if (this.#startsLost) {
      this.#startsLost = false;
      this.#listener.lost(this.position);
      return 0;
    }
    const events: Uint8Array[] = [];
    try {
      const { outcome } = this.#reader.read(
        (bytes, position) => {
          assertLogEvent(bytes, position);
          events.push(bytes.slice());
        },
        { maxRecords: MAX_EVENTS_A_TURN, maxBytes: MAX_BYTES_A_TURN },
      );
      if (outcome === "lapped" || outcome === "invalid") this.#listener.lost(this.position);
    } catch (error) {
      this.fail(error);
      return 0;
    }
    if (events.length > 0) this.#listener.events(events, this.position);
    return events.length;
  }

  /** The last call of the listener. */
  fail(error: unknown): void {
    if (this.#stopped) return;
    this.stop();
    this.#listener.failed(
      error instanceof RoomLogError
        ? error
        : new RoomLogError("LOG_UNAVAILABLE", `the segment can't be read: ${messageOf(error)}`, { cause: error }),
    );
  }
}

/** Throws CorruptSegmentError unless a record holds one whole event frame of this log. */
export function assertLogEvent(bytes: Uint8Array, position: number): void {
  try {
    assertEventFrame(bytes);
    if (logFieldsOf(bytes).position.seq === position) return;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
  throw new CorruptSegmentError(`the record that ends at ${position} is no event of this log`, { position });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
