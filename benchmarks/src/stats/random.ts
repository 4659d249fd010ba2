/**
 * Seeded randomness for the order of contenders within a block and for simulated experiments.
 *
 * - The same seed gives the same sequence on every machine and Node version.
 * - Good enough for shuffling and simulation; not for secrets.
 */

/** Returns numbers in [0, 1). */
export type Random = () => number;

/**
 * sfc32, the "small fast counter" generator of PractRand (Chris Doty-Humphrey), seeded by splitmix32.
 *
 * @param seed any finite number; only its low 32 bits count.
 */
export function seededRandom(seed: number): Random {
  let mix = seed >>> 0;
  const nextWord = (): number => {
    mix = (mix + 0x9e3779b9) | 0;
    let z = mix ^ (mix >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let a = nextWord();
  let b = nextWord();
  let c = nextWord();
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  // PractRand discards the first outputs, which still resemble the seed.
  for (let i = 0; i < 12; i++) next();
  return next;
}

/** A shuffled copy (Fisher–Yates); the input is left alone. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const copy = [...items];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const held = copy[i] as T;
    copy[i] = copy[j] as T;
    copy[j] = held;
  }
  return copy;
}

/** One draw from the standard normal distribution (Box–Muller). */
export function standardNormal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
