/**
 * The writing side of an SPSC ring.
 *
 * - One producer handle writes at a time, in one thread. After a producer died, a new handle goes on at the published
 *   tail: what the dead one had not published never was.
 * - Records become visible in order, and only by the one store to `tail` in `publish`; a batch is one such store.
 * - Full and closed are return values. A record that can never fit, and calls out of order, throw ArgumentError.
 *
 * After Lamport's queue with cached indexes (rigtorp/SPSCQueue) and agrona's record layout.
 */
import type { LockOptions } from "./async-lock.ts";
import { requireWaits, writeAsync } from "./async-read.ts";
import type { Doorbells } from "./contracts.ts";
import { ArgumentError, CorruptSegmentError } from "./errors.ts";
import type { EventLoopWaits } from "./event-loop-waits.ts";
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
import { type WaitOptions, type WaitPlace, waitForMove } from "./ring-wait.ts";

// V8 folds a module's own constants into the code, but loads and checks an imported one at each use: with these copies
// reserving a record takes 5 ns instead of 8.
const HEADER_BYTES: number = RING_RECORD_HEADER_BYTES;
const ROUND_UP: number = RING_RECORD_HEADER_BYTES + RING_RECORD_ALIGNMENT_BYTES - 1;
const ROUND_MASK: number = -RING_RECORD_ALIGNMENT_BYTES;

/** What a handle needs of the segment to sleep and to wake. Without a futex only `try…` and `spin` are possible. */
export interface RingHandleOptions {
  readonly futex?: Futex | undefined;
  /** Rung when the other side sleeps in an event loop. */
  readonly doorbells?: Doorbells | undefined;
  /** For `…Async` and `for await`. */
  readonly eventLoop?: EventLoopWaits | undefined;
}

export class RingProducer {
  readonly capacityBytes: number;
  /** The longest payload: half the capacity less the record header. */
  readonly maxRecordBytes: number;

  readonly #bytes: Uint8Array;
  readonly #i32: Int32Array;
  readonly #words: RingWords;
  readonly #futex: Futex | undefined;
  readonly #doorbells: Doorbells | undefined;
  readonly #options: RingHandleOptions;
  readonly #place: WaitPlace;
  readonly #mask: number;
  readonly #dataOffset: number;
  readonly #tailIndex: number;
  readonly #consumerSignal: number;

  // Positions are int32 whose bits are the unsigned position; differences are taken with `| 0`.
  /** End of the newest reservation. */
  #reserved: number;
  /** What `abort` goes back to; equal to `#reserved` when there is nothing to take back. */
  #beforeNewest: number;
  #published: number;
  /**
   * Where a record must end to be reserved without a closer look: the end of the free room last seen or of the data area,
   * whichever comes first. At or before `#reserved` to ask for that look.
   */
  #limit: number;
  #head: number;
  #closed = false;

  /** Throws CorruptSegmentError when `region` holds no ring, ArgumentError when it is outside its memory. */
  constructor(region: Region, options: RingHandleOptions = {}) {
    const words = openRing(region);
    this.#words = words;
    this.capacityBytes = words.capacityBytes;
    this.maxRecordBytes = words.maxRecordBytes;
    this.#bytes = region.memory.bytes;
    this.#i32 = region.memory.i32;
    this.#options = options;
    this.#futex = options.futex;
    this.#doorbells = options.doorbells;
    this.#mask = words.capacityBytes - 1;
    this.#dataOffset = words.dataOffset;
    this.#tailIndex = words.tail;
    this.#consumerSignal = words.consumerSignal;
    this.#place = {
      i32: this.#i32,
      futex: this.#futex,
      position: words.head,
      ownSignal: words.producerSignal,
      peerSignal: words.consumerSignal,
      waits: words.producerWaits,
    };
    this.#published = Atomics.load(this.#i32, words.tail);
    this.#reserved = this.#published;
    this.#beforeNewest = this.#published;
    this.#head = this.#published;
    this.#limit = this.#published;
    this.#refresh();
    // A predecessor that died asleep left its signal set.
    if (!this.#closed) claimSignal(this.#i32, words.producerSignal);
  }

