import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeSegment, segmentPath } from "shared-memory-ringbuffer";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { App, createSegmentName, type Ended } from "./app.ts";

let segment = "";
beforeEach(() => {
  segment = createSegmentName();
});
afterEach(() => {
  removeSegment(segment, { force: true });
});

async function run(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Ended> {
  return new App(args, env).pipe().ended;
}

/** One clear line on stderr, no stack trace. */
function expectOneLine({ code, stderr, stdout }: Ended, exitCode: number, text: string): void {
  expect(stderr).toContain(text);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  expect(stderr).toMatch(/^error: /);
  expect(stdout).toBe("");
  expect(code).toBe(exitCode);
}

describe("a usage mistake is one line and exit code 2", () => {
  test.concurrent.each([
    [["reader", "--nope"], "--nope"],
    [["reader", "--count", "0"], "--count"],
    [["reader", "--count", "two"], "two"],
    [["reader", "--segment", "../etc/passwd"], "../etc/passwd"],
    [["writer", "--segment", ""], "name"],
    [["demo", "extra"], "extra"],
    [["bogus"], "bogus"],
  ])("%j", async (args, text) => {
    expectOneLine(await run(args), 2, text);
  });
});

describe.each(["writer", "reader"])("%s: what can't be used is one line and exit code 1", (command) => {
  test("a file that is no segment", async () => {
    writeFileSync(segmentPath(segment), Buffer.alloc(200_000, "not a segment "));
    expectOneLine(await run([command, "--segment", segment]), 1, "not a segment");
    expect(existsSync(segmentPath(segment))).toBe(true);
  });

  test("a segment that is corrupt", async () => {
    await new App(["writer", "--segment", segment, "--no-wait"]).pipe("a\n").ended;
    const path = segmentPath(segment);
    // Header and tables stay as they are; what follows, records and names, is noise.
    execFileSync("dd", [
      "if=/dev/urandom",
      `of=${path}`,
      "bs=1024",
      "seek=34",
      "count=4000",
      "conv=notrunc",
      "status=none",
    ]);
    expectOneLine(await run([command, "--segment", segment]), 1, "error: ");
    expect(existsSync(path)).toBe(true);
    rmSync(path);
  });

  test("a segment of something else", async () => {
    const { createSegment } = await import("shared-memory-ringbuffer");
    const other = createSegment(segment, { objects: { numbers: { kind: "region", sizeBytes: 128 } } });
    try {
      expectOneLine(await run([command, "--segment", segment]), 1, "no log");
    } finally {
      other.close();
    }
  });

  test("a directory without room for it", async ({ skip }) => {
    const directory = mkdtempSync(join(tmpdir(), "full-shm-"));
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", directory], { stdio: "ignore" });
    } catch {
      rmSync(directory, { recursive: true });
      skip("a small tmpfs can be mounted by root only");
    }
    try {
      expectOneLine(await run([command, "--segment", segment], { SHM_DIR: directory }), 1, "no space");
    } finally {
      execFileSync("umount", [directory]);
      rmSync(directory, { recursive: true });
    }
  });

  test("no named segments here: it says what to run instead", async () => {
    expectOneLine(await run([command], { SHM_DISABLE_NAMED: "1" }), 1, "npm run -s demo -- --threads");
  });
});

test("a name that is taken, or none, is one line after what was said before", async () => {
  const first = new App(["writer", "--segment", segment, "--name", "Ada"]);
  try {
    await first.shows("writing to segment");
    for (const [name, text] of [
      ["ADA", "ADA is taken"],
      ["/x", "can't begin with /"],
      ["x".repeat(40), "at most 32"],
    ] as const) {
      const { code, stderr } = await run(["writer", "--segment", segment, "--name", name]);
      expect(stderr).toContain(`error: `);
      expect(stderr).toContain(text);
      expect(stderr).not.toContain("    at ");
      expect(code).toBe(1);
    }
  } finally {
    first.kill("SIGTERM");
    await first.ended;
  }
});

test("a segment in use is not removed", async () => {
  const reader = new App(["reader", "--segment", segment]);
  try {
    await reader.shows("reading segment");
    expectOneLine(await run(["reader", "--segment", segment, "--remove"]), 1, "in use");
  } finally {
    reader.kill("SIGTERM");
    await reader.ended;
  }
  expect(removeSegment(segment)).toBe(false);
});

test("--help shows examples and ends with 0", async () => {
  const commands = [["--help"], ["writer", "--help"], ["reader", "--help"], ["demo", "--help"]];
  for (const { code, stdout } of await Promise.all(commands.map((args) => run(args)))) {
    expect(code).toBe(0);
    expect(stdout).toContain("Usage:");
  }
});
