/** Documents that are made from something else say what that says now. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const scripts = join(import.meta.dirname, "../scripts");

function check(script: string): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync(process.execPath, [join(scripts, script), "--check"], { encoding: "utf8" });
  return { status, stderr };
}

test("the API reference is what the docstrings say (else: npx nx run shared-memory-ringbuffer:api)", () => {
  expect(check("api.ts")).toEqual({ status: 0, stderr: "" });
});

test("the README's numbers are those of the example report (else: npx nx run shared-memory-ringbuffer:numbers)", () => {
  expect(check("numbers.ts")).toEqual({ status: 0, stderr: "" });
});
