/**
 * A cursor over a shared log, private to one thread.
 *
 * - Readers take no lock and slow no writer: they copy, then check that nothing copied was being overwritten meanwhile
 *   (see shared-log.ts). Only a checked copy is parsed and handed out.
 * - Records come whole and in order. What was overwritten before it was read is reported once, as `lapped`.
 * - A cursor set to a number that is no record's position is reported once, as `invalid`. Both go on at the oldest record.
 */
import { ArgumentError, CorruptSegmentError } from "./errors.ts";
import {
  copyBytes,
  corruptRecord,
  isBoundary,
  type LogWords,
  loadTail,
  offsetOf,
  recordSizeAt,
  reloadOldest,
} from "./log-words.ts";
import { LOG_RECORD_HEADER_BYTES } from "./records.ts";

/** Receives a record: a copy that holds until the call returns, and the record's position. */
export type OnLogRecord = (bytes: Uint8Array, position: number) => void;

export interface ReadOptions {
  /** Default: all there are when the call is made. */
  readonly maxRecords?: number;
  /** Stops before a record that would bring the sum of payloads above this; the first always comes. */
  readonly maxBytes?: number;
}

export type ReadResult =
  | { readonly outcome: "records"; readonly records: number }
  | { readonly outcome: "empty"; readonly records: 0 }
  /** `lostBytes` of the log (headers included) were overwritten before they were read. */
  | { readonly outcome: "lapped"; readonly records: 0; readonly lostBytes: number }
  /** The position the reader was made with is no record's position in this log. */
  | { readonly outcome: "invalid"; readonly records: 0; readonly position: number };

export interface ReaderGate {
  moved(position: number): void;
  closed(): void;
}

/** Enough that the check after each copy costs nothing beside it, little enough that a copy is seldom overtaken. */
const CHUNK_BYTES = 65_536;
/** A chunk is at most this part of the log. */
const CHUNKS_PER_LOG = 8;

const EMPTY: ReadResult = { outcome: "empty", records: 0 };

export class LogReader {
  readonly #log: LogWords;
  #position: number;
  /** Whether the cursor is known to stand between two records. */
  #verified: boolean;
  #reading = false;
  #gate: ReaderGate | undefined;
  #bytes = new Uint8Array(0);
  #words = new Int32Array(0);

  /** `gate` is told of the position after each read that moved it, and when the reader is closed. */
  constructor(log: LogWords, position: number, verified: boolean, gate?: ReaderGate) {
    this.#log = log;
    this.#gate = gate;
    this.#position = position;
    this.#verified = verified;
  }

  /** Position of the last record read: what comes next starts here. */
  get position(): number {
    return this.#position;
  }

  /**
   * Calls `onRecord` for each record from the cursor to the tail as it is now. A record counts as read once it was passed,
   * even if `onRecord` threw. Throws CorruptSegmentError; ArgumentError when called from within `onRecord`.
   */
  read(onRecord: OnLogRecord, options: ReadOptions = {}): ReadResult {
    const { maxRecords = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } = options;
    if (!(maxRecords >= 1 && maxBytes >= 1)) {
      throw new ArgumentError(`read needs limits of 1 or more: maxRecords=${maxRecords} maxBytes=${maxBytes}`, {
        maxRecords,
        maxBytes,
      });
    }
    if (this.#reading) throw new ArgumentError("read called from within its own onRecord");
    this.#reading = true;
    const before = this.#position;
    try {
      return this.#read(onRecord, maxRecords, maxBytes);
    } finally {
      this.#reading = false;
      if (this.#position !== before) this.#gate?.moved(this.#position);
    }
  }

  /** A reader that gates stops doing so: from now on it can be overtaken. On any other it does nothing. */
  close(): void {
    this.#gate?.closed();
    this.#gate = undefined;
  }

  #read(onRecord: OnLogRecord, maxRecords: number, maxBytes: number): ReadResult {
    const log = this.#log;
    // Fixed for the whole call, so that it ends however fast the log grows.
    const tail = loadTail(log);
    let records = 0;
    let bytesLeft = maxBytes;
    let wanted = Math.min(CHUNK_BYTES, log.capacityBytes / CHUNKS_PER_LOG);
    // Runs ahead of `#position` by a padding, which is no record's position.
    let start = this.#position;
    while (start !== tail) {
      const copied = this.#copy(start, tail, wanted);
      const oldest = reloadOldest(log);
      if (start < oldest) return records > 0 ? { outcome: "records", records } : this.#lapped(oldest);
      if (copied === 0) return this.#refused(start, tail, oldest);
      let at = 0;
      while (at < copied) {
        const size = recordSizeAt(log, this.#words, at >>> 2, start + at);
        if (size === 0 || start + at + size > tail) {
          if (at === 0 && !this.#verified && start !== oldest) return this.#refused(start, tail, oldest);
          throw corruptRecord(log, start + at);
        }
        this.#verified = true;
        if (at + size > copied) {
          wanted = at === 0 ? size : wanted;
          break;
        }
        if (this.#words[(at >>> 2) + 1] === log.dataKind) {
          const length = this.#words[at >>> 2] as number;
          if (records >= maxRecords || (records > 0 && length > bytesLeft)) return { outcome: "records", records };
          bytesLeft -= length;
          records++;
          this.#position = start + at + size;
          const payload = at + LOG_RECORD_HEADER_BYTES;
          onRecord(this.#bytes.subarray(payload, payload + length), this.#position);
        }
        at += size;
      }
      start += at;
    }
    this.#verified = true;
    return records > 0 ? { outcome: "records", records } : EMPTY;
  }

  /** Copies at most `wanted` bytes from `start`, and returns how many; 0 when no record can start there. */
  #copy(start: number, tail: number, wanted: number): number {
    const log = this.#log;
    const available = tail - start;
    if (available < 0 || available > log.capacityBytes || !isBoundary(start)) return 0;
    const offset = offsetOf(log, start);
    const length = Math.min(available, wanted, log.dataOffset + log.capacityBytes - offset);
    if (length > this.#bytes.length) {
      // As much as there is to copy: a reader of one page of history doesn't need a whole chunk.
      this.#bytes = new Uint8Array(2 ** Math.ceil(Math.log2(length)));
      this.#words = new Int32Array(this.#bytes.buffer);
    }
    copyBytes(log, offset, length, this.#bytes, this.#words);
    return length;
  }

  #lapped(oldest: number): ReadResult {
    const lostBytes = oldest - this.#position;
    // `oldest` never passes `tail`, and both only grow.
    const tail = loadTail(this.#log);
    if (oldest > tail) {
      throw new CorruptSegmentError(`log positions can't be: oldest=${oldest} tail=${tail}`, { oldest, tail });
    }
    this.#position = oldest;
    this.#verified = true;
    return { outcome: "lapped", records: 0, lostBytes };
  }

  /** The cursor points at no record though nothing was overwritten: the caller's mistake if it was the caller's number. */
  #refused(position: number, tail: number, oldest: number): ReadResult {
    if (this.#verified || oldest > loadTail(this.#log)) {
      throw new CorruptSegmentError(`log positions can't be: oldest=${oldest} tail=${tail} cursor=${position}`, {
        oldest,
        tail,
        position,
      });
    }
    this.#position = oldest;
    this.#verified = true;
    return { outcome: "invalid", records: 0, position };
  }
}
