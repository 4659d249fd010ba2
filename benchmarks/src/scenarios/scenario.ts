/**
 * What a scenario gives the runner: which cells there are, who takes part, and how one trial is run.
 *
 * - A cell is the scenario at one placement with one set of parameters. One trial of one contender, in fresh processes,
 *   measures all cells that are asked for.
 * - `rank` says what is given up first when time runs short: 0 never, the highest first.
 */
import type { AnyContender } from "../contenders/contender.ts";
import type { ScenarioPlan } from "../results/ids.ts";
import type { Machine } from "../rig/machine.ts";
import type { Profile } from "../rig/profile.ts";
import type { Measurement, TrialContext } from "../rig/trial.ts";

export interface CellPlan {
  readonly plan: ScenarioPlan;
  readonly rank: number;
  /** What the cell adds to a trial, warm-up included, milliseconds. */
  readonly costMs: number;
  /** Why this contender has no such cell; undefined when it has. */
  excludes(contender: AnyContender): string | undefined;
  /** More busy threads than CPUs. */
  oversubscribes(contender: AnyContender): boolean;
}

export interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly contenders: readonly AnyContender[];
  cells(profile: Profile, machine: Machine): readonly CellPlan[];
  /** What starting and ending the processes of a trial takes, milliseconds: a first guess, then measured. */
  readonly overheadMs: number;
  /**
   * Measures `cells` (those of `cells()` that are still wanted and not excluded) and answers in their order. `scale`
   * shortens the measured part when time is short (1: as planned). Doesn't reject: what fails is invalid, with a reason.
   */
  runTrial(
    contender: AnyContender,
    cells: readonly CellPlan[],
    profile: Profile,
    scale: number,
    context: TrialContext,
  ): Promise<readonly Measurement[]>;
}
