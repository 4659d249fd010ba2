/**
 * Runs blocks: each block every contender of every scenario once, in seeded random order, with a noise probe around it.
 *
 * - Measures; judges nothing. What comes out is what `buildResults` takes.
 * - Trims to the profile's budget through the schedule, adds blocks for what fell short while there is time, and lists
 *   what was left out and why.
 * - An aborted run keeps its whole trials and says that it is incomplete.
 */
import type { AnyContender } from "../contenders/contender.ts";
import { blockNoise, HICCUP_PROBE_MS, sampleNoise } from "../noise.ts";
import type { MeasuredScenario, MeasuredTrial } from "../results/build.ts";
import { scenarioKey } from "../results/ids.ts";
import type { BlockNoise, Contender, NoiseSample, Skipped } from "../results/types.ts";
import type { CellPlan, Scenario } from "../scenarios/scenario.ts";
import { seededRandom, shuffled } from "../stats/random.ts";
import type { Cleanup } from "./cleanup.ts";
import type { Machine } from "./machine.ts";
import type { Profile } from "./profile.ts";
import type { Progress } from "./progress.ts";
import { Schedule } from "./schedule.ts";
import type { Measurement } from "./trial.ts";

export interface RunInput {
  readonly scenarios: readonly Scenario[];
  readonly profile: Profile;
  readonly machine: Machine;
  readonly seed: number;
  readonly cleanup: Cleanup;
  readonly progress: Progress;
  /** Aborts the run: the trial under way is dropped. */
  readonly signal: AbortSignal;
}

export interface RunOutput {
  readonly scenarios: readonly MeasuredScenario[];
  readonly contenders: readonly Contender[];
  readonly blocks: readonly BlockNoise[];
  readonly skipped: readonly Skipped[];
  /** One line for each invalid trial. */
  readonly invalid: readonly string[];
  readonly measuredMs: number;
}

/** A cell with what has been measured in it. */
interface LiveCell {
  readonly key: string;
  readonly scenario: Scenario;
  readonly cell: CellPlan;
  readonly contenders: readonly AnyContender[];
  readonly trials: MeasuredTrial[];
  /** Blocks that ran it. */
  blocks: number;
}

