/**
 * The measured sections: forest plot, latency, throughput and CPU, what a web user feels.
 *
 * - A section whose scenario is missing from the run is left out.
 */
import { METRICS, SCENARIOS } from "../../results/ids.ts";
import { formatCount, formatUs } from "../../results/quantities.ts";
import type { Cell, Scenario } from "../../results/types.ts";
import { dotChart, forestChart } from "../charts.ts";
import { type Block, columns, type Section, table, text } from "../document.ts";
import { BASELINE, onPlacement, paramsPhrase, ratioPhrase, scenarioPhrase, type View } from "../view.ts";

const BETTER_LOWER = "lower is better";
const BETTER_HIGHER = "higher is better";

export function forestSection(view: View): Section | null {
  const groups = [
    {
      kind: SCENARIOS.roundTrip,
      metric: METRICS.p50,
      what: "round trip at p50",
      scenarios: view.scenarios(SCENARIOS.roundTrip.id),
    },
    {
      kind: SCENARIOS.throughput,
      metric: METRICS.rate,
      what: "messages a second at equal batches",
      scenarios: view.headlineScenarios(SCENARIOS.throughput.id),
    },
  ];
  const blocks = groups.flatMap(({ kind, metric, what, scenarios }) =>
    scenarios.flatMap((scenario, i): Block[] => {
      const rows = scenario.comparisons
        .filter((each) => each.metric === metric.id && each.base === BASELINE && each.ratio !== null)
        .map((each) => ({
          label: view.contender(each.candidate).label,
          ratio: each.ratio as number,
          lo: each.lo,
          hi: each.hi,
          band: each.band,
          design: view.contender(each.candidate).design,
          note: ratioPhrase(each),
        }));
      if (rows.length === 0) return [];
      const title = `× against TCP: ${what}, ${onPlacement(scenario.placement)}, ${paramsPhrase(scenario)}`;
      const alt = rows.map((row) => `${row.label} ${row.note}`).join("; ");
      return [{ kind: "chart", chart: forestChart(`forest-${kind.id}-${i + 1}`, title, alt, rows) }];
    }),
  );
  if (blocks.length === 0) return null;
  const note =
    "A dot is the geometric mean of ratios paired within blocks, its line the 95% interval, beside it both as figures; a hollow dot has too few blocks for an interval. Right of 1 is better. Inside the shaded band nothing is claimed: it is the larger of ±10% and what TCP against itself showed. Other sizes and placements are in the tables below.";
  return { id: "forest", title: "How many times better than TCP?", blocks: [text(note), ...blocks] };
}

export function latencySection(view: View): Section | null {
  const blocks = [SCENARIOS.roundTrip, SCENARIOS.chatDelivery].flatMap((kind) =>
    view.scenarios(kind.id).flatMap((scenario, i): Block[] => {
      const cells = view.cells(scenario).filter((cell) => cell.summary.p50 !== null);
      if (cells.length === 0) return [];
      const id = `latency-${kind.id}-${i + 1}`;
      return [
        latencyChart(view, scenario, cells, id),
        latencyTable(view, scenario, cells),
        ...modeNotes(view, scenario, cells),
      ];
    }),
  );
  if (blocks.length === 0) return null;
  const note =
    "Closed loop: the next message leaves when the last has arrived, so these are service times, not response times under load. Percentiles come from all valid trials merged; a dash means too few samples (p99 needs 1,000, p99.9 needs 10,000).";
  return { id: "latency", title: "Latency by percentile", blocks: [text(note), ...blocks] };
}

function latencyChart(view: View, scenario: Scenario, cells: readonly Cell[], id: string): Block {
  const rows = cells.map((cell) => ({
    label: view.contender(cell.contender).label,
    design: view.contender(cell.contender).design,
    values: [cell.summary.p50, cell.summary.p90, cell.summary.p99],
    note: `p50 ${formatUs(cell.summary.p50)}`,
  }));
  const title = `${scenarioPhrase(scenario)}: latency, ${BETTER_LOWER}`;
  const alt = rows.map(
    (row) => `${row.label}: p50 ${formatUs(row.values[0] ?? null)}, p99 ${formatUs(row.values[2] ?? null)}`,
  );
  const axis = { name: "microseconds, logarithmic: left is better", format: (us: number) => formatUs(us) };
  return { kind: "chart", chart: dotChart(id, title, alt.join("; "), ["p50", "p90", "p99"], rows, axis) };
}

export function latencyTable(view: View, scenario: Scenario, cells: readonly Cell[]): Block {
  return table(
    `${scenarioPhrase(scenario)} (µs and ms: ${BETTER_LOWER})`,
    columns("Contender", "#p50", "#p90", "#p99", "#p99.9", "#max", "#samples", "#lost", "#CPU a message"),
    cells.map(({ contender, summary, oversubscribed }) => [
      nameOf(view, contender, oversubscribed),
      ...[summary.p50, summary.p90, summary.p99, summary.p999 ?? null, summary.max].map(formatUs),
      formatCount(summary.n),
      formatCount(summary.lost),
      formatUs(summary.cpuUsPerMessage),
    ]),
  );
}

