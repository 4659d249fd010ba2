/**
 * The frame that every transport carries in a measurement, the same bytes on all of them.
 *
 *     word 0   length in bytes, header included (a multiple of 16)
 *     word 1   sequence number
 *     word 2   checksum of all other words
 *     word 3   kind: warm-up, measured, end, acknowledgement
 *     rest     payload, different for each sequence number, so that a stale or shifted frame doesn't pass
 *
 * - "A message of 64 bytes" is a frame of 64 bytes: what the transport is given.
 * - The checksum is four interleaved polynomial hashes: about a cycle a word, and sensitive to a word's place.
 */

export const FRAME_HEADER_WORDS = 4;
export const FRAME_UNIT_BYTES = 16;
export const MAX_FRAME_BYTES = 65_536;

export const KIND_WARMUP = 1;
export const KIND_MEASURED = 2;
/** The sender has sent its last frame. */
export const KIND_END = 3;
/** Tells the sender how far the receiver is: its sequence number is that of the last frame received. */
export const KIND_ACK = 4;

const MULTIPLIER = 31;
const MIX = [0x9e3779b1, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f] as const;
/** Any odd constant: payload words differ from each other by it. */
const PAYLOAD_STEP = 0x2545f491;

/** Writes a whole frame at word `at`: `bytes` is a multiple of 16, at least 16. */
export function writeFrame(words: Int32Array, at: number, bytes: number, sequence: number, kind: number): void {
  const end = at + (bytes >> 2);
  let a = bytes;
  let b = sequence | 0;
  let c = kind;
  let d = 0;
  let word = Math.imul(sequence, MIX[0]);
  for (let i = at + FRAME_HEADER_WORDS; i < end; i += 4) {
    word = (word + PAYLOAD_STEP) | 0;
    words[i] = word;
    a = (Math.imul(a, MULTIPLIER) + word) | 0;
    word = (word + PAYLOAD_STEP) | 0;
    words[i + 1] = word;
    b = (Math.imul(b, MULTIPLIER) + word) | 0;
    word = (word + PAYLOAD_STEP) | 0;
    words[i + 2] = word;
    c = (Math.imul(c, MULTIPLIER) + word) | 0;
    word = (word + PAYLOAD_STEP) | 0;
    words[i + 3] = word;
    d = (Math.imul(d, MULTIPLIER) + word) | 0;
  }
  words[at] = bytes;
  words[at + 1] = sequence;
  words[at + 2] = mix(a, b, c, d);
  words[at + 3] = kind;
}

/** Whether the frame at word `at` is undamaged and really `bytes` long. Reads every word. */
export function frameIsWhole(words: Int32Array, at: number, bytes: number): boolean {
  if (words[at] !== bytes) return false;
  const end = at + (bytes >> 2);
  let a = bytes;
  let b = words[at + 1] as number;
  let c = words[at + 3] as number;
  let d = 0;
  for (let i = at + FRAME_HEADER_WORDS; i < end; i += 4) {
    a = (Math.imul(a, MULTIPLIER) + (words[i] as number)) | 0;
    b = (Math.imul(b, MULTIPLIER) + (words[i + 1] as number)) | 0;
    c = (Math.imul(c, MULTIPLIER) + (words[i + 2] as number)) | 0;
    d = (Math.imul(d, MULTIPLIER) + (words[i + 3] as number)) | 0;
  }
  return words[at + 2] === mix(a, b, c, d);
}

export function frameSequence(words: Int32Array, at: number): number {
  return (words[at + 1] as number) >>> 0;
}

export function frameKind(words: Int32Array, at: number): number {
  return words[at + 3] as number;
}

function mix(a: number, b: number, c: number, d: number): number {
  return (
    Math.imul(a, MIX[0]) ^
    Math.imul((b << 7) | (b >>> 25), MIX[1]) ^
    Math.imul((c << 13) | (c >>> 19), MIX[2]) ^
    Math.imul((d << 21) | (d >>> 11), MIX[3])
  );
}
