/**
 * The reading side of an MPSC ring.
 *
 * - One consumer handle reads at a time, in one thread. After a consumer died, a new handle goes on at the released head:
 *   records that the dead one had seen but not released are seen again.
 * - It stops at a claim that isn't committed, waits while the claimer lives, and skips it once the claimer is proven dead.
 * - Every header is checked before it is followed: a damaged ring throws CorruptSegmentError, and is never read outside
 *   its data nor for ever.
 */
import { checkTimeout } from "./async-lock.ts";
import { type ReadAsyncOptions, type RecordsOptions, readRingAsync, requireWaits, ringRecords } from "./async-read.ts";
import { ArgumentError, CorruptSegmentError } from "./errors.ts";
import { failpoint } from "./failpoint.ts";
import type { Region } from "./memory.ts";
import type { MpscHandleOptions } from "./mpsc-producer.ts";
import {
  freeWord,
  isRecordSize,
  loadPosition,
  longOf,
  type MpscWords,
  mpscRecordBytes,
  offsetOf,
  openMpscRing,
  padDeadClaim,
  stateIndex,
} from "./mpsc-words.ts";
import {
  MPSC_COMMITTED,
  MPSC_FREE,
  MPSC_PADDING,
  MPSC_RECORD_HEADER_BYTES,
  ROOM_ARMED,
  ROOM_PARKED,
  ROOM_WAKE,
  SIGNAL_ARMED,
  SIGNAL_AWAKE,
  SIGNAL_CLOSED,
  SIGNAL_PARKED,
} from "./records.ts";
import type { OnRingRecord } from "./ring-consumer.ts";
import { claimSignal } from "./ring-header.ts";
import { WAIT_SLICE_MS, type WaitOptions, type WaitResult } from "./ring-wait.ts";
import { pause } from "./wait-strategy.ts";

const HEADER_BYTES: number = MPSC_RECORD_HEADER_BYTES;
/** An uncommitted claim is suspected of being a dead one's after this long, and again each time it has passed. */
export const CLAIM_SLICE_MS = 20;
const LOOKS_PER_CLOCK = 64;
/** About what a wake across CPUs costs. */
const ADAPTIVE_SPIN_MS = 0.05;
/** A spin without progress for this long naps, because the producers may be waiting for this very CPU. */
const SPIN_BEFORE_NAP_MS = 1;
const SPIN_NAP_MS = 0.05;
const ALL_SLEEPERS = 0x7fffffff;

export class MpscConsumer {
  readonly capacityBytes: number;
  readonly #words: MpscWords;
  readonly #options: MpscHandleOptions;
  /** A drain gives room back each time it has read this much. */
  readonly #releaseStepBytes: number;
  #head: number;
  #tail: number;
  #draining = false;
  #closed: boolean;
  /** The uncommitted claim last met, and since when: -1 for none. */
  #claimAt = -1;
  #claimSinceMs = 0;