export function throughputSection(view: View): Section | null {
  const scenarios = view.scenarios(SCENARIOS.throughput.id).filter((scenario) => view.cells(scenario).length > 0);
  if (scenarios.length === 0) return null;
  // One drawing for each placement and payload; its marks are the batches.
  const groups = Map.groupBy(scenarios, (each) => {
    const { batch: _, ...others } = each.params;
    return `${onPlacement(each.placement)}, ${paramsPhrase({ params: others })}`;
  });
  const blocks = [...groups].flatMap(([phrase, group], i) => [
    ...batchCharts(view, group, phrase, i + 1),
    ...group.flatMap((scenario) => [
      table(
        `${scenarioPhrase(scenario)} (a second: ${BETTER_HIGHER}; CPU: ${BETTER_LOWER})`,
        columns("Contender", "#messages a second", "#MB a second", "#CPU a message", "#messages", "#× TCP"),
        view
          .cells(scenario)
          .map(({ contender, summary, oversubscribed }) => [
            nameOf(view, contender, oversubscribed),
            formatCount(summary.rate),
            summary.bytesPerSecond === null ? "–" : formatCount(summary.bytesPerSecond / 1e6),
            formatUs(summary.cpuUsPerMessage),
            formatCount(summary.n),
            contender === BASELINE
              ? "base"
              : ratioPhrase(view.comparison(scenario, contender, METRICS.rate.id, BASELINE)),
          ]),
      ),
      ...modeNotes(view, scenario, view.cells(scenario)),
    ]),
  ]);
  const note =
    "One way, both sides busy, messages counted where they are **received** and verified. A publish is one `write` of one buffer on a socket and one tail store in a ring; only equal batches are compared.";
  return { id: "throughput", title: "Throughput, and CPU a message", blocks: [text(note), ...blocks] };
}

function batchCharts(view: View, group: readonly Scenario[], phrase: string, index: number): Block[] {
  const contenders = [...new Set(group.flatMap((scenario) => view.cells(scenario).map((cell) => cell.contender)))];
  const marks = group.map((scenario) =>
    scenario.params.batch === undefined ? "rate" : `batch ${scenario.params.batch}`,
  );
  const draw = (
    id: string,
    title: string,
    name: string,
    format: (n: number) => string,
    pick: (cell: Cell) => number | null,
  ): Block[] => {
    const rows = contenders.map((contender) => {
      const values = group.map((scenario) => {
        const cell = view.cell(scenario, contender);
        return cell === undefined ? null : pick(cell);
      });
      const known = values.filter((value) => value !== null);
      const { label, design } = view.contender(contender);
      const note =
        known.length === 0
          ? "–"
          : known.length === 1
            ? format(known[0] as number)
            : `${format(known[0] as number)} → ${format(known.at(-1) as number)}`;
      return { label, design, values, note };
    });
    if (rows.every((row) => row.values.every((value) => value === null))) return [];
    const alt = rows.map((row) => `${row.label}: ${row.note}`).join("; ");
    return [{ kind: "chart", chart: dotChart(id, title, alt, marks, rows, { name, format }) }];
  };
  return [
    ...draw(
      `throughput-${index}`,
      `Messages received a second ${phrase}, ${BETTER_HIGHER}`,
      "messages a second, logarithmic: right is better",
      formatCount,
      (cell) => cell.summary.rate,
    ),
    ...draw(
      `throughput-cpu-${index}`,
      `CPU a message, both sides together, ${phrase}, ${BETTER_LOWER}`,
      "CPU time a message, logarithmic: left is better",
      formatUs,
      (cell) => cell.summary.cpuUsPerMessage,
    ),
  ];
}

export function webSection(view: View): Section | null {
  const scenarios = view.scenarios(SCENARIOS.httpGateway.id).filter((scenario) => view.cells(scenario).length > 0);
  if (scenarios.length === 0) return null;
  const blocks = scenarios.flatMap((scenario): Block[] => {
    const cells = view.cells(scenario);
    const nothing = cells.find((cell) => view.contender(cell.contender).design === "none");
    const floor = nothing?.summary.p50 ?? null;
    return [
      table(
        `${scenarioPhrase(scenario)} (requests a second: ${BETTER_HIGHER}; latency: ${BETTER_LOWER})`,
        columns("Backend", "#requests a second", "#p50", "#Δp50 to no backend", "#p99", "#requests", "#× TCP"),
        cells.map(({ contender, summary, oversubscribed }) => {
          const delta = floor === null || summary.p50 === null ? null : summary.p50 - floor;
          const base = scenario.comparisons[0]?.base;
          return [
            nameOf(view, contender, oversubscribed),
            formatCount(summary.rate),
            formatUs(summary.p50),
            delta === null || contender === nothing?.contender
              ? "–"
              : `${delta < 0 ? "−" : "+"}${formatUs(Math.abs(delta))}`,
            formatUs(summary.p99),
            formatCount(summary.n),
            contender === base ? "base" : ratioPhrase(view.comparison(scenario, contender, METRICS.rate.id, base)),
          ];
        }),
      ),
      ...scenario.comparisons
        .filter((each) => each.metric === METRICS.rate.id && view.contender(each.candidate).design !== "none")
        .map((each) => text(`${each.text}.`)),
    ];
  });
  const note =
    "autocannon posts to a small HTTP gateway that answers once the room has acknowledged the message. What lies between “no backend” and a transport is all that the transport can change for a web user; the rest is HTTP.";
  return { id: "web", title: "What does a web user feel?", blocks: [text(note), ...blocks] };
}

/** A sentence for each contender whose trials fell in two groups: both figures, since one would describe neither. */
function modeNotes(view: View, scenario: Scenario, cells: readonly Cell[]): Block[] {
  return cells.flatMap(({ contender, summary }): Block[] => {
    if (summary.modes === null) return [];
    const metric = scenario.primaryMetric;
    const modes = summary.modes.map((mode) => `${view.quantity(mode.value, metric)} in ${mode.trials} trials`);
    const { label } = view.contender(contender);
    return [{ kind: "note", text: `Two modes of ${label} at ${view.metric(metric).label}: ${modes.join(", ")}.` }];
  });
}

export function nameOf(view: View, contender: string, oversubscribed: boolean): string {
  return view.contender(contender).label + (oversubscribed ? " (oversubscribed)" : "");
}
