/**
 * Recorded latencies as HDR histograms, for whoever merges, stores or reads them.
 */
import { emptyHistogram, type Histogram } from "./histogram.ts";
import { LatencyCounts, type RecordedLatencies } from "./latency-counts.ts";

export class LatencyRecorder extends LatencyCounts {
  /** The same counts as an HDR histogram of nanoseconds. */
  toHdr(): Histogram {
    return histogramOf(this.recorded());
  }
}

export function histogramOf({ buckets }: RecordedLatencies): Histogram {
  const histogram = emptyHistogram();
  for (const [middleNs, count] of buckets) histogram.recordValueWithCount(middleNs, count);
  return histogram;
}
