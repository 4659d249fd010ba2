/** Round trip: one message under way, echoed by the other end; on one core and on two. */

import type { AnyContender } from "../contenders/contender.ts";
import { PARAMS, planScenario, SCENARIOS } from "../results/ids.ts";
import { placementsOf } from "../rig/machine.ts";
import type { CellPlan, Scenario } from "./scenario.ts";
import { runPhases, STALL_MS, spinsOnOneCpu, WARMUP_MESSAGES } from "./transport-scenario.ts";

const MESSAGE_BYTES = 64;

export function roundTrip(contenders: readonly AnyContender[]): Scenario {
  return {
    id: SCENARIOS.roundTrip.id,
    title: SCENARIOS.roundTrip.title,
    contenders,
    overheadMs: 170,
    cells: ({ roundTrip: times }, machine) =>
      placementsOf(machine).map(
        (placement): CellPlan => ({
          plan: planScenario(SCENARIOS.roundTrip, placement, { [PARAMS.payloadBytes]: MESSAGE_BYTES }),
          rank: 0,
          costMs: times.warmupMs + times.measureMs,
          excludes: (contender) =>
            spinsOnOneCpu(contender, placement, machine)
              ? "two threads that spin on one CPU only take it from each other"
              : undefined,
          oversubscribes: () => false,
        }),
      ),
    runTrial: (contender, cells, { roundTrip: times, maxMessages }, scale, context) =>
      runPhases(
        contender,
        cells.map(({ plan }) => ({
          placement: plan.placement,
          task: {
            kind: "echo",
            bytes: MESSAGE_BYTES,
            warmupMs: times.warmupMs,
            warmupMessages: WARMUP_MESSAGES,
            measureMs: times.measureMs * scale,
            maxMessages,
            stallMs: STALL_MS,
          },
        })),
        context,
      ),
  };
}
