/**
 * Lays an SPSC ring out in a region, opens one with everything it says checked, and looks at one without taking part.
 *
 * - The words that never change are read once, when a handle is made; nobody trusts them afterwards.
 * - A ring that no correct participant could have left throws CorruptSegmentError.
 */
import { ArgumentError, CorruptSegmentError } from "./errors.ts";
import { REGION_ALIGNMENT_BYTES, type Region } from "./memory.ts";
import {
  CAPACITY_OFFSET,
  capacityWithin,
  FORMAT_OFFSET,
  isCapacity,
  MAX_CAPACITY_BYTES,
  MIN_CAPACITY_BYTES,
  RING_CONSUMER_SIGNAL_OFFSET,
  RING_CONSUMER_WAITS_OFFSET,
  RING_CONSUMER_WAKES_OFFSET,
  RING_DATA_OFFSET,
  RING_FORMAT,
  RING_HEAD_OFFSET,
  RING_PRODUCER_SIGNAL_OFFSET,
  RING_PRODUCER_WAITS_OFFSET,
  RING_PRODUCER_WAKES_OFFSET,
  RING_RECORD_ALIGNMENT_BYTES,
  RING_RECORD_HEADER_BYTES,
  RING_TAIL_OFFSET,
  SIGNAL_AWAKE,
  SIGNAL_CLOSED,
} from "./records.ts";

export interface FormatRingOptions {
  /** Where head and tail start, taken modulo 2^32; a multiple of 8. Tests start just below a wrap. Default 0. */
  readonly initialPosition?: number;
}

/** Where the words of an opened ring are, as indexes into `i32`, and its checked size. */
export interface RingWords {
  readonly tail: number;
  readonly head: number;
  readonly producerSignal: number;
  readonly consumerSignal: number;
  readonly producerWaits: number;
  readonly consumerWaits: number;
  readonly producerWakes: number;
  readonly consumerWakes: number;
  readonly dataOffset: number;
  readonly capacityBytes: number;
  readonly maxRecordBytes: number;
}

/** A look at a ring from outside. Positions are unsigned 32-bit; `waits` and `wakes` count sleeps and wake calls. */
export interface RingState {
  readonly capacityBytes: number;
  readonly headPosition: number;
  readonly tailPosition: number;
  /** Published and not yet released, padding and headers included. */
  readonly usedBytes: number;
  readonly producerClosed: boolean;
  readonly consumerClosed: boolean;
  readonly producerWaits: number;
  readonly consumerWaits: number;
  readonly producerWakes: number;
  readonly consumerWakes: number;
}

/** The size of a region that holds a ring of `capacityBytes` (a power of two, at least 256). */
export function ringRegionSizeBytes(capacityBytes: number): number {
  if (!isCapacity(capacityBytes, MAX_CAPACITY_BYTES + RING_DATA_OFFSET, RING_DATA_OFFSET)) {
    throw new ArgumentError(
      `a ring's capacity must be a power of two from ${MIN_CAPACITY_BYTES} to ${MAX_CAPACITY_BYTES}: ` +
        `capacityBytes=${capacityBytes}`,
      { capacityBytes },
    );
  }
  return RING_DATA_OFFSET + capacityBytes;
}

/**
 * Makes `region` an empty ring of the largest power-of-two capacity that fits. Nobody may be using the region.
 * Throws ArgumentError when the region is too small or not aligned.
 */
export function formatRing(region: Region, options: FormatRingOptions = {}): void {
  const { memory, offsetBytes, sizeBytes } = region;
  const { initialPosition = 0 } = options;
  const capacityBytes = capacityWithin(sizeBytes, RING_DATA_OFFSET);
  if (capacityBytes === 0 || offsetBytes % REGION_ALIGNMENT_BYTES !== 0) {
    throw new ArgumentError(
      `a ring needs an aligned region of at least ${RING_DATA_OFFSET + MIN_CAPACITY_BYTES} bytes: ` +
        `offsetBytes=${offsetBytes} sizeBytes=${sizeBytes}`,
      { offsetBytes, sizeBytes },
    );
  }
  if (!Number.isSafeInteger(initialPosition) || initialPosition % RING_RECORD_ALIGNMENT_BYTES !== 0) {
    throw new ArgumentError(`initialPosition must be a multiple of 8: initialPosition=${initialPosition}`, {
      initialPosition,
    });
  }
  memory.bytes.fill(0, offsetBytes, offsetBytes + RING_DATA_OFFSET);
  const i32 = memory.i32;
  i32[(offsetBytes + RING_TAIL_OFFSET) >>> 2] = initialPosition | 0;
  i32[(offsetBytes + RING_HEAD_OFFSET) >>> 2] = initialPosition | 0;
  i32[(offsetBytes + CAPACITY_OFFSET) >>> 2] = capacityBytes;
  Atomics.store(i32, (offsetBytes + FORMAT_OFFSET) >>> 2, RING_FORMAT);
}

