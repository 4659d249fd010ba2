/**
 * How long until another process goes on, after one was killed with -9 while it held the lock: from the kill to the
 * survivor's next append, which waits for the lock all the while.
 */
import type { AnyContender, RecoveryContender } from "../contenders/contender.ts";
import { CRASH_RECOVERY_ID, METRICS, planScenario, type ScenarioKind } from "../results/ids.ts";
import type { IntegrityCounts } from "../rig/integrity.ts";
import { removeNamedSegment } from "../rig/named-segments.ts";
import type { Peer, PeerOptions } from "../rig/peer-host.ts";
import type { Profile } from "../rig/profile.ts";
import { invalidMeasurement, type Measurement, startPeer, type TrialContext } from "../rig/trial.ts";
import { LatencyRecorder } from "../stats/recorder.ts";
import { monotonicNs } from "./chat-text.ts";
import type { CellPlan, Scenario } from "./scenario.ts";

const CALL_TIMEOUT_MS = 15_000;
const LOCK_TIMEOUT_MS = 10_000;
/** The survivor is asleep on the lock by then, as one that is really surprised would be. */
const UNTIL_ASLEEP_MS = 30;
const NS_PER_MS = 1e6;
/** What one holder's start, lock and death take. */
const RECOVERY_COST_MS = 250;

export const CRASH_RECOVERY: ScenarioKind = {
  id: CRASH_RECOVERY_ID,
  title: "Going on after a crash",
  question: "How long until another process goes on, after one was killed -9 while it held the lock?",
  level: "transport",
  loop: "closed",
  primaryMetric: METRICS.p50.id,
  bases: [],
  compared: [],
};

export function crashRecovery(contenders: readonly AnyContender[]): Scenario {
  return {
    id: CRASH_RECOVERY.id,
    title: CRASH_RECOVERY.title,
    contenders,
    overheadMs: 250,
    cells: ({ recoveries }): readonly CellPlan[] => [
      {
        plan: planScenario(CRASH_RECOVERY, "unpinned", {}),
        rank: 7,
        costMs: recoveries * RECOVERY_COST_MS,
        excludes: () => undefined,
        oversubscribes: () => false,
      },
    ],
    runTrial: async (contender, cells, profile, _scale, context) => {
      if (contender.kind !== "recovery") return cells.map(() => invalidMeasurement("not a log"));
      return [await runRecoveries(contender, profile, context)];
    },
  };
}

async function runRecoveries(
  { info }: RecoveryContender,
  { recoveries }: Profile,
  { cleanup, uniqueName }: TrialContext,
): Promise<Measurement> {
  const peers: Peer[] = [];
  const segment = uniqueName();
  const forget = cleanup.add(() => removeNamedSegment(segment));
  const options = (who: string): PeerOptions => ({
    boundary: "process",
    module: new URL("log-writer.ts", import.meta.url).href,
    label: `${info.id} ${who}`,
    cleanup,
  });
  try {
    const latencies = new LatencyRecorder();
    const survivor = await startPeer(peers, options("survivor"));
    await survivor.call("open", [segment], CALL_TIMEOUT_MS);
    for (let i = 0; i < recoveries; i++) {
      const holder = await startPeer(peers, options("holder"));
      await holder.call("open", [segment], CALL_TIMEOUT_MS);
      if (!(await holder.call<boolean>("holdLock", [LOCK_TIMEOUT_MS], CALL_TIMEOUT_MS))) {
        return invalidMeasurement("the holder did not get the lock");
      }
      const appending = survivor.call<{ doneNs: number; recovered: boolean }>(
        "append",
        [LOCK_TIMEOUT_MS],
        CALL_TIMEOUT_MS,
      );
      appending.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, UNTIL_ASLEEP_MS));
      const killedNs = monotonicNs();
      holder.kill();
      const { doneNs, recovered } = await appending;
      if (!recovered) return invalidMeasurement("the survivor was not told that the lock was recovered");
      latencies.record(doneNs - killedNs);
    }
    const { lost, duplicated, reordered, corrupted } = await survivor.call<IntegrityCounts>(
      "verify",
      [],
      CALL_TIMEOUT_MS,
    );
    await survivor.call("close", [], CALL_TIMEOUT_MS);
    const histogram = latencies.toHdr();
    return {
      ...invalidMeasurement(""),
      invalidReason: null,
      lost,
      duplicated,
      reordered,
      corrupted,
      n: latencies.count,
      durationMs: (histogram.mean * latencies.count) / NS_PER_MS,
      histogram,
    };
  } catch (error) {
    return invalidMeasurement((error as Error).message);
  } finally {
    await Promise.all(peers.map((peer) => peer.close()));
    removeNamedSegment(segment);
    forget();
  }
}
