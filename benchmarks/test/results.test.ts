import { describe, expect, it } from "vitest";
import { allowedCpus, REPOSITORY_ROOT, readEnvironment, readGit, withLoadAfter } from "../src/env.ts";
import { blockNoise, probeHiccups, sampleNoise } from "../src/noise.ts";
import { buildResults, type MeasuredTrial, runId } from "../src/results/build.ts";
import { codeLines, readDesignFacts } from "../src/results/design-facts.ts";
import { CONTENDERS, METRICS, SCENARIOS, scenarioKey } from "../src/results/ids.ts";
import { formatBytes, formatCount, formatTimes, formatUs, withoutTrailingZeros } from "../src/results/quantities.ts";
import { InvalidResultsError, parseResults, validateResults } from "../src/results/validate.ts";
import { syntheticResults, syntheticRun, syntheticScenario } from "./synthetic.ts";

describe("results", () => {
  const { results, trialsNdjson } = syntheticResults();

  it("match the published schema, as built and as read back", () => {
    expect(validateResults(results)).toBe(results);
    expect(parseResults(JSON.stringify(results))).toEqual(JSON.parse(JSON.stringify(results)));
  });

  it("match it with this machine's environment, noise and design facts", () => {
    const before = sampleNoise();
    const run = syntheticRun();
    const built = buildResults({
      ...run,
      run: { ...run.run, git: readGit() },
      env: withLoadAfter(readEnvironment()),
      blocks: [blockNoise(0, before, sampleNoise())],
      designFacts: readDesignFacts(REPOSITORY_ROOT),
    });
    expect(() => validateResults(JSON.parse(JSON.stringify(built.results)))).not.toThrow();
  });

  it("are refused with the offending place when a field is missing, unknown or of the wrong kind", () => {
    const { quality: _, ...missing } = results;
    expect(() => validateResults(missing)).toThrow(InvalidResultsError);
    expect(() => validateResults({ ...results, surprise: 1 })).toThrow(/additional properties/);
    expect(() => validateResults({ ...results, run: { ...results.run, mode: "hasty" } })).toThrow(/\/run\/mode/);
    expect(() => parseResults("{")).toThrow(/not JSON/);
  });

  it("cannot call a trial valid that lost a message", () => {
    const copy = JSON.parse(JSON.stringify(results));
    copy.scenarios[0].cells[0].trials[0].lost = 1;
    expect(() => validateResults(copy)).toThrow(InvalidResultsError);
  });

  it("name only contenders and metrics that they define, and no scenario twice", () => {
    const contenders = new Set(results.contenders.map((contender) => contender.id));
    const metrics = new Set(results.metrics.map((metric) => metric.id));
    for (const scenario of results.scenarios) {
      expect(metrics).toContain(scenario.primaryMetric);
      for (const cell of scenario.cells) expect(contenders).toContain(cell.contender);
      for (const each of scenario.comparisons) expect(metrics).toContain(each.metric);
    }
    expect(new Set(results.scenarios.map(scenarioKey)).size).toBe(results.scenarios.length);
  });

  it("keep each trial with its own histogram, a line each", () => {
    const lines = trialsNdjson
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const trials = results.scenarios.flatMap((scenario) => scenario.cells.flatMap((cell) => cell.trials));
    expect(lines).toHaveLength(trials.length);
    expect(lines[0]).toMatchObject({
      scenario: SCENARIOS.roundTrip.id,
      contender: expect.any(String),
      histogram: expect.any(String),
    });
  });

  it("find the planted ratios and say them", () => {
    const scenario = results.scenarios.find(
      (each) => each.id === SCENARIOS.roundTrip.id && each.placement === "across-cpus",
    );
    const spin = scenario?.comparisons.find(
      (each) => each.candidate === CONTENDERS.shmSpin.id && each.metric === METRICS.p50.id,
    );
    expect(spin?.lo).toBeLessThan(93 / 0.3);
    expect(spin?.hi).toBeGreaterThan(93 / 0.3);
    expect(spin?.text).toMatch(
      /^Shared memory \(spin, two cores\) is 3\d\d× \(95% CI \d+–\d+\) faster than TCP at p50$/,
    );
  });

  it("are named after time, commit and mode", () => {
    const git = { sha: "0123456789abcdef", dirty: false };
    expect(runId({ startedAt: "2026-11-20T01:02:03.456Z", git, mode: "quick" })).toBe("20261120T010203Z-0123456-quick");
  });
});

