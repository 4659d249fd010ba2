/**
 * Questions that the sections ask of a results file.
 *
 * - Nothing here computes a figure that isn't in the results; a section that finds nothing is left out by its caller.
 */
import { CONTENDERS, PARAMS } from "../results/ids.ts";
import { formatBytes, formatQuantity, formatTimes } from "../results/quantities.ts";
import type { Cell, Comparison, Contender, Metric, Placement, Results, Scenario } from "../results/types.ts";

/** Placements in the order in which they are shown: the usual one of separate cores first. */
const PLACEMENT_ORDER: readonly Placement[] = ["across-cpus", "same-cpu", "unpinned"];

const SORTED_PARAMS: readonly string[] = [PARAMS.payloadBytes, PARAMS.batch];

export class View {
  readonly results: Results;
  readonly #contenders: ReadonlyMap<string, Contender>;
  readonly #metrics: ReadonlyMap<string, Metric>;

  constructor(results: Results) {
    this.results = results;
    this.#contenders = new Map(results.contenders.map((contender) => [contender.id, contender]));
    this.#metrics = new Map(results.metrics.map((metric) => [metric.id, metric]));
  }

  /** The contender, or a nameless stand-in, so that a file from a later version is still readable. */
  contender(id: string): Contender {
    return (
      this.#contenders.get(id) ?? {
        id,
        label: id,
        level: "transport",
        wait: null,
        boundary: "process",
        design: "other",
        repeats: null,
      }
    );
  }

  metric(id: string): Metric {
    return this.#metrics.get(id) ?? { id, label: id, unit: "", better: "lower" };
  }

  /** Scenarios with the id: separate cores first, then by size and batch, whatever order they were measured in. */
  scenarios(id: string): Scenario[] {
    const found = this.results.scenarios.filter((scenario) => scenario.id === id);
    return found.sort(
      (a, b) =>
        PLACEMENT_ORDER.indexOf(a.placement) - PLACEMENT_ORDER.indexOf(b.placement) ||
        SORTED_PARAMS.map((name) => Number(a.params[name] ?? 0) - Number(b.params[name] ?? 0)).find((d) => d !== 0) ||
        0,
    );
  }

  /** Those of `scenarios` at the first placement and size: the ones that a headline is made of. */
  headlineScenarios(id: string): Scenario[] {
    const found = this.scenarios(id);
    const first = found[0];
    return found.filter(
      (each) =>
        each.placement === first?.placement && each.params[PARAMS.payloadBytes] === first.params[PARAMS.payloadBytes],
    );
  }

  scenario(id: string, placement?: Placement): Scenario | undefined {
    return this.scenarios(id).find((scenario) => placement === undefined || scenario.placement === placement);
  }

  /** Cells with at least one valid trial, in the order of the catalogue. */
  cells(scenario: Scenario): Cell[] {
    const order = new Map(this.results.contenders.map((contender, i) => [contender.id, i]));
    return scenario.cells
      .filter((cell) => cell.summary.trials > cell.summary.invalidTrials)
      .sort((a, b) => (order.get(a.contender) ?? 0) - (order.get(b.contender) ?? 0));
  }

  cell(scenario: Scenario | undefined, contender: string): Cell | undefined {
    return scenario === undefined ? undefined : this.cells(scenario).find((cell) => cell.contender === contender);
  }

  comparison(scenario: Scenario | undefined, candidate: string, metric: string, base?: string): Comparison | undefined {
    return scenario?.comparisons.find(
      (each) => each.candidate === candidate && each.metric === metric && (base === undefined || each.base === base),
    );
  }

  /** A/A repeats are controls, not contenders to recommend. */
  isControl(contender: string): boolean {
    return this.contender(contender).repeats !== null;
  }

  quantity(value: number | null, metric: string): string {
    return formatQuantity(value, this.metric(metric).unit);
  }
}

/** "on two cores". */
export function onPlacement(placement: Placement): string {
  return { "same-cpu": "sharing one core", "across-cpus": "on two cores", unpinned: "unpinned" }[placement];
}

/** The parameters as a reader says them: "64 B, 16 a publish". */
export function paramsPhrase(scenario: Pick<Scenario, "params">): string {
  return Object.entries(scenario.params)
    .map(([name, value]) => {
      if (name === "payloadBytes" && typeof value === "number") return formatBytes(value);
      if (name === "batch") return `${value} a publish`;
      if (name === "connections") return `${value} connections`;
      return `${name.replace(/(?=[A-Z])/g, " ").toLowerCase()} ${value}`;
    })
    .join(", ");
}

/** "Round trip, on two cores, 64 B". */
export function scenarioPhrase(scenario: Pick<Scenario, "title" | "placement" | "params">): string {
  return [scenario.title, onPlacement(scenario.placement), paramsPhrase(scenario)]
    .filter((part) => part !== "")
    .join(", ");
}

/** "3.4× (2.9–4.0)", or what stands in its place. */
export function ratioPhrase(comparison: Comparison | undefined): string {
  if (comparison === undefined || comparison.verdict === "not-compared") return "–";
  if (comparison.verdict === "two-modes") return "two modes";
  const { ratio, lo, hi } = comparison;
  if (lo === null || hi === null) return `${formatTimes(ratio)} (indicative)`;
  return `${formatTimes(ratio)} (${formatTimes(lo).slice(0, -1)}–${formatTimes(hi).slice(0, -1)})`;
}

/** Is the comparison a claim in the candidate's favour? */
export function isClaimedBetter(comparison: Comparison | undefined): boolean {
  return comparison?.verdict === "better" || comparison?.verdict === "slightly-better";
}

/** The baseline of the transport scenarios. */
export const BASELINE: string = CONTENDERS.tcp.id;
