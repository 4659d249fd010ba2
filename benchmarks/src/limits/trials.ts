/**
 * What is measured: each trial starts fresh processes (or threads), pins them, and gives figures with what was verified.
 *
 * - Messages are verified as message.ts says; whatever is corrupt makes the run fail.
 * - A trial that can't be done here (no C compiler, one CPU, no named segments) says why instead of running.
 */
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createAnonymousSegment } from "shared-memory-ringbuffer";
import type { Boundary, Placement } from "../results/types.ts";
import type { Cleanup } from "../rig/cleanup.ts";
import { cpusFor, type Machine } from "../rig/machine.ts";
import { removeNamedSegment } from "../rig/named-segments.ts";
import type { Peer } from "../rig/peer-host.ts";
import { pinThreads } from "../rig/pinning.ts";
import { startPeer } from "../rig/trial.ts";
import { monotonicNs } from "../scenarios/chat-text.ts";
import type { Random } from "../stats/random.ts";
import type { Floor } from "./c-floor.ts";
import { type EchoPlan, type Figures, PARTS, type StreamPlan, type Verified } from "./figures.ts";
import { RING_PAIR } from "./ring-pair.ts";

export interface LimitsContext {
  readonly machine: Machine;
  readonly cleanup: Cleanup;
  readonly random: Random;
  readonly floor: Floor | { readonly missing: string };
  /** Parts of a trial are this much shorter than in a full run. */
  readonly shorter: number;
  uniqueName(): string;
}

export interface Trial {
  readonly id: string;
  /** Why it can't be done here; undefined when it can. */
  unavailable(context: LimitsContext): string | undefined;
  run(context: LimitsContext): Promise<Figures>;
}

const CALL_TIMEOUT_MS = 15_000;
const MEASURE_TIMEOUT_MS = 90_000;

const SPIN_ECHO: EchoPlan = { warm: 100_000, count: 500_000, timed: 200_000 };
const SOCKET_ECHO: EchoPlan = { warm: 1_000, count: 0, timed: 5_000 };
const LOCK_PAIRS = 3_000_000;
const WAKES: { readonly warm: number; readonly count: number } = { warm: 1_000, count: 6_000 };
const IDLE_MS = 2_000;
const KILLS = 3;
/** The heir of the lock is asleep by then; a random while longer, so that kills fall anywhere in its slice. */
const UNTIL_ASLEEP_MS = 30;
const RANDOM_WAIT_MS = 20;

export type ShapeId = "in-place-64" | "copied-64" | "copied-1024" | "copied-4096" | "copied-65536";

/** Streams on our ring and in C. Batches are what fits into a quarter of the ring, 64 at most. */
export const SHAPES: Readonly<Record<ShapeId, StreamPlan>> = {
  "in-place-64": { bytes: 64, batch: 64, copied: false, warm: 5_120_000, count: 6_400_000 },
  "copied-64": { bytes: 64, batch: 64, copied: true, warm: 5_120_000, count: 6_400_000 },
  "copied-1024": { bytes: 1_024, batch: 64, copied: true, warm: 1_280_000, count: 1_600_000 },
  "copied-4096": { bytes: 4_096, batch: 32, copied: true, warm: 256_000, count: 400_000 },
  "copied-65536": { bytes: 65_536, batch: 2, copied: true, warm: 16_000, count: 40_000 },
};

const TCP_STREAMS: Readonly<Record<string, StreamPlan>> = {
  "tcp-each": { bytes: 64, batch: 1, copied: true, warm: 100_000, count: 600_000 },
  "tcp-batch": { bytes: 64, batch: 64, copied: true, warm: 512_000, count: 2_560_000 },
  "tcp-65536": { bytes: 65_536, batch: 1, copied: true, warm: 1_000, count: 8_000 },
};

/** Each message by itself, copied in and out, between threads. */
const THREAD_STREAM: StreamPlan = { bytes: 64, batch: 1, copied: true, warm: 1_000_000, count: 2_000_000 };

