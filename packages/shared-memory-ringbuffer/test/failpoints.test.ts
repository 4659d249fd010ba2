import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { EventLoopDoorbell, FOUNDATION_FAILPOINTS, removeSegment } from "../src/index.ts";
import {
  armed,
  COMMON_POINTS,
  expectUnharmed,
  type TestSegment,
  testFailpoints,
  untilDeath,
} from "./fixtures/failpoint-scenarios.ts";
import { addUnderLock, firstWord, WORD_LEFT, WORD_NEWS } from "./fixtures/peer-commands.ts";
import { leftovers, NAMED, startProcess, uniqueName } from "./fixtures/peers.ts";

/** Points that only named segments have. */
const CREATOR_POINTS = [
  "segment-create:begin",
  "segment-create:sized",
  "segment-create:formatted",
  "segment-create:joined",
  "segment-create:published",
];
const OPENER_POINTS = ["segment-open:mapped"];
const PIPE_POINTS = ["ring:piped"];

testFailpoints(NAMED);

describe("killed in a named segment", () => {
  test.each(CREATOR_POINTS)("as its creator, at %s, the next one opens or creates it", async (point) => {
    const name = uniqueName("creator");
    const peer = startProcess();
    await peer.call("fail", { point });
    await untilDeath(peer, ["openOrCreate", { name }]);
    expect(await peer.ended).toBe("SIGKILL");
    const published = point === "segment-create:published";
    expect(leftovers(name)).toHaveLength(published ? 1 : 0);
    expectUnharmedNamed(name);
  });

  test.each(OPENER_POINTS)("as an opener, at %s, the others go on", async (point) => {
    const segment = NAMED.create();
    const peer = startProcess();
    await peer.call("fail", { point });
    await untilDeath(peer, ["open", segment.name]);
    expectUnharmed(NAMED, segment);
  });

  test.each(PIPE_POINTS)("as a ringer, at %s, the event loop has heard it", async (point) => {
    const segment = NAMED.create();
    const peer = await armed(NAMED, segment, point);
    const news = firstWord(segment) + WORD_NEWS;
    const rung = new Promise<void>((resolve) => {
      const bell = new EventLoopDoorbell(segment, {
        hasWork: () => Atomics.load(segment.memory.i32, news) === 1,
        onRing: resolve,
      });
      bell.arm();
    });
    await untilDeath(peer, ["publish"]);
    await rung;
    expectUnharmed(NAMED, segment);
  });

  test("all of its participants at once, with the table full, the next opener keeps the data", async () => {
    const name = uniqueName("all-dead");
    const peers = [startProcess(), startProcess()];
    const epochs = [];
    for (const peer of peers) epochs.push(await peer.call("openOrCreate", { name, slots: 2 }));
    await peers[0]?.call("add", 10);
    await peers[0]?.call("lock");
    for (const peer of peers) peer.kill();
    for (const peer of peers) await peer.ended;
    const segment = NAMED.comeBack({ name } as TestSegment);
    expect(segment.epoch).toBe((epochs[0] as { epoch: number }).epoch);
    expect(segment.memory.i32[firstWord(segment) + WORD_LEFT]).toBe(10);
    expect(addUnderLock(segment)).toBe(true);
    segment.close();
    expect(leftovers(name)).toEqual([]);
  });

  test("a stopped owner keeps its lock", async () => {
    const segment = NAMED.create();
    const peer = startProcess();
    await NAMED.join(peer, segment);
    await peer.call("fail", { point: "test:between", action: "stop" });
    const adding = peer.call("add", 1);
    const at = firstWord(segment);
    while (segment.memory.i32[at + WORD_LEFT] !== 1) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(segment.mutex.lock(100)).toBeUndefined();
    process.kill(peer.pid, "SIGCONT");
    expect(await adding).toBe(0);
    expect(addUnderLock(segment)).toBe(false);
    segment.close();
  });
});

describe("the list of failpoints", () => {
  test("names each point of the sources exactly once, and each is tested", () => {
    const folder = new URL("../src/", import.meta.url);
    const found: string[] = [];
    for (const file of readdirSync(folder).filter((name) => name.endsWith(".ts"))) {
      const text = readFileSync(new URL(file, folder), "utf8");
      for (const match of text.matchAll(/\bfailpoint\("([^"]+)"\)/g)) found.push(match[1] as string);
    }
    // Rings and logs keep lists of their own.
    const own = found.filter((name) => !/^(ring|log|mpsc)-/.test(name));
    expect(own.sort()).toEqual([...FOUNDATION_FAILPOINTS].sort());
    const tested = new Set([...COMMON_POINTS, ...CREATOR_POINTS, ...OPENER_POINTS, ...PIPE_POINTS]);
    expect([...tested].sort()).toEqual([...FOUNDATION_FAILPOINTS].sort());
    const document = readFileSync(new URL("../../../docs/crash-behavior.md", import.meta.url), "utf8");
    expect(FOUNDATION_FAILPOINTS.filter((name) => !document.includes(`\`${name}\``))).toEqual([]);
  });
});

function expectUnharmedNamed(name: string): void {
  const segment = NAMED.comeBack({ name } as TestSegment);
  expectUnharmed(NAMED, segment);
  expect(removeSegment(name)).toBe(false);
}
