/**
 * From measured trials to results: summaries, A/A control, comparisons, verdicts, quality.
 *
 * - Measures nothing and reads nothing: the same input gives the same results.
 * - A trial that lost, repeated, reordered or damaged a message is invalid: kept and counted, in no figure.
 * - Comparisons pair valid trials of one block; A/A comparisons set the band for their scenario and metric, and where a scenario has
 *   no A/A of its own the worst band of that metric anywhere applies.
 */
import { encodeHistogram, type Histogram, mergeHistograms, summarizeHistogram } from "../stats/histogram.ts";
import { outlierFlags, twoModes } from "../stats/modes.ts";
import { type BlockValue, pairedRatio } from "../stats/paired.ts";
import { METRICS, SCENARIOS, type ScenarioPlan, scenarioKey } from "./ids.ts";
import { assessQuality, gradeOf, intervalReach, worstGrade } from "./quality.ts";
import type {
  AaCheck,
  BlockNoise,
  Cell,
  Comparison,
  Contender,
  DesignFacts,
  Environment,
  Grade,
  Metric,
  Results,
  Run,
  Scenario,
  Summary,
  Trial,
} from "./types.ts";
import { judge, practicalBand } from "./verdicts.ts";

/** One trial as the runner hands it over; rates and percentiles are derived here. */
export interface MeasuredTrial {
  readonly contender: string;
  readonly block: number;
  readonly position: number;
  /** Why the trial doesn't count, beyond loss and damage, which are judged here; null when all went well. */
  readonly invalidReason: string | null;
  readonly n: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupted: number;
  readonly warmupMessages: number;
  /** The measured part only. */
  readonly durationMs: number;
  readonly cpus: readonly number[] | null;
  /** Latencies in nanoseconds; null where the scenario has none. */
  readonly histogram: Histogram | null;
  /** Payload bytes received in the measured part. */
  readonly bytes: number | null;
  /** User and system CPU of all processes under test in the measured part, microseconds. */
  readonly cpuUs: number | null;
  readonly contextSwitches: number | null;
  readonly extra: Readonly<Record<string, number | null>>;
}

export interface MeasuredScenario {
  readonly plan: ScenarioPlan;
  readonly trials: readonly MeasuredTrial[];
  /** Contenders with more busy threads than cores here. */
  readonly oversubscribed: readonly string[];
}

export interface MeasuredRun {
  readonly run: Omit<Run, "id">;
  readonly env: Environment;
  readonly blocks: readonly BlockNoise[];
  readonly contenders: readonly Contender[];
  /** Metrics beyond those of ids.ts. */
  readonly extraMetrics?: readonly Metric[];
  readonly scenarios: readonly MeasuredScenario[];
  readonly designFacts: DesignFacts;
}

export interface BuiltResults {
  readonly results: Results;
  /** The contents of trials.ndjson: each trial with its own histogram, one JSON object a line. */
  readonly trialsNdjson: string;
}

/** @throws RangeError when a scenario names a contender or metric that isn't in the run */
export function buildResults(measured: MeasuredRun): BuiltResults {
  const metrics = [...Object.values(METRICS), ...(measured.extraMetrics ?? [])];
  const contenders = new Map(measured.contenders.map((contender) => [contender.id, contender]));
  const metricById = new Map(metrics.map((metric) => [metric.id, metric]));
  const order = measured.contenders.map((contender) => contender.id);
  const measuredCells = measured.scenarios.map((scenario) => cellsOf(scenario, order));
  const aa = measured.scenarios.flatMap(({ plan }, i) =>
    aaChecks(plan, measuredCells[i] as Cell[], contenders, metricById),
  );
  const headline = aa.filter(
    (check) => check.scenario === SCENARIOS.roundTrip.id && check.metric === SCENARIOS.roundTrip.primaryMetric,
  );
  const quality = assessQuality(aa, headline, measured.blocks, measured.env);
  const scenarios = measured.scenarios.map(({ plan }, i): Scenario => {
    const cells = measuredCells[i] as Cell[];
    const { bases, compared, ...described } = plan;
    const comparisons = bases.flatMap((base) =>
      cells
        .filter((cell) => cell.contender !== base)
        .flatMap((cell) =>
          compared.map((metric) =>
            compare(
              plan,
              cells,
              contenders,
              lookUp(metricById, metric, "metric"),
              base,
              cell.contender,
              aa,
              quality.grade,
            ),
          ),
        ),
    );
    return { ...described, cells, comparisons };
  });
  const results: Results = {
    schemaVersion: 1,
    run: { id: runId(measured.run), ...measured.run },
    env: measured.env,
    quality,
    metrics,
    contenders: measured.contenders,
    scenarios,
    designFacts: measured.designFacts,
  };
  return { results, trialsNdjson: trialLines(measured.scenarios, measuredCells) };
}

