/**
 * From one scenario's measured trials to its cells: what each trial showed, and what they show together.
 *
 * - A trial that lost, repeated, reordered or damaged a message is invalid: kept and counted, in no figure.
 * - Percentiles of a cell come from the merged histogram of its valid trials; rates and CPU are weighted by time and messages.
 */
import { encodeHistogram, type Histogram, mergeHistograms, summarizeHistogram } from "../stats/histogram.ts";
import { outlierFlags, twoModes } from "../stats/modes.ts";
import type { BlockValue } from "../stats/paired.ts";
import type { ScenarioPlan } from "./ids.ts";
import type { Cell, Summary, Trial } from "./types.ts";

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

/** The value of a metric in a trial or summary; null where it has none. */
export function metricValue(of: Trial | Summary, metric: string): number | null {
  const direct = (of as unknown as Record<string, unknown>)[metric];
  if (typeof direct === "number") return direct;
  return of.extra[metric] ?? null;
}

/** Cells in the order of the contenders, not in that of the first block's shuffle. */
export function cellsOf({ plan, trials, oversubscribed }: MeasuredScenario, order: readonly string[]): Cell[] {
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

/** A metric of a cell's valid trials, by block. */
export function blockValues(cell: Cell, metric: string): BlockValue[] {
  return cell.trials.flatMap((trial) => {
    const value = trial.valid ? metricValue(trial, metric) : null;
    return value === null ? [] : [{ block: trial.block, value }];
  });
}

export function modesOf(cell: Cell, metric: string): ReturnType<typeof twoModes> {
  return twoModes(blockValues(cell, metric).map(({ value }) => value));
}
