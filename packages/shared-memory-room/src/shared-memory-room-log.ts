/**
 * The RoomLog kept in a segment of shared memory: every process that maps it reads and writes the same room, and there is
 * no server.
 *
 * - A record of the log is the encoded event frame; position, prev and time are filled in where the frame lies.
 * - `seq` is where the record ends in the log, in bytes from its beginning; it never wraps. The epoch is the segment's.
 * - Writing is `locked-turns.ts`, names are `shared-roster.ts`, following is `followers.ts`; this file ties them together.
 * - A process killed at any point costs the others nothing but old records. Its names are released by whoever notices
 *   first: the next to open the segment, or a process in it, which looks about once a second.
 * - The last to close removes the segment, unless it is told to keep it or something in it waits for a reader.
 */

import {
  assertEventFrame,
  messageIdOf,
  type Position,
  patchEvent,
  roomOf,
  type SessionId,
} from "@parley/chat-protocol";
import {
  type Appended,
  type Follower,
  HISTORY_PAGE_BYTES,
  type HistoryPage,
  type LogListener,
  type Missed,
  type Page,
  type RoomLog,
  RoomLogError,
} from "@parley/chat-room";
import {
  CorruptSegmentError,
  type LogTransaction,
  type MappingKind,
  type Segment,
  SharedLog,
} from "shared-memory-ringbuffer";
import { Followers } from "./followers.ts";
import { KnownEvents } from "./known-events.ts";
import { LockedTurns } from "./locked-turns.ts";
import { assertLogEvent } from "./log-follower.ts";
import { PlacesTable } from "./places-table.ts";
import { LOG_OBJECT, PLACES_OBJECT, ROSTER_OBJECT } from "./room-segment.ts";
import { RosterTable } from "./roster-table.ts";
import { SharedRoster } from "./shared-roster.ts";
import type { OnTrace } from "./trace.ts";

const DEFAULT_MAX_QUEUED_APPENDS = 4096;
const DEFAULT_MAX_QUEUED_BYTES = 4 * 1024 * 1024;
/** How often a process looks for dead ones, whose names it then releases. */
const REAP_INTERVAL_MS = 1000;

export interface SharedMemoryRoomLogOptions {
  /** Appends and claims that may wait for the lock; past it they are refused with OVERLOADED. Default 4096. */
  readonly maxQueuedAppends?: number;
  /** The same in bytes. Default 4 MiB. */
  readonly maxQueuedBytes?: number;
  /**
   * Whether what a follower was given counts as read by a person, which a writer may wait for (`readMark`). Default true.
   * False: only `markRead` counts.
   */
  readonly marksRead?: boolean;
  readonly onTrace?: OnTrace;
}

export class SharedMemoryRoomLog implements RoomLog {
  readonly label: string;
  readonly epoch: number;
  readonly roster: SharedRoster;
  readonly #segment: Segment;
  readonly #log: SharedLog;
  readonly #table: RosterTable;
  readonly #turns: LockedTurns;
  readonly #known = new KnownEvents();
  /** `#known` has everything up to here. */
  #knownSeq = 0;
  readonly #followers: Followers;
  readonly #marksRead: boolean;
  /** Where this process began to follow, which it may have done after something that waits for a reader. */
  #followsAfter = Number.POSITIVE_INFINITY;
  readonly #onTrace: OnTrace | undefined;
  readonly #reapTimer: NodeJS.Timeout;
  #failure: RoomLogError | undefined;
  #closed = false;

