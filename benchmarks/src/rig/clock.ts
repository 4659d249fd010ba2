/**
 * Do two processes read the same clock? CLOCK_MONOTONIC agrees on one Linux machine; this checks it rather than believe it.
 *
 * - Bracketing: what the other process reads between two readings of ours must lie between them, every time.
 */

const ROUNDS = 20;

/** @param here this process's clock @param there the other's, asked over whatever connects the two */
export async function clocksAgree(here: () => number, there: () => Promise<number>): Promise<boolean> {
  for (let round = 0; round < ROUNDS; round++) {
    const before = here();
    const between = await there();
    if (between < before || between > here()) return false;
  }
  return true;
}