  /** Whether the ring takes no more records: this side closed, or the consumer did. */
  get closed(): boolean {
    if (!this.#closed) this.#noticeClosed();
    return this.#closed;
  }

  /** Payload and header bytes published and not yet released by the consumer. */
  get usedBytes(): number {
    return (this.#published - Atomics.load(this.#i32, this.#words.head)) >>> 0;
  }

  /**
   * Reserves a record of `lengthBytes` and returns where its payload starts in `memory.bytes` (8-aligned), or -1 when
   * there is no room or the ring is closed. The caller fills the payload, then `commit`s or `abort`s; or reserves more
   * and publishes all at once.
   */
  tryReserve(lengthBytes: number): number {
    if (lengthBytes >>> 0 !== lengthBytes || lengthBytes > this.maxRecordBytes) this.#refuseLength(lengthBytes);
    const size = (lengthBytes + ROUND_UP) & ROUND_MASK;
    const start = this.#reserved;
    if (((this.#limit - start) | 0) < size) return this.#reserveAfterLook(lengthBytes, size);
    const offset = this.#dataOffset + (start & this.#mask);
    this.#i32[offset >>> 2] = lengthBytes;
    this.#beforeNewest = start;
    this.#reserved = (start + size) | 0;
    return offset + HEADER_BYTES;
  }

  /** Publishes the reservation, and with it all that were made before and not yet published. */
  commit(): void {
    if (this.#reserved === this.#published) throw new ArgumentError("commit without a reservation");
    this.publish();
  }

  /** Takes the newest reservation back. Those before it stay. */
  abort(): void {
    if (this.#reserved === this.#beforeNewest) throw new ArgumentError("abort without a reservation");
    this.#reserved = this.#beforeNewest;
    // A padding may have gone with it, and then the limit belongs to the next lap.
    this.#limit = this.#reserved;
  }

  /** Makes everything reserved visible with one store, and wakes the consumer if it sleeps. Does nothing if nothing is. */
  publish(): void {
    const tail = this.#reserved;
    if (tail === this.#published) return;
    failpoint("ring-publish:begin");
    // SYNC POINT with the consumer's load of tail: the stores to the records come before this one.
    Atomics.store(this.#i32, this.#tailIndex, tail);
    failpoint("ring-publish:tail");
    this.#published = tail;
    this.#beforeNewest = tail;
    // SYNC POINT with park in ring-wait.ts: this load comes after the store above.
    if (Atomics.load(this.#i32, this.#consumerSignal) !== SIGNAL_AWAKE) this.#notify();
  }

  /** Copies a record in and leaves it unpublished, for batches. False: no room, or closed. */
  tryStage(bytes: Uint8Array): boolean {
    const offset = this.tryReserve(bytes.length);
    if (offset < 0) return false;
    this.#bytes.set(bytes, offset);
    return true;
  }

  /** Copies a record in and publishes it. False: no room, or closed. */
  tryWrite(bytes: Uint8Array): boolean {
    if (!this.tryStage(bytes)) return false;
    this.publish();
    return true;
  }

  /**
   * Writes a record, waiting for room. Blocks the thread: not for an event loop. What was reserved before is published
   * with it, or before waiting, so that the consumer can make room.
   */
  write(bytes: Uint8Array, options?: WaitOptions): "written" | "timed-out" | "closed" {
    if (this.tryWrite(bytes)) return "written";
    const waited = this.waitForRoom(bytes.length, options);
    if (waited !== "ready") return waited;
    return this.tryWrite(bytes) ? "written" : "closed";
  }

  /** The same on an event loop: never blocks. Needs the option `eventLoop`. */
  writeAsync(bytes: Uint8Array, options?: LockOptions): Promise<"written" | "timed-out" | "closed"> {
    return writeAsync(this, requireWaits(this.#options.eventLoop), bytes, options);
  }

  /**
   * For an event loop: says that it is about to wait for its doorbell until there is room, which the consumer then rings at
   * its next release. False: there is room, or the ring is closed, so don't wait. Publishes what is reserved first.
   */
  armForRoom(lengthBytes: number): boolean {
    this.publish();
    const { producerSignal } = this.#words;
    if (Atomics.load(this.#i32, producerSignal) === SIGNAL_CLOSED) return false;
    // SYNC POINT with release in ring-consumer.ts: the store comes before the look, as in ring-wait.ts.
    Atomics.store(this.#i32, producerSignal, SIGNAL_ARMED);
    failpoint("ring-room:armed");
    const hasRoom = this.tryReserve(lengthBytes) >= 0;
    if (hasRoom) this.abort();
    else if (!this.#closed) return true;
    claimSignal(this.#i32, producerSignal);
    return false;
  }

  /** Waits until a record of `lengthBytes` can be reserved. Publishes what is reserved first. Blocks the thread. */
  waitForRoom(lengthBytes: number, options?: WaitOptions): "ready" | "timed-out" | "closed" {
    this.publish();
    const { timeoutMs = Number.POSITIVE_INFINITY } = options ?? {};
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      // Reserving tells whether there is room, and taking it back leaves no trace.
      if (this.tryReserve(lengthBytes) >= 0) {
        this.abort();
        return "ready";
      }
      if (this.#closed) return "closed";
      const remainingMs = Math.max(0, deadline - performance.now());
      const waited = waitForMove(this.#place, this.#head, { ...options, timeoutMs: remainingMs });
      if (waited === "timed-out") return "timed-out";
      if (waited === "closed") this.#noticeClosed();
    }
  }

  /** Says that nothing more will come. Unpublished reservations are dropped. The consumer can still read the rest. */
  close(): void {
    this.#reserved = this.#published;
    this.#markClosed();
    failpoint("ring-producer-close:begin");
    Atomics.store(this.#i32, this.#words.producerSignal, SIGNAL_CLOSED);
    failpoint("ring-producer-close:signal");
    this.#notify();
  }

  /** The rare half of `tryReserve`: looks how much room there is, and goes to the next lap if this one has too little. */
  #reserveAfterLook(lengthBytes: number, size: number): number {
    const before = this.#reserved;
    const toLapEnd = this.capacityBytes - (before & this.#mask);
    const padding = size > toLapEnd ? toLapEnd : 0;
    if (this.#closed || !this.#hasRoom(padding + size)) return -1;
    if (padding > 0) {
      this.#i32[(this.#dataOffset + (before & this.#mask)) >>> 2] = ~(padding - HEADER_BYTES);
      failpoint("ring-reserve:padding");
      this.#reserved = (before + padding) | 0;
    }
    const start = this.#reserved;
    const room = (this.#head + this.capacityBytes - start) | 0;
    this.#limit = (start + Math.min(room, this.capacityBytes - (start & this.#mask))) | 0;
    const offset = this.tryReserve(lengthBytes);
    // Taking the record back takes the padding back, too: a padding alone is never published.
    this.#beforeNewest = before;
    return offset;
  }

  /** Whether `needed` bytes are free. Looks at the consumer's position only when the last one seen leaves too little. */
  #hasRoom(needed: number): boolean {
    if (((this.#head + this.capacityBytes - this.#reserved) | 0) >= needed) return true;
    this.#refresh();
    return !this.#closed && ((this.#head + this.capacityBytes - this.#reserved) | 0) >= needed;
  }

  #refresh(): void {
    this.#noticeClosed();
    const head = Atomics.load(this.#i32, this.#words.head);
    checkPositions(head, this.#published, this.capacityBytes);
    this.#head = head;
  }

  #noticeClosed(): void {
    const { producerSignal, consumerSignal } = this.#words;
    if (
      Atomics.load(this.#i32, consumerSignal) === SIGNAL_CLOSED ||
      Atomics.load(this.#i32, producerSignal) === SIGNAL_CLOSED
    ) {
      this.#markClosed();
    }
  }

  #markClosed(): void {
    this.#closed = true;
    // So that tryReserve, which doesn't look at `#closed`, asks for a closer look from now on.
    this.#limit = this.#published;
  }

  #notify(): void {
    const signal = claimSignal(this.#i32, this.#consumerSignal);
    failpoint("ring-producer-wake:signal");
    switch (signal) {
      case SIGNAL_AWAKE:
        return;
      case SIGNAL_CLOSED:
        this.#markClosed();
        return;
      case SIGNAL_PARKED:
        Atomics.add(this.#i32, this.#words.producerWakes, 1);
        this.#futex?.wake(this.#consumerSignal, 1);
        return;
      case SIGNAL_ARMED:
        Atomics.add(this.#i32, this.#words.producerWakes, 1);
        this.#doorbells?.ringSleepers();
        return;
      default:
        throw new CorruptSegmentError(`consumer's signal can't be: signal=${signal}`, { signal });
    }
  }

  #refuseLength(lengthBytes: number): never {
    throw new ArgumentError(
      `a record must have from 0 to ${this.maxRecordBytes} bytes (half the ring): ` +
        `lengthBytes=${lengthBytes} capacityBytes=${this.capacityBytes}`,
      { lengthBytes, maxRecordBytes: this.maxRecordBytes, capacityBytes: this.capacityBytes },
    );
  }
}
