/**
 * Waiting for anything that another participant publishes and rings for, on a thread that may block.
 *
 * - `spin` looks again and again (for {@link SPIN_MS} at most, then it parks like the others: an endless spin on a
 *   busy machine starves the very thread it waits for); `adaptive` spins a little and parks; `park` sleeps at once.
 * - A parked thread is woken by {@link Doorbells.ringSleepers} of any participant that published something.
 * - Every sleep ends after {@link PARK_SLICE_MS}, so `process.exit` and `worker.terminate` never hang.
 */
import { checkTimeout } from "./async-lock.ts";
import type { Futex } from "./futex.ts";
import { SLEEPING_PARKED } from "./layout.ts";
import type { WaitStrategy } from "./ring-wait.ts";
import type { SleepState } from "./sleep-state.ts";

export const PARK_SLICE_MS = 50;
const SPIN_MS = 50;
/** About what a wake across CPUs costs. */
const ADAPTIVE_SPIN_MS = 0.05;
const LOOKS_PER_CLOCK = 64;

/** Tells the CPU that this is a spin. Node 25 and later; earlier ones spin without. */
export const pause: () => void = (Atomics as { pause?: () => void }).pause ?? (() => {});

export interface WaitEvents {
  onWait(): void;
}

export class Waiter {
  readonly #sleep: SleepState;
  readonly #futex: Futex;
  readonly #spinMs: number;
  readonly #events: WaitEvents | undefined;

  constructor(sleep: SleepState, futex: Futex, strategy: WaitStrategy, events?: WaitEvents) {
    this.#sleep = sleep;
    this.#futex = futex;
    this.#spinMs = strategy === "spin" ? SPIN_MS : strategy === "adaptive" ? ADAPTIVE_SPIN_MS : 0;
    this.#events = events;
  }

  /**
   * Blocks until `ready` answers true; false when `timeoutMs` (default: for ever) have passed. `ready` must read what
   * the other side publishes with an atomic load, and may be called any number of times.
   *
   * No wake is lost: this thread publishes that it sleeps, *then* asks `ready` again; the other side publishes its
   * data, *then* looks who sleeps. All four are sequentially consistent, so one of the two sees the other. The
   * ringer changes the wake word before it wakes, and the word was read before `ready` was asked, so a ring between
   * the two makes the futex return at once.
   */
  waitUntil(ready: () => boolean, timeoutMs: number = Number.POSITIVE_INFINITY): boolean {
    if (ready()) return true;
    checkTimeout(timeoutMs);
    const startMs = performance.now();
    const deadlineMs = startMs + timeoutMs;
    const parkAtMs = Math.min(startMs + this.#spinMs, deadlineMs);
    while (performance.now() < parkAtMs) {
      for (let look = 0; look < LOOKS_PER_CLOCK; look++) {
        if (ready()) return true;
        pause();
      }
    }
    const sleep = this.#sleep;
    for (;;) {
      const remainingMs = deadlineMs - performance.now();
      if (remainingMs <= 0) return ready();
      const expected = sleep.wakeWord();
      sleep.enter(SLEEPING_PARKED);
      if (ready()) {
        sleep.leave(SLEEPING_PARKED);
        return true;
      }
      this.#events?.onWait();
      this.#futex.wait(sleep.wakeIndex, expected, Math.min(PARK_SLICE_MS, remainingMs));
      sleep.leave(SLEEPING_PARKED);
      if (ready()) return true;
    }
  }
}
