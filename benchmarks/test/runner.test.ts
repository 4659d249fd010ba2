import { expect, test } from "vitest";
import type { AnyContender } from "../src/contenders/contender.ts";
import { planScenario, SCENARIOS } from "../src/results/ids.ts";
import { Cleanup } from "../src/rig/cleanup.ts";
import type { Machine } from "../src/rig/machine.ts";
import { silentProgress } from "../src/rig/progress.ts";
import { type RunOutput, runBlocks } from "../src/rig/runner.ts";
import { invalidMeasurement, type Measurement } from "../src/rig/trial.ts";
import type { CellPlan, Scenario } from "../src/scenarios/scenario.ts";
import { faultyContender } from "./fixtures/faulty-contender.ts";
import { TINY } from "./fixtures/tiny-profile.ts";

const MACHINE: Machine = { cpus: [0, 1], cannotPin: null, cannotName: null, sharedMemoryBoundary: "process" };
const FINE: Measurement = { ...invalidMeasurement(""), invalidReason: null, n: 10, durationMs: 1 };

function contender(id: string, unavailable?: string): AnyContender {
  return { ...faultyContender("none", 10, { id, label: id.toUpperCase() }), available: () => unavailable };
}

function fakeScenario(
  contenders: readonly AnyContender[],
  cells: readonly Partial<CellPlan>[],
  runTrial: Scenario["runTrial"],
): Scenario {
  return {
    id: "fake",
    title: "Fake",
    contenders,
    overheadMs: 1,
    cells: () =>
      cells.map((cell, i) => ({
        plan: planScenario(SCENARIOS.roundTrip, "unpinned", { cell: i }),
        rank: 0,
        costMs: 1,
        excludes: () => undefined,
        oversubscribes: () => false,
        ...cell,
      })),
    runTrial,
  };
}

async function run(
  scenario: Scenario,
  seed: number,
  options: { blocks?: number; signal?: AbortSignal } = {},
): Promise<RunOutput> {
  return runBlocks({
    scenarios: [scenario],
    profile: { ...TINY, blocks: options.blocks ?? 2 },
    machine: MACHINE,
    seed,
    cleanup: new Cleanup(),
    progress: silentProgress,
    signal: options.signal ?? new AbortController().signal,
  });
}

const ok: Scenario["runTrial"] = (_contender, cells) => Promise.resolve(cells.map(() => FINE));
const LETTERS = ["a", "b", "c", "d", "e", "f"].map((id) => contender(id));

test("every contender runs once a block, in an order that the seed decides", async () => {
  const orderOf = async (seed: number): Promise<string[]> => {
    const { scenarios } = await run(fakeScenario(LETTERS, [{}], ok), seed);
    return scenarios[0]?.trials.map((trial) => `${trial.block}${trial.contender}`) ?? [];
  };
  const first = await orderOf(1);
  expect([...first].sort()).toEqual(
    [0, 1].flatMap((block) => ["a", "b", "c", "d", "e", "f"].map((id) => `${block}${id}`)),
  );
  expect(await orderOf(1)).toEqual(first);
  expect(await orderOf(2)).not.toEqual(first);
});

test("what can't run is listed with its reason, and the rest runs", async () => {
  const excludes = (one: AnyContender): string | undefined => (one.info.id === "a" ? "senseless" : undefined);
  const output = await run(
    fakeScenario([contender("a"), contender("b"), contender("z", "no luck")], [{ excludes }, {}], ok),
    1,
  );
  expect(output.skipped).toEqual([
    { what: "Fake: Z", why: "no luck" },
    { what: "round-trip unpinned cell=0: A", why: "senseless" },
  ]);
  expect(output.contenders.map(({ id }) => id)).toEqual(["a", "b"]);
  expect(output.scenarios.map(({ trials }) => trials.length)).toEqual([2, 4]);
});

test("a cell that there is no time for is left out and named", async () => {
  const output = await run(fakeScenario(LETTERS, [{}, { rank: 9, costMs: 1e6 }], ok), 1);
  expect(output.scenarios).toHaveLength(1);
  expect(output.skipped.map(({ what }) => what)).toEqual(["round-trip unpinned cell=1"]);
});

test("lost messages are reported as an invalid trial", async () => {
  const lossy: Scenario["runTrial"] = (_contender, cells) => Promise.resolve(cells.map(() => ({ ...FINE, lost: 2 })));
  const { invalid } = await run(fakeScenario([contender("a")], [{}], lossy), 1, { blocks: 1 });
  expect(invalid).toEqual(["round-trip unpinned cell=0, A, block 1: 2 lost"]);
});

test("an aborted run keeps whole trials, drops the one under way and says that it is incomplete", async () => {
  const controller = new AbortController();
  let trials = 0;
  const aborting: Scenario["runTrial"] = (_contender, cells) => {
    if (++trials === 3) controller.abort();
    return Promise.resolve(cells.map(() => FINE));
  };
  const output = await run(fakeScenario(LETTERS, [{}], aborting), 1, { signal: controller.signal });
  expect(output.scenarios[0]?.trials).toHaveLength(2);
  expect(output.skipped.at(-1)).toEqual({ what: "the rest of the run", why: "interrupted in block 1 of 2" });
});
