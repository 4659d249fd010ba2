/**
 * The messages of these measurements, word for word those of floor.c.
 *
 *     word 0      sequence number
 *     words 1…    a pattern that starts from the sequence number (built in place) or from 0 (copied)
 *     last word   complement of the sequence number
 *
 * - In a stream every word of each message is verified in the first half of the warm-up, the first and the last of every
 *   message afterwards: loss, repetition, disorder and a torn message are seen, and the figure is the ring's, not a
 *   checksum's. (Half: code that first runs when the measurement begins would be compiled in the middle of it.)
 * - In a round trip every word of every message is verified.
 */

export const WORD_BYTES = 4;
const PATTERN_STEP = 0x2545f491;

/** Writes every word (an even number of them), as an application does that builds its message in the ring. */
export function fillMessage(words: Int32Array, at: number, count: number, sequence: number): void {
  const last = at + count - 1;
  let word = sequence | 0;
  words[at] = word;
  // Two at a time: a loop's own cost is as large as a store's, and messages have an even number of words.
  for (let i = at + 1; i < last; i += 2) {
    word = (word + PATTERN_STEP) | 0;
    words[i] = word;
    word = (word + PATTERN_STEP) | 0;
    words[i + 1] = word;
  }
  words[last] = ~sequence;
}

/** Puts a sequence number into a message that was filled with number 0, to be copied. */
export function stampMessage(words: Int32Array, at: number, count: number, sequence: number): void {
  words[at] = sequence;
  words[at + count - 1] = ~sequence;
}

export function endsAreRight(words: Int32Array, at: number, count: number, sequence: number): boolean {
  return words[at] === (sequence | 0) && words[at + count - 1] === ~sequence;
}

/** `patternStart`: the sequence number of a message built in place, 0 for one that was copied. */
export function allIsRight(
  words: Int32Array,
  at: number,
  count: number,
  sequence: number,
  patternStart: number,
): boolean {
  if (!endsAreRight(words, at, count, sequence)) return false;
  const last = at + count - 1;
  let word = patternStart | 0;
  for (let i = at + 1; i < last; i++) {
    word = (word + PATTERN_STEP) | 0;
    if (words[i] !== word) return false;
  }
  return true;
}
