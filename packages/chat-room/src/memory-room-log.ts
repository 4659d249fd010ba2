/**
 * The RoomLog of one process: what the default socket server and most tests use.
 *
 * - Keeps the latest events, bounded in number and in bytes; the rest is gone, and readers are told. History is kept apart, so
 *   that one busy room leaves the others theirs.
 * - `seq` counts from 1 without skipping; the epoch is the time at which the log was made, so that a position from before a
 *   restart is known to be of another log.
 * - Followers are served in one `setImmediate` a turn, however much was appended in it.
 * - `openAnother` gives a second handle on the same log, with followers and a life of its own.
 */

import {
  assertEventFrame,
  isMessageFrame,
  isOfRoom,
  type Position,
  patchEvent,
  roomOf,
  type SessionId,
  streamOf,
  stringField,
} from "@parley/chat-protocol";
import { MemoryRoster } from "./memory-roster.ts";
import { MessageIdIndex } from "./message-id-index.ts";
import { HISTORY_RETENTION, type HistoryRetention, RoomHistory } from "./room-history.ts";
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
} from "./room-log.ts";

export interface MemoryRoomLogOptions {
  /** The most events that are kept. Default 65,536. */
  readonly maxEvents?: number;
  /** The most bytes of events that are kept. Default 16 MiB. */
  readonly maxBytes?: number;
  /** Default HISTORY_RETENTION. */
  readonly history?: HistoryRetention;
}

const DEFAULT_MAX_EVENTS = 65_536;
const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;
/** Dropped events are cut off the array when there are this many, and more of them than kept ones: amortized O(1). */
const COMPACT_AFTER = 1024;
const RESUME_KEY_BYTES = 32;

/** The events themselves, which all handles share. */
class MemoryStore {
  readonly epoch: number = Date.now();
  readonly roster: MemoryRoster = new MemoryRoster();
  readonly followers: Set<MemoryFollower> = new Set();
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  readonly #messageIds = new MessageIdIndex();
  readonly resumeKey: Uint8Array = crypto.getRandomValues(new Uint8Array(RESUME_KEY_BYTES));
  readonly #history: RoomHistory<Uint8Array>;
  /** The room of the latest event: most often that of the next one too, which then needn't be decoded. */
  #room = { name: "", field: stringField("") };
  #events: (Uint8Array | undefined)[] = [];
  /** Index in `#events` of the oldest event that is kept. */
  #first = 0;
  #bytes = 0;
  #tailSeq = 0;
  #latestTimeMs = 0;
  #flushIsDue = false;

  constructor(options: MemoryRoomLogOptions) {
    this.#maxEvents = options.maxEvents ?? DEFAULT_MAX_EVENTS;
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#history = new RoomHistory(options.history ?? HISTORY_RETENTION);
  }

