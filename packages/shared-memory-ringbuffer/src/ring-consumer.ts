/**
 * The reading side of an SPSC ring.
 *
 * - One consumer handle reads at a time, in one thread. After a consumer died, a new handle goes on at the released
 *   head: records that the dead one had seen but not released are seen again.
 * - Every header is checked before it is followed: a damaged ring throws CorruptSegmentError, and is never read outside
 *   its data nor for ever.
 * - Records are released in order by a store to `head`, once a drain or every quarter of the ring.
 */

import { type ReadAsyncOptions, type RecordsOptions, readRingAsync, requireWaits, ringRecords } from "./async-read.ts";
import type { Doorbells } from "./contracts.ts";
import { ArgumentError, CorruptSegmentError } from "./errors.ts";
import { failpoint } from "./failpoint.ts";
import type { Futex } from "./futex.ts";
import type { Region } from "./memory.ts";
import {
  RING_RECORD_ALIGNMENT_BYTES,
  RING_RECORD_HEADER_BYTES,
  SIGNAL_ARMED,
  SIGNAL_AWAKE,
  SIGNAL_CLOSED,
  SIGNAL_PARKED,
} from "./records.ts";
import { checkPositions, claimSignal, openRing, type RingWords } from "./ring-header.ts";
import type { RingHandleOptions } from "./ring-producer.ts";
import { type WaitOptions, type WaitPlace, type WaitResult, waitForMove } from "./ring-wait.ts";

// Copies, because V8 doesn't fold imported constants; see ring-producer.ts.
const HEADER_BYTES: number = RING_RECORD_HEADER_BYTES;
const ROUND_UP: number = RING_RECORD_HEADER_BYTES + RING_RECORD_ALIGNMENT_BYTES - 1;
const ROUND_MASK: number = -RING_RECORD_ALIGNMENT_BYTES;

/**
 * Receives a record in place: `length` bytes from `offset` of `bytes`, which are those of the whole memory. They are
 * the producer's again when the call returns.
 */
export type OnRingRecord = (bytes: Uint8Array, offset: number, length: number) => void;

export class RingConsumer {
  readonly capacityBytes: number;

  readonly #bytes: Uint8Array;
  readonly #i32: Int32Array;
  readonly #words: RingWords;
  readonly #futex: Futex | undefined;
  readonly #doorbells: Doorbells | undefined;
  readonly #options: RingHandleOptions;
  readonly #place: WaitPlace;
  /** A drain gives room back each time it has read this much. */
  readonly #releaseStepBytes: number;
  #head: number;
  #tail: number;
  #draining = false;
  #closed = false;

