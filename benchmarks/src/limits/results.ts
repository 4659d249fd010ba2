/** From the figures of all runs to what each row came to, against its targets. A pure function of what was measured. */
import type { Environment, Run } from "../results/types.ts";
import type { Figures } from "./figures.ts";
import type { Row } from "./rows.ts";

export const LIMITS_SCHEMA_VERSION = 1;

export type Verdict = "reached" | "met" | "missed" | "shown" | "not measured";

export interface RowResult {
  readonly id: string;
  readonly what: string;
  readonly unit: Row["unit"];
  readonly better: Row["better"];
  readonly must: number | null;
  readonly reach: number | null;
  /** One a run, in the order of runs. */
  readonly figures: readonly number[];
  readonly median: number | null;
  readonly min: number | null;
  readonly max: number | null;
  /** `reached` is met, too. `shown`: there is no target. */
  readonly verdict: Verdict;
  /** How far the median is beyond (above 0) or short of (below 0) the reach, as a part of the reach. */
  readonly beyondReach: number | null;
  /** Why the reach is missed, or why the row wasn't measured. */
  readonly why: string | null;
}

export interface LimitsResults {
  readonly schemaVersion: number;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly seed: number;
  readonly runs: number;
  readonly quick: boolean;
  readonly git: Run["git"];
  readonly env: Environment;
  readonly compiler: string | null;
  /** CPUs of the two sides where they are apart; null when nothing could be pinned. */
  readonly cpus: readonly number[] | null;
  readonly verified: number;
  readonly corrupt: number;
  readonly failures: readonly string[];
  readonly rows: readonly RowResult[];
  /** Everything that was measured: a run, its trials in the order in which they ran. */
  readonly measured: readonly { readonly trial: string; readonly figures: Figures }[][];
}

export interface MeasuredRuns {
  readonly runs: readonly (readonly { readonly trial: string; readonly figures: Figures }[])[];
  /** Trials that can't be made here, and why. */
  readonly unavailable: ReadonlyMap<string, string>;
}

export function rowResults(rows: readonly Row[], { runs, unavailable }: MeasuredRuns): RowResult[] {
  const byTrial = runs.map((run) => new Map(run.map(({ trial, figures }) => [trial, figures])));
  return rows.map((row) => {
    // A run in which a trial of the row failed has no figure of it; the failure is told apart.
    const figures = byTrial.filter((run) => row.trials.every((each) => run.has(each))).map((run) => row.figure(run));
    const { id, what, unit, better, must, reach } = row;
    const shared = { id, what, unit, better, must, reach, figures };
    if (figures.length === 0) {
      const reason = row.trials.map((each) => unavailable.get(each)).find((each) => each !== undefined);
      return {
        ...shared,
        median: null,
        min: null,
        max: null,
        verdict: "not measured",
        beyondReach: null,
        why: reason ?? "its trials failed",
      };
    }
    const median = medianOf(figures);
    const verdict = verdictOf(median, row);
    return {
      ...shared,
      median,
      min: Math.min(...figures),
      max: Math.max(...figures),
      verdict,
      beyondReach: reach === null ? null : better === "higher" ? median / reach - 1 : 1 - median / reach,
      why: verdict === "met" || verdict === "missed" ? row.why : null,
    };
  });
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

function verdictOf(median: number, { better, must, reach }: Row): Verdict {
  const satisfies = (target: number): boolean => (better === "higher" ? median >= target : median <= target);
  if (must === null || reach === null) return "shown";
  if (!satisfies(must)) return "missed";
  return satisfies(reach) ? "reached" : "met";
}
