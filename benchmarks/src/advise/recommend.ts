/**
 * Six needs and one run's results to a recommendation, with the figures behind it.
 *
 * - What design decides (another machine, peers that don't trust each other) is decided first, and said not to be measured.
 * - Among what is left the report's own rule chooses (`choose`): something other than TCP only where its interval is in its favour.
 * - A rate beyond half of what TCP reached one by one is a question of throughput; below it latency is what differs.
 */
import { choose } from "../report/sections/choose.ts";
import { BASELINE, onPlacement, paramsPhrase, ratioPhrase, type View } from "../report/view.ts";
import { CRASH_RECOVERY_ID, METRICS, PARAMS, SCENARIOS } from "../results/ids.ts";
import { formatBytes, formatCount, formatUs } from "../results/quantities.ts";
import type { Cell, Contender, Placement, Scenario, Wait } from "../results/types.ts";
import type { Needs } from "./needs.ts";

export interface Recommendation {
  /** Label of what to use. */
  readonly use: string;
  /** Contender id. */
  readonly contender: string;
  readonly because: string;
  /** Whether the choice among what is possible rests on figures. */
  readonly isMeasured: boolean;
  readonly notes: readonly string[];
  /** What was compared; null when nothing fitting was measured. */
  readonly measuredAt: string | null;
  /** Messages a publish that the figures' rates were measured with. */
  readonly batch: number;
  readonly figures: readonly Figure[];
}

/** One contender's figures nearest to what is needed; null where not measured. */
export interface Figure {
  readonly contender: string;
  readonly label: string;
  readonly p50Us: number | null;
  readonly againstTcp: string;
  /** Messages a second, `batch` a publish; the worse one of two modes. */
  readonly rate: number | null;
  readonly cpuUsPerMessage: number | null;
  /** Cores kept busy at the rate that is needed, both sides together; at least two where a side spins. */
  readonly coresAtRate: number | null;
}

/** Beyond this part of what TCP reached one by one, throughput decides. */
const BUSY_SHARE = 0.5;
/** A transport should be able to do this many times what is needed. */
const HEADROOM = 2;
/** Sizes further than this from what was measured are said to be guesses. */
const FAR_IN_SIZE = 4;
/** Saving less than this part of the time is not worth a dependency on one machine. */
const HARDLY_ANYTHING = 0.01;

const POLITE: readonly Wait[] = ["event-loop", "park"];
const ANY: readonly Wait[] = [...POLITE, "adaptive", "spin"];

export function recommend(view: View, needs: Needs): Recommendation {
  const waits = needs.spareCores >= 2 ? ANY : POLITE;
  const admits = ({ design, wait }: Contender): boolean =>
    needs.sameMachine ? (needs.trust || design === "socket") && waits.includes(wait) : false;
  const placement: Placement = needs.spareCores >= 1 ? "across-cpus" : "same-cpu";
  const roundTrip = nearest(
    view.scenarios(SCENARIOS.roundTrip.id).filter((each) => each.placement === placement),
    needs,
  );
  const streams = view.scenarios(SCENARIOS.throughput.id);
  const single = nearest(
    streams.filter(({ params }) => params[PARAMS.batch] === 1),
    needs,
  );
  const tcpRate = rateOf(view.cell(single, BASELINE));
  const isBusy = tcpRate !== null && needs.messagesPerSecond > BUSY_SHARE * tcpRate;
  const scenario = isBusy ? enoughBatches(view, needs, streams, admits) : roundTrip;
  // Under load a wake-up serves many messages: CPU a message is then another than with one under way.
  const stream = isBusy ? scenario : single;
  const figures = figuresOf(view, needs, roundTrip, stream, isBusy ? stream : roundTrip, admits);
  const shared = {
    figures,
    batch: Number(stream?.params[PARAMS.batch] ?? 1),
    measuredAt: scenario === undefined ? null : phrase(scenario),
  };
  const notes = [...sizeNotes(scenario, needs), ...designNotes(needs)];
  if (!needs.sameMachine) {
    const because = "Shared memory and Unix sockets end at the machine: by design, not measured.";
    const loopback = "The figures are of one machine; a network between the two adds its own time.";
    notes.push(loopback, ...killNotes(view, needs, "socket"));
    return { use: "TCP", contender: BASELINE, because, isMeasured: false, notes, ...shared };
  }
  if (scenario === undefined) {
    const because = "This run measured nothing that fits, and TCP is the simplest.";
    return { use: "TCP", contender: BASELINE, because, isMeasured: false, notes, ...shared };
  }
  const metric = isBusy ? METRICS.rate.id : METRICS.p50.id;
  const chosen = choose(view, scenario, metric, admits);
  if (isBusy) notes.push(...busyNotes(view, needs, scenario, chosen.contender));
  else notes.push(...savingNotes(view, needs, scenario, chosen.contender));
  const { design, wait } = view.contender(chosen.contender);
  if (design === "shared-memory" && wait !== "event-loop") {
    const other = choose(view, scenario, metric, (each) => admits(each) && each.wait === "event-loop");
    notes.push(`On an event loop, where no thread may block: ${other.use}. ${other.because}`);
  }
  notes.push(...killNotes(view, needs, design));
  return { ...chosen, isMeasured: true, notes, ...shared };
}

