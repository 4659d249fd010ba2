/** Limits: the C floor does the same work, real trials verify what they carry, rows are judged as the targets say. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { compileFloor, FLOOR_SOURCE, type Floor } from "../src/limits/c-floor.ts";
import { allIsRight, endsAreRight, fillMessage, stampMessage } from "../src/limits/message.ts";
import { conclusion, markdown, shown, terminalTable } from "../src/limits/render.ts";
import { type LimitsResults, medianOf, rowResults } from "../src/limits/results.ts";
import { ROWS, type Row } from "../src/limits/rows.ts";
import { type LimitsOptions, runLimits } from "../src/limits/run.ts";
import { type LimitsContext, TRIALS, type Trial } from "../src/limits/trials.ts";
import { Cleanup } from "../src/rig/cleanup.ts";
import { inspectMachine } from "../src/rig/machine.ts";
import { seededRandom } from "../src/stats/random.ts";
import { temporaryFolder } from "./fixtures/tiny-run.ts";

/** Trials a hundredth as long: whether they work, not what they say. */
const SHORTER = 100;

const cleanup = new Cleanup();
afterAll(() => cleanup.releaseAll());
const prefix = `parley-limits-test-${process.pid}-${Math.random().toString(36).slice(2)}`;
let names = 0;
const context: LimitsContext = {
  machine: inspectMachine(),
  cleanup,
  random: seededRandom(1),
  floor: compileFloor(cleanup),
  shorter: SHORTER,
  uniqueName: () => `${prefix}-${names++}`,
};
const isFloorMissing = "missing" in context.floor;

test.for(TRIALS)("$id measures something and verifies what it carried", async ({ id, run, unavailable }, { skip }) => {
  const reason = unavailable(context);
  if (reason !== undefined) skip(reason);
  const figures = await run(context);
  expect(figures.corrupt).toBe(0);
  if (id !== "idle") expect(figures.verified).toBeGreaterThan(0);
  for (const [name, value] of Object.entries(figures)) expect(Number.isFinite(value), name).toBe(true);
});

test.skipIf(isFloorMissing)("floor.c compiles without a warning (Debian: gcc)", () => {
  const output = path.join(temporaryFolder(), "floor");
  const flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-std=gnu11"];
  execFileSync("cc", [...flags, "-o", output, FLOOR_SOURCE], { stdio: "pipe" });
});

test.skipIf(isFloorMissing)("the C program refuses what it can't do, in one line (Debian: gcc)", async () => {
  const floor = context.floor as Floor;
  await expect(floor.run(["stream", "copied", 64, 64, 1, 1, -1, -1])).rejects.toThrow("multiple of the batch");
  await expect(floor.run(["dance"])).rejects.toThrow("usage:");
  await expect(floor.run(["lock", 0, "many"])).rejects.toThrow("not a number that fits: many");
});

test("a message that was changed, cut off or belongs elsewhere is noticed", () => {
  const words = new Int32Array(18);
  fillMessage(words, 1, 16, 7);
  expect(allIsRight(words, 1, 16, 7, 7)).toBe(true);
  expect(allIsRight(words, 1, 16, 8, 8)).toBe(false);
  expect(allIsRight(words, 0, 16, 7, 7)).toBe(false);
  for (let word = 1; word <= 16; word++) {
    words[word] = (words[word] as number) ^ 1;
    expect(allIsRight(words, 1, 16, 7, 7), `word ${word}`).toBe(false);
    words[word] = (words[word] as number) ^ 1;
  }
  fillMessage(words, 0, 16, 0);
  stampMessage(words, 0, 16, -2);
  expect(allIsRight(words, 0, 16, -2, 0)).toBe(true);
  expect(endsAreRight(words, 0, 16, -3)).toBe(false);
});

const row = (better: Row["better"], must: number | null, reach: number | null): Row => ({
  id: "row",
  what: "a row",
  unit: "×",
  better,
  must,
  reach,
  trials: ["trial"],
  figure: (run) => run.get("trial")?.value as number,
  why: "because",
});
const runsOf = (...values: number[]) => ({
  runs: values.map((value) => [{ trial: "trial", figures: { value } }]),
  unavailable: new Map<string, string>(),
});

test.each([
  ["higher", 2, 3, "reached"],
  ["higher", 2, 4, "met"],
  ["higher", 3.5, 4, "missed"],
  ["lower", 3, 3, "reached"],
  ["lower", 3, 2, "met"],
  ["lower", 2.5, 2, "missed"],
] as const)("a median of 3 where %s is better, must be %d and may reach %d: %s", (better, must, reach, verdict) => {
  const [result] = rowResults([row(better, must, reach)], runsOf(9, 3, 1));
  expect(result).toMatchObject({ median: 3, min: 1, max: 9, verdict, figures: [9, 3, 1] });
  expect(result?.why).toBe(verdict === "reached" ? null : "because");
});

