/**
 * A writing side of an MPSC ring: any number of them, in any threads and processes.
 *
 * - A claim reserves room without a lock; many may be open at once, here and elsewhere. Records are read in the order of
 *   their claims, so an open claim holds up the records behind it: fill it and commit or abort it soon.
 * - A claimer that dies holds nobody up for long: see mpsc-ring.ts. One that lives is waited for, however slow it is.
 * - Full and closed are return values. A record that can never fit, and calls out of order, throw ArgumentError.
 */
import { checkTimeout, type LockOptions } from "./async-lock.ts";
import { requireWaits, writeAsync } from "./async-read.ts";
import type { Doorbells } from "./contracts.ts";
import { ArgumentError, CorruptSegmentError } from "./errors.ts";
import type { EventLoopWaits } from "./event-loop-waits.ts";
import { failpoint } from "./failpoint.ts";
import type { Futex } from "./futex.ts";
import type { Region } from "./memory.ts";
import {
  type Claims,
  firstOf,
  freeWord,
  isRecordSize,
  loadPosition,
  longOf,
  type MpscWords,
  mpscRecordBytes,
  offsetOf,
  openMpscRing,
  padDeadClaim,
  pair,
  stateIndex,
} from "./mpsc-words.ts";
import {
  MPSC_CLAIMED,
  MPSC_COMMITTED,
  MPSC_PADDING,
  MPSC_RECORD_HEADER_BYTES,
  ROOM_ARMED,
  ROOM_PARKED,
  SIGNAL_ARMED,
  SIGNAL_AWAKE,
  SIGNAL_CLOSED,
  SIGNAL_PARKED,
} from "./records.ts";
import { claimSignal } from "./ring-header.ts";
import { WAIT_SLICE_MS, type WaitOptions } from "./ring-wait.ts";
import { pause } from "./wait-strategy.ts";

const HEADER_BYTES: number = MPSC_RECORD_HEADER_BYTES;
/** Looks between two looks at the clock. */
const LOOKS_PER_CLOCK = 64;
/** About what a wake across CPUs costs. */
const ADAPTIVE_SPIN_MS = 0.05;
/** A spin without progress for this long naps, because the others may be waiting for this very CPU. */
const SPIN_NAP_MS = 1;

/** What a handle needs of the segment. A `Segment` is one. */
export interface MpscHandleOptions {
  /** Who claims. */
  readonly claims: Claims;
  readonly futex?: Futex | undefined;
  /** Rung when the other side sleeps in an event loop. */
  readonly doorbells?: Doorbells | undefined;
  /** For `…Async` and `for await`. */
  readonly eventLoop?: EventLoopWaits | undefined;
}

interface OpenClaim {
  readonly offset: number;
  readonly lengthBytes: number;
}

export class MpscProducer {
  readonly capacityBytes: number;
  /** The longest payload: half the capacity less the record header. */
  readonly maxRecordBytes: number;
  readonly #words: MpscWords;
  readonly #options: MpscHandleOptions;
  readonly #claimState: number;
  /** Claims not yet committed, oldest first. */
  #open: OpenClaim[] = [];
  #closed = false;

  /** Throws CorruptSegmentError when `region` holds no MPSC ring, ArgumentError when it is outside its memory. */
  constructor(region: Region, options: MpscHandleOptions) {
    this.#words = openMpscRing(region);
    this.#options = options;
    this.#claimState = MPSC_CLAIMED | options.claims.ownerWord;
    this.capacityBytes = this.#words.capacityBytes;
    this.maxRecordBytes = this.#words.maxRecordBytes;
  }

  /** Whether nobody will read what would be written: this handle or the consumer closed, or a producer ended the ring. */
  get closed(): boolean {
    const { i32, consumerSignal, ended } = this.#words;
    return this.#closed || Atomics.load(i32, consumerSignal) === SIGNAL_CLOSED || Atomics.load(i32, ended) !== 0;
  }