/** `<utc>-<sha>-<mode>`, fit for a folder name. */
export function runId(run: Pick<Run, "startedAt" | "git" | "mode">): string {
  const utc = run.startedAt.replace(/\.\d+/, "").replace(/[-:]/g, "");
  return `${utc}-${run.git.sha?.slice(0, 7) ?? "nogit"}-${run.mode}`;
}

/** The value of a metric in a trial or summary; null where it has none. */
export function metricValue(of: Trial | Summary, metric: string): number | null {
  const direct = (of as unknown as Record<string, unknown>)[metric];
  if (typeof direct === "number") return direct;
  return of.extra[metric] ?? null;
}

/** Cells in the order of the contenders, not in that of the first block's shuffle. */
function cellsOf({ plan, trials, oversubscribed }: MeasuredScenario, order: readonly string[]): Cell[] {
  const groups = [...Map.groupBy(trials, (trial) => trial.contender)];
  groups.sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
  return groups.map(([contender, own]): Cell => {
    const plain = own.map(toTrial);
    const outliers = new Set<Trial>();
    const valid = plain.filter((trial) => trial.valid);
    const flags = outlierFlags(valid.map((trial) => metricValue(trial, plan.primaryMetric) ?? Number.NaN));
    valid.forEach((trial, i) => {
      if (flags[i] === true) outliers.add(trial);
    });
    const flagged = plain.map((trial): Trial => ({ ...trial, outlier: outliers.has(trial) }));
    const histograms = own
      .filter((_, i) => plain[i]?.valid)
      .flatMap((t) => (t.histogram === null ? [] : [t.histogram]));
    const merged = histograms.length === 0 ? null : mergeHistograms(histograms);
    return {
      contender,
      oversubscribed: oversubscribed.includes(contender),
      trials: flagged,
      summary: summarize(flagged, merged, plan.primaryMetric),
      histogram: merged === null ? null : encodeHistogram(merged),
    };
  });
}

function toTrial(measured: MeasuredTrial): Trial {
  const { contender: _, histogram, bytes, cpuUs, invalidReason, ...rest } = measured;
  const { p50, p90, p99, p999, max } = histogram === null ? NO_LATENCY : summarizeHistogram(histogram);
  const reason = invalidReason ?? integrityFault(measured);
  const seconds = rest.durationMs / 1_000;
  return {
    ...rest,
    valid: reason === null,
    invalidReason: reason,
    outlier: false,
    p50,
    p90,
    p99,
    p999,
    max,
    rate: seconds > 0 ? rest.n / seconds : null,
    bytesPerSecond: bytes !== null && seconds > 0 ? bytes / seconds : null,
    cpuUsPerMessage: cpuUs !== null && rest.n > 0 ? cpuUs / rest.n : null,
  };
}

const NO_LATENCY = { p50: null, p90: null, p99: null, p999: null, max: null } as const;

function integrityFault(trial: MeasuredTrial): string | null {
  const faults = (["lost", "duplicated", "reordered", "corrupted"] as const)
    .filter((kind) => trial[kind] > 0)
    .map((kind) => `${trial[kind]} ${kind}`);
  if (faults.length > 0) return faults.join(", ");
  return trial.n > 0 ? null : "no message was measured";
}

function summarize(trials: readonly Trial[], merged: Histogram | null, primaryMetric: string): Summary {
  const valid = trials.filter((trial) => trial.valid);
  const n = valid.reduce((sum, trial) => sum + trial.n, 0);
  const seconds = valid.reduce((sum, trial) => sum + trial.durationMs, 0) / 1_000;
  const { p50, p90, p99, p999, max } = merged === null ? NO_LATENCY : summarizeHistogram(merged);
  const weighted = (pick: (trial: Trial) => number | null, weight: (trial: Trial) => number): number | null => {
    const known = valid.filter((trial) => pick(trial) !== null);
    const total = known.reduce((sum, trial) => sum + weight(trial), 0);
    return total > 0 ? known.reduce((sum, trial) => sum + (pick(trial) as number) * weight(trial), 0) / total : null;
  };
  const extraNames = new Set(valid.flatMap((trial) => Object.keys(trial.extra)));
  return {
    p50,
    p90,
    p99,
    p999,
    max,
    rate: seconds > 0 ? n / seconds : null,
    bytesPerSecond: weighted(
      (trial) => trial.bytesPerSecond,
      (trial) => trial.durationMs,
    ),
    cpuUsPerMessage: weighted(
      (trial) => trial.cpuUsPerMessage,
      (trial) => trial.n,
    ),
    n,
    lost: trials.reduce((sum, trial) => sum + trial.lost, 0),
    trials: trials.length,
    invalidTrials: trials.length - valid.length,
    outlierTrials: trials.filter((trial) => trial.outlier).length,
    modes: twoModes(valid.map((trial) => metricValue(trial, primaryMetric) ?? Number.NaN)),
    extra: Object.fromEntries(
      [...extraNames].sort().map((name) => [
        name,
        weighted(
          (trial) => trial.extra[name] ?? null,
          () => 1,
        ),
      ]),
    ),
  };
}

