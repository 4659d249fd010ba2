/**
 * The targets: each row a figure that one run gives, and what it must be and may reach for.
 *
 * - A figure is a ratio to C or to Node's sockets measured in the same run, so that it travels between machines.
 * - `why`: what stands between the figure and the reach, where that is known. It is printed where the reach is missed.
 */
import { LOCK_SLICE_MS } from "shared-memory-ringbuffer";
import type { Figures } from "./figures.ts";
import { SHAPES, type ShapeId } from "./trials.ts";

/** Figures of the trials of one run, by trial. A trial that wasn't made isn't there. */
export type RunFigures = ReadonlyMap<string, Figures>;

export interface Row {
  readonly id: string;
  readonly what: string;
  readonly unit: "×" | "%" | "slices";
  /** Whether a figure must be at most or at least the target. Without targets it is only shown. */
  readonly better: "lower" | "higher";
  readonly must: number | null;
  readonly reach: number | null;
  /** The trials that it is made of. */
  readonly trials: readonly string[];
  readonly figure: (run: RunFigures) => number;
  readonly why: string;
}

const ACROSS = "Waking a thread on the other, idle CPU costs the same for any doorbell and is most of it.";
const ROUND_TRIP =
  "Besides the clock it is cache lines that change sides, two after another each way (tail, record); C's is no shorter.";
const IN_PLACE =
  "Reserving costs 5 ns, because V8 keeps the handle's positions in memory where C has them in registers, and filling " +
  "16 words 5 more, each store checked against the view's bounds. C does both in 6.";
const SET_CALL = "TypedArray.set is a call, 8 ns for 64 bytes; C's copy is inlined. Reserving costs 5 ns more.";
const COPY = "The copy is most of it; the rest is reserving and handing over.";

function take(run: RunFigures, trial: string, figure: string): number {
  const value = run.get(trial)?.[figure];
  if (value === undefined) throw new Error(`${trial} has no figure ${figure}`);
  return value;
}

function ratio(numerator: readonly [string, string], denominator: readonly [string, string], factor = 1) {
  return {
    trials: [...new Set([numerator[0], denominator[0]])],
    figure: (run: RunFigures): number => (factor * take(run, ...numerator)) / take(run, ...denominator),
  };
}

const RATE = "messagesPerSecond";

function ofC(id: ShapeId, must: number, reach: number, why: string): Row {
  const { bytes, batch, copied } = SHAPES[id];
  const size = bytes < 1_024 ? `${bytes} B` : `${bytes / 1_024} KiB`;
  return {
    id: `${id}-of-c`,
    what: `${copied ? "copied in" : "in place"}, ${size}, ${batch} a publish: rate, of C's`,
    unit: "%",
    better: "higher",
    must,
    reach,
    ...ratio([`ring-${id}`, RATE], [`c-${id}`, RATE], 100),
    why,
  };
}

