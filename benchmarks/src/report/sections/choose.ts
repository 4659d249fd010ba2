/**
 * "Which transport should I use?", answered by rule from the verdicts.
 *
 * - A contender is recommended over the baseline only when its verdict is in its favour, or when it has two modes and even
 *   the worse one is beyond the band of the baseline's better one; otherwise the simpler baseline stays.
 */
import { CONTENDERS, METRICS, SCENARIOS } from "../../results/ids.ts";
import { formatUs } from "../../results/quantities.ts";
import type { Comparison, Scenario, Wait } from "../../results/types.ts";
import { columns, type Section, table, text } from "../document.ts";
import { BASELINE, isClaimedBetter, onPlacement, paramsPhrase, ratioPhrase, type View } from "../view.ts";

interface Advice {
  readonly situation: string;
  readonly use: string;
  readonly because: string;
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
      .map((scenario) => {
        const found = winner(view, scenario, METRICS.p50.id, waits);
        return {
          situation: `${situation}, ${onPlacement(scenario.placement)}`,
          ...say(view, found, scenario, METRICS.p50.id),
        };
      }),
  );
}

function rateAdvice(view: View): Advice[] {
  const across = view.headlineScenarios(SCENARIOS.throughput.id);
  const extremes = [...new Set([across.at(0), across.at(-1)])].filter((scenario) => scenario !== undefined);
  return extremes.map((scenario) => {
    const found = winner(view, scenario, METRICS.rate.id, null);
    const situation = `As many messages a second as possible, ${paramsPhrase(scenario)}, ${onPlacement(scenario.placement)}`;
    return { situation, ...say(view, found, scenario, METRICS.rate.id) };
  });
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

/** The contender with the highest ratio among those whose verdict is in their favour. */
function winner(view: View, scenario: Scenario, metric: string, waits: readonly Wait[] | null): Comparison | null {
  const claims = scenario.comparisons.filter((each) => {
    const { wait } = view.contender(each.candidate);
    const allowed = waits === null || waits.includes(wait);
    return (
      each.base === BASELINE &&
      each.metric === metric &&
      allowed &&
      !view.isControl(each.candidate) &&
      isClaimedBetter(each)
    );
  });
  return claims.reduce<Comparison | null>((top, each) => ((each.ratio ?? 0) > (top?.ratio ?? 0) ? each : top), null);
}

/** The contender whose worse mode beats the baseline's better one by most. */
function betterInBothModes(view: View, scenario: Scenario, metric: string): { use: string; because: string } | null {
  const isLower = view.metric(metric).better === "lower";
  /** Worst first. */
  const modesOf = (id: string): number[] => {
    const summary = view.cell(scenario, id)?.summary;
    const single = metric === METRICS.rate.id ? summary?.rate : summary?.p50;
    const values = summary?.modes?.map((mode) => mode.value) ?? [single ?? Number.NaN];
    return values.sort((a, b) => (isLower ? b - a : a - b));
  };
  const shown = (values: readonly number[]): string => values.map((each) => view.quantity(each, metric)).join(" or ");
  const base = modesOf(BASELINE);
  let top: { use: string; because: string } | null = null;
  let topRatio = 0;
  for (const comparison of scenario.comparisons) {
    const { candidate, band, verdict } = comparison;
    if (comparison.base !== BASELINE || comparison.metric !== metric || verdict !== "two-modes") continue;
    if (view.isControl(candidate)) continue;
    const own = modesOf(candidate);
    const [worst = Number.NaN, best = Number.NaN] = [own[0], base.at(-1)];
    const ratio = isLower ? best / worst : worst / best;
    if (!(ratio > 1 + band && ratio > topRatio)) continue;
    topRatio = ratio;
    top = {
      use: view.contender(candidate).label,
      because: `${shown(own)} against TCP's ${shown(base)}: two modes, so no one ratio, but better in each.`,
    };
  }
  return top;
}

function say(
  view: View,
  found: Comparison | null,
  scenario: Scenario,
  metric: string,
): { use: string; because: string } {
  if (found === null) {
    return (
      betterInBothModes(view, scenario, metric) ?? {
        use: "TCP",
        because: "Nothing measured here is clearly better, and TCP is the simplest.",
      }
    );
  }
  const cell = view.cell(scenario, found.candidate);
  const base = view.cell(scenario, found.base);
  const shown = (each: typeof cell): string =>
    view.quantity(metric === METRICS.rate.id ? (each?.summary.rate ?? null) : (each?.summary.p50 ?? null), metric);
  const { wait, label } = view.contender(found.candidate);
  const cost = {
    spin: " Burns a core on each side, messages or not.",
    adaptive: " Burns a core for a while before it sleeps.",
  };
  return {
    use: label,
    because: `${ratioPhrase(found)}: ${shown(cell)} against ${shown(base)}.${wait === "spin" || wait === "adaptive" ? cost[wait] : ""}`,
  };
}
