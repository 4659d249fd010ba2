/**
 * "Which transport should I use?", answered by rule from the verdicts.
 *
 * - A contender is recommended over the baseline only when its verdict is in its favour, or when it has two modes and even
 *   the worse one is beyond the band of the baseline's better one; otherwise the simpler baseline stays.
 */
import { CONTENDERS, METRICS, SCENARIOS } from "../../results/ids.ts";
import { formatUs } from "../../results/quantities.ts";
import type { Comparison, Contender, Scenario, Wait } from "../../results/types.ts";
import { columns, type Section, table, text } from "../document.ts";
import { BASELINE, isClaimedBetter, onPlacement, paramsPhrase, ratioPhrase, type View } from "../view.ts";

/** A contender to use, by its label, and the figures that speak for it. */
export interface Choice {
  readonly use: string;
  readonly because: string;
}

/** A choice among measured contenders. */
export interface Chosen extends Choice {
  /** The contender's id. */
  readonly contender: string;
}

interface Advice extends Choice {
  readonly situation: string;
}

export function chooseSection(view: View): Section {
  const advice: Advice[] = [
    {
      situation: "The two sides may ever run on different machines",
      use: "TCP",
      because: "Shared memory ends at the machine. By design, not measured.",
    },
    ...latencyAdvice(view),
    ...rateAdvice(view),
    ...chatAdvice(view),
    ...webAdvice(view),
  ];
  return {
    id: "choose",
    title: "Which transport should I use?",
    blocks: [
      text(
        "Computed from this run: something other than TCP is named only where its interval lies in its favour. × is against TCP, above 1 is better.",
      ),
      table(
        "By situation",
        columns("If…", "Use", "Because, here"),
        advice.map(({ situation, use, because }) => [situation, `**${use}**`, because]),
      ),
    ],
  };
}

function latencyAdvice(view: View): Advice[] {
  const situations: readonly (readonly [string, readonly Wait[]])[] = [
    ["Same machine, ordinary event-loop programs, one message at a time", ["event-loop"]],
    ["Same machine, threads that may block while they wait", ["event-loop", "park", "adaptive"]],
    [
      "Same machine, lowest latency at any price, a core to spare on each side",
      ["event-loop", "park", "adaptive", "spin"],
    ],
  ];
  const scenarios = view.scenarios(SCENARIOS.roundTrip.id);
  return situations.flatMap(([situation, waits]) =>
    // Spinning needs a core on each side, so that situation doesn't exist on one.
    scenarios
      .filter((each) => !waits.includes("spin") || each.placement !== "same-cpu")
      .map((scenario) => ({
        situation: `${situation}, ${onPlacement(scenario.placement)}`,
        ...said(choose(view, scenario, METRICS.p50.id, ({ wait }) => waits.includes(wait))),
      })),
  );
}

function rateAdvice(view: View): Advice[] {
  const across = view.headlineScenarios(SCENARIOS.throughput.id);
  const extremes = [...new Set([across.at(0), across.at(-1)])].filter((scenario) => scenario !== undefined);
  return extremes.map((scenario) => ({
    situation: `As many messages a second as possible, ${paramsPhrase(scenario)}, ${onPlacement(scenario.placement)}`,
    ...said(choose(view, scenario, METRICS.rate.id)),
  }));
}

function chatAdvice(view: View): Advice[] {
  const scenario = view.scenario(SCENARIOS.chatDelivery.id);
  const comparison = view.comparison(scenario, CONTENDERS.chatShm.id, METRICS.p50.id);
  if (scenario === undefined || comparison === undefined) return [];
  const better = isClaimedBetter(comparison);
  return [
    {
      situation: `People chatting on one machine, ${onPlacement(scenario.placement)}`,
      use: better ? "the shared-memory room" : "the TCP server",
      because: `${isOneRatio(comparison) ? ratioPhrase(comparison) : "No one ratio"} at p50 for the room, which has no server in between; ${
        better
          ? "both are far below what a person notices, so convenience may decide"
          : "the server also reaches other machines"
      }.`,
    },
  ];
}

