/** What round trips and throughput share: one link, phases of one kind of task. */
import type { AnyContender, TransportContender } from "../contenders/contender.ts";
import type { Placement } from "../results/types.ts";
import type { Machine } from "../rig/machine.ts";
import type { Task } from "../rig/tasks.ts";
import { invalidMeasurement, type Measurement, runTransportTrial, type TrialContext } from "../rig/trial.ts";

/** A side that gets nothing for this long gives up: a message was lost. */
export const STALL_MS = 2_000;
/** Below this many messages code isn't warm, however long it took. */
export const WARMUP_MESSAGES = 300;
/** Unacknowledged bytes of a stream, the same for every transport. */
export const WINDOW_BYTES: number = 256 * 1_024;

/** Spinning threads that share a CPU only take it from each other. */
export function spinsOnOneCpu(contender: AnyContender, placement: Placement, machine: Machine): boolean {
  return contender.spinningThreads > 1 && (placement === "same-cpu" || machine.cpus.length < 2);
}

export async function runPhases(
  contender: AnyContender,
  phases: readonly { readonly placement: Placement; readonly task: Task }[],
  context: TrialContext,
): Promise<readonly Measurement[]> {
  if (contender.kind !== "transport") return phases.map(() => invalidMeasurement("not a transport"));
  return runTransportTrial(contender satisfies TransportContender, phases, context);
}
