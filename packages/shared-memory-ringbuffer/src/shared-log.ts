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
import type { LockOptions } from "./async-lock.ts";
import { type LogItem, logItems, type RecordsOptions, requireWaits } from "./async-read.ts";
import type { Doorbells, LogGates, Mutex } from "./contracts.ts";
import { ArgumentError } from "./errors.ts";
import type { EventLoopWaits } from "./event-loop-waits.ts";
import { failpoint } from "./failpoint.ts";
import { LogReader } from "./log-reader.ts";
import { type GateLimit, LogTransaction, type WriteRecord } from "./log-transaction.ts";
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
import { logRecordBytes } from "./records.ts";
import type { WaitOptions, WaitStrategy } from "./ring-wait.ts";
import type { Waiter } from "./wait-strategy.ts";

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
  /** For readers that must not be overtaken, which every writer of the log must then be given. */
  readonly gates?: LogGates | undefined;
  /** For `waitForRoom`. */
  waiter?(strategy?: WaitStrategy): Waiter;
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

export type AppendResult =
  | TransactionResult<number>
  /** A reader that gates hasn't read what would be overwritten. Nothing was done. */
  | { readonly ok: false; readonly reason: "full" };

export type GatedReaderResult =
  | TransactionResult<LogReader>
  /** What follows the position asked for is no longer there, or it is no position of this log. */
  | { readonly ok: false; readonly reason: "lapped" };

/** A look at a log from outside. */
export interface LogState {
  readonly capacityBytes: number;
  readonly oldestPosition: number;
  readonly tailPosition: number;
}

const FULL = Object.freeze({ ok: false, reason: "full" } as const);

export class SharedLog {
  readonly capacityBytes: number;
  /** The longest payload: a quarter of the capacity less the record header. */
  readonly maxRecordBytes: number;
  readonly #log: LogWords;
  readonly #mutex: Mutex;
  readonly #doorbells: Doorbells | undefined;
  readonly #options: SharedLogOptions;
  readonly #offsetBytes: number;
  readonly #limit: GateLimit;
  readonly #eventLoop: () => EventLoopWaits | undefined;

  /** Throws CorruptSegmentError when `region` holds no log, ArgumentError when it is outside its memory. */
  constructor(region: Region, options: SharedLogOptions) {
    this.#log = openLog(region);
    this.#mutex = options.mutex;
    this.#options = options;
    this.#offsetBytes = region.offsetBytes;
    this.#limit = { gates: 0, position: 0, look: (needed) => this.#slowestGate(needed) };
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
  append(bytes: Uint8Array, options?: TransactionOptions): AppendResult {
    const write: WriteRecord = (target, offset) => target.set(bytes, offset);
    const result = this.#transact((tx) => tx.append(bytes.length, write), options, false);
    return result.ok && result.value < 0 ? FULL : result;
  }

  /**
   * Whether a record of `lengthBytes` would overwrite what a reader that gates hasn't read. Other writers may change it the
   * next moment.
   */
  isFull(lengthBytes: number): boolean {
    const log = this.#log;
    if (log.memory.i32[log.gates] === 0) return false;
    const tail = loadTail(log);
    const size = logRecordBytes(lengthBytes);
    const roomToEnd = log.dataOffset + log.capacityBytes - offsetOf(log, tail);
    const needed = tail + (size > roomToEnd ? roomToEnd + size : size) - log.capacityBytes;
    return needed > loadOldest(log) && this.#slowestGate(needed) < needed;
  }

  /** Waits until the log isn't full. False: timed out. Blocks the thread. Needs the option `waiter`. */
  waitForRoom(lengthBytes: number, options: WaitOptions = {}): boolean {
    options.signal?.throwIfAborted();
    const waiter = this.#options.waiter?.(options.strategy);
    if (waiter === undefined) throw new ArgumentError("waiting for room needs `waiter`: give the segment to the log");
    return waiter.waitUntil(() => !this.isFull(lengthBytes), options.timeoutMs);
  }

  /** The same on an event loop. Needs the option `eventLoop`. */
  waitForRoomAsync(lengthBytes: number, options?: LockOptions): Promise<boolean> {
    return requireWaits(this.#eventLoop()).waitAsync(() => !this.isFull(lengthBytes), options);
  }

  /**
   * A cursor that no writer overtakes: while it is open and its participant lives, writers are told that the log is full
   * instead. It gives room back after each `read`; `close` it when done. A participant can have one, and a second ends the
   * first. A stopped reader holds writers up for as long as it is stopped.
   */
  gatedReader(after: number | "oldest" | "tail", options?: TransactionOptions): GatedReaderResult {
    const { gates } = this.#options;
    if (gates === undefined) throw new ArgumentError("a reader that gates needs `gates`: give the segment to the log");
    const log = this.#log;
    const result = this.#transact(
      (tx) => {
        const position = after === "tail" ? tx.tail : after === "oldest" ? loadOldest(log) : after;
        if (!this.isRetained(position)) return undefined;
        gates.setGate(this.#offsetBytes, position);
        failpoint("log-gate:set");
        // Each writer looks at the gates again before it next forgets anything; none can be between, as this is under the mutex.
        log.memory.i32[log.gates] = ((log.memory.i32[log.gates] as number) + 1) | 0 || 1;
        failpoint("log-gate:counted");
        const moved = (to: number): void => {
          gates.publishCursor(to);
          this.#doorbells?.ringSleepers();
        };
        const closed = (): void => {
          gates.setGate(undefined, 0);
          this.#doorbells?.ringSleepers();
        };
        return new LogReader(log, position, true, { moved, closed });
      },
      options,
      false,
    );
    if (!result.ok) return result;
    return result.value === undefined ? { ok: false, reason: "lapped" } : { ok: true, value: result.value };
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

  #slowestGate(needed: number): number {
    // Gated, and this writer can't see by whom: nothing may be forgotten.
    return this.#options.gates?.slowestGate(this.#offsetBytes, needed) ?? 0;
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
      const tx = new LogTransaction(this.#log, grant.recovered, this.#limit);
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
  "log-gate:set",
  "log-gate:counted",
  "log-publish:begin",
  "log-publish:tail",
];
