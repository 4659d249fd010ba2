import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { EventLoopDoorbell, FOUNDATION_FAILPOINTS, removeSegment } from "../src/index.ts";
import { SLEEPING_PARKED } from "../src/layout.ts";
import { addUnderLock, firstWord, TEST_SPEC, WORD_LEFT, WORD_NEWS, WORD_RIGHT } from "./fixtures/peer-commands.ts";
import { ANONYMOUS, type Kind, leftovers, NAMED, type Peer, startProcess, uniqueName } from "./fixtures/peers.ts";

type TestSegment = ReturnType<Kind["create"]>;

/** One way to bring a peer to a point. `act` ends with the peer's death; the survivor is in the segment all along. */
interface Scenario {
  readonly points: readonly string[];
  /** Participant slots; default: plenty. */
  readonly slots?: number;
  act(kind: Kind, segment: TestSegment, point: string): Promise<Peer>;
}

async function armed(kind: Kind, segment: TestSegment, point: string): Promise<Peer> {
  const peer = kind.start();
  await kind.join(peer, segment);
  await peer.call("fail", { point });
  return peer;
}

/** Sends commands until one of them kills the peer. */
async function untilDeath(peer: Peer, ...commands: readonly (readonly [string, unknown?])[]): Promise<Peer> {
  const answers = commands.map(([operation, argument]) => peer.call(operation, argument).catch(() => undefined));
  await Promise.all([peer.ended, ...answers]);
  return peer;
}

async function leaveDead(kind: Kind, segment: TestSegment, ...commands: readonly [string, unknown?][]): Promise<void> {
  const victim = kind.start();
  await kind.join(victim, segment);
  for (const [operation, argument] of commands) await victim.call(operation, argument);
  victim.kill();
  await victim.ended;
}

const SCENARIOS: readonly Scenario[] = [
  {
    points: [
      "participant-claim:begin",
      "participant-claim:identity",
      "participant-claim:pid",
      "participant-claim:flags",
      "participant-claim:sleeping",
      "participant-claim:sleepers",
      "participant-claim:doorbell",
      "participant-claim:cursor",
      "participant-phase:begin",
      "participant-phase:stored",
      "segment-open:admitted",
    ],
    act: async (kind, segment, point) => {
      const peer = kind.start();
      await peer.call("fail", { point });
      await kind.join(peer, segment).catch(() => undefined);
      await peer.ended;
      return peer;
    },
  },
  {
    points: ["mutex-lock:begin", "mutex-lock:taken", "mutex-unlock:begin", "mutex-unlock:released"],
    act: async (kind, segment, point) => untilDeath(await armed(kind, segment, point), ["add", 1]),
  },
  {
    points: ["mutex-try:begin"],
    act: async (kind, segment, point) => untilDeath(await armed(kind, segment, point), ["tryLock", 1]),
  },
  {
    points: ["mutex-lock:waiting"],
    act: async (kind, segment, point) => {
      const peer = await armed(kind, segment, point);
      segment.mutex.lock();
      await untilDeath(peer, ["add", 1]);
      segment.mutex.unlock();
      return peer;
    },
  },
  {
    points: ["mutex-unlock:woken"],
    act: async (kind, segment, point) => {
      const peer = await armed(kind, segment, point);
      await peer.call("lock");
      // Sleeps for a moment, so that the word says that somebody waits.
      expect(segment.mutex.lock(5)).toBeUndefined();
      return untilDeath(peer, ["unlock"]);
    },
  },
  {
    points: ["mutex-takeover:taken", "mutex-takeover:repair", "mutex-unlock:repair"],
    act: async (kind, segment, point) => {
      const peer = await armed(kind, segment, point);
      await leaveDead(kind, segment, ["lock"]);
      return untilDeath(peer, ["lock"], ["unlock"]);
    },
  },
  {
    points: [
      "participant-reap:swept",
      "participant-reap:sleeping",
      "participant-reap:sleepers",
      "participant-reap:generation",
      "participant-reap:identity",
    ],
    act: async (kind, segment, point) => {
      const peer = await armed(kind, segment, point);
      await leaveDead(kind, segment, ["bell"]);
      return untilDeath(peer, ["reap", 1000]);
    },
  },
  {
    points: [
      "participant-cursor:begin",
      "participant-cursor:stored",
      "participant-reader:begin",
      "participant-reader:stored",
    ],
    act: async (kind, segment, point) => untilDeath(await armed(kind, segment, point), ["cursor", 7]),
  },
  {
    points: [
      "segment-close:begin",
      "segment-close:left",
      "segment-close:unlocked",
      "participant-free:begin",
      "participant-free:generation",
      "participant-free:identity",
    ],
    act: async (kind, segment, point) => untilDeath(await armed(kind, segment, point), ["close"]),
  },
  {
    points: ["sleep:begin", "sleep:sleeping", "sleep:sleepers", "wake-up:sleeping", "wake-up:sleepers"],
    act: async (kind, segment, point) =>
      untilDeath(await armed(kind, segment, point), ["park", { strategy: "park", timeoutMs: 60 }]),
  },
  {
    points: ["ring:begin", "ring:word", "ring:rung"],
    act: async (kind, segment, point) => {
      const peer = await armed(kind, segment, point);
      segment.sleep.enter(SLEEPING_PARKED);
      await untilDeath(peer, ["publish"]);
      segment.sleep.leave(SLEEPING_PARKED);
      const news = firstWord(segment) + WORD_NEWS;
      expect(segment.waiter("park").waitUntil(() => Atomics.load(segment.memory.i32, news) === 1)).toBe(true);
      return peer;
    },
  },
  {
    points: ["janitor:claimed", "janitor:generation", "janitor:locked"],
    slots: 2,
    act: async (kind, segment, point) => {
      await leaveDead(kind, segment, ["lock"]);
      const peer = kind.start();
      await peer.call("fail", { point });
      await kind.join(peer, segment).catch(() => undefined);
      await peer.ended;
      return peer;
    },
  },
];