  /** Takes `segment` over: `close` closes it. Throws CorruptSegmentError for a segment that holds no room. */
  constructor(segment: Segment, label: string, options: SharedMemoryRoomLogOptions = {}) {
    this.#segment = segment;
    this.label = label;
    this.epoch = segment.epoch;
    this.#marksRead = options.marksRead ?? true;
    this.#onTrace = options.onTrace;
    const region = segment.region(LOG_OBJECT, "log");
    this.#log = new SharedLog(region, { mutex: segment.mutex });
    this.#followers = new Followers(segment, this.#log, (events, { seq }) => this.#wasRead(events, seq));
    this.#table = new RosterTable(segment.region(ROSTER_OBJECT, "region"));
    this.#turns = new LockedTurns({
      mutex: segment.mutex,
      doorbells: segment.doorbells,
      region,
      maxQueuedTasks: options.maxQueuedAppends ?? DEFAULT_MAX_QUEUED_APPENDS,
      maxQueuedBytes: options.maxQueuedBytes ?? DEFAULT_MAX_QUEUED_BYTES,
      catchUp: () => this.#catchUp(),
      isFatal: (error) => error instanceof CorruptSegmentError,
      onFatal: (error) => this.#fail(error),
      onTrace: options.onTrace,
    });
    this.roster = new SharedRoster({
      turns: this.#turns,
      table: this.#table,
      places: new PlacesTable(segment.region(PLACES_OBJECT, "region")),
      me: segment.me,
      isAlive: ({ slot, generation }) => segment.isParticipantAlive(slot, generation),
      walk: (onEvent) => this.#walk(onEvent),
      publish: (frames) =>
        this.#turns.publishLocked((log) => {
          for (const frame of frames) this.#append(log, frame);
        }),
    });
    // Most of the way without the lock, so that the first turn under it is short.
    this.#catchUp();
    segment.onReap(() => this.#sweepNames());
    this.#reapTimer = setInterval(() => this.#reap(), REAP_INTERVAL_MS).unref();
  }

  /** How the segment is mapped in this process. */
  get mapping(): MappingKind {
    return this.#segment.mapping;
  }

  /** Path of the segment's file; `undefined` for the threads of one process. */
  get path(): string | undefined {
    return this.#segment.path;
  }

  /** The memory itself: for other threads of this process, if it is theirs to share. */
  get buffer(): ArrayBuffer | SharedArrayBuffer {
    return this.#segment.memory.buffer;
  }

  /** Capacity of the log; positions are byte counts, so that this bounds how far a reader may be behind. */
  get capacityBytes(): number {
    return this.#log.capacityBytes;
  }

  /** Seq of the newest event that any reader in any process has shown, 0 if none has. It outlives the reader. */
  get readMark(): number {
    return this.#table.readMark;
  }

  /** Tells everybody that this reader has shown what is up to `seq`. */
  markRead(seq: number): void {
    this.#table.raiseReadMark(seq);
  }

  get resumeKey(): Uint8Array {
    return this.#table.resumeKey;
  }

  /** Keeps what is up to `seq` until a reader has shown it, even when nobody is left. */
  keepUntilRead(seq: number): void {
    this.#table.raiseKeepMark(seq);
  }

  /** Something in the segment is kept for a reader: the last to close leaves the segment. */
  get isAwaitingReader(): boolean {
    return this.#table.readMark < this.#table.keepMark;
  }

  append(_sessionId: SessionId, frame: Uint8Array): Promise<Appended> {
    try {
      assertEventFrame(frame);
    } catch (error) {
      return Promise.reject(error);
    }
    if (frame.length > this.#log.maxRecordBytes) {
      const message = `an event of ${frame.length} bytes has no place in a log of ${this.#log.capacityBytes}`;
      return Promise.reject(new RoomLogError("LOG_UNAVAILABLE", message));
    }
    return this.#turns.run(frame.length, (log) => this.#append(log, frame));
  }

  /** Under the lock, with everything before known. */
  #append(log: LogTransaction, frame: Uint8Array): Appended {
    const timeMs = this.#known.nextTimeMs();
    const messageId = messageIdOf(frame);
    const first = this.#known.find(messageId, timeMs);
    if (first !== undefined) return { position: first.position, timeMs: first.timeMs, duplicate: true };
    const room = roomOf(frame);
    const prev = room === "" ? 0 : this.#known.lastSeqOf(room);
    const seq = log.append(frame.length, (bytes, offset, position) => {
      patchEvent(frame, 0, { position: { epoch: this.epoch, seq: position }, prev, timeMs });
      bytes.set(frame, offset);
    });
    this.#known.add(frame);
    this.#knownSeq = seq;
    this.#turns.trace("write", () => `${frame.length} bytes, up to position ${seq}`);
    return { position: { epoch: this.epoch, seq }, timeMs, duplicate: false };
  }

  async bounds(): Promise<{ readonly oldest: Position; readonly tail: Position }> {
    this.#assertUsable();
    const oldest = { epoch: this.epoch, seq: this.#log.oldest() };
    return { oldest, tail: { epoch: this.epoch, seq: this.#log.tail() } };
  }

  async read(after: Position, maxEvents: number): Promise<Page> {
    this.#assertUsable();
    let recovered = after.epoch === this.epoch && this.#log.isRetained(after.seq);
    const reader = this.#log.reader(recovered ? after.seq : "oldest");
    const events: Uint8Array[] = [];
    while (maxEvents > 0) {
      const { outcome } = reader.read(
        (bytes, position) => {
          assertLogEvent(bytes, position);
          events.push(bytes.slice());
        },
        { maxRecords: maxEvents },
      );
      if (outcome === "records" || outcome === "empty") break;
      recovered = false;
    }
    return { events, next: { epoch: this.epoch, seq: reader.position }, recovered };
  }

  async history(room: string, maxEvents: number, before?: Position): Promise<HistoryPage> {
    this.#assertUsable();
    if (before !== undefined && before.epoch !== this.epoch) return { events: [], hasMore: false };
    this.#catchUp();
    const beforeSeq = before?.seq ?? this.#knownSeq + 1;
    const { items, hasMore } = this.#known.history.before(room, beforeSeq, maxEvents, HISTORY_PAGE_BYTES);
    const { events, isWhole } = this.#eventsAt(items);
    return { events, hasMore: hasMore && isWhole && this.#log.isRetained(items[0] ?? 0) };
  }

  async missed(stream: string, after: Position): Promise<Missed> {
    this.#assertUsable();
    this.#catchUp();
    const isOfThisLog = after.epoch === this.epoch && after.seq <= this.#knownSeq;
    const kept = this.#known.history.since(stream, isOfThisLog ? after.seq : 0);
    const { events, isWhole } = this.#eventsAt(kept.items);
    return { events, recovered: isOfThisLog && kept.isWhole && isWhole };
  }

  /** The events whose records begin at `positions`, as far as they weren't overwritten. */
  #eventsAt(positions: readonly number[]): { readonly events: readonly Uint8Array[]; readonly isWhole: boolean } {
    const events: Uint8Array[] = [];
    for (const position of positions) {
      if (!this.#log.isRetained(position)) continue;
      const before = events.length;
      const { outcome } = this.#log.reader(position).read(
        (bytes, seq) => {
          assertLogEvent(bytes, seq);
          events.push(bytes.slice());
        },
        { maxRecords: 1 },
      );
      if (outcome !== "records") events.length = before;
    }
    return { events, isWhole: events.length === positions.length };
  }

  follow(after: Position, listener: LogListener): Follower {
    this.#assertUsable();
    this.#followsAfter = Math.min(this.#followsAfter, after.seq);
    return this.#followers.add(after, listener);
  }

  /** Stops following and writing; what waits for the lock is rejected. `keep`: the last to leave leaves the segment. */
  async close(options: { readonly keep?: boolean } = {}): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#turns.end(new RoomLogError("CLOSED", "the log was closed"));
    clearInterval(this.#reapTimer);
    this.#followers.stop();
    this.#segment.close({ keep: options.keep || this.isAwaitingReader });
    this.#onTrace?.("detach", this.label, Date.now());
  }

  /** Brings what this process knows up to the tail. Reads without the lock; under it, nothing can come meanwhile. */
  #catchUp(): void {
    const tail = this.#log.tail();
    if (this.#knownSeq === tail) return;
    // A new cursor each time, because the last one knows nothing of what this process appended itself.
    const reader = this.#log.reader(this.#knownSeq === 0 ? "oldest" : this.#knownSeq);
    this.#known.continueAfter(reader.position, reader.position !== this.#knownSeq);
    while (reader.position < tail) {
      const { outcome } = reader.read((bytes, position) => {
        assertLogEvent(bytes, position);
        this.#known.add(bytes);
      });
      // Overtaken: what was lost is in nobody's history any more, and what comes after it is read on.
      if (outcome === "lapped" || outcome === "invalid") this.#known.continueAfter(reader.position, true);
    }
    this.#knownSeq = reader.position;
  }

  /** Every retained event. False: earlier ones were overwritten. */
  #walk(onEvent: (frame: Uint8Array) => void): boolean {
    const reader = this.#log.reader("oldest");
    const isWhole = reader.position === 0;
    reader.read((bytes, position) => {
      assertLogEvent(bytes, position);
      onEvent(bytes);
    });
    return isWhole;
  }

  #wasRead(events: number, seq: number): void {
    if (this.#closed) return;
    // Who came after what waits for a reader hasn't read that.
    const hasMissedSome = this.isAwaitingReader && this.#followsAfter > this.#table.readMark;
    if (this.#marksRead && !hasMissedSome) this.markRead(seq);
    this.#onTrace?.("read", `${events} events, up to position ${seq}`, Date.now());
  }

  /** Looks for dead participants, without the lock unless there are any. */
  #reap(): void {
    try {
      const hasDeadNames = this.roster.hasDeadNames();
      if (hasDeadNames) {
        this.#turns
          .run(
            0,
            () => {},
            () => this.roster.sweep(),
          )
          .catch(() => {});
      }
      this.#segment.reapDead();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** The lock is held, by `reapDead` or by `close`. */
  #sweepNames(): void {
    if (this.#failure !== undefined) return;
    this.#turns.trace("lock", () => "to release the names of the dead");
    try {
      this.roster.sweep();
      this.#turns.trace("unlock", () => "");
    } catch (error) {
      // Not to be thrown into the sweep of the segment, which must go on.
      queueMicrotask(() => this.#fail(error as Error));
    }
  }

  /** The segment can't be used any more. */
  #fail(error: Error): void {
    if (this.#failure !== undefined || this.#closed) return;
    this.#failure = new RoomLogError("LOG_UNAVAILABLE", `the segment can't be used: ${error.message}`, {
      cause: error,
    });
    clearInterval(this.#reapTimer);
    this.#turns.end(this.#failure);
    this.#followers.fail(this.#failure);
  }

  #assertUsable(): void {
    if (this.#closed) throw new RoomLogError("CLOSED", "the log was closed");
    if (this.#failure !== undefined) throw this.#failure;
  }
}