export const TRIALS: readonly Trial[] = [
  trial("ring-echo", "named", (context) => ringEcho(context)),
  trial("c-echo", "c", ({ floor, machine, shorter }) => {
    const { warm, count, timed } = shortened(SPIN_ECHO, shorter);
    return (floor as Floor).run(["echo", ...cpuArguments(machine), warm, count, timed]);
  }),
  trial("tcp-echo-across", "across", (context) => socketEcho(context, "across-cpus", false)),
  trial("tcp-echo-same", "any", (context) => socketEcho(context, "same-cpu", false)),
  trial("unix-echo-across", "across", (context) => socketEcho(context, "across-cpus", true)),
  trial("unix-echo-same", "any", (context) => socketEcho(context, "same-cpu", true)),
  ...Object.entries(SHAPES).flatMap(([id, shape]) => [
    trial(`ring-${id}`, "named", (context) => ringStream(context, shape)),
    trial(`c-${id}`, "c", ({ floor, machine, shorter }) => {
      const { bytes, batch, copied, warm, count } = shortened(shape, shorter);
      const how = copied ? "copied" : "inplace";
      return (floor as Floor).run(["stream", how, bytes, batch, warm, count, ...cpuArguments(machine)]);
    }),
  ]),
  ...Object.entries(TCP_STREAMS).map(([id, shape]) => trial(id, "across", (context) => tcpStream(context, shape))),
  trial("ring-lock", "named", (context) => ringLock(context)),
  trial("c-lock", "c", ({ floor, machine, shorter }) =>
    (floor as Floor).run(["lock", cpuArguments(machine)[0] as number, Math.ceil(LOCK_PAIRS / shorter)]),
  ),
  trial("wake-across", "named", (context) => wakeUp(context)),
  trial("bounce-across", "named", (context) => bounce(context, "across-cpus")),
  trial("bounce-same", "named", (context) => bounce(context, "same-cpu")),
  trial("idle", "named", (context) => idle(context)),
  trial("recovery", "named", (context) => recovery(context)),
  trial("threads-ours", "across", (context) => threadStream(context, "ours")),
  trial("threads-ringbuf", "across", (context) => threadStream(context, "ringbuf.js")),
];

type Needs = "any" | "across" | "named" | "c";

function trial(id: string, needs: Needs, run: Trial["run"]): Trial {
  return {
    id,
    run,
    unavailable({ machine, floor }) {
      if (needs === "c" && "missing" in floor) return floor.missing;
      if (needs === "named" && machine.cannotName !== null) return machine.cannotName;
      if (needs !== "any" && machine.cpus.length < 2) return "there is only one CPU";
      return undefined;
    },
  };
}

/** The parts of a plan, `shorter` times shorter, still multiples of the batch. */
function shortened<T extends EchoPlan | StreamPlan>(plan: T, shorter: number): T {
  // Each part that is timed has something in it.
  const unit = "batch" in plan ? plan.batch : PARTS;
  const short = (messages: number): number => Math.ceil(messages / shorter / unit) * unit;
  return "timed" in plan
    ? { ...plan, warm: short(plan.warm), count: short(plan.count), timed: short(plan.timed) }
    : { ...plan, warm: short(plan.warm), count: short(plan.count) };
}

/** For the C program: -1 leaves a side where the kernel puts it. */
function cpuArguments(machine: Machine): readonly number[] {
  return machine.cannotPin === null ? (cpusFor(machine, "across-cpus", 2) as number[]) : [-1, -1];
}

interface PairOptions {
  readonly module: string;
  readonly boundary?: Boundary;
  readonly placement?: Placement;
}

/** Two fresh peers, pinned; whatever they leave is removed. */
async function withPair<T>(
  context: LimitsContext,
  { module, boundary = "process", placement = "across-cpus" }: PairOptions,
  measure: (first: Peer, second: Peer, name: string) => Promise<T>,
): Promise<T> {
  const { machine, cleanup } = context;
  const name = context.uniqueName();
  const forget = cleanup.add(() => removeNamedSegment(name));
  const peers: Peer[] = [];
  const url = new URL(module, import.meta.url).href;
  try {
    const [first, second] = (await Promise.all(
      ["first", "second"].map((side) =>
        startPeer(peers, { boundary, module: url, label: `${module} ${side}`, cleanup }),
      ),
    )) as [Peer, Peer];
    const cpus = cpusFor(machine, machine.cannotPin === null ? placement : "unpinned", 2);
    if (cpus !== null) await pinThreads([first.threadId, second.threadId], cpus);
    const result = await measure(first, second, name);
    await Promise.all(peers.map((peer) => peer.call("close", [], CALL_TIMEOUT_MS)));
    return result;
  } finally {
    await Promise.all(peers.map((peer) => peer.close()));
    removeNamedSegment(name);
    forget();
  }
}

