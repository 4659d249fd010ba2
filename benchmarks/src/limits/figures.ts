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
  /** Not measured, and verified word by word. With `count` a multiple of `batch`. */
  readonly warm: number;
  readonly count: number;
}

export const ECHO_BYTES = 64;
export const RING_BYTES: number = 2 ** 20;

/** The p-th percentile (0 to 1) of sorted values. */
export function percentile(sorted: Float64Array, p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] as number;
}
