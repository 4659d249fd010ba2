/**
 * The kernel's futex, for named segments: wakes threads of any process that maps the file, whatever view they have.
 *
 * - FUTEX_WAIT compares and sleeps atomically (futex(2)); operations are the shared kind, not FUTEX_PRIVATE.
 * - `close` makes waits return at once and wakes do nothing: an unmapped address is never given to the kernel.
 */
import type { Futex, WaitOutcome } from "./futex.ts";
import { type Native, native } from "./native.ts";

const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
const NANOSECONDS_A_MILLISECOND = 1e6;
const WORD_BYTES = 4;

export class KernelFutex implements Futex {
  readonly #native: Native = native();
  /** struct timespec {seconds, nanoseconds}. */
  readonly #timeout: BigInt64Array = new BigInt64Array(2);
  #baseAddress: number;

  /** `baseAddress`: where the segment is mapped in this process. */
  constructor(baseAddress: number) {
    this.#baseAddress = baseAddress;
  }

  wait(index: number, expected: number, timeoutMs: number): WaitOutcome {
    const base = this.#baseAddress;
    if (base === 0) return "changed";
    if (!(timeoutMs > 0)) return "timed-out";
    const { futex, errno, ETIMEDOUT, EINTR } = this.#native;
    const seconds = Math.floor(timeoutMs / 1000);
    this.#timeout[0] = BigInt(seconds);
    this.#timeout[1] = BigInt(Math.floor((timeoutMs - seconds * 1000) * NANOSECONDS_A_MILLISECOND));
    if (futex(base + index * WORD_BYTES, FUTEX_WAIT, expected >>> 0, this.#timeout) === 0) return "woken";
    const error = errno();
    if (error === ETIMEDOUT) return "timed-out";
    return error === EINTR ? "woken" : "changed";
  }

  wake(index: number, count: number): number {
    const base = this.#baseAddress;
    if (base === 0) return 0;
    return Math.max(0, this.#native.futex(base + index * WORD_BYTES, FUTEX_WAKE, count, null));
  }

  close(): void {
    this.#baseAddress = 0;
  }
}
