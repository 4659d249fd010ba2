/** Throughput: one way, as fast as the window allows, at equal batches for every contender. */
import type { AnyContender } from "../contenders/contender.ts";
import { PARAMS, planScenario, SCENARIOS } from "../results/ids.ts";
import { placementsOf } from "../rig/machine.ts";
import type { CellPlan, Scenario } from "./scenario.ts";
import { runPhases, STALL_MS, spinsOnOneCpu, WARMUP_MESSAGES, WINDOW_BYTES } from "./transport-scenario.ts";

export function throughput(contenders: readonly AnyContender[]): Scenario {
  return {
    id: SCENARIOS.throughput.id,
    title: SCENARIOS.throughput.title,
    contenders,
    overheadMs: 170,
    cells: ({ throughput: times, shapes }, machine) => {
      // Both ends are busy: sharing a core measures the scheduler, so only the first placement is taken.
      const placement = placementsOf(machine)[0] ?? "unpinned";
      return shapes.map(
        ({ bytes, batch }, i): CellPlan => ({
          plan: planScenario(SCENARIOS.throughput, placement, { [PARAMS.payloadBytes]: bytes, [PARAMS.batch]: batch }),
          rank: i === 0 ? 2 : 10 + i,
          costMs: times.warmupMs + times.measureMs,
          excludes: (contender) =>
            spinsOnOneCpu(contender, placement, machine)
              ? "two threads that spin on one CPU only take it from each other"
              : undefined,
          oversubscribes: () => machine.cpus.length < 2,
        }),
      );
    },
    runTrial: (contender, cells, { throughput: times, maxMessages }, scale, context) =>
      runPhases(
        contender,
        cells.map(({ plan }) => ({
          placement: plan.placement,
          task: {
            kind: "stream",
            bytes: Number(plan.params[PARAMS.payloadBytes]),
            batch: Number(plan.params[PARAMS.batch]),
            windowBytes: WINDOW_BYTES,
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
