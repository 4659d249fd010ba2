import { existsSync, readFileSync } from "node:fs";
import { removeSegment, segmentPath } from "shared-memory-ringbuffer";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { App, createSegmentName } from "./app.ts";

let segment = "";
let apps: App[] = [];

beforeEach(() => {
  segment = createSegmentName();
  apps = [];
});

afterEach(async () => {
  for (const app of apps) app.kill("SIGKILL");
  await Promise.all(apps.map((app) => app.ended));
  removeSegment(segment, { force: true });
});

function start(command: "writer" | "reader", args: readonly string[] = [], env?: NodeJS.ProcessEnv): App {
  const app = new App([command, "--segment", segment, ...args], env);
  apps.push(app);
  return app;
}

async function startReader(args: readonly string[] = []): Promise<App> {
  const reader = start("reader", args);
  await reader.shows("reading segment");
  return reader;
}

async function startWriter(args: readonly string[] = []): Promise<App> {
  const writer = start("writer", args);
  await writer.shows("writing to segment");
  return writer;
}

describe("what is typed in the writer appears in the reader", () => {
  test("when the writer was started first", async () => {
    const writer = await startWriter(["--name", "ada"]);
    writer.type("hello\n");
    const reader = await startReader();
    await reader.shows("ada: hello\n");
    writer.type("and more\n");
    await reader.shows("ada: and more\n");
  });

  test("when the reader was started first", async () => {
    const reader = await startReader();
    const writer = await startWriter(["--name", "ada"]);
    await reader.shows("*** ada has joined");
    writer.type("hello\r\n");
    await reader.shows("ada: hello\n");
    writer.type("/quit\n");
    expect((await writer.ended).code).toBe(0);
    await reader.shows("*** ada has left");
    expect(reader.stdout).toBe("ada: hello\n");
  });

  test("in every reader, from every writer", async () => {
    const readers = [await startReader(["--count", "2"]), await startReader(["--count", "2"])];
    const [ada, bo] = [await startWriter(["--name", "ada"]), await startWriter(["--name", "bo"])];
    ada.type("one\n");
    await readers[0]?.shows("ada: one");
    bo.type("two\n");
    for (const reader of readers) {
      expect(await reader.ended).toMatchObject({ code: 0, stdout: "ada: one\nbo: two\n" });
    }
  });

  test("and a reader with a name joins under it", async () => {
    const watcher = await startReader();
    const reader = await startReader(["--name", "bo", "--count", "1"]);
    await watcher.shows("*** bo has joined");
    const writer = await startWriter(["--name", "ada", "--json"]);
    writer.type("hello\n");
    expect((await reader.ended).stdout).toBe("ada: hello\n");
    await watcher.shows("*** bo has left");
    await writer.shows("}\n");
    expect(JSON.parse(writer.stdout)).toMatchObject({ text: "hello", position: { epoch: expect.any(Number) } });
  });

  test("with control characters taken out", async () => {
    const reader = await startReader();
    const writer = await startWriter(["--name", "ada"]);
    writer.type("\u001b[31mred\u001b]0;title\u0007\n");
    await reader.shows("ada: red\n");
  });
});

describe("a pipe into the writer", () => {
  test("waits until a reader has read the lines, and says so", async () => {
    const writer = start("writer", ["--name", "ada"]).pipe("a\nb\n");
    await writer.shows("waiting until a reader has read");
    const reader = start("reader", ["--count", "2"]);
    expect(await reader.ended).toMatchObject({ code: 0, stdout: "ada: a\nada: b\n" });
    expect(await writer.ended).toMatchObject({ code: 0, stdout: "" });
    expect(existsSync(segmentPath(segment))).toBe(false);
  });

  test("isn't ended by a reader that has read only some of them", async () => {
    const writer = start("writer", ["--name", "ada"]).pipe("a\nb\n");
    await writer.shows("waiting until a reader has read");
    expect(await start("reader", ["--count", "1"]).ended).toMatchObject({ stdout: "ada: a\n" });
    expect(writer.stderr).not.toContain("has read it all");
    await startReader();
    expect((await writer.ended).code).toBe(0);
  });

  test("with --no-wait leaves the segment behind and says how to remove it", async () => {
    const writer = start("writer", ["--no-wait", "--name", "ada"]).pipe("a\nb\n");
    const { code, stderr } = await writer.ended;
    expect(code).toBe(0);
    expect(stderr).toContain(`npm run -s reader -- --segment ${segment} --remove`);
    expect(existsSync(segmentPath(segment))).toBe(true);
    expect((await start("reader", ["--remove"]).ended).code).toBe(0);
    expect(existsSync(segmentPath(segment))).toBe(false);
  });

  test("with --no-wait, a later reader gets the lines and cleans up", async () => {
    await start("writer", ["--no-wait", "--name", "ada"]).pipe("a\nb\n").ended;
    const { code, stdout } = await start("reader", ["--count", "2", "--json"]).ended;
    expect(code).toBe(0);
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { name: "ada", text: "a" },
      { name: "ada", text: "b" },
    ]);
    expect(existsSync(segmentPath(segment))).toBe(false);
  });

  test("with --no-wait, lines outlive everybody who comes by without reading them all", async () => {
    await start("writer", ["--no-wait", "--name", "ada"]).pipe("a\nb\nc\n").ended;
    expect((await start("writer", ["--name", "bo"]).pipe("").ended).code).toBe(0);
    expect((await start("reader", ["--name", "*bad"]).ended).code).toBe(1);
    expect((await start("reader", ["--count", "1"]).ended).stdout).toBe("ada: a\n");
    expect(existsSync(segmentPath(segment))).toBe(true);
    expect((await start("reader", ["--count", "3"]).ended).stdout).toBe("ada: a\nada: b\nada: c\n");
    expect(existsSync(segmentPath(segment))).toBe(false);
  });

  test("a signal ends everybody soon while a stopped process sits on the lock", async () => {
    const reader = await startReader(["--name", "bo"]);
    const stopped = start("writer", ["--name", "ada"], { SHM_FAILPOINT_STOP: "log-publish:begin@2" });
    await stopped.shows("writing to segment");
    stopped.type("a\n");
    await expect.poll(() => readFileSync(`/proc/${stopped.pid}/stat`, "utf8")).toMatch(/\) T /);
    process.kill(reader.pid, "SIGINT");
    expect((await reader.ended).code).toBe(130);
  });

  test("is held back rather than overwriting what nobody has read", async () => {
    const lines = Array.from({ length: 3000 }, (_, index) => `${index} ${"x".repeat(2000)}`);
    const writer = start("writer", ["--name", "ada"]).pipe(`${lines.join("\n")}\n`);
    await writer.shows("waiting until a reader has read");
    const reader = start("reader", ["--count", String(lines.length)]);
    const { stdout, stderr } = await reader.ended;
    expect(stdout.trimEnd().split("\n")).toEqual(lines.map((line) => `ada: ${line}`));
    expect(stderr).not.toContain("lost");
    expect((await writer.ended).code).toBe(0);
  });

  test("reports a line that is too long, sends the others, and fails at the end", async () => {
    const reader = await startReader();
    const writer = start("writer", ["--name", "ada"]).pipe(`a\n${"x".repeat(5000)}\nb\n`);
    const { code, stderr } = await writer.ended;
    expect(code).toBe(1);
    expect(stderr).toContain("at most 4096 are allowed");
    await reader.shows("ada: b\n");
  });
});

