/**
 * What a writer does to a log while it holds the mutex.
 *
 * - `oldest` passes every record about to be overwritten before the first byte changes, by a read-modify-write.
 * - Nothing appended is visible before the one store of `tail` at the end; without it (a throw, a kill) nothing ever was.
 *   What such a writer costs is the old records that it had made room from.
 */
import { ArgumentError, CorruptSegmentError } from "./errors.ts";
import { failpoint } from "./failpoint.ts";
import {
  corruptRecord,
  isPosition,
  type LogWords,
  loadOldest,
  loadTail,
  offsetOf,
  recordSizeAt,
  writeHeader,
} from "./log-words.ts";
import { LOG_RECORD_HEADER_BYTES, logRecordBytes } from "./records.ts";

/**
 * Fills a record's payload: the `length` bytes asked for, from `offset` of `bytes`, which are those of the whole memory.
 * They still hold what was there before. `position` is the record's, for a payload that carries it.
 */
export type WriteRecord = (bytes: Uint8Array, offset: number, position: number) => void;

/** Up to where a log may forget, as its writer last saw: good as long as nobody new gates. */
export interface GateLimit {
  gates: number;
  position: number;
  /** The slowest reader's position, looked at again. */
  look(needed: number): number;
}

/** The log inside `SharedLog.transaction`. Of no use after it. */
export class LogTransaction {
  /** Whether the previous owner of the mutex died inside: derived state must be rebuilt. The log itself is whole. */
  readonly recovered: boolean;
  readonly #log: LogWords;
  readonly #published: number;
  readonly #limit: GateLimit;
  #oldest: number;
  #tail: number;
  #writing = false;
  #over = false;

  /** Only under the mutex. Throws CorruptSegmentError when the two words can't both be true. */
  constructor(log: LogWords, recovered: boolean, limit: GateLimit) {
    this.#log = log;
    this.#limit = limit;
    this.recovered = recovered;
    this.#oldest = loadOldest(log);
    this.#published = loadTail(log);
    this.#tail = this.#published;
    if (this.#oldest > this.#tail || this.#tail - this.#oldest > log.capacityBytes) {
      throw new CorruptSegmentError(
        `log positions can't be: oldest=${this.#oldest} tail=${this.#tail} capacityBytes=${log.capacityBytes}`,
        { oldest: this.#oldest, tail: this.#tail, capacityBytes: log.capacityBytes },
      );
    }
  }

  /** Position of the newest record, those of this transaction included. */
  get tail(): number {
    return this.#tail;
  }

  /**
   * Appends a record of `lengthBytes` that `write` fills, and returns its position, or -1 when the log is full: a reader
   * that gates (`SharedLog.gatedReader`) hasn't read what would be overwritten. If `write` throws, the record isn't
   * appended. Throws ArgumentError when the record is longer than `maxRecordBytes`, the transaction longer than the log,
   * or the transaction over.
   */
  append(lengthBytes: number, write: WriteRecord): number {
    const log = this.#log;
    if (this.#over || this.#writing) {
      throw new ArgumentError(this.#over ? "append after the transaction" : "append from within the write of another");
    }
    if (lengthBytes >>> 0 !== lengthBytes || lengthBytes > log.maxRecordBytes) {
      throw new ArgumentError(
        `a record must have from 0 to ${log.maxRecordBytes} bytes (a quarter of the log): lengthBytes=${lengthBytes}`,
        { lengthBytes, maxRecordBytes: log.maxRecordBytes, capacityBytes: log.capacityBytes },
      );
    }
    const size = logRecordBytes(lengthBytes);
    const roomToEnd = log.dataOffset + log.capacityBytes - offsetOf(log, this.#tail);
    const padding = size > roomToEnd ? roomToEnd : 0;
    const start = this.#tail + padding;
    if (!this.#makeRoom(start + size)) return -1;
    if (padding > 0) {
      writeHeader(log, this.#tail, padding - LOG_RECORD_HEADER_BYTES, log.paddingKind);
      failpoint("log-append:padding");
    }
    const position = writeHeader(log, start, lengthBytes, log.dataKind);
    failpoint("log-append:header");
    this.#writing = true;
    try {
      write(log.memory.bytes, offsetOf(log, start) + LOG_RECORD_HEADER_BYTES, position);
    } finally {
      this.#writing = false;
    }
    failpoint("log-append:payload");
    this.#tail = position;
    return position;
  }

  /** Ends the transaction: makes all of it visible if `publish`, else none. Returns whether there was anything. */
  end(publish: boolean): boolean {
    this.#over = true;
    if (!publish || this.#tail === this.#published) return false;
    failpoint("log-publish:begin");
    // SYNC POINT with loadTail: the records' bytes come before this store.
    Atomics.store(this.#log.memory.i64, this.#log.tail, BigInt(this.#tail));
    failpoint("log-publish:tail");
    return true;
  }

  /** Moves `oldest` past every record that bytes up to `end` will overwrite. False: a reader gates one of them. */
  #makeRoom(end: number): boolean {
    const log = this.#log;
    const needed = end - log.capacityBytes;
    if (needed > this.#published || !isPosition(end)) {
      throw new ArgumentError(
        `a transaction can't be longer than the log, nor a log than 2^53 bytes: ` +
          `transactionBytes=${end - this.#published} end=${end} capacityBytes=${log.capacityBytes}`,
        { transactionBytes: end - this.#published, end, capacityBytes: log.capacityBytes },
      );
    }
    if (needed <= this.#oldest) return true;
    if (!this.#mayForget(needed)) return false;
    let oldest = this.#oldest;
    while (oldest < needed) {
      const size = recordSizeAt(log, log.memory.i32, offsetOf(log, oldest) >>> 2, oldest);
      if (size === 0 || oldest + size > this.#published) throw corruptRecord(log, oldest);
      oldest += size;
    }
    failpoint("log-append:begin");
    // SYNC POINT with reloadOldest: a read-modify-write, and before any byte of the records it passes is changed.
    Atomics.exchange(log.memory.i64, log.oldest, BigInt(oldest));
    // Read back, so that on arm64 the bytes come after the update itself and not only after its reading half. That is for
    // observers, whose second look can't be a read-modify-write (log-words.ts, copyBytes).
    if (loadOldest(log) !== oldest) throw corruptRecord(log, oldest);
    failpoint("log-append:oldest");
    this.#oldest = oldest;
    return true;
  }

  /** Cursors stand between records, so one that isn't before `needed` isn't passed by forgetting whole records either. */
  #mayForget(needed: number): boolean {
    const gates = this.#log.memory.i32[this.#log.gates] as number;
    if (gates === 0) return true;
    const limit = this.#limit;
    if (gates !== limit.gates || needed > limit.position) {
      limit.gates = gates;
      limit.position = limit.look(needed);
    }
    return needed <= limit.position;
  }
}
