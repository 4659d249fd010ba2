/**
 * The shared words and record headers of a log: laying them out, opening them checked, and the few accesses that readers
 * and writers both make.
 *
 * - The two words are 64-bit in shared memory and plain numbers everywhere else; one that is no position of a log (2^53 or
 *   more, or no record boundary) throws CorruptSegmentError.
 * - `reloadOldest` is the readers' half of the protocol, described at the top of shared-log.ts.
 */
import { ArgumentError, CorruptSegmentError } from "./errors.ts";
import { REGION_ALIGNMENT_BYTES, type Region, type SharedMemory } from "./memory.ts";
import {
  CAPACITY_OFFSET,
  capacityWithin,
  FORMAT_OFFSET,
  isCapacity,
  KIND_DATA,
  KIND_PADDING,
  LOG_DATA_OFFSET,
  LOG_FORMAT,
  LOG_GATES_OFFSET,
  LOG_OLDEST_OFFSET,
  LOG_RECORD_ALIGNMENT_BYTES,
  LOG_RECORD_HEADER_BYTES,
  LOG_SEAL_OFFSET,
  LOG_TAIL_OFFSET,
  logRecordBytes,
  MAX_CAPACITY_BYTES,
  MIN_CAPACITY_BYTES,
} from "./records.ts";

export interface FormatLogOptions {
  /** Where the empty log starts: a multiple of 16 below 2^53. Default 0. */
  readonly initialPosition?: number;
}

/** An opened log: where its words are (indexes into `i64`) and what never changes, checked. */
export interface LogWords {
  readonly memory: SharedMemory;
  readonly oldest: number;
  readonly tail: number;
  readonly dataOffset: number;
  readonly capacityBytes: number;
  readonly maxRecordBytes: number;
  readonly dataKind: number;
  readonly paddingKind: number;
  /** The memory can't be written, so the second look can't be a read-modify-write; see {@link copyBytes}. */
  readonly readOnly: boolean;
  /** Index into `i32`. */
  readonly gates: number;
}

const LONG_SHIFT = 3;
const TWO_TO_32 = 2 ** 32;

/** The size of a region that holds a log of `capacityBytes` (a power of two, at least 256). Throws ArgumentError. */
export function logRegionSizeBytes(capacityBytes: number): number {
  if (!isCapacity(capacityBytes, MAX_CAPACITY_BYTES + LOG_DATA_OFFSET, LOG_DATA_OFFSET)) {
    throw new ArgumentError(
      `a log's capacity must be a power of two from ${MIN_CAPACITY_BYTES} to ${MAX_CAPACITY_BYTES}: ` +
        `capacityBytes=${capacityBytes}`,
      { capacityBytes },
    );
  }
  return LOG_DATA_OFFSET + capacityBytes;
}

/**
 * Makes `region` an empty log of the largest power-of-two capacity that fits. Nobody may be using the region.
 * Throws ArgumentError when the region is too small or not aligned, or the position no position.
 */
export function formatLog(region: Region, options: FormatLogOptions = {}): void {
  const { memory, offsetBytes, sizeBytes } = region;
  const { initialPosition = 0 } = options;
  const capacityBytes = capacityWithin(sizeBytes, LOG_DATA_OFFSET);
  if (capacityBytes === 0 || offsetBytes % REGION_ALIGNMENT_BYTES !== 0) {
    throw new ArgumentError(
      `a log needs an aligned region of at least ${LOG_DATA_OFFSET + MIN_CAPACITY_BYTES} bytes: ` +
        `offsetBytes=${offsetBytes} sizeBytes=${sizeBytes}`,
      { offsetBytes, sizeBytes },
    );
  }
  if (!isPosition(initialPosition) || !isBoundary(initialPosition)) {
    throw new ArgumentError(`initialPosition must be a multiple of 16 below 2^53: initialPosition=${initialPosition}`, {
      initialPosition,
    });
  }
  memory.bytes.fill(0, offsetBytes, offsetBytes + LOG_DATA_OFFSET);
  const { i32, i64 } = memory;
  const position = BigInt(initialPosition);
  i64[(offsetBytes + LOG_OLDEST_OFFSET) / 8] = position;
  i64[(offsetBytes + LOG_TAIL_OFFSET) / 8] = position;
  i32[(offsetBytes + CAPACITY_OFFSET) >>> 2] = capacityBytes;
  i32[(offsetBytes + LOG_SEAL_OFFSET) >>> 2] = crypto.getRandomValues(new Int32Array(1))[0] as number;
  Atomics.store(i32, (offsetBytes + FORMAT_OFFSET) >>> 2, LOG_FORMAT);
}

