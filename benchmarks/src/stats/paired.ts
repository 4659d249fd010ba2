/**
 * The estimate behind every claim: the geometric mean of ratios paired within blocks.
 *
 * - A ratio above 1 means that the candidate did better, whichever direction is better for the metric.
 * - The 95% interval is Student's t on the log-ratios: with 4 to 10 blocks a bootstrap covers only 80–90%.
 * - Fewer than `MIN_BLOCKS_FOR_INTERVAL` pairs give a ratio and no interval.
 * - Nothing is thrown away: outlier trials stay in.
 */
import { studentTQuantile } from "./student-t.ts";

export const MIN_BLOCKS_FOR_INTERVAL = 5;
export const CONFIDENCE = 0.95;

export type Better = "lower" | "higher";

/** One value of a metric, measured in a block. Units are the metric's; they cancel. */
export interface BlockValue {
  readonly block: number;
  readonly value: number;
}

export interface PairedRatio {
  /** Number of blocks in which both sides have a value. */
  readonly n: number;
  /** Geometric mean of the paired ratios, or null when there is no pair. */
  readonly ratio: number | null;
  /** Ends of the 95% interval, or null with too few blocks. */
  readonly lo: number | null;
  readonly hi: number | null;
}

/**
 * Compares a candidate with a base, block by block.
 *
 * Values that aren't finite and positive have no logarithm and are left out, with their block.
 * Several values of one block count as their geometric mean.
 */
export function pairedRatio(
  base: readonly BlockValue[],
  candidate: readonly BlockValue[],
  better: Better,
): PairedRatio {
  const baseByBlock = logMeanByBlock(base);
  const differences: number[] = [];
  for (const [block, candidateLog] of logMeanByBlock(candidate)) {
    const baseLog = baseByBlock.get(block);
    if (baseLog === undefined) continue;
    differences.push(better === "lower" ? baseLog - candidateLog : candidateLog - baseLog);
  }
  const n = differences.length;
  if (n === 0) return { n, ratio: null, lo: null, hi: null };
  const mean = differences.reduce((sum, d) => sum + d, 0) / n;
  if (n < MIN_BLOCKS_FOR_INTERVAL) return { n, ratio: Math.exp(mean), lo: null, hi: null };
  const variance = differences.reduce((sum, d) => sum + (d - mean) ** 2, 0) / (n - 1);
  const margin = studentTQuantile((1 + CONFIDENCE) / 2, n - 1) * Math.sqrt(variance / n);
  return { n, ratio: Math.exp(mean), lo: Math.exp(mean - margin), hi: Math.exp(mean + margin) };
}

function logMeanByBlock(values: readonly BlockValue[]): Map<number, number> {
  const logs = new Map<number, number[]>();
  for (const { block, value } of values) {
    if (!Number.isFinite(value) || value <= 0) continue;
    const list = logs.get(block);
    if (list === undefined) logs.set(block, [Math.log(value)]);
    else list.push(Math.log(value));
  }
  return new Map([...logs].map(([block, list]) => [block, list.reduce((sum, x) => sum + x, 0) / list.length]));
}