  get tail(): Position {
    return { epoch: this.epoch, seq: this.#tailSeq };
  }

  /** What is kept begins after this. */
  get oldest(): Position {
    return { epoch: this.epoch, seq: this.#oldestSeq };
  }

  get #oldestSeq(): number {
    return this.#tailSeq - (this.#events.length - this.#first);
  }

  append(frame: Uint8Array): Appended {
    assertEventFrame(frame);
    const timeMs = Math.max(Date.now(), this.#latestTimeMs);
    const known = this.#messageIds.findIdOf(frame, timeMs);
    if (known !== undefined) return { position: known.position, timeMs: known.timeMs, duplicate: true };
    if (!isOfRoom(frame, this.#room.field)) {
      const name = roomOf(frame);
      this.#room = { name, field: stringField(name) };
    }
    const room = this.#room.name;
    const position = { epoch: this.epoch, seq: this.#tailSeq + 1 };
    patchEvent(frame, 0, { position, prev: this.#history.lastSeqOf(room), timeMs });
    this.#tailSeq = position.seq;
    this.#latestTimeMs = timeMs;
    const stream = isMessageFrame(frame) ? room : streamOf(frame);
    if (stream !== undefined) this.#history.add(stream, position.seq, frame.length, frame);
    this.#messageIds.rememberIdOf(frame, { position, timeMs });
    this.#keep(frame);
    this.flushSoon();
    return { position, timeMs, duplicate: false };
  }

  #keep(frame: Uint8Array): void {
    this.#events.push(frame);
    this.#bytes += frame.length;
    while (this.#events.length - this.#first > this.#maxEvents || this.#bytes > this.#maxBytes) {
      this.#bytes -= (this.#events[this.#first] as Uint8Array).length;
      this.#events[this.#first++] = undefined;
    }
    if (this.#first > COMPACT_AFTER && 2 * this.#first > this.#events.length) {
      this.#events = this.#events.slice(this.#first);
      this.#first = 0;
    }
  }

  read(after: Position, maxEvents: number): Page {
    const recovered = after.epoch === this.epoch && after.seq >= this.#oldestSeq && after.seq <= this.#tailSeq;
    const fromSeq = recovered ? after.seq : this.#oldestSeq;
    const from = this.#first + (fromSeq - this.#oldestSeq);
    const events = this.#events.slice(from, from + Math.max(0, maxEvents)) as Uint8Array[];
    return { events, next: { epoch: this.epoch, seq: fromSeq + events.length }, recovered };
  }

  history(room: string, maxEvents: number, before: Position | undefined): HistoryPage {
    if (before !== undefined && before.epoch !== this.epoch) return { events: [], hasMore: false };
    const beforeSeq = before?.seq ?? this.#tailSeq + 1;
    const { items, hasMore } = this.#history.before(room, beforeSeq, maxEvents, HISTORY_PAGE_BYTES);
    return { events: items, hasMore };
  }

  missed(stream: string, after: Position): Missed {
    const isOfThisLog = after.epoch === this.epoch && after.seq <= this.#tailSeq;
    const { items, isWhole } = this.#history.since(stream, isOfThisLog ? after.seq : 0);
    return { events: items, recovered: isOfThisLog && isWhole };
  }

  flushSoon(): void {
    if (this.#flushIsDue || this.followers.size === 0) return;
    this.#flushIsDue = true;
    setImmediate(() => {
      this.#flushIsDue = false;
      for (const follower of this.followers) follower.flush();
    });
  }
}

class MemoryFollower implements Follower {
  readonly #store: MemoryStore;
  readonly #listener: LogListener;
  #position: Position;

  constructor(store: MemoryStore, after: Position, listener: LogListener) {
    this.#store = store;
    this.#position = after;
    this.#listener = listener;
    store.followers.add(this);
    store.flushSoon();
  }

  get position(): Position {
    return this.#position;
  }

  stop(): void {
    this.#store.followers.delete(this);
  }

  flush(): void {
    const page = this.#store.read(this.#position, Number.POSITIVE_INFINITY);
    if (!page.recovered) {
      this.#position = this.#store.oldest;
      if (page.events.length > 0) this.#store.flushSoon();
      this.#listener.lost(this.#position);
    } else if (page.events.length > 0) {
      this.#position = page.next;
      this.#listener.events(page.events, page.next);
    }
  }
}

export class MemoryRoomLog implements RoomLog {
  readonly label = "memory";
  readonly #store: MemoryStore;
  readonly #followers = new Set<Follower>();
  #closed = false;

  constructor(options: MemoryRoomLogOptions = {}, store: unknown = undefined) {
    this.#store = store instanceof MemoryStore ? store : new MemoryStore(options);
  }

  /** Another handle on the same log. Closing one leaves the other as it was. */
  openAnother(): MemoryRoomLog {
    return new MemoryRoomLog({}, this.#store);
  }

  get epoch(): number {
    return this.#store.epoch;
  }

  get roster(): MemoryRoster {
    return this.#store.roster;
  }

  get resumeKey(): Uint8Array {
    return this.#store.resumeKey;
  }

  async history(room: string, maxEvents: number, before?: Position): Promise<HistoryPage> {
    this.#assertOpen();
    return this.#store.history(room, maxEvents, before);
  }

  async missed(stream: string, after: Position): Promise<Missed> {
    this.#assertOpen();
    return this.#store.missed(stream, after);
  }

  async append(_sessionId: SessionId, frame: Uint8Array): Promise<Appended> {
    this.#assertOpen();
    return this.#store.append(frame);
  }

  async bounds(): Promise<{ readonly oldest: Position; readonly tail: Position }> {
    this.#assertOpen();
    return { oldest: this.#store.oldest, tail: this.#store.tail };
  }

  async read(after: Position, maxEvents: number): Promise<Page> {
    this.#assertOpen();
    return this.#store.read(after, maxEvents);
  }

  follow(after: Position, listener: LogListener): Follower {
    this.#assertOpen();
    const follower = new MemoryFollower(this.#store, after, listener);
    this.#followers.add(follower);
    return {
      get position() {
        return follower.position;
      },
      stop: () => {
        follower.stop();
        this.#followers.delete(follower);
      },
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const follower of this.#followers) follower.stop();
    this.#followers.clear();
  }

  #assertOpen(): void {
    if (this.#closed) throw new RoomLogError("CLOSED", "the log was closed");
  }
}
