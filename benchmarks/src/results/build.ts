/**
 * From measured trials to results: summaries, A/A control, comparisons, verdicts, quality.
 *
 * - Measures nothing and reads nothing: the same input gives the same results.
 * - Comparisons pair valid trials of one block; A/A comparisons set the band for their scenario and metric, and where a scenario has
 *   no A/A of its own the worst band of that metric anywhere applies.
 */
import { encodeHistogram } from "../stats/histogram.ts";
import { pairedRatio } from "../stats/paired.ts";
import { blockValues, cellsOf, type MeasuredScenario, modesOf } from "./cells.ts";
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
} from "./types.ts";
import { judge, practicalBand } from "./verdicts.ts";

export type { MeasuredScenario, MeasuredTrial } from "./cells.ts";

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
  // A noisy run's grade holds for all of it, or its quiet corners would be where claims are found.
  const grade = worstGrade([runGrade, ...checks.map((check) => check.grade)]);
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
