/** What the terminal shows at the end: the answer in three sentences and a table of at most ten lines. */
import { METRICS, SCENARIOS } from "../results/ids.ts";
import { formatCount, formatUs, NOTHING } from "../results/quantities.ts";
import type { Results } from "../results/types.ts";
import { qualityText, threeSentences } from "./answer.ts";
import { ratioPhrase, View } from "./view.ts";

export const MAX_SUMMARY_LINES = 10;

export interface Summary {
  readonly sentences: readonly [string, string, string];
  /** "Grade A: …". */
  readonly quality: string;
  /** The table's cells, its head first. */
  readonly table: readonly (readonly string[])[];
  /** The same as plain text in columns; no line ends in a line break. */
  readonly tableLines: readonly string[];
}

export function summary(results: Results): Summary {
  const view = new View(results);
  const table = tableCells(view);
  return {
    sentences: threeSentences(view),
    quality: `Grade ${results.quality.grade}: ${qualityText(view)}`,
    table,
    tableLines: inColumns(table),
  };
}

function tableCells(view: View): string[][] {
  const roundTrips = view.scenarios(SCENARIOS.roundTrip.id);
  const across = roundTrips.find((scenario) => scenario.placement === "across-cpus");
  const same = roundTrips.find((scenario) => scenario.placement === "same-cpu");
  const batched = view.headlineScenarios(SCENARIOS.throughput.id).at(-1);
  const chat = view.scenario(SCENARIOS.chatDelivery.id);
  const batch = batched?.params.batch;
  const head = [
    "",
    "p50, two cores",
    "× TCP",
    "p50, one core",
    `messages/s${batch === undefined ? "" : `, batch ${batch}`}`,
    "CPU/message",
  ];
  const transport = [across, same, batched].filter((scenario) => scenario !== undefined);
  const ids = [...new Set(transport.flatMap((scenario) => view.cells(scenario).map((cell) => cell.contender)))];
  const chatIds = chat === undefined ? [] : view.cells(chat).map((cell) => cell.contender);
  const rows = [
    ...ids.map((id) => [
      view.contender(id).label,
      formatUs(view.cell(across, id)?.summary.p50 ?? null),
      ratioPhrase(view.comparison(across, id, METRICS.p50.id)),
      formatUs(view.cell(same, id)?.summary.p50 ?? null),
      formatCount(view.cell(batched, id)?.summary.rate ?? null),
      formatUs((view.cell(across, id) ?? view.cell(same, id))?.summary.cpuUsPerMessage ?? null),
    ]),
    ...chatIds.map((id) => {
      const p50 = formatUs(view.cell(chat, id)?.summary.p50 ?? null);
      const sameCore = chat?.placement === "same-cpu";
      const cpu = formatUs(view.cell(chat, id)?.summary.cpuUsPerMessage ?? null);
      const ratio = ratioPhrase(view.comparison(chat, id, METRICS.p50.id));
      return [view.contender(id).label, sameCore ? NOTHING : p50, ratio, sameCore ? p50 : NOTHING, NOTHING, cpu];
    }),
  ];
  return [head, ...rows].slice(0, MAX_SUMMARY_LINES);
}

function inColumns(lines: readonly (readonly string[])[]): string[] {
  const widths = (lines[0] ?? []).map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines.map((line) =>
    line
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
