/**
 * The shared words and record headers of an MPSC ring: laying them out, opening them checked, and the accesses that both
 * sides make. The protocol is described at the top of mpsc-ring.ts.
 *
 * - Positions are 64-bit in shared memory and plain numbers everywhere else; one that can't be throws CorruptSegmentError.
 */
import { ArgumentError, CorruptSegmentError } from "./errors.ts";
import { failpoint } from "./failpoint.ts";
import { REGION_ALIGNMENT_BYTES, type Region } from "./memory.ts";
import {
  CAPACITY_OFFSET,
  capacityWithin,
  FORMAT_OFFSET,
  isCapacity,
  MAX_CAPACITY_BYTES,
  MIN_CAPACITY_BYTES,
  MPSC_CONSUMER_SIGNAL_OFFSET,
  MPSC_DATA_OFFSET,
  MPSC_ENDED_OFFSET,
  MPSC_FORMAT,
  MPSC_HEAD_OFFSET,
  MPSC_PADDING,
  MPSC_RECORD_ALIGNMENT_BYTES,
  MPSC_RECORD_HEADER_BYTES,
  MPSC_RELEASE_OFFSET,
  MPSC_ROOM_OFFSET,
  MPSC_TAIL_OFFSET,
  MPSC_WAITS_OFFSET,
  MPSC_WAKES_OFFSET,
  SIGNAL_CLOSED,
} from "./records.ts";

export interface FormatMpscRingOptions {
  /** Where head and tail start: a multiple of 8 below 2^53. Tests start just below a wrap. Default 0. */
  readonly initialPosition?: number;
}

/** An opened MPSC ring. `tail`, `head` and `release` are indexes into `i64`, the other words into `i32`. */
export interface MpscWords {
  readonly bytes: Uint8Array;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;
  readonly tail: number;
  readonly head: number;
  readonly release: number;
  readonly waits: number;
  readonly wakes: number;
  readonly consumerSignal: number;
  readonly room: number;
  readonly ended: number;
  readonly dataOffset: number;
  readonly capacityBytes: number;
  readonly maxRecordBytes: number;
}

/** A look at an MPSC ring from outside. */
export interface MpscRingState {
  readonly capacityBytes: number;
  readonly headPosition: number;
  readonly tailPosition: number;
  /** Claimed and not yet released, padding and headers included. */
  readonly usedBytes: number;
  /** A producer said that nothing more will come. */
  readonly ended: boolean;
  readonly consumerClosed: boolean;
  readonly consumerWaits: number;
  readonly consumerWakes: number;
  /** The claim that the consumer waits for, if it waits for one: slot, and generation modulo 2^21. */
  readonly pendingClaim?: { readonly slot: number; readonly generation: number };
}

const IS_LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
const CLAIM_SLOT_BITS = 10;

// Two words to one 64-bit value and back without the arithmetic of BigInts, which costs ten times as much.
const pairLong = new BigInt64Array(1);
const pairWords = new Int32Array(pairLong.buffer);
const FIRST = 0;
const SECOND = 1;

/** The 64-bit value whose first word in memory is `first`. */
export function pair(first: number, second: number): bigint {
  pairWords[FIRST] = first;
  pairWords[SECOND] = second;
  return pairLong[0] as bigint;
}

/** The word of a 64-bit value that comes first in memory. */
export function firstOf(value: bigint): number {
  pairLong[0] = value;
  return pairWords[FIRST] as number;
}

export function secondOf(value: bigint): number {
  pairLong[0] = value;
  return pairWords[SECOND] as number;
}

/** A position as a 64-bit value. */
export function longOf(position: number): bigint {
  const low = position | 0;
  const high = Math.floor(position / 2 ** 32);
  return IS_LITTLE_ENDIAN ? pair(low, high) : pair(high, low);
}

/** The size of a region that holds an MPSC ring of `capacityBytes` (a power of two, at least 256). */
export function mpscRegionSizeBytes(capacityBytes: number): number {
  if (!isCapacity(capacityBytes, MAX_CAPACITY_BYTES + MPSC_DATA_OFFSET, MPSC_DATA_OFFSET)) {
    throw new ArgumentError(
      `a ring's capacity must be a power of two from ${MIN_CAPACITY_BYTES} to ${MAX_CAPACITY_BYTES}: ` +
        `capacityBytes=${capacityBytes}`,
      { capacityBytes },
    );
  }
  return MPSC_DATA_OFFSET + capacityBytes;
}

