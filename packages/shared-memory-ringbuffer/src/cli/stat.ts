/**
 * `shm stat NAME`: how much goes through a segment. Two looks, an interval apart, make one report; `--watch` goes on
 * until Ctrl-C, `--count` reports, or the segment's removal.
 */
import type { CounterName, CounterTotals } from "../counters.ts";
import type { LockState, SegmentObserver } from "../segment-observer.ts";
import { type Action, type Context, EXIT_FINE, observed, pauseFor, wholeNumber } from "./context.ts";
import { lockText, type ObjectView, viewObjects } from "./objects.ts";
import { bytesText, type Cell, count } from "./output.ts";
import { type ParticipantView, stateText, viewOf } from "./processes.ts";

const DEFAULT_INTERVAL_MS = 1000;
const MIN_INTERVAL_MS = 10;
const TWO_TO_32 = 2 ** 32;
const MS_A_SECOND = 1000;

interface Look {
  readonly atMs: number;
  readonly counters: CounterTotals;
  readonly objects: readonly ObjectView[];
}

interface Report {
  readonly time: string;
  readonly intervalMs: number;
  readonly lock: LockState;
  readonly participants: readonly ParticipantView[];
  readonly counters: CounterTotals;
  /** Of each counter. */
  readonly perSecond: CounterTotals;
  readonly objects: readonly (ObjectView & { readonly bytesPerSecond?: number })[];
}

export const stat: Action = async (context) => {
  const { output, options, stop } = context;
  const intervalMs = wholeNumber(options, "interval", DEFAULT_INTERVAL_MS, MIN_INTERVAL_MS);
  const reports = wholeNumber(options, "count", options.watch ? Number.POSITIVE_INFINITY : 1, 1);
  const observer = observed(context);
  try {
    let before = look(observer);
    for (let made = 0; made < reports; made++) {
      if (!(await pauseFor(intervalMs, stop))) break;
      if (observer.removed) {
        output.remark(`shm: the segment ${observer.name} was removed`);
        break;
      }
      const now = look(observer);
      print(context, observer, compare(observer, before, now));
      before = now;
    }
  } finally {
    observer.close();
  }
  return EXIT_FINE;
};

function look(observer: SegmentObserver): Look {
  return { atMs: performance.now(), counters: observer.counts(), objects: viewObjects(observer) };
}

function compare(observer: SegmentObserver, before: Look, now: Look): Report {
  const intervalMs = now.atMs - before.atMs;
  const rate = (amount: number): number => Math.round((amount * MS_A_SECOND) / intervalMs);
  const perSecond = Object.fromEntries(
    Object.entries(now.counters).map(([name, total]) => [name, rate(total - before.counters[name as CounterName])]),
  ) as CounterTotals;
  const objects = now.objects.map((object, at) => {
    const earlier = before.objects[at];
    if (object.writtenBytes === undefined || earlier?.writtenBytes === undefined) return object;
    const written = object.writtenBytes - earlier.writtenBytes;
    // A ring's positions wrap at 2^32.
    return { ...object, bytesPerSecond: rate(written < 0 && object.kind === "ring" ? written + TWO_TO_32 : written) };
  });
  const participants = observer.participants().map(viewOf);
  const time = new Date().toISOString();
  return { time, intervalMs, lock: observer.lock(), participants, counters: now.counters, perSecond, objects };
}

function print({ output }: Context, observer: SegmentObserver, report: Report): void {
  output.value({ name: observer.name, epoch: observer.epoch, ...report });
  const { participants, counters, perSecond } = report;
  output.line({ text: observer.name, style: "bold" }, `  ${report.time}`);
  const states = new Map<string, number>();
  for (const each of participants) states.set(stateText(each), (states.get(stateText(each)) ?? 0) + 1);
  const summary = [...states].map(([state, number]) => `${number} ${state}`).join(", ");
  output.line(`  participants  ${count(participants.length, "participant")}${summary === "" ? "" : `: ${summary}`}`);
  output.line(`  lock          ${lockText(report.lock)}`);
  const totals = Object.entries(counters).filter(([, total]) => total > 0);
  const shown = totals.map(([name, total]) => `${name} ${total} (${perSecond[name as CounterName]}/s)`);
  output.line(`  counters      ${shown.join("  ") || "all zero"}`);
  output.table(
    ["  OBJECT", "KIND", "DEPTH", "USED", "RATE"],
    report.objects.map((object): Cell[] => [
      `  ${object.id}`,
      object.kind,
      object.usedBytes === undefined ? "-" : bytesText(object.usedBytes),
      object.usedBytes === undefined || object.capacityBytes === undefined
        ? "-"
        : `${Math.round((object.usedBytes * 100) / object.capacityBytes)}%`,
      object.problem !== undefined
        ? { text: object.problem, style: "red" }
        : object.bytesPerSecond === undefined
          ? "-"
          : `${bytesText(object.bytesPerSecond)}/s`,
    ]),
  );
}
