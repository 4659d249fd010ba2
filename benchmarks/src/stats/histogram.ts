/**
 * Histograms of nanoseconds: merged, stored as text, and read as percentiles.
 *
 * - Percentiles come from merged histograms only; percentiles are never averaged.
 * - A percentile without enough samples behind it is null: p99 needs 1,000, p99.9 needs 10,000.
 * - Stored as HdrHistogram V2 compressed base64, which every HdrHistogram library and hdrhistogram.github.io can read.
 */
import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from "hdr-histogram-js";

export type { Histogram };

const SIGNIFICANT_DIGITS = 3;
const NS_PER_US = 1_000;
/** Samples needed beyond a percentile are about ten: 10 / (1 − p). */
const SAMPLES_NEEDED: readonly (readonly [minPercentile: number, samples: number])[] = [
  [99.9, 10_000],
  [99, 1_000],
  [0, 1],
];

export function emptyHistogram(): Histogram {
  const histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2,
    numberOfSignificantValueDigits: SIGNIFICANT_DIGITS,
    bitBucketSize: 64,
  });
  histogram.autoResize = true;
  return histogram;
}

/** A new histogram with the counts of all; the inputs are left alone. */
export function mergeHistograms(histograms: Iterable<Histogram>): Histogram {
  const merged = emptyHistogram();
  for (const histogram of histograms) merged.add(histogram);
  return merged;
}

export function encodeHistogram(histogram: Histogram): string {
  return encodeIntoCompressedBase64(histogram);
}

/** @throws Error when the text isn't an HdrHistogram V2 payload. */
export function decodeHistogram(text: string): Histogram {
  return decodeFromCompressedBase64(text, 64);
}

/** Samples that a percentile (0 to 100) needs before it is published. */
export function samplesNeeded(percentile: number): number {
  return SAMPLES_NEEDED.find(([from]) => percentile >= from)?.[1] ?? 1;
}

/** The percentile (0 to 100) in microseconds, or null with too few samples. */
export function percentileUs(histogram: Histogram, percentile: number): number | null {
  if (histogram.totalCount < samplesNeeded(percentile)) return null;
  return histogram.getValueAtPercentile(percentile) / NS_PER_US;
}

export interface LatencySummary {
  /** Microseconds; null where the samples don't suffice. */
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly max: number | null;
  readonly n: number;
}

/** The percentiles that every report shows, in microseconds. */
export function summarizeHistogram(histogram: Histogram): LatencySummary {
  const n = histogram.totalCount;
  return {
    p50: percentileUs(histogram, 50),
    p90: percentileUs(histogram, 90),
    p99: percentileUs(histogram, 99),
    p999: percentileUs(histogram, 99.9),
    max: n === 0 ? null : histogram.maxValue / NS_PER_US,
    n,
  };
}