/** Calls both peers at once; a failure of either is this call's. */
function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  return Promise.all([first, second]);
}

const measured = <T>(peer: Peer, name: string, ...args: unknown[]): Promise<T> =>
  peer.call<T>(name, args, MEASURE_TIMEOUT_MS);

async function shareSegment(first: Peer, second: Peer, name: string): Promise<void> {
  await first.call("create", [name], CALL_TIMEOUT_MS);
  await second.call("attach", [name], CALL_TIMEOUT_MS);
}

function withOther(figures: Figures, { verified, corrupt }: Verified): Figures {
  return {
    ...figures,
    verified: (figures.verified ?? 0) + verified,
    corrupt: (figures.corrupt ?? 0) + corrupt,
  };
}

function ringEcho(context: LimitsContext): Promise<Figures> {
  const plan = shortened(SPIN_ECHO, context.shorter);
  return withPair(context, { module: "./ring-peer.ts" }, async (asking, answering, name) => {
    await shareSegment(asking, answering, name);
    const [asked, answered] = await both(
      measured<Figures>(asking, "echoAsk", plan),
      measured<Verified>(answering, "echoAnswer", plan),
    );
    return withOther(asked, answered);
  });
}

function ringStream(context: LimitsContext, shape: StreamPlan): Promise<Figures> {
  const plan = shortened(shape, context.shorter);
  return withPair(context, { module: "./ring-peer.ts" }, async (sending, receiving, name) => {
    await shareSegment(sending, receiving, name);
    const [received] = await both(
      measured<Figures>(receiving, "streamReceive", plan),
      measured(sending, "streamSend", plan),
    );
    return received;
  });
}

async function withSockets<T>(
  context: LimitsContext,
  placement: Placement,
  unix: boolean,
  measure: (connecting: Peer, listening: Peer) => Promise<T>,
): Promise<T> {
  const file = unix ? path.join(tmpdir(), `${context.uniqueName()}.sock`) : undefined;
  const removeFile = (): void => {
    if (file !== undefined) rmSync(file, { force: true });
  };
  const forget = context.cleanup.add(removeFile);
  try {
    return await withPair(context, { module: "./socket-peer.ts", placement }, async (connecting, listening) => {
      const where = await listening.call("listen", unix ? [file] : [], CALL_TIMEOUT_MS);
      await connecting.call("connect", [where], CALL_TIMEOUT_MS);
      await listening.call("connected", [], CALL_TIMEOUT_MS);
      return measure(connecting, listening);
    });
  } finally {
    removeFile();
    forget();
  }
}

function socketEcho(context: LimitsContext, placement: Placement, unix: boolean): Promise<Figures> {
  const plan = shortened(SOCKET_ECHO, context.shorter);
  return withSockets(context, placement, unix, async (asking, answering) => {
    const answered = measured<Verified>(answering, "echoAnswer", plan);
    const [asked, other] = await both(measured<Figures>(asking, "echoAsk", plan), answered);
    return withOther(asked, other);
  });
}

function tcpStream(context: LimitsContext, shape: StreamPlan): Promise<Figures> {
  const plan = shortened(shape, context.shorter);
  return withSockets(context, "across-cpus", false, async (receiving, sending) => {
    const [received] = await both(
      measured<Figures>(receiving, "streamReceive", plan),
      measured(sending, "streamSend", plan),
    );
    return received;
  });
}

function ringLock(context: LimitsContext): Promise<Figures> {
  return withPair(context, { module: "./lock-peer.ts" }, async (locking, _idle, name) => {
    await locking.call("open", [name], CALL_TIMEOUT_MS);
    return measured<Figures>(locking, "timeLock", Math.ceil(LOCK_PAIRS / context.shorter));
  });
}

function wakeUp(context: LimitsContext): Promise<Figures> {
  const warm = Math.ceil(WAKES.warm / context.shorter);
  const count = Math.ceil(WAKES.count / context.shorter);
  return withPair(context, { module: "./sleep-peer.ts" }, async (waking, sleeping, name) => {
    await shareSegment(waking, sleeping, name);
    const [woken] = await both(measured<Figures>(sleeping, "sleep", warm, count), measured(waking, "wake", count));
    return woken;
  });
}

