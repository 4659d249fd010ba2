/**
 * Do the trials of one contender belong together?
 *
 * - Two modes (a gap over 1.8×, at least two trials on each side) mean that a single figure would describe neither:
 *   both are published and no ratio is computed. Here a blocked thread woken on its own core or on another one differs 40×.
 * - Outliers are counted and kept: dropping them would make the interval look better than the machine is.
 */

export const MODE_GAP = 1.8;
export const MIN_TRIALS_PER_MODE = 2;
/** Tukey's "far out" fence, on logarithms. */
const FAR_OUT_FENCE = 3;
const MIN_TRIALS_FOR_OUTLIERS = 5;

export interface Mode {
  /** Geometric mean of the mode's trials, in the metric's unit. */
  readonly value: number;
  readonly trials: number;
}

/** The two modes, lower value first, or null when the trials form one group. Ignores values that aren't positive. */
export function twoModes(values: readonly number[]): [Mode, Mode] | null {
  const sorted = values.filter((v) => Number.isFinite(v) && v > 0).sort((a, b) => a - b);
  let widest = MODE_GAP;
  let split = -1;
  for (let i = MIN_TRIALS_PER_MODE; i <= sorted.length - MIN_TRIALS_PER_MODE; i++) {
    const gap = (sorted[i] as number) / (sorted[i - 1] as number);
    if (gap > widest) {
      widest = gap;
      split = i;
    }
  }
  if (split < 0) return null;
  return [mode(sorted.slice(0, split)), mode(sorted.slice(split))];
}

function mode(values: readonly number[]): Mode {
  return { value: Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length), trials: values.length };
}

/** Which of the values lie more than three interquartile ranges outside the quartiles of their logarithms. */
export function outlierFlags(values: readonly number[]): boolean[] {
  const logs = values.map((v) => (v > 0 && Number.isFinite(v) ? Math.log(v) : null));
  const sorted = logs.filter((v) => v !== null).sort((a, b) => a - b);
  if (sorted.length < MIN_TRIALS_FOR_OUTLIERS) return values.map(() => false);
  const lower = quantile(sorted, 0.25);
  const upper = quantile(sorted, 0.75);
  const reach = FAR_OUT_FENCE * (upper - lower);
  return logs.map((v) => v !== null && (v < lower - reach || v > upper + reach));
}

/** Linear interpolation between order statistics (R's type 7) of values sorted in ascending order. */
function quantile(sorted: readonly number[], p: number): number {
  const position = (sorted.length - 1) * p;
  const below = Math.floor(position);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (high - low) * (position - below);
}
