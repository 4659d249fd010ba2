/**
 * One person's message until another person has it, as the apps are really run: client, server, client over TCP; two
 * clients and a segment through shared memory.
 *
 * - Two people talk in turn; both record how long the other's message took, one way, by the clock they share.
 * - The server has a CPU of its own where there is a third; otherwise it shares the responder's.
 */
import type { AnyContender, ChatContender } from "../contenders/contender.ts";
import { PARAMS, planScenario, SCENARIOS } from "../results/ids.ts";
import { clocksAgree } from "../rig/clock.ts";
import { cpusFor, placementsOf } from "../rig/machine.ts";
import { removeNamedSegment } from "../rig/named-segments.ts";
import type { Peer } from "../rig/peer-host.ts";
import { pinThreads } from "../rig/pinning.ts";
import type { Profile } from "../rig/profile.ts";
import { invalidMeasurement, type Measurement, startPeer, type TrialContext } from "../rig/trial.ts";
import { addUsage } from "../rig/usage.ts";
import { mergeHistograms } from "../stats/histogram.ts";
import { histogramOf } from "../stats/recorder.ts";
import type { ConversationReport, ConversationTask } from "./chat-peer.ts";
import { monotonicNs, TEXT_LENGTH } from "./chat-text.ts";
import type { CellPlan, Scenario } from "./scenario.ts";
import { cpuUsOf, type ServerProcess, startServer } from "./server-process.ts";
import { STALL_MS } from "./transport-scenario.ts";

const PEER_MODULE: string = new URL("chat-peer.ts", import.meta.url).href;
const CALL_TIMEOUT_MS = 15_000;

export function chatDelivery(contenders: readonly AnyContender[]): Scenario {
  return {
    id: SCENARIOS.chatDelivery.id,
    title: SCENARIOS.chatDelivery.title,
    contenders,
    overheadMs: 450,
    cells: ({ chat: times }, machine) =>
      placementsOf(machine).map(
        (placement, i): CellPlan => ({
          plan: planScenario(SCENARIOS.chatDelivery, placement, { [PARAMS.payloadBytes]: TEXT_LENGTH }),
          rank: i === 0 ? 1 : 6,
          costMs: times.warmupMs + times.measureMs,
          excludes: () => undefined,
          oversubscribes: () => false,
        }),
      ),
    runTrial: (contender, cells, profile, scale, context) => {
      if (contender.kind === "chat") return runChatTrial(contender, cells, profile, scale, context);
      return Promise.resolve(cells.map(() => invalidMeasurement("not a chat")));
    },
  };
}

async function runChatTrial(
  contender: ChatContender,
  cells: readonly CellPlan[],
  { chat: times, maxMessages }: Profile,
  scale: number,
  { machine, cleanup, uniqueName }: TrialContext,
): Promise<readonly Measurement[]> {
  const measured: Measurement[] = [];
  const peers: Peer[] = [];
  const segment = uniqueName();
  const forget = cleanup.add(() => removeNamedSegment(segment));
  let server: ServerProcess | undefined;
  try {
    const label = contender.info.id;
    const start = (who: string): Promise<Peer> =>
      startPeer(peers, { boundary: "process", module: PEER_MODULE, label: `${label} ${who}`, cleanup });
    const started = await Promise.all([
      start("sender"),
      start("receiver"),
      contender.scheme === "tcp" ? startServer(cleanup).then((up) => (server = up)) : undefined,
    ]);
    const [sender, receiver] = started;
    const url = server?.url ?? `shm://${segment}`;
    await sender.call("join", [url, "ada"], CALL_TIMEOUT_MS);
    await receiver.call("join", [url, "grace"], CALL_TIMEOUT_MS);
    const oneWay =
      (await clocksAgree(monotonicNs, () => sender.call("clockNs", [], CALL_TIMEOUT_MS))) &&
      (await clocksAgree(monotonicNs, () => receiver.call("clockNs", [], CALL_TIMEOUT_MS)));
    const talk = async (forMs: number): Promise<[ConversationReport, ConversationReport]> => {
      const task: ConversationTask = { forMs, maxMessages, stallMs: STALL_MS, oneWay };
      const watchdogMs = forMs + 4 * STALL_MS;
      const answering = receiver.call<ConversationReport>("converse", ["responder", task], watchdogMs);
      answering.catch(() => {});
      return Promise.all([sender.call<ConversationReport>("converse", ["initiator", task], watchdogMs), answering]);
    };
    for (const { plan } of cells) {
      const threads = [sender.threadId, receiver.threadId, ...(server === undefined ? [] : [server.pid])];
      const cpus = cpusFor(machine, plan.placement, threads.length);
      if (cpus !== null) await pinThreads(threads, cpus);
      const warm = await talk(times.warmupMs);
      const serverBeforeUs = server === undefined ? 0 : cpuUsOf(server.pid);
      const reports = await talk(times.measureMs * scale);
      const serverAfterUs = server === undefined ? 0 : cpuUsOf(server.pid);
      const serverUs = serverBeforeUs === null || serverAfterUs === null ? null : serverAfterUs - serverBeforeUs;
      measured.push(combine(reports, warm[0].counts.received + warm[1].counts.received, serverUs, cpus, oneWay));
    }
    await Promise.all([sender.call("close", [], CALL_TIMEOUT_MS), receiver.call("close", [], CALL_TIMEOUT_MS)]);
  } catch (error) {
    measured.length = Math.min(measured.length, cells.length - 1);
    measured.push(invalidMeasurement((error as Error).message));
  } finally {
    await Promise.all([...peers.map((peer) => peer.close()), server?.stop()]);
    removeNamedSegment(segment);
    forget();
  }
  while (measured.length < cells.length) measured.push(invalidMeasurement("an earlier phase of this trial failed"));
  return measured;
}

function combine(
  reports: readonly [ConversationReport, ConversationReport],
  warmupMessages: number,
  serverUs: number | null,
  cpus: readonly number[] | null,
  oneWay: boolean,
): Measurement {
  const [asked, answered] = reports;
  const sum = (of: "received" | "lost" | "duplicated" | "reordered" | "corrupted"): number =>
    asked.counts[of] + answered.counts[of];
  const usage = addUsage(addUsage(asked.usage, answered.usage), { cpuUs: serverUs, contextSwitches: 0 });
  const histograms = reports.flatMap(({ latencies }) => (latencies === null ? [] : [histogramOf(latencies)]));
  const faults = reports.flatMap(({ fault }) => (fault === null ? [] : [fault]));
  return {
    invalidReason: faults.length === 0 ? null : faults.join("; "),
    n: sum("received"),
    lost: sum("lost"),
    duplicated: sum("duplicated"),
    reordered: sum("reordered"),
    corrupted: sum("corrupted"),
    warmupMessages,
    durationMs: asked.durationMs,
    cpus,
    histogram: histograms.length === 0 ? null : mergeHistograms(histograms),
    bytes: sum("received") * TEXT_LENGTH,
    cpuUs: usage.cpuUs,
    contextSwitches: serverUs === null || serverUs > 0 ? null : usage.contextSwitches,
    extra: { oneWayClock: oneWay ? 1 : 0 },
  };
}