  /** Throws CorruptSegmentError when `region` holds no ring, ArgumentError when it is outside its memory. */
  constructor(region: Region, options: RingHandleOptions = {}) {
    const words = openRing(region);
    this.#words = words;
    this.capacityBytes = words.capacityBytes;
    this.#releaseStepBytes = words.capacityBytes >> 2;
    this.#bytes = region.memory.bytes;
    this.#i32 = region.memory.i32;
    this.#options = options;
    this.#futex = options.futex;
    this.#doorbells = options.doorbells;
    this.#place = {
      i32: this.#i32,
      futex: this.#futex,
      position: words.tail,
      ownSignal: words.consumerSignal,
      peerSignal: words.producerSignal,
      waits: words.consumerWaits,
    };
    this.#head = Atomics.load(this.#i32, words.head);
    this.#tail = this.#head;
    this.#refreshTail();
    this.#closed = claimSignal(this.#i32, words.consumerSignal) === SIGNAL_CLOSED;
  }

  /** Whether no record will ever come: this side closed, or the producer did and all it published is read. */
  get ended(): boolean {
    if (this.#closed) return true;
    // The signal first: what was published before closing is seen after seeing that it closed.
    const closed = Atomics.load(this.#i32, this.#words.producerSignal) === SIGNAL_CLOSED;
    return closed && Atomics.load(this.#i32, this.#words.tail) === this.#head;
  }

  /** Bytes, headers included, that can be read now. */
  get availableBytes(): number {
    return (Atomics.load(this.#i32, this.#words.tail) - this.#head) >>> 0;
  }

  /**
   * Calls `onRecord` for each record there is, at most `maxRecords`, and returns their number (0: empty). A record counts
   * as read once it was passed, even if `onRecord` threw. Throws CorruptSegmentError; ArgumentError when called from
   * within `onRecord`.
   */
  drain(onRecord: OnRingRecord, maxRecords: number = Number.POSITIVE_INFINITY): number {
    if (!(maxRecords >= 1))
      throw new ArgumentError(`maxRecords must be 1 or more: maxRecords=${maxRecords}`, { maxRecords });
    if (this.#draining) throw new ArgumentError("drain called from within its own onRecord");
    if (this.#closed) return 0;
    this.#refreshTail();
    // Locals and checks in place: fields and calls in this loop would cost a third of the rate.
    const i32 = this.#i32;
    const bytes = this.#bytes;
    const { dataOffset, capacityBytes, maxRecordBytes } = this.#words;
    const mask = capacityBytes - 1;
    const tail = this.#tail;
    // No ring holds as many records as bytes; a small integer keeps the countdown one.
    const limit = Math.min(maxRecords, capacityBytes) | 0;
    let left = limit;
    let head = this.#head;
    this.#draining = true;
    try {
      while (head !== tail && left > 0) {
        const used = (tail - head) | 0;
        const stop = used > this.#releaseStepBytes ? (head + this.#releaseStepBytes) | 0 : tail;
        while (((stop - head) | 0) > 0 && left > 0) {
          const at = head & mask;
          const offset = dataOffset + at;
          const length = i32[offset >>> 2] as number;
          if (length < 0) {
            head = (head + this.#paddingSize(head, length)) | 0;
            continue;
          }
          const size = (length + ROUND_UP) & ROUND_MASK;
          if (length > maxRecordBytes || size > ((tail - head) | 0) || at + size > capacityBytes) {
            this.#refuseRecord(head, length);
          }
          head = (head + size) | 0;
          left--;
          onRecord(bytes, offset + HEADER_BYTES, length);
        }
        this.#release(head);
      }
    } finally {
      this.#draining = false;
      this.#release(head);
    }
    return limit - left;
  }

  /**
   * Copies the next record to the start of `target`, releases it and returns its length, or -1 when there is none. A
   * `target` that is too short throws ArgumentError and leaves the record where it is.
   */
  tryRead(target: Uint8Array): number {
    if (this.#draining) throw new ArgumentError("tryRead called from within onRecord");
    if (this.#closed) return -1;
    if (this.#head === this.#tail) this.#refreshTail();
    let head = this.#head;
    while (head !== this.#tail) {
      const at = head & (this.capacityBytes - 1);
      const length = this.#i32[(this.#words.dataOffset + at) >>> 2] as number;
      if (length < 0) {
        head = (head + this.#paddingSize(head, length)) | 0;
        continue;
      }
      const size = (length + ROUND_UP) & ROUND_MASK;
      const { maxRecordBytes } = this.#words;
      if (length > maxRecordBytes || size > ((this.#tail - head) | 0) || at + size > this.capacityBytes) {
        this.#refuseRecord(head, length);
      }
      if (length > target.length) {
        throw new ArgumentError(`target is shorter than the record: length=${length} target=${target.length}`, {
          length,
          targetBytes: target.length,
        });
      }
      const payload = this.#words.dataOffset + at + HEADER_BYTES;
      target.set(this.#bytes.subarray(payload, payload + length));
      this.#release((head + size) | 0);
      return length;
    }
    return -1;
  }

  /**
   * Waits for a record, then drains. Returns the number of records, never 0, or why there are none. Blocks the thread: not
   * for an event loop.
   */
  read(
    onRecord: OnRingRecord,
    options?: WaitOptions & { readonly maxRecords?: number },
  ): number | "timed-out" | "closed" {
    for (;;) {
      const waited = this.waitForRecords(options);
      if (waited !== "ready") return waited;
      const records = this.drain(onRecord, options?.maxRecords);
      if (records > 0) return records;
    }
  }

  /** The same on an event loop: never blocks. Needs the option `eventLoop`. */
  readAsync(onRecord: OnRingRecord, options?: ReadAsyncOptions): Promise<number | "timed-out" | "closed"> {
    return readRingAsync(this, requireWaits(this.#options.eventLoop), onRecord, options);
  }

  /** Copies of all records, until the ring ends; for `for await`. The event loop gets its turns. Needs `eventLoop`. */
  records(options?: RecordsOptions): AsyncGenerator<Uint8Array, void, void> {
    return ringRecords(this, requireWaits(this.#options.eventLoop), options);
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    return this.records();
  }

  /** Waits until there is something to drain. Blocks the thread. */
  waitForRecords(options?: WaitOptions): WaitResult {
    if (this.#closed) return "closed";
    return waitForMove(this.#place, this.#head, options);
  }

  /**
   * For an event loop: says that this side is about to wait for its doorbell, which the producer then rings after its next
   * publish. False: there is something to read or the ring has ended, so don't wait. Needs `doorbells` at the producer.
   */
  arm(): boolean {
    if (this.#closed) return false;
    // SYNC POINT with publish: the store comes before the looks, as in ring-wait.ts.
    Atomics.store(this.#i32, this.#words.consumerSignal, SIGNAL_ARMED);
    if (this.availableBytes === 0 && !this.ended) return true;
    this.disarm();
    return false;
  }

  /** Takes `arm` back: the producer need not ring. */
  disarm(): void {
    if (!this.#closed) claimSignal(this.#i32, this.#words.consumerSignal);
  }

  /** Says that nothing more will be read: the producer finds the ring closed. */
  close(): void {
    this.#closed = true;
    failpoint("ring-consumer-close:begin");
    Atomics.store(this.#i32, this.#words.consumerSignal, SIGNAL_CLOSED);
    failpoint("ring-consumer-close:signal");
    this.#notify();
  }

  #refreshTail(): void {
    // SYNC POINT with publish: the records before this tail are seen whole.
    const tail = Atomics.load(this.#i32, this.#words.tail);
    checkPositions(this.#head, tail, this.capacityBytes);
    this.#tail = tail;
  }

  #release(head: number): void {
    if (head === this.#head) return;
    failpoint("ring-release:begin");
    // SYNC POINT with the producer's load of head: the reads of the records come before this store.
    Atomics.store(this.#i32, this.#words.head, head);
    failpoint("ring-release:head");
    this.#head = head;
    if (Atomics.load(this.#i32, this.#words.producerSignal) !== SIGNAL_AWAKE) this.#notify();
  }

  #notify(): void {
    const signal = claimSignal(this.#i32, this.#words.producerSignal);
    if (signal === SIGNAL_AWAKE || signal === SIGNAL_CLOSED) return;
    if (signal !== SIGNAL_PARKED && signal !== SIGNAL_ARMED) {
      throw new CorruptSegmentError(`producer's signal can't be: signal=${signal}`, { signal });
    }
    failpoint("ring-consumer-wake:signal");
    Atomics.add(this.#i32, this.#words.consumerWakes, 1);
    if (signal === SIGNAL_PARKED) this.#futex?.wake(this.#words.producerSignal, 1);
    else this.#doorbells?.ringSleepers();
  }

  /** The size of the padding at `head`, which must reach exactly to the end of the data area. */
  #paddingSize(head: number, word: number): number {
    const size = this.capacityBytes - (head & (this.capacityBytes - 1));
    if (~word !== size - HEADER_BYTES || size > ((this.#tail - head) | 0)) this.#refuseRecord(head, word);
    return size;
  }

  #refuseRecord(head: number, length: number): never {
    throw new CorruptSegmentError(
      `no record of a ring at position ${head >>> 0}: length=${length} tail=${this.#tail >>> 0} ` +
        `capacityBytes=${this.capacityBytes}`,
      { head: head >>> 0, tail: this.#tail >>> 0, length, capacityBytes: this.capacityBytes },
    );
  }
}
