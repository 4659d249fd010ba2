import { execFileSync } from "node:child_process";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { createAnonymousSegment, EventLoopDoorbell, type Segment } from "../src/index.ts";
import { LOCK_OFFSET } from "../src/layout.ts";
import { firstWord, TEST_SPEC, WORD_NEWS } from "./fixtures/peer-commands.ts";
import { KINDS, leftovers, uniqueName } from "./fixtures/peers.ts";

const indexUrl = new URL("../src/index.ts", import.meta.url).href;
const PUBLICATIONS = 3000;

describe.each(KINDS)("on $title", (kind) => {
  test("an event loop sees every publication of another that never pauses for it", async () => {
    const segment = kind.create();
    const peer = kind.start();
    await kind.join(peer, segment);
    const { i32 } = segment.memory;
    const news = newsWord(segment);
    let seen = 0;
    const all = new Promise<void>((resolve) => {
      const bell = new EventLoopDoorbell(segment, {
        hasWork: () => Atomics.load(i32, news) !== seen,
        onRing: () => {
          seen = Atomics.load(i32, news);
          if (seen === PUBLICATIONS) resolve();
          bell.arm();
        },
      });
      bell.arm();
    });
    const publications = Array.from({ length: PUBLICATIONS }, () => peer.call("publish"));
    await all;
    await Promise.all(publications);
    expect(seen).toBe(PUBLICATIONS);
    segment.close();
  });

  test("work that is there before arming rings without a publisher, never inside arm", async () => {
    const segment = kind.create();
    let rings = 0;
    const rung = new Promise<void>((resolve) => {
      const bell = new EventLoopDoorbell(segment, {
        hasWork: () => true,
        onRing: () => {
          rings += 1;
          resolve();
        },
      });
      bell.arm();
      bell.arm();
    });
    expect(rings).toBe(0);
    await rung;
    expect(rings).toBe(1);
    segment.close();
  });

  test("a participant that publishes rings its own event loop too, later", async () => {
    const segment = kind.create();
    let published = false;
    let inside = true;
    const rung = new Promise<boolean>((resolve) => {
      const bell = new EventLoopDoorbell(segment, { hasWork: () => published, onRing: () => resolve(inside) });
      bell.arm();
    });
    published = true;
    segment.doorbells.ringSleepers();
    inside = false;
    expect(await rung).toBe(false);
    segment.close();
  });

  test("a participant that publishes for others only doesn't ring itself", async () => {
    const segment = kind.create();
    let rings = 0;
    const bell = new EventLoopDoorbell(segment, { hasWork: () => false, onRing: () => (rings += 1) });
    bell.arm();
    segment.doorbells.ringSleepers();
    expect(bell.armed).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect(rings).toBe(0);
    segment.close();
  });

  test("publishers find nobody to ring while it isn't armed", () => {
    const segment = kind.create();
    const bell = new EventLoopDoorbell(segment, { hasWork: () => false, onRing: () => {} });
    const other = kind.attach(segment);
    bell.arm();
    other.doorbells.ringSleepers();
    expect(segment.counts()).toMatchObject({ wakesSent: 1, wakesSuppressed: 0 });
    bell.disarm();
    other.doorbells.ringSleepers();
    expect(segment.counts()).toMatchObject({ wakesSent: 1, wakesSuppressed: 1 });
    expect(() => new EventLoopDoorbell(segment, { hasWork: () => false, onRing: () => {} })).toThrow(/already/);
    other.close();
    segment.close();
    expect(bell.armed).toBe(false);
  });

  test("a second doorbell after the first one's close is heard", async () => {
    const segment = kind.create();
    const other = kind.attach(segment);
    new EventLoopDoorbell(segment, { hasWork: () => false, onRing: () => {} }).close();
    let published = false;
    const rung = new Promise<void>((resolve) => {
      new EventLoopDoorbell(segment, { hasWork: () => published, onRing: resolve }).arm();
    });
    published = true;
    other.doorbells.ringSleepers();
    await rung;
    other.close();
    segment.close();
    if (segment.name !== undefined) expect(leftovers(segment.name)).toEqual([]);
  });
});

function newsWord(segment: Segment): number {
  return firstWord(segment) + WORD_NEWS;
}

function runScript(body: string): string {
  const script = `const shm = await import(${JSON.stringify(indexUrl)}); const spec = { objects: {} };\n${body}`;
  return execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" }).trim();
}

describe("the end of a process", () => {
  const open = (kind: string): string =>
    kind === "named"
      ? `const segment = shm.createSegment(${JSON.stringify(uniqueName("end"))}, spec);`
      : "const segment = shm.createAnonymousSegment(spec);";

  test.each(["named", "anonymous"])("comes by itself with an unreferenced doorbell armed (%s)", (kind) => {
    expect(
      runScript(`${open(kind)}
      new shm.EventLoopDoorbell(segment, { hasWork: () => false, onRing() {} }).unref().arm();
      console.log("ended");`),
    ).toBe("ended");
  });

  test.each(["named", "anonymous"])("does not come while a doorbell is armed (%s)", (kind) => {
    expect(
      runScript(`${open(kind)}
      let work = false;
      const bell = new shm.EventLoopDoorbell(segment, { hasWork: () => work, onRing() { console.log("rung"); bell.close(); } });
      bell.arm();
      setTimeout(() => { work = true; }, 250).unref();`),
    ).toBe("rung");
  });

  test.each(["lock", "park", "spin"])("is not held up by a thread that waits (%s)", async (how) => {
    const body = `
      const { parentPort, workerData } = require("node:worker_threads");
      import(workerData.index).then((shm) => {
        const segment = shm.attachAnonymousSegment(workerData.buffer);
        parentPort.postMessage("joined");
        const { i32 } = segment.memory;
        Atomics.wait(i32, workerData.news, 0);
        if (workerData.how === "lock") segment.mutex.lock();
        else segment.waiter(workerData.how).waitUntil(() => false);
        parentPort.postMessage("unreachable");
      });`;
    const segment = createAnonymousSegment(TEST_SPEC);
    const { i32 } = segment.memory;
    const news = newsWord(segment);
    const worker = new Worker(body, {
      eval: true,
      workerData: { index: indexUrl, buffer: segment.memory.buffer, how, news },
    });
    await new Promise((resolve) => worker.once("message", resolve));
    segment.mutex.lock();
    Atomics.store(i32, news, 1);
    Atomics.notify(i32, news);
    const waits = (): boolean => {
      if (how === "lock") return Atomics.load(i32, LOCK_OFFSET >>> 2) < 0;
      return how === "spin" || segment.participants().some(({ sleeping }) => sleeping);
    };
    while (!waits()) await new Promise((resolve) => setTimeout(resolve, 1));
    await worker.terminate();
    segment.mutex.unlock();
    expect(segment.reapDead()).toBe(1);
    segment.close();
  });
});
