/**
 * A log that many threads or processes append to and any number read, each reader with a cursor of its own.
 *
 * - Writers take turns under the segment's mutex; readers take no lock and never hold a writer up.
 * - A full log forgets its oldest records. A reader too slow to see them is told how much it lost, never given garbage.
 * - A writer that dies at any point costs old records only: a record is there whole or not at all.
 *
 * The protocol. Two 64-bit words, `oldest` and `tail`, bound what is retained. A writer advances `oldest` past what it is
 * about to overwrite, then writes, then stores `tail`. A reader copies, then looks at `oldest` again, and throws the copy
 * away if it passed the cursor.
 *
 * Why a copy that passes the check is whole. The writer's update U of `oldest` and the reader's second look L are both
 * read-modify-writes of one word, so one comes first. If U does, L sees it and the reader discards the copy. If L does, U
 * reads what L wrote (or a chain of such updates after it), so that the reader's copy happens before U, and U happens
 * before the writer's stores: the copy can't contain any of them. With a plain atomic load as L, the copy wouldn't be
 * ordered before it on arm64: a load doesn't hold back the loads before it. And checking against `tail` alone isn't
 * enough, as the writer changes bytes before it stores `tail`.
 *
 * A position is a byte count that never wraps. A record's position is where it *ends*: "after position p" starts at p.
 */
import { type LogItem, logItems, type RecordsOptions, requireWaits } from "./async-read.ts";
import type { Doorbells, Mutex } from "./contracts.ts";
import { ArgumentError } from "./errors.ts";
import type { EventLoopWaits } from "./event-loop-waits.ts";
import { LogReader } from "./log-reader.ts";
import { LogTransaction, type WriteRecord } from "./log-transaction.ts";
import {
  isBoundary,
  isPosition,
  type LogWords,
  loadOldest,
  loadTail,
  offsetOf,
  openLog,
  recordSizeAt,
  reloadOldest,
} from "./log-words.ts";
import type { Region } from "./memory.ts";

export { LogReader, type OnLogRecord, type ReadOptions, type ReadResult } from "./log-reader.ts";
export type { LogTransaction, WriteRecord } from "./log-transaction.ts";
export { type FormatLogOptions, formatLog, logRegionSizeBytes } from "./log-words.ts";

export interface SharedLogOptions {
  /** The segment's mutex: every writer of the log uses the same. */
  readonly mutex: Mutex;
  /** Rung after each publication. */
  readonly doorbells?: Doorbells | undefined;
  /** For `items`. */
  readonly eventLoop?: EventLoopWaits | undefined;
}

export interface TransactionOptions {
  /** False: only try, for an event loop. Default true: block the thread until the mutex is free. */
  readonly wait?: boolean;
  /** Milliseconds to wait at most, if `wait`. Default: for ever. */
  readonly timeoutMs?: number;
  /** Looks at the mutex, if not `wait`. Default: the mutex's own. */
  readonly spins?: number;
}

export type TransactionResult<T> =
  | { readonly ok: true; readonly value: T }
  /** The mutex wasn't free: within `timeoutMs`, or at all. Nothing was done. */
  | { readonly ok: false; readonly reason: "timed-out" | "busy" };

/** A look at a log from outside. */
export interface LogState {
  readonly capacityBytes: number;
  readonly oldestPosition: number;
  readonly tailPosition: number;
}

export class SharedLog {
  readonly capacityBytes: number;
  /** The longest payload: a quarter of the capacity less the record header. */
  readonly maxRecordBytes: number;
  readonly #log: LogWords;
  readonly #mutex: Mutex;
  readonly #doorbells: Doorbells | undefined;
  readonly #eventLoop: () => EventLoopWaits | undefined;

  /** Throws CorruptSegmentError when `region` holds no log, ArgumentError when it is outside its memory. */
  constructor(region: Region, options: SharedLogOptions) {
    this.#log = openLog(region);
    this.#mutex = options.mutex;
    this.#doorbells = options.doorbells;
    // Asked for when needed: making it takes the participant's doorbell.
    this.#eventLoop = () => options.eventLoop;
    this.capacityBytes = this.#log.capacityBytes;
    this.maxRecordBytes = this.#log.maxRecordBytes;
  }