export const ROWS: readonly Row[] = [
  {
    id: "spin-mean",
    what: "spin round trip across processes, 64 B: mean, of C's",
    unit: "×",
    better: "lower",
    must: 1.3,
    reach: 1.1,
    ...ratio(["ring-echo", "meanNs"], ["c-echo", "meanNs"]),
    why: "V8's atomics are calls, and each wait reads the clock once before it spins.",
  },
  {
    id: "spin-p99",
    what: "the same: p99, of C's",
    unit: "×",
    better: "lower",
    must: 2,
    reach: 1.5,
    ...ratio(["ring-echo", "p99Ns"], ["c-echo", "p99Ns"]),
    why: "Garbage collection and compilation run beside the two spinning threads and take their CPUs now and then.",
  },
  {
    id: "spin-tcp-same",
    what: "spin round trip p50, Node TCP's on one CPU (its best) divided by it",
    unit: "×",
    better: "higher",
    must: 25,
    reach: 40,
    ...ratio(["tcp-echo-same", "p50Ns"], ["ring-echo", "p50Ns"]),
    why: ROUND_TRIP,
  },
  {
    id: "spin-tcp-across",
    what: "spin round trip p50, Node TCP's across CPUs divided by it",
    unit: "×",
    better: "higher",
    must: 200,
    reach: 300,
    ...ratio(["tcp-echo-across", "p50Ns"], ["ring-echo", "p50Ns"]),
    why: `${ROUND_TRIP} What TCP pays to wake an idle CPU is the machine's.`,
  },
  ofC("in-place-64", 50, 75, IN_PLACE),
  ofC("copied-64", 35, 75, SET_CALL),
  ofC("copied-1024", 50, 65, SET_CALL),
  ofC("copied-4096", 60, 72, COPY),
  ofC("copied-65536", 80, 90, COPY),
  {
    id: "rate-copied-tcp",
    what: "messages a second, 64 B: copied in, 64 a publish, against Node TCP writing each",
    unit: "×",
    better: "higher",
    must: 50,
    reach: 85,
    ...ratio(["ring-copied-64", RATE], ["tcp-each", RATE]),
    why: SET_CALL,
  },
  {
    id: "rate-copied-tcp-equal",
    what: "… the same at an equal batch: Node TCP writing 64 at once",
    unit: "×",
    better: "higher",
    must: null,
    reach: null,
    ...ratio(["ring-copied-64", RATE], ["tcp-batch", RATE]),
    why: "",
  },
  {
    id: "rate-in-place-tcp",
    what: "messages a second, 64 B: in place, 64 a publish, against Node TCP writing each",
    unit: "×",
    better: "higher",
    must: 100,
    reach: 160,
    ...ratio(["ring-in-place-64", RATE], ["tcp-each", RATE]),
    why: IN_PLACE,
  },
  {
    id: "rate-in-place-tcp-equal",
    what: "… the same at an equal batch: Node TCP writing 64 at once",
    unit: "×",
    better: "higher",
    must: null,
    reach: null,
    ...ratio(["ring-in-place-64", RATE], ["tcp-batch", RATE]),
    why: "",
  },
  {
    id: "bandwidth-tcp",
    what: "bandwidth at 64 KiB, copied in, against Node TCP",
    unit: "×",
    better: "higher",
    must: 15,
    reach: 24,
    ...ratio(["ring-copied-65536", RATE], ["tcp-65536", RATE]),
    why: "One copy by one CPU is the limit; TCP's two copies run on two CPUs at once.",
  },
  {
    id: "lock",
    what: "uncontended lock and unlock, owner tracked, of a plain futex lock in C",
    unit: "×",
    better: "lower",
    must: 3,
    reach: 2.2,
    ...ratio(["ring-lock", "pairNs"], ["c-lock", "pairNs"]),
    why: "Two Atomics calls, which V8 doesn't inline on views of this kind, at 8 to 12 ns each.",
  },
  {
    id: "wake-same",
    what: "event-loop wake-up p50, of half a Node Unix socket round trip, same CPU: half a round trip by doorbell",
    unit: "×",
    better: "lower",
    must: 1,
    reach: 0.6,
    ...ratio(["bounce-same", "p50Ns"], ["unix-echo-same", "p50Ns"]),
    why: "Both are a write, a wake and a turn of libuv's loop; the doorbell's write is a call through koffi.",
  },
  {
    id: "wake-across",
    what: "the same across CPUs: one way, from a writer that is awake",
    unit: "×",
    better: "lower",
    must: 1,
    reach: 0.6,
    ...ratio(["wake-across", "p50Ns"], ["unix-echo-across", "p50Ns"], 2),
    why: ACROSS,
  },
  {
    id: "wake-across-asleep",
    what: "… half a round trip by doorbell between two sleepers across CPUs, of half a Unix socket's",
    unit: "×",
    better: "lower",
    must: null,
    reach: null,
    ...ratio(["bounce-across", "p50Ns"], ["unix-echo-across", "p50Ns"]),
    why: "",
  },
  {
    id: "idle",
    what: "CPU of a process that waits, the worse of parked and event loop",
    unit: "%",
    better: "lower",
    must: 0.5,
    reach: 0.1,
    trials: ["idle"],
    figure: (run) => Math.max(take(run, "idle", "parkedPercent"), take(run, "idle", "loopPercent")),
    why: "A parked thread looks again every 50 ms and an event loop every 100 ms, so that a dead waker strands nobody.",
  },
  {
    id: "recovery",
    what: `lock of a holder killed with -9, slowest recovery of a run, in futex slices of ${LOCK_SLICE_MS} ms`,
    unit: "slices",
    better: "lower",
    must: 2,
    reach: 1.1,
    trials: ["recovery"],
    figure: (run) => take(run, "recovery", "slowestMs") / LOCK_SLICE_MS,
    why: "A killed process counts as dead once the kernel has ended its thread, which can miss the end of a slice.",
  },
  {
    id: "ringbuf",
    what: "between threads, 64 B copied in and out, each made visible by itself: rate against ringbuf.js",
    unit: "×",
    better: "higher",
    must: null,
    reach: null,
    ...ratio(["threads-ours", RATE], ["threads-ringbuf", RATE]),
    why: "",
  },
];