  /** Throws CorruptSegmentError when `region` holds no MPSC ring, ArgumentError when it is outside its memory. */
  constructor(region: Region, options: MpscHandleOptions) {
    const words = openMpscRing(region);
    this.#words = words;
    this.#options = options;
    this.capacityBytes = words.capacityBytes;
    this.#releaseStepBytes = words.capacityBytes >> 2;
    this.#head = loadPosition(words, words.head);
    this.#tail = this.#head;
    this.#refreshTail();
    const release = loadPosition(words, words.release);
    // A consumer died while it gave room back: what it was about to release is read, and perhaps cleared already.
    if (release > this.#head) {
      if (release > this.#tail) this.#refuse(release, 0, 0);
      this.#release(release);
    }
    this.#closed = claimSignal(words.i32, words.consumerSignal) === SIGNAL_CLOSED;
  }

  /** Whether no record will ever come: this side closed, or a producer ended the ring and all that was claimed is read. */
  get ended(): boolean {
    if (this.#closed) return true;
    const words = this.#words;
    // The word first: what was claimed before ending is seen after seeing that it ended.
    return Atomics.load(words.i32, words.ended) !== 0 && loadPosition(words, words.tail) === this.#head;
  }

  /** Bytes, headers included, claimed and not yet read. */
  get availableBytes(): number {
    return Math.max(0, loadPosition(this.#words, this.#words.tail) - this.#head);
  }

  /**
   * Calls `onRecord` for each committed record up to the first that isn't, at most `maxRecords`, and returns their number
   * (0: nothing to read). A record counts as read once it was passed, even if `onRecord` threw. Throws CorruptSegmentError;
   * ArgumentError when called from within `onRecord`.
   */
  drain(onRecord: OnRingRecord, maxRecords: number = Number.POSITIVE_INFINITY): number {
    if (!(maxRecords >= 1))
      throw new ArgumentError(`maxRecords must be 1 or more: maxRecords=${maxRecords}`, { maxRecords });
    if (this.#draining) throw new ArgumentError("drain called from within its own onRecord");
    if (this.#closed) return 0;
    const { bytes, dataOffset, capacityBytes } = this.#words;
    const mask = capacityBytes - 1;
    // Bounded by what is there now, so that a drain ends however fast producers are.
    this.#refreshTail();
    const stop = this.#head + capacityBytes;
    let releaseAt = this.#head + this.#releaseStepBytes;
    let head = this.#head;
    let records = 0;
    this.#draining = true;
    try {
      while (records < maxRecords && head < stop) {
        const state = this.#stateAt(head);
        if (state === 0) break;
        const size = this.#sizeAt(head, state);
        const payload = dataOffset + ((head >>> 0) & mask) + HEADER_BYTES;
        head += size;
        if (state !== MPSC_PADDING) {
          records++;
          onRecord(bytes, payload, state - MPSC_COMMITTED);
        }
        if (head >= releaseAt) {
          this.#release(head);
          releaseAt = head + this.#releaseStepBytes;
        }
      }
    } finally {
      this.#draining = false;
      if (head !== this.#head) this.#release(head);
    }
    return records;
  }

  /**
   * Copies the next record to the start of `target`, releases it and returns its length, or -1 when there is none. A
   * `target` that is too short throws ArgumentError and leaves the record where it is.
   */
  tryRead(target: Uint8Array): number {
    if (this.#draining) throw new ArgumentError("tryRead called from within onRecord");
    if (this.#closed) return -1;
    this.#refreshTail();
    let head = this.#head;
    for (;;) {
      const state = this.#stateAt(head);
      const size = state === 0 ? 0 : this.#sizeAt(head, state);
      if (state === 0) {
        if (head !== this.#head) this.#release(head);
        return -1;
      }
      if (state === MPSC_PADDING) {
        head += size;
        continue;
      }
      const length = state - MPSC_COMMITTED;
      if (length > target.length) {
        throw new ArgumentError(`target is shorter than the record: length=${length} target=${target.length}`, {
          length,
          targetBytes: target.length,
        });
      }
      const payload = offsetOf(this.#words, head) + HEADER_BYTES;
      target.set(this.#words.bytes.subarray(payload, payload + length));
      this.#release(head + size);
      return length;
    }
  }

  /** Waits for a record, then drains. Returns the number of records, never 0, or why there are none. Blocks the thread. */
  read(
    onRecord: OnRingRecord,
    options?: WaitOptions & { readonly maxRecords?: number },
  ): number | "timed-out" | "closed" {
    const deadlineMs = performance.now() + checkTimeout(options?.timeoutMs);
    for (;;) {
      const remainingMs = Math.max(0, deadlineMs - performance.now());
      const waited = this.waitForRecords({ ...options, timeoutMs: remainingMs });
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
  waitForRecords(options: WaitOptions = {}): WaitResult {
    const { strategy = "adaptive", signal } = options;
    const { futex } = this.#options;
    const { i32, consumerSignal, waits } = this.#words;
    const startMs = performance.now();
    const deadlineMs = startMs + checkTimeout(options.timeoutMs);
    const parkAtMs = strategy === "spin" ? deadlineMs : strategy === "adaptive" ? startMs + ADAPTIVE_SPIN_MS : startMs;
    let napAtMs = startMs + SPIN_BEFORE_NAP_MS;
    for (;;) {
      signal?.throwIfAborted();
      for (let look = 0; look < LOOKS_PER_CLOCK; look++) {
        if (this.#isReadable()) return "ready";
        pause();
      }
      if (this.ended) return "closed";
      const nowMs = performance.now();
      if (nowMs >= deadlineMs) return "timed-out";
      if (nowMs >= parkAtMs) break;
      if (nowMs < napAtMs) continue;
      // No signal is set, so nobody pays for waking this side: it comes back by itself.
      futex?.wait(consumerSignal, SIGNAL_AWAKE, SPIN_NAP_MS);
      napAtMs = performance.now() + SPIN_BEFORE_NAP_MS;
    }
    if (futex === undefined) {
      throw new ArgumentError("parking needs a futex: give one to the handle, or wait with strategy spin");
    }
    for (;;) {
      signal?.throwIfAborted();
      // SYNC POINT with notify in mpsc-producer.ts: the store comes before the look, as in ring-wait.ts.
      Atomics.store(i32, consumerSignal, SIGNAL_PARKED);
      failpoint("mpsc-park:signal");
      const ready = this.#isReadable();
      const remainingMs = deadlineMs - performance.now();
      const goOn = !ready && !this.ended && remainingMs > 0;
      if (goOn) {
        Atomics.add(i32, waits, 1);
        const sliceMs = this.#claimAt >= 0 ? CLAIM_SLICE_MS : WAIT_SLICE_MS;
        futex.wait(consumerSignal, SIGNAL_PARKED, Math.min(sliceMs, remainingMs));
      }
      Atomics.store(i32, consumerSignal, SIGNAL_AWAKE);
      if (goOn) continue;
      return ready ? "ready" : this.ended ? "closed" : "timed-out";
    }
  }

  /**
   * For an event loop: says that this side is about to wait for its doorbell, which producers then ring after their next
   * commit. False: there is something to read or the ring has ended, so don't wait. Needs `doorbells` at the producers.
   */
  arm(): boolean {
    if (this.#closed) return false;
    // SYNC POINT with notify in mpsc-producer.ts: the store comes before the looks.
    Atomics.store(this.#words.i32, this.#words.consumerSignal, SIGNAL_ARMED);
    if (!this.#isReadable() && !this.ended) return true;
    this.disarm();
    return false;
  }

  /** Takes `arm` back: producers need not ring. */
  disarm(): void {
    if (!this.#closed) claimSignal(this.#words.i32, this.#words.consumerSignal);
  }

  /** Says that nothing more will be read: producers find the ring closed. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    failpoint("mpsc-consumer-close:begin");
    Atomics.store(this.#words.i32, this.#words.consumerSignal, SIGNAL_CLOSED);
    failpoint("mpsc-consumer-close:signal");
    this.#wakeProducers();
  }

  /** Whether a drain would get on. Looks after a claim that has held it up for long. */
  #isReadable(): boolean {
    const state = Atomics.load(this.#words.i32, (offsetOf(this.#words, this.#head) >>> 2) + 1);
    if (state > 0) return true;
    if (state === MPSC_FREE) return false;
    return this.#suspect(this.#head);
  }

  /** The state of the record at `head`: committed or padding; 0 when there is none yet. */
  #stateAt(head: number): number {
    const words = this.#words;
    // SYNC POINT with the producers' change of the state: the payload is seen whole.
    const index = (offsetOf(words, head) >>> 2) + 1;
    let state = Atomics.load(words.i32, index);
    if (state < 0) {
      if (!this.#suspect(head)) return 0;
      state = Atomics.load(words.i32, index);
    }
    if (state === MPSC_FREE && head < this.#tail) this.#refuse(head, 0, 0);
    return state;
  }

  #sizeAt(head: number, state: number): number {
    const words = this.#words;
    const size = words.i32[offsetOf(words, head) >>> 2] as number;
    const length = state - MPSC_COMMITTED;
    const fits = isRecordSize(words, head, size);
    if (!fits || (state !== MPSC_PADDING && (length > words.maxRecordBytes || mpscRecordBytes(length) !== size))) {
      this.#refuse(head, size, state);
    }
    if (head + size > this.#tail) {
      // A padding whose claimer hasn't moved the tail, or never will: the head may not pass the tail.
      if (head === this.#tail) Atomics.compareExchange(words.i64, words.tail, longOf(head), longOf(head + size));
      this.#refreshTail();
      if (head + size > this.#tail) this.#refuse(head, size, state);
    }
    return size;
  }

  /** Skips the claim at `position` if its claimer is dead, asking only once a slice. True: it needn't be waited for. */
  #suspect(position: number): boolean {
    const nowMs = performance.now();
    if (this.#claimAt !== position) {
      this.#claimAt = position;
      this.#claimSinceMs = nowMs;
      return false;
    }
    if (nowMs - this.#claimSinceMs < CLAIM_SLICE_MS) return false;
    this.#claimSinceMs = nowMs;
    const state = Atomics.load(this.#words.i32, stateIndex(this.#words, position));
    return state >= 0 || padDeadClaim(this.#words, position, state, this.#options.claims);
  }

  #refreshTail(): void {
    const words = this.#words;
    const tail = loadPosition(words, words.tail);
    if (tail < this.#head || tail - this.#head > words.capacityBytes) {
      throw new CorruptSegmentError(
        `ring positions can't be: head=${this.#head} tail=${tail} capacityBytes=${words.capacityBytes}`,
        { head: this.#head, tail, capacityBytes: words.capacityBytes },
      );
    }
    this.#tail = tail;
  }

  #release(head: number): void {
    const words = this.#words;
    const { i64, dataOffset, capacityBytes } = words;
    failpoint("mpsc-release:begin");
    // Says what is about to be cleared, so that a successor of a consumer that dies in between can finish it.
    Atomics.store(i64, words.release, longOf(head));
    failpoint("mpsc-release:intent");
    let from = this.#head;
    while (from < head) {
      const at = (from >>> 0) & (capacityBytes - 1);
      const size = Math.min(head - from, capacityBytes - at);
      const first = (dataOffset + at) / 8;
      i64.fill(freeWord(from + capacityBytes, capacityBytes), first, first + size / 8);
      from += size;
    }
    failpoint("mpsc-release:cleared");
    // SYNC POINT with the producers' load of head: reading and clearing come before this store.
    Atomics.store(i64, words.head, longOf(head));
    failpoint("mpsc-release:head");
    this.#head = head;
    this.#claimAt = -1;
    this.#wakeProducers();
  }

  #wakeProducers(): void {
    const { i32, room } = this.#words;
    for (;;) {
      const seen = Atomics.load(i32, room);
      const waiting = seen & (ROOM_PARKED | ROOM_ARMED);
      if (waiting === 0) return;
      // Counts up besides clearing: who announced itself before and isn't asleep yet finds another value than it saw.
      if (Atomics.compareExchange(i32, room, seen, (seen - waiting + ROOM_WAKE) | 0) !== seen) continue;
      failpoint("mpsc-consumer-wake:room");
      if ((waiting & ROOM_PARKED) !== 0) this.#options.futex?.wake(room, ALL_SLEEPERS);
      if ((waiting & ROOM_ARMED) !== 0) this.#options.doorbells?.ringSleepers();
      return;
    }
  }

  #refuse(head: number, size: number, state: number): never {
    throw new CorruptSegmentError(
      `no record of a ring at position ${head}: size=${size} state=${state} tail=${this.#tail} ` +
        `capacityBytes=${this.capacityBytes}`,
      { head, size, state, tail: this.#tail, capacityBytes: this.capacityBytes },
    );
  }
}