function webAdvice(view: View): Advice[] {
  const scenario = view.scenario(SCENARIOS.httpGateway.id);
  const comparison = view.comparison(scenario, CONTENDERS.gatewayShm.id, METRICS.rate.id, CONTENDERS.gatewayTcp.id);
  if (comparison === undefined) return [];
  const better = isClaimedBetter(comparison);
  const [nothing, tcp] = [CONTENDERS.gatewayNull, CONTENDERS.gatewayTcp].map(
    ({ id }) => view.cell(scenario, id)?.summary.p50 ?? null,
  );
  const floor =
    nothing == null || tcp == null
      ? ""
      : ` A request takes ${formatUs(nothing)} at p50 without any backend and ${formatUs(tcp)} over TCP.`;
  return [
    {
      situation: "The transport stands behind an HTTP server",
      use: better ? "shared memory, if its limits suit you" : "whichever is simpler: TCP",
      because: `${isOneRatio(comparison) ? ratioPhrase(comparison) : "No one ratio"} in requests a second for shared memory.${floor}`,
    },
  ];
}

function isOneRatio(comparison: Comparison): boolean {
  return comparison.ratio !== null;
}

const COST: Readonly<Record<string, string>> = {
  spin: " Burns a core on each side, messages or not.",
  adaptive: " Burns a core for a while before it sleeps.",
};

function said({ use, because }: Chosen): Choice {
  return { use, because };
}

/**
 * The contender that is better than the baseline by most, among those that `admits` lets in (all, unless given): by its
 * ratio when its verdict is in its favour, by its worse mode when it has two. The baseline when none is.
 */
export function choose(
  view: View,
  scenario: Scenario,
  metric: string,
  admits: (contender: Contender) => boolean = () => true,
): Chosen {
  let chosen: Chosen = {
    use: "TCP",
    because: "Nothing measured here is clearly better, and TCP is the simplest.",
    contender: BASELINE,
  };
  let most = 1;
  for (const comparison of scenario.comparisons) {
    const { base, candidate } = comparison;
    const { wait, label } = view.contender(candidate);
    if (base !== BASELINE || comparison.metric !== metric || view.isControl(candidate)) continue;
    if (!admits(view.contender(candidate))) continue;
    const times = isClaimedBetter(comparison)
      ? (comparison.ratio ?? 0)
      : worstCaseRatio(view, scenario, comparison, 1 + comparison.band);
    if (times <= most) continue;
    most = times;
    const [own, others] = [candidate, base].map((id) =>
      figures(view, scenario, id, metric)
        .map((value) => view.quantity(value, metric))
        .join(" or "),
    );
    const judged = isOneRatio(comparison)
      ? `${ratioPhrase(comparison)}: ${own} against ${others}.`
      : `${own} against ${others}: two modes, so no one ratio, but better in each.`;
    chosen = { use: label, because: `${judged}${COST[wait ?? ""] ?? ""}`, contender: candidate };
  }
  return chosen;
}

/** With two modes: how the candidate's worst compares with the baseline's best; 0 unless beyond `atLeast`. */
function worstCaseRatio(view: View, scenario: Scenario, comparison: Comparison, atLeast: number): number {
  if (comparison.verdict !== "two-modes") return 0;
  const own = figures(view, scenario, comparison.candidate, comparison.metric);
  const others = figures(view, scenario, comparison.base, comparison.metric);
  const ratio =
    view.metric(comparison.metric).better === "lower"
      ? Math.min(...others) / Math.max(...own)
      : Math.min(...own) / Math.max(...others);
  return ratio > atLeast ? ratio : 0;
}

/** A contender's modes, or its one figure. */
function figures(view: View, scenario: Scenario, contender: string, metric: string): number[] {
  const summary = view.cell(scenario, contender)?.summary;
  const single = metric === METRICS.rate.id ? summary?.rate : summary?.p50;
  return summary?.modes?.map((mode) => mode.value) ?? [single ?? Number.NaN];
}