/**
 * Makes `region` an empty MPSC ring of the largest power-of-two capacity that fits. Nobody may be using the region.
 * Throws ArgumentError when the region is too small or not aligned.
 */
export function formatMpscRing(region: Region, options: FormatMpscRingOptions = {}): void {
  const { memory, offsetBytes, sizeBytes } = region;
  const { initialPosition = 0 } = options;
  const capacityBytes = capacityWithin(sizeBytes, MPSC_DATA_OFFSET);
  if (capacityBytes === 0 || offsetBytes % REGION_ALIGNMENT_BYTES !== 0) {
    throw new ArgumentError(
      `a ring needs an aligned region of at least ${MPSC_DATA_OFFSET + MIN_CAPACITY_BYTES} bytes: ` +
        `offsetBytes=${offsetBytes} sizeBytes=${sizeBytes}`,
      { offsetBytes, sizeBytes },
    );
  }
  if (!isPosition(initialPosition)) {
    throw new ArgumentError(`initialPosition must be a multiple of 8 below 2^53: initialPosition=${initialPosition}`, {
      initialPosition,
    });
  }
  memory.bytes.fill(0, offsetBytes, offsetBytes + MPSC_DATA_OFFSET);
  const { i32, i64 } = memory;
  i64[(offsetBytes + MPSC_TAIL_OFFSET) / 8] = BigInt(initialPosition);
  i64[(offsetBytes + MPSC_HEAD_OFFSET) / 8] = BigInt(initialPosition);
  i64[(offsetBytes + MPSC_RELEASE_OFFSET) / 8] = BigInt(initialPosition);
  i32[(offsetBytes + CAPACITY_OFFSET) >>> 2] = capacityBytes;
  const data = (offsetBytes + MPSC_DATA_OFFSET) / 8;
  const start = (initialPosition % capacityBytes) / 8;
  i64.fill(freeWord(initialPosition + capacityBytes, capacityBytes), data, data + start);
  i64.fill(freeWord(initialPosition, capacityBytes), data + start, data + capacityBytes / 8);
  Atomics.store(i32, (offsetBytes + FORMAT_OFFSET) >>> 2, MPSC_FORMAT);
}

/** Checks an MPSC ring's header and gives its words. Throws CorruptSegmentError; ArgumentError outside the memory. */
export function openMpscRing(region: Region): MpscWords {
  const { memory, offsetBytes, sizeBytes } = region;
  const { i32 } = memory;
  const outside = offsetBytes + sizeBytes > memory.bytes.length || sizeBytes < MPSC_DATA_OFFSET;
  if (outside || offsetBytes % REGION_ALIGNMENT_BYTES !== 0) {
    throw new ArgumentError(`not a region of this memory: offsetBytes=${offsetBytes} sizeBytes=${sizeBytes}`, {
      offsetBytes,
      sizeBytes,
      memoryBytes: memory.bytes.length,
    });
  }
  const word = (offset: number): number => (offsetBytes + offset) >>> 2;
  const long = (offset: number): number => (offsetBytes + offset) / 8;
  const format = Atomics.load(i32, word(FORMAT_OFFSET));
  const capacityBytes = i32[word(CAPACITY_OFFSET)] as number;
  if (format !== MPSC_FORMAT || !isCapacity(capacityBytes, sizeBytes, MPSC_DATA_OFFSET)) {
    throw new CorruptSegmentError(
      `no MPSC ring of this version at offset ${offsetBytes}: format=0x${(format >>> 0).toString(16)} ` +
        `capacityBytes=${capacityBytes} sizeBytes=${sizeBytes}`,
      { offsetBytes, format, capacityBytes, sizeBytes },
    );
  }
  return {
    bytes: memory.bytes,
    i32,
    i64: memory.i64,
    tail: long(MPSC_TAIL_OFFSET),
    head: long(MPSC_HEAD_OFFSET),
    release: long(MPSC_RELEASE_OFFSET),
    waits: word(MPSC_WAITS_OFFSET),
    wakes: word(MPSC_WAKES_OFFSET),
    consumerSignal: word(MPSC_CONSUMER_SIGNAL_OFFSET),
    room: word(MPSC_ROOM_OFFSET),
    ended: word(MPSC_ENDED_OFFSET),
    dataOffset: offsetBytes + MPSC_DATA_OFFSET,
    capacityBytes,
    // Half, because a longer record could find too little room before the end and after the start of an empty ring.
    maxRecordBytes: capacityBytes / 2 - MPSC_RECORD_HEADER_BYTES,
  };
}

