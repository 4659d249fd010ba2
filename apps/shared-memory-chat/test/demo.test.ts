import { listSegments } from "shared-memory-ringbuffer";
import { expect, test } from "vitest";
import { App } from "./app.ts";

function lastObject(stdout: string): Record<string, unknown> {
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) as string);
}

test("the demo with processes sees updates lost without the lock, none with it, recovers from kill -9, cleans up", async () => {
  const { code, stdout, stderr } = await new App(["demo", "--json"]).pipe().ended;
  expect(stderr).toContain("All as expected.");
  expect(code).toBe(0);
  const result = lastObject(stdout);
  expect(result).toMatchObject({
    mode: "processes",
    ok: true,
    failed: [],
    race: { lostWithLock: 0 },
    recovered: true,
    cleanedUp: true,
  });
  expect((result.race as { lostWithoutLock: number }).lostWithoutLock).toBeGreaterThan(0);
  for (const step of ["create", "attach", "lock", "write", "unlock", "read", "detach"]) {
    expect(stderr).toMatch(new RegExp(`trace .* pid \\d+ ${step}`));
  }
  expect(listSegments().map(({ name }) => name)).not.toContain(result.segment);
});

test("the demo with threads sees the same on one SharedArrayBuffer", async () => {
  const { code, stdout } = await new App(["demo", "--threads", "--json"]).pipe().ended;
  expect(code).toBe(0);
  expect(lastObject(stdout)).toMatchObject({ mode: "threads", ok: true, race: { lostWithLock: 0 }, recovered: true });
});

test("without named segments the demo runs with threads and says what is left out", async () => {
  const { code, stdout, stderr } = await new App(["demo", "--json"], { SHM_DISABLE_NAMED: "1" }).pipe().ended;
  expect(code).toBe(0);
  expect(stderr).toContain("left out: separate processes, kill -9");
  expect(lastObject(stdout)).toMatchObject({ mode: "threads", ok: true });
});

test("a demo that is told to end leaves no process and no segment behind", async () => {
  const demo = new App(["demo"]);
  await demo.shows("The same additions");
  demo.kill("SIGTERM");
  const { code, stdout } = await demo.ended;
  expect(code).toBe(143);
  expect(
    listSegments()
      .map(({ name }) => name)
      .filter((name) => name.startsWith(`demo-${demo.pid}`)),
  ).toEqual([]);
  for (const [, pid] of stdout.matchAll(/pid (\d+)/g)) {
    expect(() => process.kill(Number(pid), 0)).toThrow("ESRCH");
  }
});