/** Of scenarios that differ in size the one whose size is nearest, by its logarithm. */
function nearest(scenarios: readonly Scenario[], { messageBytes }: Needs): Scenario | undefined {
  const distance = ({ params }: Scenario): number =>
    Math.abs(Math.log(Number(params[PARAMS.payloadBytes] ?? 1) / messageBytes));
  return [...scenarios].sort((a, b) => distance(a) - distance(b))[0];
}

/** The smallest batch at which the best one does what is needed with room to spare, else the largest. */
function enoughBatches(
  view: View,
  needs: Needs,
  streams: readonly Scenario[],
  admits: (contender: Contender) => boolean,
): Scenario | undefined {
  const size = nearest(streams, needs)?.params[PARAMS.payloadBytes];
  const batches = streams
    .filter(({ params }) => params[PARAMS.payloadBytes] === size)
    .sort((a, b) => Number(a.params[PARAMS.batch]) - Number(b.params[PARAMS.batch]));
  const enough = batches.find((scenario) => {
    const { contender } = choose(view, scenario, METRICS.rate.id, admits);
    return (rateOf(view.cell(scenario, contender)) ?? 0) >= HEADROOM * needs.messagesPerSecond;
  });
  return enough ?? batches.at(-1);
}

function figuresOf(
  view: View,
  { messagesPerSecond, sameMachine }: Needs,
  roundTrip: Scenario | undefined,
  stream: Scenario | undefined,
  cost: Scenario | undefined,
  admits: (contender: Contender) => boolean,
): Figure[] {
  const measured = [roundTrip, stream].filter((scenario) => scenario !== undefined);
  const ids = [...new Set(measured.flatMap((scenario) => view.cells(scenario).map(({ contender }) => contender)))];
  return ids
    .filter((id) => !view.isControl(id) && (id === BASELINE || (sameMachine && admits(view.contender(id)))))
    .map((id): Figure => {
      const summary = view.cell(roundTrip, id)?.summary;
      const cpuUsPerMessage = view.cell(cost, id)?.summary.cpuUsPerMessage ?? null;
      const cores = cpuUsPerMessage === null ? null : (cpuUsPerMessage * messagesPerSecond) / 1e6;
      return {
        contender: id,
        label: view.contender(id).label,
        p50Us: summary?.p50 ?? null,
        againstTcp: ratioPhrase(view.comparison(roundTrip, id, METRICS.p50.id, BASELINE)),
        rate: rateOf(view.cell(stream, id)),
        cpuUsPerMessage,
        coresAtRate: view.contender(id).wait === "spin" ? 2 : cores,
      };
    });
}