function bounce(context: LimitsContext, placement: Placement): Promise<Figures> {
  const plan = shortened(SOCKET_ECHO, context.shorter);
  return withPair(context, { module: "./sleep-peer.ts", placement }, async (asking, answering, name) => {
    await shareSegment(asking, answering, name);
    const answered = measured<Verified>(answering, "bounceAnswer", plan);
    const [asked, other] = await both(measured<Figures>(asking, "bounceAsk", plan), answered);
    return withOther(asked, other);
  });
}

function idle(context: LimitsContext): Promise<Figures> {
  return withPair(context, { module: "./sleep-peer.ts" }, async (parked, loop, name) => {
    await shareSegment(parked, loop, name);
    const forMs = IDLE_MS / context.shorter;
    const [{ cpuPercent: parkedPercent }, { cpuPercent: loopPercent }] = await both(
      measured<{ cpuPercent: number }>(parked, "idleParked", forMs),
      measured<{ cpuPercent: number }>(loop, "idleLoop", forMs),
    );
    return { parkedPercent, loopPercent, verified: 0, corrupt: 0 };
  });
}

/** The slowest of a few recoveries: from the kill -9 to the heir having the lock. */
async function recovery(context: LimitsContext): Promise<Figures> {
  const recoveriesMs: number[] = [];
  const kills = Math.ceil(KILLS / context.shorter);
  for (let kill = 0; kill < kills; kill++) {
    // Drawn before anything is awaited, so that the seed decides it.
    const randomMs = context.random() * RANDOM_WAIT_MS;
    recoveriesMs.push(await oneRecovery(context, randomMs));
  }
  return { slowestMs: Math.max(...recoveriesMs), verified: kills, corrupt: 0 };
}

async function oneRecovery(context: LimitsContext, randomMs: number): Promise<number> {
  const { cleanup } = context;
  const name = context.uniqueName();
  const forget = cleanup.add(() => removeNamedSegment(name));
  const peers: Peer[] = [];
  const module = new URL("./lock-peer.ts", import.meta.url).href;
  try {
    const [holder, heir] = (await Promise.all(
      ["holder", "heir"].map((label) => startPeer(peers, { boundary: "process", module, label, cleanup })),
    )) as [Peer, Peer];
    await holder.call("open", [name], CALL_TIMEOUT_MS);
    await heir.call("open", [name], CALL_TIMEOUT_MS);
    if (!(await holder.call<boolean>("hold", [CALL_TIMEOUT_MS], CALL_TIMEOUT_MS)))
      throw new Error("no lock to die with");
    const inheriting = heir.call<{ doneNs: number; recovered: boolean }>("inherit", [CALL_TIMEOUT_MS], CALL_TIMEOUT_MS);
    inheriting.catch(() => {});
    await delay(UNTIL_ASLEEP_MS + randomMs);
    const killedNs = monotonicNs();
    holder.kill();
    const { doneNs, recovered } = await inheriting;
    if (!recovered) throw new Error("the heir was not told that the lock's last owner died");
    await heir.call("close", [], CALL_TIMEOUT_MS);
    return (doneNs - killedNs) / 1e6;
  } finally {
    await Promise.all(peers.map((peer) => peer.close()));
    removeNamedSegment(name);
    forget();
  }
}

function threadStream(context: LimitsContext, ring: "ours" | "ringbuf.js"): Promise<Figures> {
  const plan = shortened(THREAD_STREAM, context.shorter);
  const options: PairOptions = { module: "./copy-peer.ts", boundary: "thread" };
  return withPair(context, options, async (sending, receiving) => {
    const segment = ring === "ours" ? createAnonymousSegment(RING_PAIR) : undefined;
    try {
      if (segment !== undefined) {
        await sending.call("useOurs", [segment.memory.buffer, "writer"], CALL_TIMEOUT_MS);
        await receiving.call("useOurs", [segment.memory.buffer, "reader"], CALL_TIMEOUT_MS);
      } else {
        const storage = await sending.call("ringbufStorage", [], CALL_TIMEOUT_MS);
        await Promise.all([sending, receiving].map((peer) => peer.call("useRingbuf", [storage], CALL_TIMEOUT_MS)));
      }
      const [received] = await both(
        measured<Figures>(receiving, "streamReceive", plan),
        measured(sending, "streamSend", plan),
      );
      return received;
    } finally {
      segment?.close();
    }
  });
}
