/**
 * What a web user notices: autocannon posts to a gateway that answers once the room has the message.
 *
 * - Load generator on one CPU; gateway, the room's server and a reader in the room on the other. Everything else equal.
 * - Every message is verified by the reader; any error, timeout or answer that isn't 2xx makes the trial invalid.
 */
import type { AnyContender, GatewayContender } from "../contenders/contender.ts";
import type { LoadReport } from "../gateway/load.ts";
import { PARAMS, planScenario, SCENARIOS } from "../results/ids.ts";
import type { IntegrityCounts } from "../rig/integrity.ts";
import { cpusFor, placementsOf } from "../rig/machine.ts";
import { removeNamedSegment } from "../rig/named-segments.ts";
import type { Peer } from "../rig/peer-host.ts";
import { pinThreads } from "../rig/pinning.ts";
import type { Profile } from "../rig/profile.ts";
import { invalidMeasurement, type Measurement, startPeer, type TrialContext } from "../rig/trial.ts";
import { addUsage, type Usage } from "../rig/usage.ts";
import { histogramOf } from "../stats/recorder.ts";
import { TEXT_LENGTH } from "./chat-text.ts";
import type { CellPlan, Scenario } from "./scenario.ts";
import { cpuUsOf, type ServerProcess, startServer } from "./server-process.ts";

const CALL_TIMEOUT_MS = 15_000;
const LOAD_GRACE_MS = 15_000;
const VERIFY_MS = 2_000;
const NO_USAGE: Usage = { cpuUs: 0, contextSwitches: 0 };

export function httpGateway(contenders: readonly AnyContender[]): Scenario {
  return {
    id: SCENARIOS.httpGateway.id,
    title: SCENARIOS.httpGateway.title,
    contenders,
    overheadMs: 400,
    cells: ({ gateway: times, gatewayConnections }, machine) => {
      const plan = planScenario(SCENARIOS.httpGateway, placementsOf(machine)[0] ?? "unpinned", {
        [PARAMS.connections]: gatewayConnections,
        [PARAMS.payloadBytes]: TEXT_LENGTH,
      });
      const cell: CellPlan = {
        plan,
        rank: 5,
        costMs: times.warmupMs + times.measureMs,
        excludes: () => undefined,
        oversubscribes: (contender) => contender.info.design !== "none" && machine.cpus.length < 3,
      };
      return [cell];
    },
    runTrial: async (contender, cells, profile, scale, context) => {
      const cell = cells[0];
      if (contender.kind !== "gateway" || cell === undefined)
        return cells.map(() => invalidMeasurement("not a gateway"));
      return [await runGatewayTrial(contender, cell, profile, scale, context)];
    },
  };
}

async function runGatewayTrial(
  contender: GatewayContender,
  { plan }: CellPlan,
  { gateway: times, gatewayConnections }: Profile,
  scale: number,
  { machine, cleanup, uniqueName }: TrialContext,
): Promise<Measurement> {
  const peers: Peer[] = [];
  const segment = uniqueName();
  const forget = cleanup.add(() => removeNamedSegment(segment));
  let server: ServerProcess | undefined;
  try {
    const start = (module: string): Promise<Peer> =>
      startPeer(peers, {
        boundary: "process",
        module: new URL(`../gateway/${module}.ts`, import.meta.url).href,
        label: `${contender.info.id} ${module}`,
        cleanup,
      });
    const [load, gateway, reader] = await Promise.all([
      start("load"),
      start("gateway"),
      contender.backend === "null" ? undefined : start("reader"),
      contender.backend === "tcp" ? startServer(cleanup).then((up) => (server = up)) : undefined,
    ]);
    const url = contender.backend === "null" ? null : (server?.url ?? `shm://${segment}`);
    await reader?.call("join", [url], CALL_TIMEOUT_MS);
    const port = await gateway.call<number>("start", [url], CALL_TIMEOUT_MS);
    const behind = [gateway.threadId, reader?.threadId, server?.pid].filter((thread) => thread !== undefined);
    const cpus = cpusFor(machine, plan.placement, 1 + behind.length);
    if (cpus !== null) await pinThreads([load.threadId, ...behind], cpus);
    const post = (forMs: number): Promise<LoadReport> =>
      load.call<LoadReport>("post", [port, gatewayConnections, forMs], forMs + LOAD_GRACE_MS);
    const warm = await post(times.warmupMs);
    await Promise.all([
      gateway.call("beginMeasuring", [], CALL_TIMEOUT_MS),
      reader?.call("beginMeasuring", [], CALL_TIMEOUT_MS),
    ]);
    const serverBeforeUs = server === undefined ? 0 : cpuUsOf(server.pid);
    const report = await post(times.measureMs * scale);
    const serverAfterUs = server === undefined ? 0 : cpuUsOf(server.pid);
    const used = [
      await gateway.call<Usage>("endMeasuring", [], CALL_TIMEOUT_MS),
      (await reader?.call<Usage>("endMeasuring", [], CALL_TIMEOUT_MS)) ?? NO_USAGE,
      {
        cpuUs: serverBeforeUs === null || serverAfterUs === null ? null : serverAfterUs - serverBeforeUs,
        contextSwitches: server === undefined ? 0 : null,
      },
    ].reduce(addUsage);
    const { sent, acknowledged } = await gateway.call<{ sent: number; acknowledged: number }>(
      "drain",
      [],
      CALL_TIMEOUT_MS,
    );
    const counts = await reader?.call<IntegrityCounts>("verify", [sent, VERIFY_MS], CALL_TIMEOUT_MS);
    const faults = [
      warm.fault,
      report.fault,
      acknowledged < warm.requests + report.requests ? "more answers than acknowledged messages" : null,
    ].filter((fault) => fault !== null);
    await Promise.all(peers.map((peer) => (peer === load ? undefined : peer.call("close", [], CALL_TIMEOUT_MS))));
    return {
      invalidReason: faults.length === 0 ? null : faults.join("; "),
      n: report.requests,
      lost: counts?.lost ?? 0,
      duplicated: counts?.duplicated ?? 0,
      reordered: counts?.reordered ?? 0,
      corrupted: counts?.corrupted ?? 0,
      warmupMessages: warm.requests,
      durationMs: report.durationMs,
      cpus,
      histogram: report.latencies === null ? null : histogramOf(report.latencies),
      bytes: report.requests * TEXT_LENGTH,
      cpuUs: used.cpuUs,
      contextSwitches: used.contextSwitches,
      extra: {},
    };
  } catch (error) {
    return invalidMeasurement((error as Error).message);
  } finally {
    await Promise.all([...peers.map((peer) => peer.close()), server?.stop()]);
    removeNamedSegment(segment);
    forget();
  }
}
