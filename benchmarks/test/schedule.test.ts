import { expect, test } from "vitest";
import { Schedule, type ScheduledCell } from "../src/rig/schedule.ts";

const cell = (key: string, rank: number, costMs = 100): ScheduledCell => ({
  key,
  scenario: key.split(" ")[0] as string,
  rank,
  costMs,
  contenders: ["a", "b"],
});
const CELLS = [cell("trip across", 0), cell("trip same", 0), cell("stream 64", 2), cell("stream 1024", 12)];
const ALL = new Set(CELLS.map(({ key }) => key));
const OVERHEAD = new Map([
  ["trip", 50],
  ["stream", 50],
]);
// Round trips: 2 contenders × (50 + 2 × 100) = 500. Streams: 2 × 50 + 2 × 100 + 2 × 100 = 500. Probes: 100.
const BLOCK_MS = 1_100;

test("everything runs at full length when there is time for it", () => {
  const plan = new Schedule(CELLS, OVERHEAD, 100).planBlock(5 * BLOCK_MS, 5, ALL);
  expect(plan).toEqual({ cells: ALL, scale: 1, estimateMs: BLOCK_MS });
});

test("the highest rank is left out first", () => {
  const plan = new Schedule(CELLS, OVERHEAD, 100).planBlock(5 * BLOCK_MS - 100, 5, ALL);
  expect([...plan.cells]).toEqual(["trip across", "trip same", "stream 64"]);
  expect(plan.scale).toBe(1);
});

test("rank 0 is never left out: its measured parts get shorter, down to half", () => {
  const schedule = new Schedule(CELLS, OVERHEAD, 100);
  expect([...schedule.planBlock(5 * 520, 5, ALL).cells]).toEqual(["trip across", "trip same"]);
  expect(schedule.planBlock(5 * 520, 5, ALL).scale).toBeCloseTo(0.8);
  expect(schedule.planBlock(0, 5, ALL).scale).toBe(0.5);
});

test("what trials really took changes the plan", () => {
  const schedule = new Schedule(CELLS, OVERHEAD, 100);
  for (let i = 0; i < 50; i++) schedule.observe("stream", 800, 200);
  expect([...schedule.planBlock(5 * BLOCK_MS, 5, ALL).cells]).toEqual(["trip across", "trip same"]);
  for (let i = 0; i < 50; i++) schedule.observe("stream", 210, 200);
  expect(schedule.planBlock(5 * BLOCK_MS, 5, ALL).cells).toEqual(ALL);
});

test("only what is wanted is planned", () => {
  const plan = new Schedule(CELLS, OVERHEAD, 100).planBlock(BLOCK_MS, 1, new Set(["stream 1024"]));
  expect([...plan.cells]).toEqual(["stream 1024"]);
  expect(new Schedule(CELLS, OVERHEAD, 100).planBlock(10, 1, new Set(["stream 1024"])).cells.size).toBe(0);
});
