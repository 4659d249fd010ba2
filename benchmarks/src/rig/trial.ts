/**
 * One trial of a transport contender: two fresh processes (or threads), one link, and one or more measured phases on it.
 *
 * - Fresh processes → handshake → for each phase: pin, warm up, measure, drain, verify → close.
 * - Phases of one trial differ in placement, batch or size, never in what the ends do, so that the code measured stays
 *   the code that was warmed up.
 * - What goes wrong makes a phase invalid with a reason; it never throws, so that the run can go on and say so.
 */
import { rmSync } from "node:fs";
import type { LinkSettings, TransportContender } from "../contenders/contender.ts";
import { socketPath } from "../contenders/socket-transport.ts";
import type { MeasuredTrial } from "../results/build.ts";
import type { Placement } from "../results/types.ts";
import { histogramOf } from "../stats/recorder.ts";
import type { Cleanup } from "./cleanup.ts";
import { cpusFor, type Machine } from "./machine.ts";
import { removeNamedSegment } from "./named-segments.ts";
import { Peer } from "./peer-host.ts";
import { pinThreads } from "./pinning.ts";
import type { Task } from "./tasks.ts";
import type { SideResult } from "./transport-peer.ts";
import { addUsage } from "./usage.ts";

const PEER_MODULE: string = new URL("transport-peer.ts", import.meta.url).href;
const CONNECT_TIMEOUT_MS = 10_000;
/** A watchdog allows a task this much more than it is meant to take. */
const RUN_GRACE_MS = 10_000;

/** What a trial measured, before it is put into its block. */
export type Measurement = Omit<MeasuredTrial, "contender" | "block" | "position">;

export interface Phase {
  readonly placement: Placement;
  readonly task: Task;
}

export interface TrialContext {
  readonly machine: Machine;
  readonly cleanup: Cleanup;
  /** A name that nothing else in the machine has. */
  uniqueName(): string;
}

export async function runTransportTrial(
  contender: TransportContender,
  phases: readonly Phase[],
  context: TrialContext,
): Promise<Measurement[]> {
  const measured: Measurement[] = [];
  const { machine, cleanup } = context;
  const boundary = contender.info.boundary;
  const windowBytes = Math.max(
    ...phases.map(({ task }) =>
      task.kind === "stream" ? Math.max(task.windowBytes, 2 * task.batch * task.bytes) : task.bytes,
    ),
  );
  const settings: LinkSettings = { ...contender.settings, name: context.uniqueName(), windowBytes, boundary };
  const forget = cleanup.add(() => removeLeftovers(settings));
  const peers: Peer[] = [];
  try {
    const started = await Promise.all(
      ["responder", "initiator"].map((side) =>
        startPeer(peers, { boundary, module: PEER_MODULE, label: `${contender.info.id} ${side}`, cleanup }),
      ),
    );
    const [responder, initiator] = started as [Peer, Peer];
    const address = await responder.call("listen", [contender.module, settings], CONNECT_TIMEOUT_MS);
    await initiator.call("connect", [contender.module, settings, address], CONNECT_TIMEOUT_MS);
    await responder.call("connected", [], CONNECT_TIMEOUT_MS);
    for (const { placement, task } of phases) {
      const cpus = cpusFor(machine, placement, 2);
      if (cpus !== null) await pinThreads([initiator.threadId, responder.threadId], cpus);
      const watchdogMs = 4 * task.warmupMs + 4 * task.measureMs + 2 * task.stallMs + RUN_GRACE_MS;
      const answering = responder.call<SideResult>("run", ["responder", task], watchdogMs);
      // Seen below; this keeps a peer that dies meanwhile from being an unhandled rejection.
      answering.catch(() => {});
      const asking = initiator.call<SideResult>("run", ["initiator", task], watchdogMs);
      const [asked, answered] = await Promise.all([asking, answering]);
      const measurement = combine(task, asked, answered, cpus);
      measured.push(measurement);
      // Both ends must start a phase in step; after a fault they no longer do.
      if (measurement.invalidReason !== null || measurement.lost > 0) break;
    }
    await Promise.all([
      initiator.call("close", [], CONNECT_TIMEOUT_MS),
      responder.call("close", [], CONNECT_TIMEOUT_MS),
    ]);
  } catch (error) {
    measured.length = Math.min(measured.length, phases.length - 1);
    measured.push(invalidMeasurement((error as Error).message));
  } finally {
    await Promise.all(peers.map((peer) => peer.close()));
    removeLeftovers(settings);
    forget();
  }
  while (measured.length < phases.length) measured.push(invalidMeasurement("an earlier phase of this trial failed"));
  return measured;
}

/** Starts a peer and remembers it, so that it is closed even if another one fails to start. */
export async function startPeer(peers: Peer[], options: Parameters<typeof Peer.start>[0]): Promise<Peer> {
  const peer = await Peer.start(options);
  peers.push(peer);
  return peer;
}

export function invalidMeasurement(reason: string): Measurement {
  return {
    invalidReason: reason,
    n: 0,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
    warmupMessages: 0,
    durationMs: 0,
    cpus: null,
    histogram: null,
    bytes: null,
    cpuUs: null,
    contextSwitches: null,
    extra: {},
  };
}

/** Both sides' reports as one measurement: an echo is timed where it began, a stream where it arrived. */
function combine(task: Task, asked: SideResult, answered: SideResult, cpus: readonly number[] | null): Measurement {
  const timed = task.kind === "echo" ? asked : answered;
  const faults = [asked.fault && `initiator: ${asked.fault}`, answered.fault && `responder: ${answered.fault}`].filter(
    (fault) => fault !== null,
  );
  // What the initiator of a stream sent and the responder never saw is lost, too.
  const unseen = task.kind === "stream" ? Math.max(0, asked.counts.received - answered.counts.received) : 0;
  const sum = (of: "duplicated" | "reordered" | "corrupted"): number => asked.counts[of] + answered.counts[of];
  const usage = addUsage(asked.usage, answered.usage);
  return {
    invalidReason: faults.length === 0 ? null : faults.join("; "),
    n: timed.measured,
    lost: Math.max(unseen, asked.counts.lost, answered.counts.lost),
    duplicated: sum("duplicated"),
    reordered: sum("reordered"),
    corrupted: sum("corrupted"),
    warmupMessages: asked.warmupMessages,
    durationMs: timed.durationMs,
    cpus,
    histogram: asked.latencies === null ? null : histogramOf(asked.latencies),
    bytes: timed.measured * task.bytes,
    cpuUs: usage.cpuUs,
    contextSwitches: usage.contextSwitches,
    extra: {},
  };
}

/** What killed ends may have left in the file system. Nothing there is fine. */
function removeLeftovers(settings: LinkSettings): void {
  rmSync(socketPath(settings), { force: true });
  removeNamedSegment(settings.name);
}
