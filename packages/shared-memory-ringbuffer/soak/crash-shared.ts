/**
 * What the supervisor and the workers of the crash soak share: the segment's parts, the words in which progress survives a
 * kill, and records that tell when they aren't whole.
 */
import {
  formatLog,
  formatMpscRing,
  formatRing,
  logRegionSizeBytes,
  mpscRegionSizeBytes,
  ringRegionSizeBytes,
  type Segment,
  type SegmentSpec,
} from "../src/index.ts";

/** Writers, by where they write. A writer's number is its index. */
export const WRITERS = ["log", "log", "mpsc", "mpsc", "ring"] as const;
export type Channel = (typeof WRITERS)[number];
/** All that is run and killed: one worker of each. */
export const ROLES = [
  "write:0",
  "write:1",
  "write:2",
  "write:3",
  "write:4",
  "count",
  "read:mpsc",
  "read:ring",
  "tail",
] as const;
export type Role = (typeof ROLES)[number];

export const MAX_GAPS = 16_384;
const WRITER_WORDS = 8;
/** Words of a writer: the number it tries to write, of what is acknowledged, of what its reader expects, and gaps. */
export const ATTEMPT = 0;
export const ACKNOWLEDGED = 1;
export const EXPECTED = 2;
export const GAPS = 3;
export const RECEIVED = 4;
/** Words after the writers': the two that are equal outside the lock, and what says that all should end. */
export const LEFT: number = WRITERS.length * WRITER_WORDS;
export const RIGHT: number = LEFT + 1;
export const STOP: number = LEFT + 2;
const GAP_WORDS: number = LEFT + WRITER_WORDS;

export const SPEC: SegmentSpec = {
  objects: {
    words: { kind: "region", sizeBytes: (GAP_WORDS + WRITERS.length * MAX_GAPS) * 4 },
    log: { kind: "log", sizeBytes: logRegionSizeBytes(2 ** 24), format: formatLog },
    mpsc: { kind: "mpsc", sizeBytes: mpscRegionSizeBytes(2 ** 15), format: formatMpscRing },
    ring: { kind: "ring", sizeBytes: ringRegionSizeBytes(2 ** 15), format: formatRing },
  },
};

export function wordIndex(segment: Segment, word: number): number {
  return (segment.region("words").offsetBytes >>> 2) + word;
}

export function writerWord(segment: Segment, writer: number, word: number): number {
  return wordIndex(segment, writer * WRITER_WORDS + word);
}

export function gapIndex(segment: Segment, writer: number, gap: number): number {
  return wordIndex(segment, GAP_WORDS + writer * MAX_GAPS + gap);
}

const HEADER_BYTES = 8;
const SPREAD = 120;

/** Writer, number, and a pattern that follows from both, of a length that does, too. */
export function makeRecord(writer: number, number: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + ((number * 37 + writer) % SPREAD));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, writer);
  view.setUint32(4, number);
  for (let at = HEADER_BYTES; at < bytes.length; at++) bytes[at] = (number * 31 + writer * 7 + at) & 0xff;
  return bytes;
}

/** Throws unless the record is whole. */
export function checkRecord(bytes: Uint8Array, offset: number, length: number): { writer: number; number: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, length);
  const [writer, number] = length < HEADER_BYTES ? [-1, -1] : [view.getUint32(0), view.getUint32(4)];
  let whole = writer >= 0 && writer < WRITERS.length && length === HEADER_BYTES + ((number * 37 + writer) % SPREAD);
  for (let at = HEADER_BYTES; whole && at < length; at++) {
    whole = bytes[offset + at] === ((number * 31 + writer * 7 + at) & 0xff);
  }
  if (!whole) throw new Error(`torn record: writer=${writer} number=${number} length=${length}`);
  return { writer, number };
}

/**
 * Notes a record in the shared words, so that the note survives its reader. Numbers only grow; those left out are listed, for
 * the supervisor to compare with what was never acknowledged. False: it came before.
 */
export function note(segment: Segment, writer: number, number: number): boolean {
  const { i32 } = segment.memory;
  const at = (word: number): number => writerWord(segment, writer, word);
  const expected = i32[at(EXPECTED)] as number;
  if (number < expected) return false;
  for (let gap = expected; gap < number; gap++) {
    const count = Atomics.add(i32, at(GAPS), 1);
    if (count >= MAX_GAPS) throw new Error(`more gaps than can be listed: writer=${writer}`);
    Atomics.store(i32, gapIndex(segment, writer, count), gap);
  }
  // One store with the number: killed before it, the record comes again and is noted then.
  Atomics.store(i32, at(EXPECTED), number + 1);
  Atomics.add(i32, at(RECEIVED), 1);
  return true;
}