function blockValues(cell: Cell, metric: string): BlockValue[] {
  return cell.trials.flatMap((trial) => {
    const value = trial.valid ? metricValue(trial, metric) : null;
    return value === null ? [] : [{ block: trial.block, value }];
  });
}

function modesOf(cell: Cell, metric: string): ReturnType<typeof twoModes> {
  return twoModes(blockValues(cell, metric).map(({ value }) => value));
}

function aaChecks(
  plan: ScenarioPlan,
  cells: readonly Cell[],
  contenders: ReadonlyMap<string, Contender>,
  metrics: ReadonlyMap<string, Metric>,
): AaCheck[] {
  return cells.flatMap((cell) => {
    const repeats = lookUp(contenders, cell.contender, "contender").repeats;
    const base = cells.find((other) => other.contender === repeats);
    if (base === undefined) return [];
    return plan.compared.map((id): AaCheck => {
      const { better } = lookUp(metrics, id, "metric");
      const { n, ratio, lo, hi } = pairedRatio(blockValues(base, id), blockValues(cell, id), better);
      const halfWidth = intervalReach(lo, hi);
      const { placement, params } = plan;
      return {
        scenario: plan.id,
        placement,
        params,
        metric: id,
        n,
        ratio,
        lo,
        hi,
        halfWidth,
        grade: gradeOf(halfWidth),
      };
    });
  });
}

function compare(
  plan: ScenarioPlan,
  cells: readonly Cell[],
  contenders: ReadonlyMap<string, Contender>,
  metric: Metric,
  base: string,
  candidate: string,
  aa: readonly AaCheck[],
  runGrade: Grade,
): Comparison {
  const candidateCell = cells.find((cell) => cell.contender === candidate) as Cell;
  const baseCell = cells.find((cell) => cell.contender === base);
  const baseValues = baseCell === undefined ? [] : blockValues(baseCell, metric.id);
  const estimate = pairedRatio(baseValues, blockValues(candidateCell, metric.id), metric.better);
  const sameMetric = aa.filter((check) => check.metric === metric.id);
  const own = sameMetric.filter((check) => scenarioKey({ ...check, id: check.scenario }) === scenarioKey(plan));
  const checks = own.length > 0 ? own : sameMetric;
  const reaches = checks.map((check) => check.halfWidth).filter((reach) => reach !== null);
  const band = practicalBand(reaches.length === 0 ? null : Math.max(...reaches));
  const grade = checks.length > 0 ? worstGrade(checks.map((check) => check.grade)) : runGrade;
  const baseModes = baseCell === undefined ? null : modesOf(baseCell, metric.id);
  const candidateModes = modesOf(candidateCell, metric.id);
  const { verdict, text } = judge({
    base: lookUp(contenders, base, "contender"),
    candidate: lookUp(contenders, candidate, "contender"),
    metric,
    placement: plan.placement,
    estimate,
    band,
    grade,
    baseModes,
    candidateModes,
  });
  const { n, ratio, lo, hi } = verdict === "two-modes" ? { n: estimate.n, ratio: null, lo: null, hi: null } : estimate;
  return { base, candidate, metric: metric.id, n, ratio, lo, hi, band, grade, verdict, text };
}

function trialLines(scenarios: readonly MeasuredScenario[], cells: readonly (readonly Cell[])[]): string {
  const lines = scenarios.flatMap(({ plan, trials }, i) =>
    (cells[i] as readonly Cell[]).flatMap((cell) => {
      const own = trials.filter((trial) => trial.contender === cell.contender);
      return cell.trials.map((trial, j) => {
        const histogram = own[j]?.histogram ?? null;
        return JSON.stringify({
          scenario: plan.id,
          placement: plan.placement,
          params: plan.params,
          contender: cell.contender,
          ...trial,
          histogram: histogram === null ? null : encodeHistogram(histogram),
        });
      });
    }),
  );
  return lines.map((line) => `${line}\n`).join("");
}

function lookUp<T>(map: ReadonlyMap<string, T>, id: string, what: string): T {
  const found = map.get(id);
  if (found === undefined) throw new RangeError(`unknown ${what} "${id}"`);
  return found;
}