/** Checks a ring's header and gives the places of its words. Throws CorruptSegmentError. */
export function openRing(region: Region): RingWords {
  const { memory, offsetBytes, sizeBytes } = region;
  const i32 = memory.i32;
  const word = (offset: number): number => (offsetBytes + offset) >>> 2;
  const outside = offsetBytes + sizeBytes > memory.bytes.length || sizeBytes < RING_DATA_OFFSET;
  if (outside || offsetBytes % REGION_ALIGNMENT_BYTES !== 0) {
    throw new ArgumentError(`not a region of this memory: offsetBytes=${offsetBytes} sizeBytes=${sizeBytes}`, {
      offsetBytes,
      sizeBytes,
      memoryBytes: memory.bytes.length,
    });
  }
  const format = Atomics.load(i32, word(FORMAT_OFFSET));
  const capacityBytes = i32[word(CAPACITY_OFFSET)] as number;
  if (format !== RING_FORMAT || !isCapacity(capacityBytes, sizeBytes, RING_DATA_OFFSET)) {
    throw new CorruptSegmentError(
      `no ring of this version at offset ${offsetBytes}: format=0x${(format >>> 0).toString(16)} ` +
        `capacityBytes=${capacityBytes} sizeBytes=${sizeBytes}`,
      { offsetBytes, format, capacityBytes, sizeBytes },
    );
  }
  return {
    tail: word(RING_TAIL_OFFSET),
    head: word(RING_HEAD_OFFSET),
    producerSignal: word(RING_PRODUCER_SIGNAL_OFFSET),
    consumerSignal: word(RING_CONSUMER_SIGNAL_OFFSET),
    producerWaits: word(RING_PRODUCER_WAITS_OFFSET),
    consumerWaits: word(RING_CONSUMER_WAITS_OFFSET),
    producerWakes: word(RING_PRODUCER_WAKES_OFFSET),
    consumerWakes: word(RING_CONSUMER_WAKES_OFFSET),
    dataOffset: offsetBytes + RING_DATA_OFFSET,
    capacityBytes,
    // Half, because a longer record could find too little room before the end and after the start of an empty ring.
    maxRecordBytes: capacityBytes / 2 - RING_RECORD_HEADER_BYTES,
  };
}

/** Throws CorruptSegmentError unless `head` and `tail` (int32) can both be true of a ring of this capacity. */
export function checkPositions(head: number, tail: number, capacityBytes: number): void {
  const used = (tail - head) | 0;
  if (used < 0 || used > capacityBytes || ((head | tail) & (RING_RECORD_ALIGNMENT_BYTES - 1)) !== 0) {
    throw new CorruptSegmentError(
      `ring positions can't be: head=${head >>> 0} tail=${tail >>> 0} capacityBytes=${capacityBytes}`,
      { head: head >>> 0, tail: tail >>> 0, capacityBytes },
    );
  }
}

/** A look at a ring without taking part. Its words are read one after the other while others may move them. */
export function inspectRing(region: Region): RingState {
  const words = openRing(region);
  const i32 = region.memory.i32;
  const read = (index: number): number => Atomics.load(i32, index) >>> 0;
  const headPosition = read(words.head);
  const tailPosition = read(words.tail);
  return {
    capacityBytes: words.capacityBytes,
    headPosition,
    tailPosition,
    usedBytes: (tailPosition - headPosition) >>> 0,
    producerClosed: read(words.producerSignal) === SIGNAL_CLOSED,
    consumerClosed: read(words.consumerSignal) === SIGNAL_CLOSED,
    producerWaits: read(words.producerWaits),
    consumerWaits: read(words.consumerWaits),
    producerWakes: read(words.producerWakes),
    consumerWakes: read(words.consumerWakes),
  };
}

/** Ends a side's sleep, if it sleeps: its signal goes back to awake. Returns what the signal was. */
export function claimSignal(i32: Int32Array, signalIndex: number): number {
  const signal = Atomics.load(i32, signalIndex);
  // A compare-exchange, so that a side that closes at the same time stays closed.
  return signal === SIGNAL_AWAKE || signal === SIGNAL_CLOSED
    ? signal
    : Atomics.compareExchange(i32, signalIndex, signal, SIGNAL_AWAKE);
}