export async function runBlocks(input: RunInput): Promise<RunOutput> {
  const { scenarios, profile, machine, seed, progress, signal } = input;
  const skipped: Skipped[] = [];
  const runnable = new Map(scenarios.map((scenario) => [scenario.id, availableOf(scenario, machine, skipped)]));
  const live = scenarios.flatMap((scenario) => liveCells(scenario, runnable.get(scenario.id) ?? [], input, skipped));
  const schedule = new Schedule(
    live.map(({ key, scenario, cell, contenders }) => ({
      key,
      scenario: scenario.id,
      rank: cell.rank,
      costMs: cell.costMs,
      contenders: contenders.map(({ info }) => info.id),
    })),
    new Map(scenarios.map(({ id, overheadMs }) => [id, overheadMs])),
    HICCUP_PROBE_MS,
  );
  const random = seededRandom(seed);
  const blocks: BlockNoise[] = [];
  const invalid: string[] = [];
  const startedMs = performance.now();
  const endMs = startedMs + profile.budgetMs;
  let names = 0;
  const context = {
    machine,
    cleanup: input.cleanup,
    uniqueName: () => `parley-bench-${process.pid}-${++names}`,
  };
  let noise = sampleNoise();
  for (let block = 0; !signal.aborted; block++) {
    const blocksLeft = Math.max(1, profile.blocks - block);
    const short = live.filter(({ blocks: done }) => done < profile.blocks);
    const plan = schedule.planBlock(endMs - performance.now(), blocksLeft, new Set(short.map(({ key }) => key)));
    if (plan.cells.size === 0) break;
    const planEndMs = performance.now() + plan.estimateMs * blocksLeft;
    for (const scenario of scenarios) {
      const cells = live.filter((each) => each.scenario === scenario && plan.cells.has(each.key));
      const order = shuffled(runnable.get(scenario.id) ?? [], random);
      for (const [position, contender] of order.entries()) {
        const own = cells.filter((each) => each.contenders.includes(contender));
        if (own.length === 0 || signal.aborted) continue;
        const leftMs = Math.min(planEndMs, endMs) - performance.now();
        progress.step({
          scenario: scenario.title,
          contender: contender.info.label,
          block: block + 1,
          blocks: Math.max(profile.blocks, block + 1),
          leftMs,
        });
        const cellsMs = own.reduce((sum, { cell }) => sum + cell.costMs, 0) * plan.scale;
        const beganMs = performance.now();
        const measured = await scenario.runTrial(
          contender,
          own.map(({ cell }) => cell),
          profile,
          plan.scale,
          context,
        );
        if (signal.aborted) break;
        schedule.observe(scenario.id, performance.now() - beganMs, cellsMs);
        own.forEach((target, i) => {
          const measurement = measured[i] as Measurement;
          target.trials.push({ ...measurement, contender: contender.info.id, block, position });
          const fault = faultOf(measurement);
          if (fault !== null) invalid.push(`${target.key}, ${contender.info.label}, block ${block + 1}: ${fault}`);
        });
      }
      if (!signal.aborted) for (const cell of cells) cell.blocks++;
    }
    const after: NoiseSample = signal.aborted ? noise : sampleNoise();
    blocks.push(blockNoise(block, noise, after));
    noise = after;
  }
  progress.done();
  for (const cell of live) if (cell.blocks < profile.blocks) skipped.push(outOfTime(cell, profile));
  if (signal.aborted) {
    skipped.push({ what: "the rest of the run", why: `interrupted in block ${blocks.length} of ${profile.blocks}` });
  }
  return {
    scenarios: live
      .filter(({ trials }) => trials.length > 0)
      .map(({ cell, trials, contenders }) => ({
        plan: cell.plan,
        trials,
        oversubscribed: contenders.filter((contender) => cell.oversubscribes(contender)).map(({ info }) => info.id),
      })),
    contenders: [...new Map([...runnable.values()].flat().map(({ info }) => [info.id, info])).values()],
    blocks,
    skipped,
    invalid,
    measuredMs: performance.now() - startedMs,
  };
}

function availableOf(scenario: Scenario, machine: Machine, skipped: Skipped[]): AnyContender[] {
  return scenario.contenders.filter((contender) => {
    const why = contender.available(machine);
    if (why !== undefined) skipped.push({ what: `${scenario.title}: ${contender.info.label}`, why });
    return why === undefined;
  });
}

function liveCells(
  scenario: Scenario,
  contenders: readonly AnyContender[],
  { profile, machine }: RunInput,
  skipped: Skipped[],
): LiveCell[] {
  return scenario.cells(profile, machine).flatMap((cell) => {
    const key = scenarioKey(cell.plan);
    const taking = contenders.filter((contender) => {
      const why = cell.excludes(contender);
      if (why !== undefined) skipped.push({ what: `${key}: ${contender.info.label}`, why });
      return why === undefined;
    });
    return taking.length === 0 ? [] : [{ key, scenario, cell, contenders: taking, trials: [], blocks: 0 }];
  });
}

function outOfTime({ key, blocks }: LiveCell, profile: Profile): Skipped {
  return {
    what: blocks === 0 ? key : `${key}: ${profile.blocks - blocks} of ${profile.blocks} blocks`,
    why: `no time left of the ${Math.round(profile.budgetMs / 1_000)} s for measuring`,
  };
}

function faultOf(measurement: Measurement): string | null {
  const { lost, duplicated, reordered, corrupted } = measurement;
  const counted = Object.entries({ lost, duplicated, reordered, corrupted })
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} ${kind}`);
  const parts = measurement.invalidReason === null ? counted : [measurement.invalidReason, ...counted];
  if (parts.length > 0) return parts.join(", ");
  return measurement.n > 0 ? null : "no message was measured";
}