/** What stands at every multiple of 8 that isn't claimed: the lap in which it may be, so that a late claim fails. */
export function freeWord(position: number, capacityBytes: number): bigint {
  return pair(Math.floor(position / capacityBytes) | 0, 0);
}

/** The head or the tail. */
export function loadPosition(words: MpscWords, index: number): number {
  const value = Atomics.load(words.i64, index);
  const position = Number(value);
  if (!isPosition(position)) {
    throw new CorruptSegmentError(`no position of a ring: position=${value}`, { position: value });
  }
  return position;
}

/** Offset in the memory of the record that starts at `position`. */
export function offsetOf(words: MpscWords, position: number): number {
  // The low 32 bits are enough, as the capacity is a power of two below 2^31.
  return words.dataOffset + ((position >>> 0) & (words.capacityBytes - 1));
}

/** Bytes that a record with a payload of `lengthBytes` takes. */
export function mpscRecordBytes(lengthBytes: number): number {
  return (lengthBytes + MPSC_RECORD_HEADER_BYTES + MPSC_RECORD_ALIGNMENT_BYTES - 1) & -MPSC_RECORD_ALIGNMENT_BYTES;
}

/** Whether a record of `size` bytes can start at `position`. */
export function isRecordSize(words: MpscWords, position: number, size: number): boolean {
  const at = (position >>> 0) & (words.capacityBytes - 1);
  return (
    size >= MPSC_RECORD_HEADER_BYTES && size % MPSC_RECORD_ALIGNMENT_BYTES === 0 && at + size <= words.capacityBytes
  );
}

/** Slot and generation (modulo 2^21) that a claim's state word names. */
export function claimerOf(state: number): { readonly slot: number; readonly generation: number } {
  return {
    slot: (state & ((1 << CLAIM_SLOT_BITS) - 1)) - 1,
    generation: (state & 0x7fffffff) >>> CLAIM_SLOT_BITS,
  };
}

/**
 * Turns the claim at `position`, whose state word was `state`, into padding if its claimer is certainly dead. True: there is
 * no such claim any more. A compare-and-swap on exactly the dead claim's word, so of many survivors one does it, and a
 * claim that was committed in between stays committed.
 *
 * The caller must know that a record begins at `position` and that `state` was read while it did: anywhere else the word
 * may be payload, which would name nobody and so look dead.
 */
export function padDeadClaim(words: MpscWords, position: number, state: number, claims: Claims): boolean {
  const { slot, generation } = claimerOf(state);
  if (!claims.isOwnerDead(slot, generation)) return false;
  failpoint("mpsc-pad:begin");
  Atomics.compareExchange(words.i32, stateIndex(words, position), state, MPSC_PADDING);
  failpoint("mpsc-pad:padded");
  return true;
}

/** Index in `i32` of the state word of the record that begins at `position`. */
export function stateIndex(words: MpscWords, position: number): number {
  return (offsetOf(words, position) >>> 2) + SECOND;
}

/** How claims are signed, and whether a signer is dead: the segment's business. */
export interface Claims {
  /** The claimer's lock word without the waiters bit: generation modulo 2^21, slot + 1. */
  readonly ownerWord: number;
  /** True only when it is certain. `generation` is modulo 2^21. */
  isOwnerDead(slot: number, generation: number): boolean;
}

/** A look at an MPSC ring without taking part. Its words are read one after the other while others may move them. */
export function inspectMpscRing(region: Region): MpscRingState {
  const words = openMpscRing(region);
  const { i32 } = words;
  const headPosition = loadPosition(words, words.head);
  const tailPosition = loadPosition(words, words.tail);
  const state = Atomics.load(i32, (offsetOf(words, headPosition) >>> 2) + SECOND);
  return {
    capacityBytes: words.capacityBytes,
    headPosition,
    tailPosition,
    usedBytes: Math.max(0, tailPosition - headPosition),
    ended: Atomics.load(i32, words.ended) !== 0,
    consumerClosed: Atomics.load(i32, words.consumerSignal) === SIGNAL_CLOSED,
    consumerWaits: Atomics.load(i32, words.waits) >>> 0,
    consumerWakes: Atomics.load(i32, words.wakes) >>> 0,
    ...(state < 0 ? { pendingClaim: claimerOf(state) } : {}),
  };
}

function isPosition(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value % MPSC_RECORD_ALIGNMENT_BYTES === 0;
}
