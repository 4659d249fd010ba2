import { describe, expect, it } from "vitest";
import { buildResults } from "../src/results/build.ts";
import { CONTENDERS, METRICS, SCENARIOS } from "../src/results/ids.ts";
import { assessQuality, gradeOf, intervalReach } from "../src/results/quality.ts";
import type { Metric } from "../src/results/types.ts";
import { judge, practicalBand, type VerdictInput } from "../src/results/verdicts.ts";
import { SYNTHETIC_ENVIRONMENT, syntheticRun, syntheticScenario } from "./synthetic.ts";

function verdictOf(ratio: number, lo: number | null, hi: number | null, changes: Partial<VerdictInput> = {}) {
  return judge({
    base: CONTENDERS.tcp,
    candidate: CONTENDERS.shmSpin,
    metric: METRICS.p50,
    placement: "across-cpus",
    estimate: { n: lo === null ? 3 : 8, ratio, lo, hi },
    band: 0.1,
    grade: "A",
    baseModes: null,
    candidateModes: null,
    ...changes,
  });
}

describe("a verdict", () => {
  it("beyond the band names the ratio, its interval, wait strategy and placement", () => {
    expect(verdictOf(34, 31, 37)).toEqual({
      verdict: "better",
      text: "Shared memory (spin, two cores) is 34× (95% CI 31–37) faster than TCP at p50",
    });
    expect(verdictOf(0.25, 0.2, 0.3125, { placement: "same-cpu" })).toEqual({
      verdict: "worse",
      text: "Shared memory (spin, one core) is 4.0× (95% CI 3.2–5.0) slower than TCP at p50",
    });
  });

  it("inside the band is no practical difference, even when the interval excludes 1", () => {
    expect(verdictOf(1.05, 1.02, 1.09)).toMatchObject({
      verdict: "no-practical-difference",
      text: expect.stringMatching(/^No practical difference \(within ±10%\)/),
    });
  });

  it("that excludes 1 but overlaps the band is slight, with a percentage in the right direction", () => {
    expect(verdictOf(1.08, 1.03, 1.13).text).toMatch(/^Slightly faster \(about 8%, 95% CI 3–13%\)/);
    expect(verdictOf(1 / 1.08, 1 / 1.13, 1 / 1.03).text).toMatch(/^Slightly slower \(about 8%, 95% CI 3–13%\)/);
  });

  it("that includes 1 is no measurable difference, and too noisy when wide", () => {
    expect(verdictOf(1.06, 0.98, 1.14).text).toMatch(/^No measurable difference on this machine/);
    expect(verdictOf(1.1, 0.7, 1.7).text).toMatch(/^Too noisy to tell/);
    expect(verdictOf(3, 1.02, 9).verdict).toBe("too-noisy");
  });

  it("with two modes gives both figures and no ratio", () => {
    const candidateModes = [
      { value: 1.9, trials: 4 },
      { value: 78, trials: 4 },
    ];
    const { verdict, text } = verdictOf(5, 4, 6, { candidateModes, placement: "unpinned" });
    expect(verdict).toBe("two-modes");
    expect(text).toMatch(/^Depends on placement: .*1\.90 µs in 4 trials, 78\.0 µs in 4 trials/);
    expect(text).not.toContain("×");
  });

  it("from fewer than five blocks is indicative only", () => {
    expect(verdictOf(34, null, null)).toMatchObject({
      verdict: "indicative",
      text: expect.stringMatching(/^Indicative only/),
    });
  });

  it("of grade C claims nothing under 1.5×", () => {
    expect(verdictOf(1.4, 1.3, 1.5, { grade: "C" })).toMatchObject({ verdict: "indicative" });
    expect(verdictOf(1.6, 1.4, 1.8, { grade: "C" })).toMatchObject({ verdict: "indicative" });
    expect(verdictOf(1.07, 0.9, 1.27, { grade: "C" }).text).toMatch(/^Indicative only .*no measurable difference/);
    expect(verdictOf(2.6, 2.4, 2.8, { grade: "C" })).toMatchObject({ verdict: "better" });
  });

  it("uses words that fit the metric", () => {
    const lag: Metric = { id: "lag", label: "generator lag", unit: "ms", better: "lower" };
    expect(verdictOf(3, 2.8, 3.2, { metric: METRICS.rate }).text).toContain("faster than TCP in messages a second");
    expect(verdictOf(3, 2.8, 3.2, { metric: METRICS.cpuUsPerMessage }).text).toContain(
      "needs 3.0× (95% CI 2.8–3.2) less CPU a message than TCP",
    );
    expect(verdictOf(1 / 3, 1 / 3.2, 1 / 2.8, { metric: METRICS.cpuUsPerMessage }).text).toContain(
      "more CPU a message than TCP",
    );
    expect(verdictOf(3, 2.8, 3.2, { metric: lag }).text).toContain("better than TCP in generator lag");
  });
});

describe("the band and the grade", () => {
  it("follow how far the A/A interval reaches", () => {
    expect(practicalBand(0.04)).toBe(0.1);
    expect(practicalBand(0.23)).toBe(0.23);
    expect(intervalReach(0.8, 1.1)).toBeCloseTo(0.25);
    expect([0.05, 0.15, 0.16, null].map(gradeOf)).toEqual(["A", "B", "C", "C"]);
  });

  it("are C with a flag where there is no A/A control", () => {
    const quality = assessQuality([], [], [], SYNTHETIC_ENVIRONMENT);
    expect(quality).toMatchObject({ grade: "C", steal: null, hiccup: null, throttled: null });
    expect(quality.flags.join(" ")).toContain("no A/A control");
  });
});

describe("simulated runs", () => {
  it("call a contender that is 1.5× slower slower, and A/A not, in at least 19 of 20", () => {
    let found = 0;
    let falseAlarms = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const planted = {
        [CONTENDERS.tcp.id]: { p50Us: 100, rate: null, cpuUs: 20 },
        [CONTENDERS.tcpAgain.id]: { p50Us: 100, rate: null, cpuUs: 20 },
        [CONTENDERS.unixSocket.id]: { p50Us: 150, rate: null, cpuUs: 20 },
      };
      const scenario = syntheticScenario(SCENARIOS.roundTrip, "across-cpus", {}, planted, { seed });
      const { results } = buildResults({ ...syntheticRun({ seed, blocks: 1 }), scenarios: [scenario] });
      const verdict = (candidate: string) =>
        results.scenarios[0]?.comparisons.find((each) => each.candidate === candidate && each.metric === METRICS.p50.id)
          ?.verdict;
      if (verdict(CONTENDERS.unixSocket.id) === "worse") found++;
      if (["better", "worse"].includes(verdict(CONTENDERS.tcpAgain.id) ?? "")) falseAlarms++;
    }
    expect(found).toBeGreaterThanOrEqual(19);
    expect(falseAlarms).toBeLessThanOrEqual(1);
  });
});
