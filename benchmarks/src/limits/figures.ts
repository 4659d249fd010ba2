/** What one side of a trial reports, and how long its parts are. Shared by the trials and the peers that they start. */

/** Named numbers that a trial measured. */
export type Figures = Readonly<Record<string, number>>;

/** Every side counts what it verified; a trial with anything corrupt is invalid and fails the run. */
export interface Verified {
  readonly verified: number;
  readonly corrupt: number;
}

export interface Latencies extends Verified {
  readonly meanNs: number;
  readonly p50Ns: number;
  readonly p99Ns: number;
}

export interface Rate extends Verified {
  readonly messagesPerSecond: number;
}

/** `warm` round trips, then `count` for the mean without a clock in the loop, then `timed` with one reading each. */
export interface EchoPlan {
  readonly warm: number;
  readonly count: number;
  readonly timed: number;
}

export interface StreamPlan {
  readonly bytes: number;
  /** Messages for each publish: a store of the tail, or a write to a socket. */
  readonly batch: number;
  readonly copied: boolean;
  /** Not measured; the first half is verified word by word. With `count` a multiple of `batch`. */
  readonly warm: number;
  readonly count: number;
}

export const ECHO_BYTES = 64;
export const RING_BYTES: number = 2 ** 20;

/** The p-th percentile (0 to 1) of sorted values. */
export function percentile(sorted: Float64Array, p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] as number;
}

/** What is measured is timed in so many equal parts, unless said otherwise. */
export const PARTS = 50;
const MIN_PARTS = 5;
/** Less than this may come out of a socket's buffers in one go, at another rate than it was sent. */
const MIN_PART_BYTES: number = 4 * 2 ** 20;

/** For a stream over a socket. */
export function socketParts(totalBytes: number): number {
  return Math.max(MIN_PARTS, Math.min(PARTS, Math.floor(totalBytes / MIN_PART_BYTES)));
}

/**
 * Times equal parts of what a trial counts and answers with the median part's time for one: another process that takes the
 * CPU for a moment spoils the parts it falls in and no others. floor.c does the same.
 *
 * - `if (count === parts.next) parts.mark()` as `count` goes from `warm` to `warm + total`, both included.
 */
export class Parts {
  /** The count at which the next part begins or the last one ends. */
  next: number;
  readonly #warm: number;
  readonly #total: number;
  readonly #eachNs: Float64Array;
  #marks = 0;
  #lastMs = 0;

  constructor(warm: number, total: number, parts: number = PARTS) {
    this.#eachNs = new Float64Array(parts);
    this.next = warm;
    this.#warm = warm;
    this.#total = total;
  }

  mark(): void {
    const nowMs = performance.now();
    const part = this.#marks++;
    if (part > 0) {
      const count = this.next - this.#boundary(part - 1);
      this.#eachNs[part - 1] = ((nowMs - this.#lastMs) * 1e6) / count;
    }
    this.next = part < this.#eachNs.length ? this.#boundary(part + 1) : -1;
    this.#lastMs = nowMs;
  }

  medianNs(): number {
    return percentile(this.#eachNs.toSorted(), 0.5);
  }

  #boundary(part: number): number {
    return this.#warm + Math.floor((this.#total * part) / this.#eachNs.length);
  }
}

export const perSecond = (eachNs: number): number => 1e9 / eachNs;
