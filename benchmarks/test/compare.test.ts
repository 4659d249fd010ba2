/** Whole comparisons, as short as they can be, with real processes, sockets and segments. */
import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { allContenders } from "../src/contenders/index.ts";
import type { Results } from "../src/results/types.ts";
import { allScenarios } from "../src/scenarios/index.ts";
import { roundTrip } from "../src/scenarios/round-trip.ts";
import { faultyContender } from "./fixtures/faulty-contender.ts";
import { TINY, temporaryFolder, tinyRun } from "./fixtures/tiny-run.ts";

const environment = { ...process.env };
afterEach(() => {
  for (const name of ["SHM_DISABLE_NAMED", "PATH"]) {
    if (environment[name] === undefined) delete process.env[name];
    else process.env[name] = environment[name];
  }
});

function trialsOf(results: Results): { where: string; n: number; lost: number; reason: string | null }[] {
  return results.scenarios.flatMap(({ id, cells }) =>
    cells.flatMap(({ contender, trials }) =>
      trials.map(({ n, lost, invalidReason }) => ({ where: `${id} ${contender}`, n, lost, reason: invalidReason })),
    ),
  );
}

/** Sockets, segments, pipes and caches of this process's runs that are still there. */
function leftovers(): string[] {
  const own = `parley-bench-${process.pid}-`;
  return ["/dev/shm", tmpdir()]
    .filter(existsSync)
    .flatMap((folder) => readdirSync(folder).filter((f) => f.includes(own)));
}

test("a run takes every contender through every scenario, loses nothing and leaves nothing behind", async () => {
  const { exitCode, results, stdout, stderr, folder } = await tinyRun();
  for (const trial of trialsOf(results)) expect(trial).toMatchObject({ lost: 0, reason: null });
  expect(trialsOf(results).filter(({ n }) => n === 0)).toEqual([]);
  const measured = new Set(results.scenarios.flatMap(({ cells }) => cells.map(({ contender }) => contender)));
  expect([...measured].sort()).toEqual(results.contenders.map(({ id }) => id).sort());
  expect(results.contenders.map(({ id }) => id)).toContain("tcp-again");
  expect(new Set(results.scenarios.map(({ id }) => id)).size).toBe(5);
  expect(exitCode).toBe(0);
  for (const file of ["report.md", "index.html", "results.json", "trials.ndjson"]) {
    expect(existsSync(path.join(folder, "latest", file)), file).toBe(true);
  }
  expect(stdout).toMatch(/^1\. .+\n2\. .+\n3\. .+$/m);
  expect(stdout).toContain("file:///");
  expect(stderr).toContain("block 1/1: Round trip");
  expect(leftovers()).toEqual([]);
});

test("five blocks give every comparison a ratio, an interval and a sentence", async () => {
  const { results } = await tinyRun({
    profile: { ...TINY, blocks: 5 },
    scenarios: (machine) => [
      roundTrip(allContenders(machine).filter(({ info }) => ["tcp", "tcp-again", "shm-event-loop"].includes(info.id))),
    ],
  });
  const comparisons = results.scenarios.flatMap((scenario) => scenario.comparisons);
  expect(comparisons.length).toBeGreaterThan(0);
  for (const comparison of comparisons.filter(({ metric }) => metric !== "p99")) {
    expect(comparison.text).not.toBe("");
    expect(comparison.n).toBe(5);
    if (comparison.verdict === "two-modes") continue;
    expect(comparison.lo).toBeLessThanOrEqual(comparison.ratio as number);
    expect(comparison.hi).toBeGreaterThanOrEqual(comparison.ratio as number);
  }
  expect(results.quality.aa.length).toBeGreaterThan(0);
  expect(results.quality.blocks).toHaveLength(5);
});

test("a transport that loses messages makes its trials invalid and the run fail, and the report is still written", async () => {
  const { exitCode, results, stderr } = await tinyRun({
    scenarios: () => [roundTrip([faultyContender("none", 10, { id: "tcp" }), faultyContender("lose", 40)])],
  });
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/invalid trial: round-trip .+ lost/);
  const cells = results.scenarios.flatMap((scenario) => scenario.cells);
  expect(cells.find(({ contender }) => contender === "faulty-lose")?.summary.invalidTrials).toBeGreaterThan(0);
  expect(cells.find(({ contender }) => contender === "tcp")?.summary.invalidTrials).toBe(0);
});

test("without named segments threads are measured, and one line says what is left out", async () => {
  process.env.SHM_DISABLE_NAMED = "1";
  const wanted = ["tcp", "shm-park", "shm-event-loop", "chat-shm"];
  const { exitCode, results, stderr } = await tinyRun({
    scenarios: (machine) => {
      const contenders = allContenders(machine).filter(({ info }) => wanted.includes(info.id));
      return allScenarios(contenders).filter((scenario) => scenario.contenders.length > 0);
    },
  });
  expect(exitCode).toBe(0);
  expect(stderr.match(/^left out: .+$/gm)).toHaveLength(1);
  const shared = results.contenders.filter(({ design }) => design === "shared-memory");
  expect(shared.map(({ id }) => id)).toEqual(["shm-park", "shm-event-loop"]);
  expect(new Set(shared.map(({ boundary }) => boundary))).toEqual(new Set(["thread"]));
  expect(results.run.skipped.some(({ what }) => what.includes("Shared-memory chat room"))).toBe(true);
  for (const trial of trialsOf(results)) expect(trial).toMatchObject({ lost: 0, reason: null });
});

test("without taskset the run goes on unpinned and says so", async () => {
  process.env.PATH = temporaryFolder();
  const { exitCode, results, stderr } = await tinyRun({
    scenarios: (machine) => [roundTrip(allContenders(machine).filter(({ info }) => info.id.startsWith("tcp")))],
  });
  expect(exitCode).toBe(0);
  expect(stderr).toContain("taskset is not installed");
  expect(results.scenarios.map(({ placement }) => placement)).toEqual(["unpinned"]);
  expect(results.scenarios[0]?.cells[0]?.trials[0]?.cpus).toBeNull();
});
