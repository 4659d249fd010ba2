/** A difference as text for people and as one object for scripts. */
import { styleText } from "node:util";
import { scenarioPhrase, View } from "../report/view.ts";
import { formatTimes } from "../results/quantities.ts";
import type { Change, ChangeKind, Difference } from "./changes.ts";
import type { LoadedRun } from "./load.ts";
import type { Relation } from "./relations.ts";

export interface Comparison {
  readonly before: LoadedRun;
  readonly after: LoadedRun;
  readonly difference: Difference;
  readonly warnings: readonly string[];
}

/** What is told about the changes that aren't listed. */
const SUMMARY: readonly (readonly [ChangeKind, string])[] = [
  ["unchanged", "unchanged (inside the band)"],
  ["unclear", "unclear (not inside the band, not beyond it)"],
  ["two-modes", "without a ratio (two modes)"],
  ["no-interval", "without an interval (fewer than five blocks)"],
];

export const JSON_VERSION = 1;

export function asJson({ before, after, difference, warnings }: Comparison): unknown {
  const run = ({ path, results }: LoadedRun) => ({ path, id: results.run.id, grade: results.quality.grade });
  return {
    diffVersion: JSON_VERSION,
    ...{ before: run(before), after: run(after), warnings, counts: countsOf(difference) },
    changes: difference.changes.map(({ before: a, after: b, change, lo, hi, band, kind }) => ({
      ...{ kind, ...question(b), change, lo, hi, band },
      before: { ratio: a.ratio, lo: a.lo, hi: a.hi, n: a.n },
      after: { ratio: b.ratio, lo: b.lo, hi: b.hi, n: b.n },
    })),
    onlyBefore: difference.onlyBefore.map(question),
    onlyAfter: difference.onlyAfter.map(question),
  };
}

function question({ scenario, base, candidate, metric }: Relation): object {
  const { id, placement, params } = scenario;
  return { scenario: id, placement, params, base, candidate, metric };
}

export function countsOf({ changes }: Difference): Partial<Record<ChangeKind, number>> {
  return Object.fromEntries([...Map.groupBy(changes, ({ kind }) => kind)].map(([kind, of]) => [kind, of.length]));
}

/** @param isAll lists what didn't change too */
export function asText({ before, after, difference, warnings }: Comparison, isAll: boolean): string {
  const view = new View(after.results);
  const lines = [
    `before  ${runLine(before)}`,
    `after   ${runLine(after)}`,
    ...warnings.map((warning) => styleText("yellow", `warning: ${warning}`)),
    "",
  ];
  const counts = countsOf(difference);
  for (const [kind, style, title] of [
    ["worse", "red", "Worse, beyond the band"],
    ["better", "green", "Better, beyond the band"],
  ] as const) {
    const found = difference.changes.filter((change) => change.kind === kind);
    lines.push(styleText([style, "bold"], `${title}: ${found.length}`), ...found.map((each) => changeLine(view, each)));
  }
  for (const [kind, what] of SUMMARY) {
    const found = difference.changes.filter((change) => change.kind === kind);
    if (found.length > 0) lines.push(`${found.length} ${what}`);
    if (isAll) lines.push(...found.map((each) => changeLine(view, each)));
  }
  const { onlyBefore, onlyAfter } = difference;
  if (onlyBefore.length > 0) lines.push(`${onlyBefore.length} measured in the earlier run only`);
  if (onlyAfter.length > 0) lines.push(`${onlyAfter.length} measured in the later run only`);
  if (difference.changes.length === 0) lines.push("The runs have nothing in common to compare.");
  else if (!isAll && Object.keys(counts).some((kind) => kind !== "worse" && kind !== "better")) {
    lines.push("--all lists these too.");
  }
  lines.push(
    "",
    "× is against the sockets of the same run, above 1 is better than they; a change above 1 is for the better, its interval widened for the number of comparisons.",
  );
  return `${lines.join("\n")}\n`;
}

function runLine({ results }: LoadedRun): string {
  const { run, env, quality } = results;
  return `${run.id}, grade ${quality.grade}, ${env.cpu ?? "unknown processor"}, ${env.cores ?? "?"} cores, Node ${env.node.replace(/^v/, "")}`;
}

function changeLine(view: View, { before, after, change, lo, hi, band }: Change): string {
  const { scenario, candidate, base, metric } = after;
  const what = `${scenarioPhrase(scenario)}: ${view.contender(candidate).label} against ${view.contender(base).label}, ${view.metric(metric).label}`;
  if (change === null) return `  ${what}`;
  const from = lo === null || hi === null ? "" : ` (${formatTimes(lo).slice(0, -1)}–${formatTimes(hi).slice(0, -1)})`;
  return `  ${what}: ${formatTimes(before.ratio)} → ${formatTimes(after.ratio)}, a change of ${formatTimes(change)}${from}, band ±${Math.round(band * 100)}%`;
}
