/**
 * What one connection has asked for in the present second.
 *
 * - A window begins with the first request after the last window's end: exactly the limit passes in it, one more doesn't.
 */

const WINDOW_MS = 1000;

export interface RateLimits {
  /** Infinity: no limit. */
  readonly maxRequestsPerSecond: number;
  readonly maxBytesPerSecond: number;
}

export class RateWindow {
  readonly #limits: RateLimits;
  #endsAtMs = Number.NEGATIVE_INFINITY;
  #requests = 0;
  #bytes = 0;

  constructor(limits: RateLimits) {
    this.#limits = limits;
  }

  /** Counts bytes that have arrived. True: no more should be read until the window's end. */
  tookBytes(bytes: number, nowMs: number): boolean {
    this.#begin(nowMs);
    this.#bytes += bytes;
    return this.#bytes >= this.#limits.maxBytesPerSecond;
  }

  /** Counts a request. False: it is one too many. */
  takeRequest(nowMs: number): boolean {
    this.#begin(nowMs);
    return ++this.#requests <= this.#limits.maxRequestsPerSecond;
  }

  /** How long until the window ends. */
  remainingMs(nowMs: number): number {
    return Math.max(0, this.#endsAtMs - nowMs);
  }

  #begin(nowMs: number): void {
    if (nowMs < this.#endsAtMs) return;
    this.#endsAtMs = nowMs + WINDOW_MS;
    this.#requests = 0;
    this.#bytes = 0;
  }
}
