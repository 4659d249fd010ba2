/**
 * Records latencies inside the measured loop, and hands them over as plain data.
 *
 * - About 3 ns a record; hdr-histogram-js costs about 50, a sixth of a spinning round trip, and takes 50 ms to load:
 *   measured processes do without it. `recorder.ts` makes HDR histograms of what is recorded here.
 * - Relative error at most 0.4%: values below 256 are exact, above that 256 buckets lie between two powers of two.
 * - No allocation while recording. Counts stay exact up to 2^53.
 */
const SUB_BUCKET_BITS = 8;
const SUB_BUCKETS = 1 << SUB_BUCKET_BITS;
const WORD = 2 ** 32;
/** Highest exponent of a safe integer, 2^52. */
const MAX_EXPONENT = 52;
const BUCKETS = (MAX_EXPONENT - SUB_BUCKET_BITS + 2) * SUB_BUCKETS;

/** Latencies as plain data: each bucket's middle (half the error of an edge) in nanoseconds, and its count. */
export interface RecordedLatencies {
  readonly buckets: readonly (readonly [middleNs: number, count: number])[];
}

export class LatencyCounts {
  readonly #counts = new Float64Array(BUCKETS);
  #maxNs = 0;
  #count = 0;

  /** @param latencyNs nanoseconds, a non-negative safe integer or float (truncated); negative values count as 0. */
  record(latencyNs: number): void {
    if (latencyNs > this.#maxNs) this.#maxNs = latencyNs;
    this.#count++;
    let index: number;
    if (latencyNs < WORD) {
      const value = latencyNs > 0 ? latencyNs >>> 0 : 0;
      const exponent = 31 - Math.clz32(value | 1);
      const shift = exponent > SUB_BUCKET_BITS ? exponent - SUB_BUCKET_BITS : 0;
      index = shift * SUB_BUCKETS + (value >>> shift);
    } else {
      // Past four seconds bit operations no longer hold the value; this path is never hot.
      const exponent = 63 - Math.clz32(latencyNs / WORD);
      const shift = exponent - SUB_BUCKET_BITS;
      index = shift * SUB_BUCKETS + Math.floor(latencyNs / 2 ** shift);
    }
    this.#counts[index] = (this.#counts[index] as number) + 1;
  }

  get count(): number {
    return this.#count;
  }

  /** The largest value recorded, exactly, in nanoseconds. */
  get maxNs(): number {
    return this.#maxNs;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#maxNs = 0;
    this.#count = 0;
  }

  /** Everything recorded, small enough to be sent. */
  recorded(): RecordedLatencies {
    const buckets: [middleNs: number, count: number][] = [];
    for (let index = 0; index < BUCKETS; index++) {
      const count = this.#counts[index] as number;
      if (count > 0) buckets.push([Math.min(bucketMiddle(index), Math.trunc(this.#maxNs)), count]);
    }
    return { buckets };
  }
}

function bucketMiddle(index: number): number {
  // Buckets 0 to 511 are exact: shift 0 holds 0–511, later shifts use only the upper half of their index range.
  if (index < 2 * SUB_BUCKETS) return index;
  const shift = Math.floor(index / SUB_BUCKETS) - 1;
  const lowest = (index - shift * SUB_BUCKETS) * 2 ** shift;
  return lowest + Math.floor(2 ** shift / 2);
}
