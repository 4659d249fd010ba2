/**
 * The answer in three sentences, from the verdicts.
 *
 * - First like with like: both sides asleep on an event loop, same placement. Then spin, with what it burns. Then the chat.
 * - Every sentence carries wait strategy and placement; a missing scenario is said to be missing, not skipped in silence.
 */
import { CONTENDERS, METRICS, SCENARIOS } from "../results/ids.ts";
import { formatTimes, formatUs } from "../results/quantities.ts";
import type { Cell, Comparison, Scenario } from "../results/types.ts";
import { BASELINE, onPlacement, ratioPhrase, type View } from "./view.ts";

const P50 = METRICS.p50.id;

export function threeSentences(view: View): [string, string, string] {
  return [likeWithLike(view), spinning(view), chatting(view)];
}

/** A one-line account of the run's quality. */
export function qualityText(view: View): string {
  const { quality } = view.results;
  const headline = quality.aa.filter((check) => check.scenario === SCENARIOS.roundTrip.id && check.metric === P50);
  const reaches = headline.map((check) => check.halfWidth).filter((reach) => reach !== null);
  if (reaches.length === 0) return "no A/A interval: read every figure as indicative";
  const reach = `TCP against itself stayed within ±${Math.max(1, Math.ceil(Math.max(...reaches) * 100))}%`;
  return quality.grade === "C" ? `${reach}: nothing is claimed under 1.5×` : reach;
}

function likeWithLike(view: View): string {
  const scenarios = view.scenarios(SCENARIOS.roundTrip.id);
  const parts = scenarios.flatMap((scenario) => {
    const shared = view.cell(scenario, CONTENDERS.shmEventLoop.id);
    const tcp = view.cell(scenario, BASELINE);
    const comparison = view.comparison(scenario, CONTENDERS.shmEventLoop.id, P50, BASELINE);
    if (shared === undefined || tcp === undefined || comparison === undefined) return [];
    return [`${outcome(comparison, "TCP's")} ${onPlacement(scenario.placement)} (${pair(shared, tcp)})`];
  });
  if (parts.length === 0) {
    return "Like with like, both sides asleep on an event loop, was not measured in this run.";
  }
  return `With both sides asleep on an event loop, the round trip through ${sharedMemory(view, CONTENDERS.shmEventLoop.id)} at p50 is ${parts.join(", and ")}.`;
}

/** Where there are no named segments threads are measured, which are less than two processes: never left unsaid. */
function sharedMemory(view: View, id: string): string {
  return view.contender(id).boundary === "thread" ? "shared memory between threads" : "shared memory";
}

function spinning(view: View): string {
  const found = best(view, SCENARIOS.roundTrip.id, CONTENDERS.shmSpin.id, BASELINE);
  if (found === null) return "Spinning was not measured in this run.";
  const { scenario, candidate, base, comparison } = found;
  const cpu = `${formatUs(candidate.summary.cpuUsPerMessage)} of CPU a message against TCP's ${formatUs(base.summary.cpuUsPerMessage)}`;
  return (
    `Spinning ${onPlacement(scenario.placement)}, ${sharedMemory(view, CONTENDERS.shmSpin.id)} is ${outcome(comparison, "TCP")} (${pair(candidate, base)}), ` +
    `but it burns a core on each side, messages or not: ${cpu} under this load, both sides together.`
  );
}

function chatting(view: View): string {
  const found = best(view, SCENARIOS.chatDelivery.id, CONTENDERS.chatShm.id, CONTENDERS.chatTcp.id);
  if (found === null) return "The chat itself, one person's message to another, was not measured in this run.";
  const { scenario, candidate, base, comparison } = found;
  const start = `In the chat as people run it, all asleep on event loops ${onPlacement(scenario.placement)}, `;
  const way = "the way from one person to another through the shared-memory room";
  const end = "the socket path has a server in between and the room has none.";
  if (comparison.verdict === "two-modes") {
    const each = [`the room ${inModes(candidate)}`, `the TCP server ${inModes(base)}`].join(", ");
    return `${start}trials fell in two groups, so ${way} has no one ratio to that through the TCP server (p50: ${each}); ${end}`;
  }
  return `${start}${way} is at p50 ${outcome(comparison, "through the TCP server")} (${pair(candidate, base)}); ${end}`;
}

/** "97.7 µs or 364 µs", or the one p50 where the trials form one group. */
function inModes({ summary }: Cell): string {
  return summary.modes?.map((mode) => formatUs(mode.value)).join(" or ") ?? formatUs(summary.p50);
}

interface Found {
  readonly scenario: Scenario;
  readonly candidate: Cell;
  readonly base: Cell;
  readonly comparison: Comparison;
}

/** The first placement, separate cores first, at which both were measured. */
function best(view: View, id: string, candidateId: string, baseId: string): Found | null {
  for (const scenario of view.scenarios(id)) {
    const candidate = view.cell(scenario, candidateId);
    const base = view.cell(scenario, baseId);
    const comparison = view.comparison(scenario, candidateId, P50, baseId);
    if (candidate !== undefined && base !== undefined && comparison !== undefined) {
      return { scenario, candidate, base, comparison };
    }
  }
  return null;
}

function pair(candidate: Cell, base: Cell): string {
  return `${inModes(candidate)} against ${inModes(base)}`;
}

/** The verdict as a predicate about `base`: "3.4× (95% CI 3.1–3.8) faster than TCP". */
export function outcome(comparison: Comparison, base: string): string {
  const { ratio, lo, hi, verdict, band } = comparison;
  if (ratio === null) {
    return verdict === "two-modes"
      ? `in two modes against ${base}, so there is no one ratio`
      : `not compared with ${base}`;
  }
  const isFaster = ratio >= 1;
  const [size, from, to] = isFaster ? [ratio, lo, hi] : [1 / ratio, hi && 1 / hi, lo && 1 / lo];
  const ci =
    from === null || to === null ? "" : ` (95% CI ${formatTimes(from).slice(0, -1)}–${formatTimes(to).slice(0, -1)})`;
  const claim = `${formatTimes(size)}${ci} ${isFaster ? "faster" : "slower"} than ${base}`;
  switch (verdict) {
    case "better":
    case "worse":
      return claim;
    case "slightly-better":
    case "slightly-worse":
      return `slightly ${isFaster ? "faster" : "slower"} than ${base}, ${formatTimes(size)}${ci}`;
    case "no-practical-difference":
      return `no different in practice from ${base} (within ±${Math.round(band * 100)}%)`;
    case "no-measurable-difference":
      return `not measurably different from ${base}`;
    case "too-noisy":
      return `too noisy to compare with ${base}, ${ratioPhrase(comparison)}`;
    default:
      if (lo !== null && hi !== null && lo <= 1 && hi >= 1) {
        return `not measurably different from ${base} (95% CI ${formatTimes(lo).slice(0, -1)}–${formatTimes(hi)}, indicative only)`;
      }
      return `perhaps (indicative only) ${claim}`;
  }
}