describe("trials", () => {
  const planted = {
    [CONTENDERS.tcp.id]: { p50Us: 100, rate: null, cpuUs: 20 },
    [CONTENDERS.unixSocket.id]: { p50Us: 90, rate: null, cpuUs: 20 },
  };
  const scenario = syntheticScenario(SCENARIOS.roundTrip, "unpinned", {}, planted, { blocks: 6 });
  const build = (change: (trial: MeasuredTrial) => MeasuredTrial) =>
    buildResults({ ...syntheticRun({ blocks: 1 }), scenarios: [{ ...scenario, trials: scenario.trials.map(change) }] })
      .results.scenarios[0];
  const isFirstUnix = (trial: MeasuredTrial): boolean =>
    trial.block === 0 && trial.contender === CONTENDERS.unixSocket.id;

  it("that lost a message are kept, counted and in no figure", () => {
    const built = build((trial) => (isFirstUnix(trial) ? { ...trial, lost: 3 } : trial));
    const cell = built?.cells.find((each) => each.contender === CONTENDERS.unixSocket.id);
    expect(cell?.summary).toMatchObject({ trials: 6, invalidTrials: 1, lost: 3, n: 5 * 1_200 });
    expect(cell?.trials[0]).toMatchObject({ valid: false, invalidReason: "3 lost" });
    expect(built?.comparisons[0]?.n).toBe(5);
  });

  it("in two modes leave the comparison without a ratio", () => {
    const slow = syntheticScenario(
      SCENARIOS.roundTrip,
      "unpinned",
      {},
      { [CONTENDERS.unixSocket.id]: { p50Us: 400, rate: null, cpuUs: 20 } },
      { blocks: 6 },
    );
    const built = build((trial) =>
      trial.contender === CONTENDERS.unixSocket.id && trial.block % 2 === 0
        ? (slow.trials[trial.block] as MeasuredTrial)
        : trial,
    );
    const comparison = built?.comparisons.find((each) => each.metric === METRICS.p50.id);
    expect(comparison).toMatchObject({ verdict: "two-modes", ratio: null, lo: null, hi: null });
    expect(comparison?.text).toMatch(/^Depends on placement/);
  });
});

describe("figures for people", () => {
  it("have about three digits and a fitting unit", () => {
    expect([314.4, 34.2, 18.33, 3.44, 1.079, 0.283, 0.0042, null].map(formatTimes)).toEqual([
      "314×",
      "34×",
      "18.3×",
      "3.4×",
      "1.08×",
      "0.28×",
      "0.0042×",
      "–",
    ]);
    expect([0.312, 9.4, 93.2, 999.6, 1_234, 2_500_000, Number.NaN].map(formatUs)).toEqual([
      "0.31 µs",
      "9.40 µs",
      "93.2 µs",
      "1.00 ms",
      "1.23 ms",
      "2.50 s",
      "–",
    ]);
    expect([0, 7, 640, 12_345, 1_234_567, 2.5e9].map(formatCount)).toEqual([
      "0",
      "7",
      "640",
      "12,300",
      "1.23 M",
      "2.50 G",
    ]);
    expect([64, 16_384, 1_048_576].map(formatBytes)).toEqual(["64 B", "16 KiB", "1 MiB"]);
    expect(["10.0 µs", "1.20 M", "100 ms", "500,000"].map(withoutTrailingZeros)).toEqual([
      "10 µs",
      "1.2 M",
      "100 ms",
      "500,000",
    ]);
  });
});

describe("what is counted and probed", () => {
  it("counts lines that hold code", () => {
    expect(codeLines("/** a\n * b */\nconst a = 1; // c\n\n// d\n/* e */\nfunction f() {}\n")).toBe(2);
  });

  it("probes hiccups and reads the CPUs it may use", () => {
    expect(probeHiccups(5).maxUs).toBeGreaterThan(0);
    if (process.platform === "linux") expect(allowedCpus()?.length).toBeGreaterThan(0);
  });
});