const DOORBELL_POINTS: Readonly<Record<string, readonly string[]>> = {
  [NAMED.title]: [
    "doorbell-open:begin",
    "doorbell-open:made",
    "doorbell-open:published",
    "doorbell-close:begin",
    "doorbell-close:withdrawn",
    "doorbell-close:removed",
  ],
  [ANONYMOUS.title]: ["wake-word:begin", "wake-word:published", "wake-word:withdrawn"],
};
/** Points on the way of a segment's creator and of its last participant. */
const CREATOR_POINTS = [
  "segment-create:begin",
  "segment-create:sized",
  "segment-create:formatted",
  "segment-create:joined",
  "segment-create:published",
];
const LAST_POINTS = ["segment-close:marked", "segment-close:unlinked"];
const OPENER_POINTS = ["segment-open:mapped"];
const PIPE_POINTS = ["ring:piped"];

/** What every survivor must find: a lock to be had, news of a death inside it, equal words, nothing of the dead. */
function expectUnharmed(kind: Kind, segment: TestSegment): void {
  const at = firstWord(segment);
  const { i32 } = segment.memory;
  const before = i32[at + WORD_LEFT] as number;
  addUnderLock(segment);
  expect(i32[at + WORD_LEFT]).toBe(before + 1);
  expect(i32[at + WORD_RIGHT]).toBe(before + 1);
  expect(addUnderLock(segment)).toBe(false);
  segment.reapDead(1000);
  expect(segment.participants().map(({ pid, isMe }) => [pid, isMe])).toEqual([[process.pid, true]]);
  const guest = kind.attach(segment);
  expect(guest.me.slot).toBe(segment.me.slot === 0 ? 1 : 0);
  guest.close();
  segment.close();
  if (segment.name !== undefined) expect(leftovers(segment.name)).toEqual([]);
}

describe.each([NAMED, ANONYMOUS])("killed in $title", (kind) => {
  const doorbellScenario: Scenario = {
    points: DOORBELL_POINTS[kind.title] ?? [],
    act: async (each, segment, point) =>
      untilDeath(await armed(each, segment, point), ["bell"], ["closeBell"], ["close"]),
  };
  for (const scenario of [...SCENARIOS, doorbellScenario]) {
    test.each(scenario.points)("at %s, the survivor goes on", async (point) => {
      const { slots } = scenario;
      const segment = kind.create(slots === undefined ? TEST_SPEC : { ...TEST_SPEC, participantSlots: slots });
      const peer = await scenario.act(kind, segment, point);
      expect(await peer.ended).toBe(kind.killedAs);
      expectUnharmed(kind, segment);
    });
  }

  test("between its two stores under the lock, the survivor is told and repairs", async () => {
    const segment = kind.create();
    const peer = await armed(kind, segment, "test:between@3");
    await untilDeath(peer, ["add", 5]);
    const at = firstWord(segment);
    expect([segment.memory.i32[at + WORD_LEFT], segment.memory.i32[at + WORD_RIGHT]]).toEqual([3, 2]);
    expect(addUnderLock(segment)).toBe(true);
    expectUnharmed(kind, segment);
  });

  test.each(LAST_POINTS)(
    "as the last participant, at %s, newcomers get a sound segment or a clear answer",
    async (point) => {
      const segment = kind.create();
      const peer = await armed(kind, segment, point);
      segment.close();
      await untilDeath(peer, ["close"]);
      expect(await peer.ended).toBe(kind.killedAs);
      if (kind === ANONYMOUS) {
        expect(() => kind.comeBack(segment)).toThrow(expect.objectContaining({ code: "ERR_SHM_CLOSED" }));
        return;
      }
      const next = kind.comeBack(segment);
      expect(next.epoch).not.toBe(segment.epoch);
      expectUnharmed(kind, next);
    },
  );
});

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
    for (const file of readdirSync(folder)) {
      const text = readFileSync(new URL(file, folder), "utf8");
      for (const match of text.matchAll(/\bfailpoint\("([^"]+)"\)/g)) found.push(match[1] as string);
    }
    // Rings and logs keep lists of their own.
    const own = found.filter((name) => !/^(ring|log)-/.test(name));
    expect(own.sort()).toEqual([...FOUNDATION_FAILPOINTS].sort());
    const tested = new Set([
      ...SCENARIOS.flatMap(({ points }) => points),
      ...Object.values(DOORBELL_POINTS).flat(),
      ...CREATOR_POINTS,
      ...LAST_POINTS,
      ...OPENER_POINTS,
      ...PIPE_POINTS,
    ]);
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