test("a row without targets is shown, one without its trials says why it wasn't measured", () => {
  expect(rowResults([row("higher", null, null)], runsOf(1))[0]?.verdict).toBe("shown");
  const unavailable = new Map([["trial", "no C compiler"]]);
  const [result] = rowResults([row("higher", 1, 2)], { runs: [[]], unavailable });
  expect(result).toMatchObject({ median: null, verdict: "not measured", why: "no C compiler" });
});

test("medians of even and odd numbers of figures; figures with three digits", () => {
  expect(medianOf([4, 1, 3])).toBe(3);
  expect(medianOf([4, 1, 3, 2])).toBe(2.5);
  expect([123.4, 12.34, 1.234, 0.01234].map((each) => shown(each, "×"))).toEqual(["123×", "12.3×", "1.23×", "0.012×"]);
});

test("every row is made of trials that exist, and its reach is stricter than its must", () => {
  const ids = new Set(TRIALS.map(({ id }) => id));
  for (const { id, trials, better, must, reach } of ROWS) {
    for (const trial of trials) expect(ids, id).toContain(trial);
    if (must === null || reach === null) continue;
    expect(better === "higher" ? reach > must : reach < must, id).toBe(true);
  }
});

const fakeTrial = (corrupt: number): Trial => ({
  id: "trial",
  unavailable: () => undefined,
  run: async () => ({ value: 3, verified: 10, corrupt }),
});

async function fakeRun(options: Partial<LimitsOptions>) {
  const folder = temporaryFolder();
  let stdout = "";
  let stderr = "";
  const exitCode = await runLimits({
    runs: 2,
    quick: false,
    seed: 7,
    json: false,
    gate: false,
    outFolder: folder,
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    trials: [fakeTrial(0)],
    rows: [row("higher", 4, 5)],
    ...options,
  });
  const results = JSON.parse(readFileSync(path.join(folder, "limits.json"), "utf8")) as LimitsResults;
  return { exitCode, stdout, stderr, results, folder };
}

test("a missed row fails a run only behind --gate; --json prints the very results", async () => {
  expect((await fakeRun({})).exitCode).toBe(0);
  const { exitCode, stdout, stderr, results } = await fakeRun({ gate: true, json: true });
  expect(exitCode).toBe(1);
  expect(stderr).toContain("missed: a row");
  expect(JSON.parse(stdout)).toEqual(results);
  expect(results).toMatchObject({ seed: 7, verified: 20, corrupt: 0 });
});

test("a corrupt trial fails the run and gives no figure", async () => {
  const { exitCode, stderr, results } = await fakeRun({ trials: [fakeTrial(1)] });
  expect(exitCode).toBe(1);
  expect(stderr).toContain("failed: run 1, trial: 1 corrupt messages");
  expect(results.rows[0]).toMatchObject({ verdict: "not measured", figures: [] });
});

test("without a C compiler the rows against C say so and nothing fails", async () => {
  const isAgainstC = ({ id }: { id: string }): boolean => id.startsWith("c-");
  const { exitCode, stderr, stdout } = await fakeRun({
    compiler: "no-such-compiler",
    trials: TRIALS.filter(isAgainstC),
    rows: ROWS.filter(({ id }) => id === "lock"),
  });
  expect(exitCode).toBe(0);
  expect(stderr).toContain("no C compiler (no-such-compiler; Debian: gcc)");
  expect(stdout).toContain("not measured");
});

test("table and Markdown are drawn from the committed results as they stand", () => {
  const folder = path.resolve(import.meta.dirname, "../../reports/limits");
  const results = JSON.parse(readFileSync(path.join(folder, "limits.json"), "utf8")) as LimitsResults;
  expect(readFileSync(path.join(folder, "limits.md"), "utf8")).toBe(markdown(results));
  expect(terminalTable(results)).toContain("verdict");
  expect(conclusion(results)).toContain("0 corrupt");
});

test("a run leaves nothing behind", async () => {
  await fakeRun({});
  const own = `parley-limits-${process.pid}-`;
  const left = ["/dev/shm", tmpdir()]
    .filter(existsSync)
    .flatMap((at) => readdirSync(at).filter((f) => f.includes(own)));
  expect(left).toEqual([]);
});
