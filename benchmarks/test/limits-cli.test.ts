/** The command line of limits: help and mistakes. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

const PROGRAM = new URL("../src/limits/main.ts", import.meta.url).pathname;
const run = (...args: string[]) => spawnSync(process.execPath, [PROGRAM, ...args], { encoding: "utf8" });

test("--help shows examples and every flag", () => {
  const { status, stdout } = run("--help");
  expect(status).toBe(0);
  for (const text of ["npm run limits -- --quick", "--runs", "--seed", "--json", "--out", "--gate"]) {
    expect(stdout).toContain(text);
  }
});

test.each([
  [["--quik"], "unknown option '--quik'"],
  [["--runs", "0"], "'0'"],
  [["--seed", "x"], "'x'"],
  [["surplus"], "too many arguments"],
])("the mistake %j is one clear line and exit code 2", (args, text) => {
  const { status, stdout, stderr } = run(...args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain(text);
  const lines = stderr.trim().split("\n");
  expect(lines.filter((line) => !line.startsWith("(Did you mean"))).toHaveLength(1);
});
