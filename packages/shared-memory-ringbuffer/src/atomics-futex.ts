/**
 * `Atomics.wait` and `Atomics.notify`, for anonymous segments: wakes threads of this process only.
 */
import type { Futex, WaitOutcome } from "./futex.ts";

export class AtomicsFutex implements Futex {
  readonly #i32: Int32Array;

  /** `i32` must view a SharedArrayBuffer: `Atomics.wait` throws on anything else. */
  constructor(i32: Int32Array) {
    this.#i32 = i32;
  }

  wait(index: number, expected: number, timeoutMs: number): WaitOutcome {
    const outcome = Atomics.wait(this.#i32, index, expected, timeoutMs);
    return outcome === "ok" ? "woken" : outcome === "not-equal" ? "changed" : "timed-out";
  }

  wake(index: number, count: number): number {
    return Atomics.notify(this.#i32, index, count);
  }
}