/** Checks a log's header. Throws CorruptSegmentError; ArgumentError when the region is outside its memory. */
export function openLog(region: Region): LogWords {
  const { memory, offsetBytes, sizeBytes } = region;
  const outside = offsetBytes + sizeBytes > memory.bytes.length || sizeBytes < LOG_DATA_OFFSET;
  if (outside || offsetBytes % REGION_ALIGNMENT_BYTES !== 0) {
    throw new ArgumentError(`not a region of this memory: offsetBytes=${offsetBytes} sizeBytes=${sizeBytes}`, {
      offsetBytes,
      sizeBytes,
      memoryBytes: memory.bytes.length,
    });
  }
  const word = (offset: number): number => memory.i32[(offsetBytes + offset) >>> 2] as number;
  const format = Atomics.load(memory.i32, (offsetBytes + FORMAT_OFFSET) >>> 2);
  const capacityBytes = word(CAPACITY_OFFSET);
  if (format !== LOG_FORMAT || !isCapacity(capacityBytes, sizeBytes, LOG_DATA_OFFSET)) {
    throw new CorruptSegmentError(
      `no log of this version at offset ${offsetBytes}: format=0x${(format >>> 0).toString(16)} ` +
        `capacityBytes=${capacityBytes} sizeBytes=${sizeBytes}`,
      { offsetBytes, format, capacityBytes, sizeBytes },
    );
  }
  const seal = word(LOG_SEAL_OFFSET);
  return {
    memory,
    oldest: (offsetBytes + LOG_OLDEST_OFFSET) / 2 ** LONG_SHIFT,
    tail: (offsetBytes + LOG_TAIL_OFFSET) / 2 ** LONG_SHIFT,
    dataOffset: offsetBytes + LOG_DATA_OFFSET,
    capacityBytes,
    // A quarter, so that a log never retains only the newest record.
    maxRecordBytes: capacityBytes / 4 - LOG_RECORD_HEADER_BYTES,
    dataKind: KIND_DATA ^ seal,
    paddingKind: KIND_PADDING ^ seal,
    readOnly: false,
    gates: (offsetBytes + LOG_GATES_OFFSET) >>> 2,
  };
}

export function isPosition(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Whether a record could start or end here. */
export function isBoundary(position: number): boolean {
  return position % LOG_RECORD_ALIGNMENT_BYTES === 0;
}

export function loadTail(log: LogWords): number {
  // SYNC POINT with the store of tail in log-transaction.ts: the records before this tail are seen whole.
  return toPosition(Atomics.load(log.memory.i64, log.tail), "tail");
}

export function loadOldest(log: LogWords): number {
  return toPosition(Atomics.load(log.memory.i64, log.oldest), "oldest");
}

/** `oldest` after a copy was made. A read-modify-write, so that the copy is ordered before it; see shared-log.ts. */
export function reloadOldest(log: LogWords): number {
  if (log.readOnly) return loadOldest(log);
  return toPosition(Atomics.add(log.memory.i64, log.oldest, 0n), "oldest");
}

/**
 * Copies `length` bytes from `offset` of the memory to the start of `bytes`, over which `words` is a view.
 *
 * Memory that can't be written allows no read-modify-write as second look. There each word is loaded atomically, so that
 * all of the copy comes before the look, which is an atomic load, too; and the writer's stores come after its update of
 * `oldest` as a whole, because it reads that update back (log-transaction.ts).
 */
export function copyBytes(log: LogWords, offset: number, length: number, bytes: Uint8Array, words: Int32Array): void {
  if (!log.readOnly) {
    bytes.set(log.memory.bytes.subarray(offset, offset + length));
    return;
  }
  const { i32 } = log.memory;
  const first = offset >>> 2;
  // Records are multiples of 16 bytes, so there are no bytes but those of whole words.
  for (let at = 0; at < length >>> 2; at++) words[at] = Atomics.load(i32, first + at);
}

/** Where the record that starts at `position` lies in `memory.bytes`. */
export function offsetOf(log: LogWords, position: number): number {
  // The low 32 bits are enough, as the capacity is a power of two below 2^31.
  return log.dataOffset + ((position >>> 0) & (log.capacityBytes - 1));
}

/**
 * The size of the record that starts at `start` and whose header is at word `index` of `words`, which may be shared or a
 * copy; 0 when there is no record of this log there. Positive sizes stay inside the data area.
 */
export function recordSizeAt(log: LogWords, words: Int32Array, index: number, start: number): number {
  const length = words[index] as number;
  const kind = words[index + 1] as number;
  const position = ((words[index + 3] as number) >>> 0) * TWO_TO_32 + ((words[index + 2] as number) >>> 0);
  if (length >>> 0 > log.maxRecordBytes || (kind !== log.dataKind && kind !== log.paddingKind)) return 0;
  const size = logRecordBytes(length);
  const end = ((start >>> 0) & (log.capacityBytes - 1)) + size;
  return position === start + size && end <= log.capacityBytes ? size : 0;
}

/** Writes the header of a record that starts at `start`; returns its position, which is where it ends. */
export function writeHeader(log: LogWords, start: number, length: number, kind: number): number {
  const { i32 } = log.memory;
  const index = offsetOf(log, start) >>> 2;
  const position = start + logRecordBytes(length);
  i32[index] = length;
  i32[index + 1] = kind;
  i32[index + 2] = position >>> 0;
  i32[index + 3] = position / TWO_TO_32;
  return position;
}

export function corruptRecord(log: LogWords, start: number): CorruptSegmentError {
  const index = offsetOf(log, start) >>> 2;
  const [length, kind] = [log.memory.i32[index], log.memory.i32[index + 1]];
  return new CorruptSegmentError(
    `no record of this log at position ${start}: length=${length} capacityBytes=${log.capacityBytes}`,
    { position: start, length, kind, capacityBytes: log.capacityBytes },
  );
}

function toPosition(word: bigint, name: string): number {
  const position = Number(word);
  if (!isPosition(position) || !isBoundary(position)) {
    throw new CorruptSegmentError(`the log's ${name} is no position: ${name}=${word}`, { [name]: word });
  }
  return position;
}
