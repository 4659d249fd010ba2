import { afterEach, expect, test } from "vitest";
import { clocksAgree } from "../src/rig/clock.ts";
import { cpusFor, inspectMachine, type Machine, placementsOf } from "../src/rig/machine.ts";
import { createProgress } from "../src/rig/progress.ts";

const TWO: Machine = { cpus: [2, 5], cannotPin: null, cannotName: null, sharedMemoryBoundary: "process" };

const segmentFolder = process.env.SHM_DIR;
afterEach(() => {
  if (segmentFolder === undefined) delete process.env.SHM_DIR;
  else process.env.SHM_DIR = segmentFolder;
});

test("where segments have no room, threads are measured instead and the reason is kept", () => {
  process.env.SHM_DIR = "/nowhere";
  const machine = inspectMachine();
  expect(machine.sharedMemoryBoundary).toBe("thread");
  expect(machine.cannotName).toContain("/nowhere");
});

test("two CPUs give both placements, one CPU one, and none where nothing can be pinned", () => {
  expect(placementsOf(TWO)).toEqual(["across-cpus", "same-cpu"]);
  expect(placementsOf({ ...TWO, cpus: [3] })).toEqual(["same-cpu"]);
  expect(placementsOf({ ...TWO, cannotPin: "no taskset" })).toEqual(["unpinned"]);
});

test("sides past the number of CPUs share the last one", () => {
  expect(cpusFor(TWO, "across-cpus", 3)).toEqual([2, 5, 5]);
  expect(cpusFor(TWO, "same-cpu", 2)).toEqual([2, 2]);
  expect(cpusFor(TWO, "unpinned", 2)).toBeNull();
});

test("a clock that is ahead or behind is found out", async () => {
  const here = (): number => performance.now();
  expect(await clocksAgree(here, async () => here())).toBe(true);
  expect(await clocksAgree(here, async () => here() + 1_000)).toBe(false);
  expect(await clocksAgree(here, async () => here() - 1_000)).toBe(false);
});

test("off a terminal, progress is a plain line for each scenario of a block", () => {
  let written = "";
  const progress = createProgress({ write: (text) => (written += text) });
  const step = { scenario: "Round trip", contender: "TCP", block: 1, blocks: 5, leftMs: 40_400 };
  progress.step(step);
  progress.step({ ...step, contender: "Unix socket" });
  progress.step({ ...step, block: 2 });
  expect(written.split("\n").filter(Boolean)).toEqual([
    "block 1/5: Round trip, first TCP, about 40 s left",
    "block 2/5: Round trip, first TCP, about 40 s left",
  ]);
});

test("on a terminal, progress is one line that is rewritten and cut to the width", () => {
  let written = "";
  const progress = createProgress({ isTTY: true, columns: 20, write: (text) => (written += text) });
  progress.step({ scenario: "Round trip", contender: "TCP", block: 1, blocks: 5, leftMs: 1_000 });
  progress.done();
  expect(written).not.toContain("\n");
  expect(written.endsWith("\r\u001b[K")).toBe(true);
});
