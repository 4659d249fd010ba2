/**
 * What became better or worse from one run to another.
 *
 * - A change is the later ratio over the earlier one: above 1 means better. No time of one run meets a time of the other.
 * - Its interval is Welch's: both runs' intervals, each with its own spread and number of blocks. It is widened for the number of
 *   comparisons made (Bonferroni), so that two runs of the same code have one false alarm in twenty, not one in each twentieth row.
 * - Better or worse is claimed only when that whole interval lies beyond the wider of the two runs' bands; within grade C beyond 1.5×.
 */

import type { Results } from "../results/types.ts";
import { GRADE_C_BAND } from "../results/verdicts.ts";
import { CONFIDENCE } from "../stats/paired.ts";
import { studentTQuantile } from "../stats/student-t.ts";
import { type Relation, relationsOf } from "./relations.ts";

/** `unchanged`: the interval lies inside the band; `unclear`: it doesn't, but isn't beyond it either. */
export type ChangeKind = "worse" | "better" | "unchanged" | "unclear" | "two-modes" | "no-interval";

export interface Change {
  readonly before: Relation;
  readonly after: Relation;
  /** Above 1: better than before. Null where one of the runs has no ratio. */
  readonly change: number | null;
  readonly lo: number | null;
  readonly hi: number | null;
  readonly band: number;
  readonly kind: ChangeKind;
}

export interface Difference {
  /** Changes in the order of the later run. */
  readonly changes: readonly Change[];
  /** TCP against itself: where these moved, so may have everything. */
  readonly controls: readonly Change[];
  /** What only one of the runs has. */
  readonly onlyBefore: readonly Relation[];
  readonly onlyAfter: readonly Relation[];
}

export function compareRuns(before: Results, after: Results): Difference {
  const earlier = new Map(relationsOf(before).map((relation) => [relation.key, relation]));
  const later = relationsOf(after);
  const laterKeys = new Set(later.map(({ key }) => key));
  const pairs = later.flatMap((relation): [Relation, Relation][] => {
    const found = earlier.get(relation.key);
    return found === undefined ? [] : [[found, relation]];
  });
  const tests = pairs.filter(([a, b]) => !a.isControl && a.lo !== null && b.lo !== null).length;
  const changes = pairs.map(([a, b]) => changeBetween(a, b, Math.max(1, tests)));
  return {
    changes: changes.filter(({ after }) => !after.isControl),
    controls: changes.filter(({ after }) => after.isControl),
    onlyBefore: [...earlier.values()].filter(({ key, isControl }) => !isControl && !laterKeys.has(key)),
    onlyAfter: later.filter(({ key, isControl }) => !isControl && !earlier.has(key)),
  };
}

function changeBetween(before: Relation, after: Relation, tests: number): Change {
  const isGradeC = before.grade === "C" || after.grade === "C";
  const band = Math.max(before.band, after.band, isGradeC ? GRADE_C_BAND : 0);
  const none = { before, after, band, lo: null, hi: null };
  if (before.hasTwoModes || after.hasTwoModes) return { ...none, change: null, kind: "two-modes" };
  if (before.ratio === null || after.ratio === null) return { ...none, change: null, kind: "no-interval" };
  const change = after.ratio / before.ratio;
  const spreads = [spreadOf(before), spreadOf(after)];
  const [a, b] = spreads;
  if (a == null || b == null) return { ...none, change, kind: "no-interval" };
  const margin = welchMargin(a, b, 1 - (1 - CONFIDENCE) / tests);
  const [lo, hi] = [change * Math.exp(-margin), change * Math.exp(margin)];
  return { before, after, band, change, lo, hi, kind: kindOf(lo, hi, 1 + band) };
}

function kindOf(lo: number, hi: number, above: number): ChangeKind {
  if (lo > above) return "better";
  if (hi < 1 / above) return "worse";
  return lo >= 1 / above && hi <= above ? "unchanged" : "unclear";
}

interface Spread {
  /** Standard error of the ratio's logarithm. */
  readonly error: number;
  readonly degreesOfFreedom: number;
}

/** From the published interval back to what it was made of; null without one. */
function spreadOf({ lo, hi, n }: Relation): Spread | null {
  if (lo === null || hi === null || n < 2) return null;
  const degreesOfFreedom = n - 1;
  return {
    error: Math.log(hi / lo) / 2 / studentTQuantile((1 + CONFIDENCE) / 2, degreesOfFreedom),
    degreesOfFreedom,
  };
}

/** Half the width of the interval of a difference of two means, with the degrees of freedom after Welch and Satterthwaite. */
function welchMargin(a: Spread, b: Spread, confidence: number): number {
  const variance = a.error ** 2 + b.error ** 2;
  if (variance === 0) return 0;
  const degrees = variance ** 2 / (a.error ** 4 / a.degreesOfFreedom + b.error ** 4 / b.degreesOfFreedom);
  return studentTQuantile((1 + confidence) / 2, degrees) * Math.sqrt(variance);
}
