/**
 * Sleeping on a word of shared memory until another thread or process changes it.
 *
 * - The primitive belongs to the segment: a named one sleeps in the kernel's futex (other processes can wake it), an
 *   anonymous one in `Atomics.wait`. Both meet this one contract.
 * - `wait` compares and sleeps atomically: a wake that follows a change of the word is never lost.
 * - Every wait is bounded, and a wake may be spurious: callers loop and look at the word again.
 */

/** Why a wait ended. `changed`: the word did not hold `expected` when it was looked at. */
export type WaitOutcome = "woken" | "changed" | "timed-out";

export interface Futex {
  /** Sleeps while `i32[index] === expected`, at most `timeoutMs` milliseconds. Blocks the calling thread. */
  wait(index: number, expected: number, timeoutMs: number): WaitOutcome;
  /** Wakes at most `count` sleepers on the word; returns how many woke. */
  wake(index: number, count: number): number;
}