  /** Position of the newest record. */
  tail(): number {
    return loadTail(this.#log);
  }

  /** The position after which everything is retained. */
  oldest(): number {
    return loadOldest(this.#log);
  }

  /**
   * Runs `fn` under the mutex. What it appends becomes visible at once, by one store, when it returns; then the mutex is
   * released and sleepers are rung. If `fn` throws, nothing it appended is visible, and the error goes on to the caller.
   * Readers may read inside, to catch up with `tail()` before appending: nobody else publishes meanwhile.
   *
   * `tx.recovered` asks `fn` to rebuild whatever else the mutex protects; returning says that it is done, and throwing
   * leaves it to the next owner. The log itself never needs it.
   */
  transaction<T>(fn: (tx: LogTransaction) => T, options?: TransactionOptions): TransactionResult<T> {
    return this.#transact(fn, options, true);
  }

  /** Appends a copy of `bytes` in a transaction of its own; `value` is its position. Repairs nothing else. */
  append(bytes: Uint8Array, options?: TransactionOptions): TransactionResult<number> {
    const write: WriteRecord = (target, offset) => target.set(bytes, offset);
    return this.#transact((tx) => tx.append(bytes.length, write), options, false);
  }

  /**
   * A cursor that starts after position `after`: a record's position, "oldest" for all that is retained, "tail" for what
   * comes from now on. A number that can't be honoured is reported by the first read. Throws ArgumentError when it is no
   * position at all.
   */
  reader(after: number | "oldest" | "tail"): LogReader {
    if (after === "tail") return new LogReader(this.#log, loadTail(this.#log), true);
    if (after === "oldest") return new LogReader(this.#log, loadOldest(this.#log), true);
    if (!isPosition(after)) {
      throw new ArgumentError(`a position must be an integer from 0 to 2^53 - 1: after=${after}`, { after });
    }
    return new LogReader(this.#log, after, false);
  }

  /**
   * What is appended, as it comes, for `for await`: copies of records with their positions, and what was lost. Never ends by
   * itself; leave the loop or abort the signal. It reads ahead by `maxRecordsPerTurn`: go on after the position of the last
   * record you took. The event loop gets its turns. Needs the option `eventLoop`.
   */
  items(after: number | "oldest" | "tail", options?: RecordsOptions): AsyncGenerator<LogItem, void, void> {
    const reader = this.reader(after);
    return logItems(reader, () => loadTail(this.#log) !== reader.position, requireWaits(this.#eventLoop()), options);
  }

  /** Whether reading after `position` misses nothing: it is a record's position, and all later records are retained. */
  isRetained(position: number): boolean {
    const log = this.#log;
    if (!isPosition(position) || !isBoundary(position)) return false;
    const tail = loadTail(log);
    if (position >= tail) return position === tail;
    const size = recordSizeAt(log, log.memory.i32, offsetOf(log, position) >>> 2, position);
    const oldest = reloadOldest(log);
    return position === oldest || (position > oldest && size > 0);
  }

  #transact<T>(
    fn: (tx: LogTransaction) => T,
    options: TransactionOptions = {},
    repairs: boolean,
  ): TransactionResult<T> {
    const { wait = true, timeoutMs, spins } = options;
    const grant = wait ? this.#mutex.lock(timeoutMs) : this.#mutex.tryLock(spins);
    if (grant === undefined) return { ok: false, reason: wait ? "timed-out" : "busy" };
    let returned = false;
    let published = false;
    let value: T;
    try {
      const tx = new LogTransaction(this.#log, grant.recovered);
      try {
        value = fn(tx);
        returned = true;
      } finally {
        published = tx.end(returned);
      }
    } finally {
      if (returned && repairs) this.#mutex.unlock();
      else this.#mutex.unlockUnrepaired();
    }
    if (published) this.#doorbells?.ringSleepers();
    return { ok: true, value };
  }
}

/** A look at a log without taking part. The two words are read one after the other while others may move them. */
export function inspectLog(region: Region): LogState {
  const log = openLog(region);
  return { capacityBytes: log.capacityBytes, oldestPosition: loadOldest(log), tailPosition: loadTail(log) };
}

/** Every failpoint of a log, named `area:what was stored last`. */
export const LOG_FAILPOINTS: readonly string[] = [
  "log-append:begin",
  "log-append:oldest",
  "log-append:padding",
  "log-append:header",
  "log-append:payload",
  "log-publish:begin",
  "log-publish:tail",
];