function rateOf(cell: Cell | undefined): number | null {
  if (cell === undefined) return null;
  const { modes, rate } = cell.summary;
  return modes === null ? rate : Math.min(...modes.map(({ value }) => value));
}

function phrase(scenario: Scenario): string {
  return `${scenario.title}, ${paramsPhrase(scenario)}, ${onPlacement(scenario.placement)}`;
}

function sizeNotes(scenario: Scenario | undefined, { messageBytes }: Needs): string[] {
  const size = Number(scenario?.params[PARAMS.payloadBytes] ?? messageBytes);
  const ratio = Math.max(size / messageBytes, messageBytes / size);
  return ratio <= FAR_IN_SIZE
    ? []
    : [`${formatBytes(messageBytes)} is far from ${formatBytes(size)}, the nearest size that was measured: a guess.`];
}

function designNotes({ sameMachine, trust }: Needs): string[] {
  if (!sameMachine || trust) return [];
  return [
    "Whoever may write a segment can forge or stop it, so peers without trust get sockets: by design, not measured.",
  ];
}

function busyNotes(
  view: View,
  { messagesPerSecond, spareCores }: Needs,
  scenario: Scenario,
  contender: string,
): string[] {
  const rate = rateOf(view.cell(scenario, contender)) ?? 0;
  const need = formatCount(messagesPerSecond);
  const batch = scenario.params[PARAMS.batch];
  if (rate < messagesPerSecond) {
    return [
      `Not enough: ${need} a second are needed, ${formatCount(rate)} were reached. Larger batches, or fewer messages.`,
    ];
  }
  const shared = spareCores === 0 ? " That was on two cores; sharing one reaches less." : "";
  const tight = rate < HEADROOM * messagesPerSecond ? " That leaves little room." : "";
  return [
    `${need} a second is more than half of what TCP reached with one message a publish, so throughput decides, ` +
      `at ${batch === 1 ? "one message" : `${batch} messages`} a publish: ${formatCount(rate)} a second.${tight}${shared}`,
  ];
}

function savingNotes(view: View, { messagesPerSecond }: Needs, scenario: Scenario, contender: string): string[] {
  const [own, tcp] = [contender, BASELINE].map((id) => view.cell(scenario, id)?.summary.p50 ?? null);
  if (own == null || tcp == null || contender === BASELINE) return [];
  const savedUs = (tcp - own) * messagesPerSecond;
  const hardly = savedUs / 1e6 < HARDLY_ANYTHING;
  return [
    `What it buys: ${formatUs(tcp - own)} a message, at ${formatCount(messagesPerSecond)} a second ${formatUs(savedUs)} in each second.` +
      (hardly
        ? " Unless somebody waits for each single message, take TCP: it is simpler and reaches other machines."
        : ""),
  ];
}

function killNotes(view: View, { surviveKill }: Needs, design: Contender["design"]): string[] {
  if (!surviveKill) return [];
  if (design !== "shared-memory") {
    return [
      "kill -9: the kernel closes a dead peer's connection and what it hadn't sent is lost; the data must live in a third process. By design, not measured.",
    ];
  }
  const scenario = view.scenario(CRASH_RECOVERY_ID);
  const cell = scenario === undefined ? undefined : view.cells(scenario)[0];
  const keep = "Keep the data in the shared log: the segment outlives who dies, and its lock is taken over.";
  if (cell === undefined) return [`kill -9: ${keep} How long that takes was not measured in this run.`];
  const { p50, max, n, lost } = cell.summary;
  return [
    `kill -9: ${keep} After a lock holder was killed another went on after ${formatUs(p50)} at p50, ${formatUs(max)} at most ` +
      `(${n} kills, ${lost} messages lost). The other figures are of a ring between two, without that lock.`,
  ];
}
