/** The command line: flags, mistakes, interruption. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "./fixtures/tiny-run.ts";

const PROGRAM = new URL("../src/compare.ts", import.meta.url).pathname;
const TINY_PROGRAM = new URL("fixtures/tiny-main.ts", import.meta.url).pathname;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(
  program: string,
  args: readonly string[],
): { child: ChildProcess; ended: Promise<Ended>; seen: () => string } {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
  return { child, ended, seen: () => stderr };
}

const run = (...args: string[]): Promise<Ended> => start(PROGRAM, args).ended;

test("--help shows examples", async () => {
  const { code, stdout } = await run("--help");
  expect(code).toBe(0);
  expect(stdout).toContain("npm run compare -- --quick");
});

test.each([
  [["--quik"], "unknown option '--quik'"],
  [["--seed", "abc"], "abc"],
  [["--seed", "-1"], "-1"],
  [["--quick", "--thorough"], "exclude each other"],
  [["surplus"], "too many arguments"],
])("the mistake %j is one clear line and exit code 2", async (args, text) => {
  const { code, stdout, stderr } = await run(...args);
  expect(code).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toContain(text);
  expect(
    stderr
      .trim()
      .split("\n")
      .filter((line) => !line.startsWith("(Did you mean")),
  ).toHaveLength(1);
});

test("--list --json names scenarios, cells and contenders without measuring", async () => {
  const { code, stdout } = await run("--list", "--json");
  expect(code).toBe(0);
  const { scenarios } = JSON.parse(stdout) as { scenarios: { id: string; cells: unknown[]; contenders: unknown[] }[] };
  expect(scenarios.map(({ id }) => id)).toContain("round-trip");
  for (const { cells, contenders } of scenarios) {
    expect(cells.length).toBeGreaterThan(0);
    expect(contenders.length).toBeGreaterThan(0);
  }
});

test("a place where no report can be written is refused before anything is measured", async () => {
  const { code, stdout, stderr } = await run("--quick", "--out", import.meta.filename);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^error: cannot write the report to [^\n]+: a file stands where a folder should be\n$/);
});

test("--report-only without results is one clear line and exit code 1", async () => {
  const { code, stderr } = await run("--report-only", "--out", temporaryFolder());
  expect(code).toBe(1);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stderr).toContain("results.json");
});

test("Ctrl-C writes what was measured as incomplete, exits 130 and leaves nothing behind", async () => {
  const folder = temporaryFolder();
  const { child, ended, seen } = start(TINY_PROGRAM, [folder]);
  // The first block's trials are whole.
  while (!seen().includes("block 2/") && child.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill("SIGINT");
  const { code, stderr } = await ended;
  expect(code, stderr).toBe(130);
  expect(stderr).toContain("incomplete");
  const results = JSON.parse(readFileSync(path.join(folder, "latest/results.json"), "utf8"));
  expect(JSON.stringify(results.run.skipped)).toContain("interrupted in block 2");
  const own = `parley-bench-${child.pid}-`;
  const left = ["/dev/shm", tmpdir()]
    .filter(existsSync)
    .flatMap((at) => readdirSync(at).filter((f) => f.includes(own)));
  expect(left).toEqual([]);
});
