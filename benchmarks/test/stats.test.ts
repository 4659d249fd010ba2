import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeHistogram,
  emptyHistogram,
  encodeHistogram,
  mergeHistograms,
  percentileUs,
  summarizeHistogram,
} from "../src/stats/histogram.ts";
import { outlierFlags, twoModes } from "../src/stats/modes.ts";
import { MIN_BLOCKS_FOR_INTERVAL, pairedRatio } from "../src/stats/paired.ts";
import { seededRandom, shuffled, standardNormal } from "../src/stats/random.ts";
import { LatencyRecorder } from "../src/stats/recorder.ts";
import { studentTCumulative, studentTQuantile } from "../src/stats/student-t.ts";

describe("seeded randomness", () => {
  it("gives the same order for the same seed and another for another", () => {
    const items = Array.from({ length: 20 }, (_, i) => i);
    expect(shuffled(items, seededRandom(7))).toEqual(shuffled(items, seededRandom(7)));
    expect(shuffled(items, seededRandom(7))).not.toEqual(shuffled(items, seededRandom(8)));
    expect(shuffled(items, seededRandom(7)).sort((a, b) => a - b)).toEqual(items);
  });

  it("puts every item in every place about equally often", () => {
    const random = seededRandom(1);
    const firsts = [0, 0, 0, 0];
    for (let i = 0; i < 8_000; i++) firsts[shuffled([0, 1, 2, 3], random)[0] as number]! += 1;
    for (const count of firsts) expect(Math.abs(count - 2_000)).toBeLessThan(200);
  });
});

describe("Student's t", () => {
  // NIST/SEMATECH e-Handbook, table 1.3.6.7.2, and for 1 and 2 degrees of freedom the closed forms.
  it.each([
    [0.975, 1, Math.tan(Math.PI * 0.475)],
    [0.975, 2, 0.95 / Math.sqrt(2 * 0.975 * 0.025)],
    [0.975, 4, 2.776],
    [0.975, 9, 2.262],
    [0.975, 30, 2.042],
    [0.95, 7, 1.895],
    [0.995, 5, 4.032],
    [0.975, 10_000, 1.96],
  ])("quantile at %f with %i degrees of freedom is %f", (probability, degreesOfFreedom, expected) => {
    expect(studentTQuantile(probability, degreesOfFreedom)).toBeCloseTo(expected, 3);
  });

  it("quantile undoes the cumulative distribution and is symmetric", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), fc.integer({ min: 1, max: 200 }), (p, df) => {
        const t = studentTQuantile(p, df);
        expect(studentTCumulative(t, df)).toBeCloseTo(p, 8);
        expect(studentTQuantile(1 - p, df)).toBeCloseTo(-t, 4);
      }),
    );
  });

  it("refuses what has no quantile", () => {
    expect(() => studentTQuantile(1, 5)).toThrow(RangeError);
    expect(() => studentTQuantile(0.5, 0)).toThrow(RangeError);
  });
});

describe("paired ratio", () => {
  it("covers the truth in 93 to 97 of 100 simulated experiments, for few blocks and many", () => {
    for (const blocks of [5, 8, 20]) {
      const random = seededRandom(20_261_120 + blocks);
      let covered = 0;
      for (let experiment = 0; experiment < 1_000; experiment++) {
        const truth = 1.3;
        const base = [];
        const candidate = [];
        for (let block = 0; block < blocks; block++) {
          // The weather of a block moves both sides alike; pairing removes it.
          const weather = Math.exp(0.5 * standardNormal(random));
          base.push({ block, value: 100 * weather * Math.exp(0.06 * standardNormal(random)) });
          candidate.push({ block, value: (100 / truth) * weather * Math.exp(0.06 * standardNormal(random)) });
        }
        const { lo, hi } = pairedRatio(base, candidate, "lower");
        if ((lo as number) <= truth && truth <= (hi as number)) covered++;
      }
      expect(covered / 1_000, `${blocks} blocks`).toBeGreaterThanOrEqual(0.93);
      expect(covered / 1_000, `${blocks} blocks`).toBeLessThanOrEqual(0.97);
    }
  });

  it("says above 1 when the candidate did better, in either direction", () => {
    const base = [{ block: 0, value: 10 }];
    const candidate = [{ block: 0, value: 20 }];
    expect(pairedRatio(base, candidate, "higher").ratio).toBeCloseTo(2);
    expect(pairedRatio(base, candidate, "lower").ratio).toBeCloseTo(0.5);
  });

  it("gives no interval with too few blocks, and nothing without a common block", () => {
    const values = (blocks: number) => Array.from({ length: blocks }, (_, block) => ({ block, value: 10 + block }));
    expect(pairedRatio(values(MIN_BLOCKS_FOR_INTERVAL - 1), values(9), "lower")).toMatchObject({
      n: 4,
      lo: null,
      hi: null,
    });
    expect(pairedRatio(values(MIN_BLOCKS_FOR_INTERVAL), values(9), "lower").lo).not.toBeNull();
    expect(pairedRatio([{ block: 1, value: 1 }], [{ block: 2, value: 1 }], "lower")).toEqual({
      n: 0,
      ratio: null,
      lo: null,
      hi: null,
    });
    expect(pairedRatio([{ block: 1, value: 0 }], [{ block: 1, value: 1 }], "lower").ratio).toBeNull();
  });
});