  /** Bytes, headers included, claimed and not yet released by the consumer. */
  get usedBytes(): number {
    const head = loadPosition(this.#words, this.#words.head);
    return Math.max(0, loadPosition(this.#words, this.#words.tail) - head);
  }

  /**
   * Claims a record of `lengthBytes` and returns where its payload starts in `memory.bytes` (8-aligned), or -1 when there
   * is no room or the ring is closed. The caller fills the payload, then `commit`s or `abort`s; or claims more and publishes
   * all at once.
   */
  tryReserve(lengthBytes: number): number {
    if (lengthBytes >>> 0 !== lengthBytes || lengthBytes > this.maxRecordBytes) this.#refuseLength(lengthBytes);
    const offset = this.#claim(mpscRecordBytes(lengthBytes));
    if (offset < 0) return -1;
    this.#open.push({ offset, lengthBytes });
    return offset + HEADER_BYTES;
  }

  /** Publishes all open claims. */
  commit(): void {
    if (this.#open.length === 0) throw new ArgumentError("commit without a reservation");
    this.publish();
  }

  /** Takes the newest claim back: the consumer skips it. Those before it stay. */
  abort(): void {
    const newest = this.#open.pop();
    if (newest === undefined) throw new ArgumentError("abort without a reservation");
    this.#finish(newest.offset, MPSC_PADDING);
    failpoint("mpsc-abort:padded");
    this.#notify();
  }

  /** Makes every open claim visible, and wakes the consumer if it sleeps. Does nothing if none is open. */
  publish(): void {
    if (this.#open.length === 0) return;
    const claims = this.#open;
    this.#open = [];
    for (const { offset, lengthBytes } of claims) {
      failpoint("mpsc-commit:begin");
      this.#finish(offset, MPSC_COMMITTED + lengthBytes);
      failpoint("mpsc-commit:state");
    }
    this.#notify();
  }

  /** Copies a record in and leaves it unpublished. False: no room, or closed. */
  tryStage(bytes: Uint8Array): boolean {
    const offset = this.tryReserve(bytes.length);
    if (offset < 0) return false;
    this.#words.bytes.set(bytes, offset);
    return true;
  }

  /** Copies a record in and publishes it, with all that was claimed before. False: no room, or closed. */
  tryWrite(bytes: Uint8Array): boolean {
    if (!this.tryStage(bytes)) return false;
    this.publish();
    return true;
  }

  /**
   * Copies records in, one after the other with none of another producer between them, by one claim and one commit: either
   * all of them are read or, if this process dies on the way, none. False: no room for all, or closed. Throws ArgumentError
   * when together they are longer than half the ring.
   */
  tryWriteBatch(records: readonly Uint8Array[]): boolean {
    const [first, ...rest] = records;
    if (first === undefined) return true;
    const sizes = records.map(({ length }) => mpscRecordBytes(length));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    if (total > this.maxRecordBytes + HEADER_BYTES) this.#refuseLength(total - HEADER_BYTES);
    const start = this.#claim(total);
    if (start < 0) return false;
    const { i32, i64, bytes } = this.#words;
    bytes.set(first, start + HEADER_BYTES);
    let offset = start + (sizes[0] as number);
    for (const [index, record] of rest.entries()) {
      const size = sizes[index + 1] as number;
      i32[offset >>> 2] = size;
      i32[(offset >>> 2) + 1] = MPSC_COMMITTED + record.length;
      bytes.set(record, offset + HEADER_BYTES);
      offset += size;
    }
    failpoint("mpsc-batch:filled");
    // SYNC POINT with the consumer's load of the state: everything above comes before. The size shrinks from that of the
    // claim to that of the first record; nobody needs the claim's any more, as the tail has passed it.
    const claimed = pair(total, this.#claimState);
    const committed = pair(sizes[0] as number, MPSC_COMMITTED + first.length);
    if (Atomics.compareExchange(i64, start / 8, claimed, committed) !== claimed) this.#refuseClaim(start);
    failpoint("mpsc-batch:committed");
    this.publish();
    this.#notify();
    return true;
  }

  /** Writes a record, waiting for room. Blocks the thread: not for an event loop. Publishes what was claimed before. */
  write(bytes: Uint8Array, options?: WaitOptions): "written" | "timed-out" | "closed" {
    const deadlineMs = performance.now() + checkTimeout(options?.timeoutMs);
    while (!this.tryWrite(bytes)) {
      const remainingMs = Math.max(0, deadlineMs - performance.now());
      const waited = this.waitForRoom(bytes.length, { ...options, timeoutMs: remainingMs });
      if (waited !== "ready") return waited;
    }
    return "written";
  }

  /** The same on an event loop: never blocks. Needs the option `eventLoop`. */
  writeAsync(bytes: Uint8Array, options?: LockOptions): Promise<"written" | "timed-out" | "closed"> {
    return writeAsync(this, requireWaits(this.#options.eventLoop), bytes, options);
  }

  /**
   * Waits until there is room for a record of `lengthBytes`, which another producer may take first. Publishes what is open
   * first, so that the consumer can make room. Blocks the thread.
   */
  waitForRoom(lengthBytes: number, options: WaitOptions = {}): "ready" | "timed-out" | "closed" {
    if (lengthBytes >>> 0 !== lengthBytes || lengthBytes > this.maxRecordBytes) this.#refuseLength(lengthBytes);
    this.publish();
    const { strategy = "adaptive", signal } = options;
    const startMs = performance.now();
    const deadlineMs = startMs + checkTimeout(options.timeoutMs);
    const parkAtMs = strategy === "spin" ? deadlineMs : strategy === "adaptive" ? startMs + ADAPTIVE_SPIN_MS : startMs;
    let napAtMs = startMs + SPIN_NAP_MS;
    for (;;) {
      signal?.throwIfAborted();
      for (let look = 0; look < LOOKS_PER_CLOCK; look++) {
        const found = this.#lookForRoom(lengthBytes);
        if (found !== undefined) return found;
        pause();
      }
      const nowMs = performance.now();
      if (nowMs >= deadlineMs) return "timed-out";
      if (nowMs >= parkAtMs) break;
      if (nowMs < napAtMs) continue;
      napAtMs = nowMs + SPIN_NAP_MS;
      this.#padDeadClaims();
    }
    return this.#parkForRoom(lengthBytes, deadlineMs, signal);
  }

  /**
   * For an event loop: says that it is about to wait for its doorbell until there is room, which the consumer then rings at
   * its next release. False: there is room, or the ring is closed, so don't wait.
   */
  armForRoom(lengthBytes: number): boolean {
    Atomics.or(this.#words.i32, this.#words.room, ROOM_ARMED);
    failpoint("mpsc-room:armed");
    if (this.#lookForRoom(lengthBytes) !== undefined) return false;
    this.#padDeadClaims();
    return true;
  }

  /** Gives up this handle: open claims are taken back, and it writes no more. Other producers go on. */
  close(): void {
    while (this.#open.length > 0) this.abort();
    this.#closed = true;
  }

  /** Says for all producers that nothing more will come: the consumer reads the rest and then finds the ring ended. */
  end(): void {
    this.close();
    failpoint("mpsc-end:begin");
    Atomics.store(this.#words.i32, this.#words.ended, 1);
    failpoint("mpsc-end:ended");
    this.#notify();
  }

  /** Claims `size` bytes in one piece and returns their offset in the memory, or -1. */
  #claim(size: number): number {
    const words = this.#words;
    const { i64, capacityBytes } = words;
    if (this.closed) return -1;
    for (;;) {
      const tail = loadPosition(words, words.tail);
      const toLapEnd = capacityBytes - ((tail >>> 0) & (capacityBytes - 1));
      const padding = size > toLapEnd ? toLapEnd : 0;
      // SYNC POINT with the consumer's store of head: its reads and its clearing of what it released come before.
      const head = loadPosition(words, words.head);
      if (tail + padding + size - head > capacityBytes) return -1;
      const index = offsetOf(words, tail) / 8;
      const free = freeWord(tail, capacityBytes);
      const mine = padding > 0 ? pair(padding, MPSC_PADDING) : pair(size, this.#claimState);
      failpoint("mpsc-claim:begin");
      const seen = Atomics.compareExchange(i64, index, free, mine);
      if (seen !== free) {
        this.#passTail(tail, firstOf(seen));
        continue;
      }
      failpoint("mpsc-claim:claimed");
      this.#passTail(tail, padding > 0 ? padding : size);
      failpoint("mpsc-claim:tail");
      if (padding === 0) return index * 8;
      this.#notify();
    }
  }

  /** Moves the tail from `tail` past the record of `size` bytes there, for whoever claimed it. */
  #passTail(tail: number, size: number): void {
    const words = this.#words;
    const known = isRecordSize(words, tail, size);
    // A size that can't be was read where the tail no longer stands, or the ring is damaged.
    const before = longOf(tail);
    const seen = known
      ? Atomics.compareExchange(words.i64, words.tail, before, longOf(tail + size))
      : Atomics.load(words.i64, words.tail);
    if (!known && seen === before) {
      throw new CorruptSegmentError(`no record of a ring at its tail: tail=${tail} size=${size}`, { tail, size });
    }
  }

  /** Changes a claim of this handle's to its final state. */
  #finish(offset: number, state: number): void {
    // SYNC POINT with the consumer's load of the state: the payload comes before.
    const seen = Atomics.compareExchange(this.#words.i32, (offset >>> 2) + 1, this.#claimState, state);
    if (seen !== this.#claimState) this.#refuseClaim(offset);
  }

  #notify(): void {
    const { i32, consumerSignal, wakes } = this.#words;
    // SYNC POINT with park and arm in mpsc-consumer.ts: this load comes after the stores of states.
    if (Atomics.load(i32, consumerSignal) === SIGNAL_AWAKE) return;
    const signal = claimSignal(i32, consumerSignal);
    failpoint("mpsc-producer-wake:signal");
    if (signal === SIGNAL_AWAKE || signal === SIGNAL_CLOSED) return;
    Atomics.add(i32, wakes, 1);
    if (signal === SIGNAL_PARKED) this.#options.futex?.wake(consumerSignal, 1);
    else if (signal === SIGNAL_ARMED) this.#options.doorbells?.ringSleepers();
    else throw new CorruptSegmentError(`consumer's signal can't be: signal=${signal}`, { signal });
  }

  #lookForRoom(lengthBytes: number): "ready" | "closed" | undefined {
    if (this.closed) return "closed";
    const words = this.#words;
    const size = mpscRecordBytes(lengthBytes);
    const tail = loadPosition(words, words.tail);
    const toLapEnd = words.capacityBytes - ((tail >>> 0) & (words.capacityBytes - 1));
    const needed = size > toLapEnd ? toLapEnd + size : size;
    return tail + needed - loadPosition(words, words.head) <= words.capacityBytes ? "ready" : undefined;
  }

  #parkForRoom(
    lengthBytes: number,
    deadlineMs: number,
    signal: AbortSignal | undefined,
  ): "ready" | "timed-out" | "closed" {
    const { futex } = this.#options;
    const { i32, room } = this.#words;
    if (futex === undefined) {
      throw new ArgumentError("parking needs a futex: give one to the handle, or wait with strategy spin");
    }
    for (;;) {
      signal?.throwIfAborted();
      // SYNC POINT with wakeRoom in mpsc-consumer.ts: the announcement comes before the look.
      const announced = Atomics.or(i32, room, ROOM_PARKED) | ROOM_PARKED;
      failpoint("mpsc-room:parked");
      const found = this.#lookForRoom(lengthBytes);
      if (found !== undefined) return found;
      const remainingMs = deadlineMs - performance.now();
      if (remainingMs <= 0) return "timed-out";
      futex.wait(room, announced, Math.min(WAIT_SLICE_MS, remainingMs));
      this.#padDeadClaims();
    }
  }

  /** A full ring may be full because its oldest claim is a dead one's. */
  #padDeadClaims(): void {
    const words = this.#words;
    const head = loadPosition(words, words.head);
    const tail = loadPosition(words, words.tail);
    if (head === tail) return;
    const state = Atomics.load(words.i32, stateIndex(words, head));
    if (state >= 0) return;
    // The consumer may have gone on before the state was read, and the word be another record's payload by then. If the
    // head still stands there afterwards, it stood there all the time.
    if (loadPosition(words, words.head) !== head) return;
    if (padDeadClaim(words, head, state, this.#options.claims)) this.#notify();
  }

  #refuseClaim(offset: number): never {
    throw new CorruptSegmentError(`a claim of this participant's was changed by another: offset=${offset}`, { offset });
  }

  #refuseLength(lengthBytes: number): never {
    throw new ArgumentError(
      `a record must have from 0 to ${this.maxRecordBytes} bytes (half the ring): ` +
        `lengthBytes=${lengthBytes} capacityBytes=${this.capacityBytes}`,
      { lengthBytes, maxRecordBytes: this.maxRecordBytes, capacityBytes: this.capacityBytes },
    );
  }
}