describe("ending", () => {
  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "%s lets both leave in order, and the last removes the segment",
    async (signal) => {
      const writer = await startWriter(["--name", "ada"]);
      const reader = await startReader();
      writer.type("hello\n");
      await reader.shows("ada: hello");
      writer.kill(signal);
      expect(await writer.ended).toMatchObject({
        signal: null,
        code: { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal],
      });
      await reader.shows("*** ada has left");
      reader.kill(signal);
      await reader.ended;
      expect(existsSync(segmentPath(segment))).toBe(false);
    },
  );

  test("a signal ends a writer that waits for a reader", async () => {
    const writer = start("writer").pipe("a\n");
    await writer.shows("waiting until a reader has read");
    writer.kill("SIGINT");
    expect((await writer.ended).code).toBe(130);
    expect(existsSync(segmentPath(segment))).toBe(false);
  });

  test("kill -9 of the reader leaves the writer working, and the next reader sees everything", async () => {
    const writer = await startWriter(["--name", "ada"]);
    const reader = await startReader();
    reader.kill("SIGKILL");
    await reader.ended;
    writer.type("still here\n").pipe();
    expect(await start("reader", ["--count", "1"]).ended).toMatchObject({ code: 0, stdout: "ada: still here\n" });
    expect((await writer.ended).code).toBe(0);
    expect(existsSync(segmentPath(segment))).toBe(false);
  });

  test("kill -9 of the writer leaves the reader working, and its name is free for the next", async () => {
    const writer = await startWriter(["--name", "ada"]);
    const reader = await startReader();
    writer.type("one\n");
    await reader.shows("ada: one");
    writer.kill("SIGKILL");
    await reader.shows("*** ada died");
    const next = await startWriter(["--name", "ada"]);
    next.type("two\n");
    await reader.shows("ada: two");
  });

  test("kill -9 of both leaves nothing that keeps the next start from working", async () => {
    const [writer, reader] = [await startWriter(["--name", "ada"]), await startReader()];
    for (const app of [writer, reader]) app.kill("SIGKILL");
    await Promise.all([writer.ended, reader.ended]);
    const next = start("writer", ["--name", "ada"]).pipe("again\n");
    expect(await start("reader", ["--count", "1"]).ended).toMatchObject({ code: 0, stdout: "ada: again\n" });
    expect((await next.ended).code).toBe(0);
    expect(existsSync(segmentPath(segment))).toBe(false);
  });
});

describe("--trace", () => {
  test("tells each step with its time and process, on stderr", async () => {
    const writer = start("writer", ["--trace", "--name", "ada"]).pipe("a\n");
    await writer.shows("waiting until a reader has read");
    const reader = start("reader", ["--trace", "--count", "1"]);
    const [ended, readerEnded] = [await writer.ended, await reader.ended];
    const steps = (stderr: string): string[] =>
      [...stderr.matchAll(/^trace \d\d:\d\d:\d\d\.\d{3} pid (\d+) (\w+)/gm)].map((match) => match[2] as string);
    expect(steps(ended.stderr)).toEqual(expect.arrayContaining(["create", "lock", "write", "unlock", "detach"]));
    expect(steps(readerEnded.stderr)).toEqual(["attach", "read", "detach"]);
    expect(ended.stderr).toContain(`pid ${writer.pid} create`);
  });
});