describe("latency recorder", () => {
  it("keeps every value within 0.4%, through storing as HDR text and back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 45 }), (latencyNs) => {
        const recorder = new LatencyRecorder();
        recorder.record(latencyNs);
        recorder.record(2 ** 46);
        const stored = decodeHistogram(encodeHistogram(recorder.toHdr()));
        expect(stored.totalCount).toBe(2);
        expect(Math.abs(stored.getValueAtPercentile(50) - latencyNs)).toBeLessThanOrEqual(0.004 * latencyNs);
      }),
    );
  });

  it("forgets everything on reset", () => {
    const recorder = new LatencyRecorder();
    recorder.record(5_000);
    recorder.reset();
    expect([recorder.count, recorder.maxNs, recorder.toHdr().totalCount]).toEqual([0, 0, 0]);
  });
});

describe("percentiles", () => {
  it("come from the merged histogram, not from averages", () => {
    const fast = new LatencyRecorder();
    const slow = new LatencyRecorder();
    for (let i = 0; i < 900; i++) fast.record(1_000);
    for (let i = 0; i < 100; i++) slow.record(100_000);
    const merged = summarizeHistogram(mergeHistograms([fast.toHdr(), slow.toHdr()]));
    expect(merged.n).toBe(1_000);
    expect(merged.p50).toBeCloseTo(1, 1);
    expect(merged.p99).toBeGreaterThan(99);
  });

  it("are withheld without enough samples: p99 needs 1,000, p99.9 needs 10,000", () => {
    const histogram = emptyHistogram();
    histogram.recordValueWithCount(1_000, 999);
    expect(percentileUs(histogram, 99)).toBeNull();
    histogram.recordValue(1_000);
    expect(percentileUs(histogram, 99)).not.toBeNull();
    histogram.recordValueWithCount(1_000, 8_999);
    expect(percentileUs(histogram, 99.9)).toBeNull();
    histogram.recordValue(1_000);
    expect(percentileUs(histogram, 99.9)).not.toBeNull();
  });

  it("of nothing are null", () => {
    expect(summarizeHistogram(emptyHistogram())).toEqual({
      p50: null,
      p90: null,
      p99: null,
      p999: null,
      max: null,
      n: 0,
    });
  });
});

describe("modes and outliers", () => {
  it("finds two groups with a gap over 1.8×, at least two trials in each", () => {
    expect(twoModes([1.9, 78, 2, 80, 1.8])).toEqual([
      { value: expect.closeTo(1.9, 1), trials: 3 },
      { value: expect.closeTo(79, 0), trials: 2 },
    ]);
    expect(twoModes([1, 1.1, 1.2, 60])).toBeNull();
    expect(twoModes([1, 1.5, 2.2, 3.3])).toBeNull();
    expect(twoModes([])).toBeNull();
  });

  it("flags what lies far outside the quartiles and leaves few trials alone", () => {
    expect(outlierFlags([10, 10.2, 9.9, 10.1, 10, 40])).toEqual([false, false, false, false, false, true]);
    expect(outlierFlags([10, 40, 10, 10])).toEqual([false, false, false, false]);
  });
});
