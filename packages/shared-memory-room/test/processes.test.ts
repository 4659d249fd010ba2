import { readdirSync } from "node:fs";
import {
  type ChatEvent,
  decode,
  encode,
  frameFrom,
  NOT_YET_LOGGED,
  randomMessageId,
  randomSessionId,
} from "@parley/chat-protocol";
import type { Appended, ClaimOutcome } from "@parley/chat-room";
import { LOG_FAILPOINTS, listSegments } from "shared-memory-ringbuffer";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openSharedMemoryRoomLog, removeSharedMemoryRoom, type SharedMemoryRoomLog } from "../src/index.ts";
import { ROSTER_FAILPOINTS } from "../src/roster-table.ts";
import { RoomProcess } from "./room-process.ts";
import { createSegmentName } from "./segment-names.ts";

let processes: RoomProcess[] = [];
let logs: SharedMemoryRoomLog[] = [];
let segment = "";

beforeEach(() => {
  segment = createSegmentName();
});

afterEach(async () => {
  for (const other of processes) await other.kill();
  for (const log of logs) await log.close();
  // Where only killed processes were left.
  removeSharedMemoryRoom(segment);
  processes = [];
  logs = [];
});

async function start(segment: string, env?: NodeJS.ProcessEnv): Promise<RoomProcess> {
  const other = await RoomProcess.start(segment, env);
  processes.push(other);
  return other;
}

function open(segment: string, options?: Parameters<typeof openSharedMemoryRoomLog>[1]): SharedMemoryRoomLog {
  const log = openSharedMemoryRoomLog(segment, options);
  logs.push(log);
  return log;
}

function message(text: string, messageId: string = randomMessageId()): Uint8Array {
  return encode({ type: "message", ...NOT_YET_LOGGED, messageId, room: "lobby", name: "here", text });
}

async function all(log: SharedMemoryRoomLog): Promise<ChatEvent[]> {
  const { oldest } = await log.bounds();
  return (await log.read(oldest, 100_000)).events.map((event) => decode(frameFrom(event)) as ChatEvent);
}

function textOf(event: ChatEvent): string {
  return event.type === "message" ? event.text : event.type;
}

describe("a room of several processes", () => {
  test("gives all of them the same events in the same order, each one's own in call order", async () => {
    const log = open(segment);
    const others = [await start(segment), await start(segment)];
    const heard: ChatEvent[] = [];
    const count = 200;
    const complete = new Promise<void>((resolve, reject) => {
      log.follow(
        { epoch: log.epoch, seq: 0 },
        {
          events: (events) => {
            for (const event of events) heard.push(decode(frameFrom(event)) as ChatEvent);
            if (heard.length === 3 * count) resolve();
          },
          lost: () => reject(new Error("lost")),
          failed: reject,
        },
      );
    });
    const texts = (who: number): string[] => Array.from({ length: count }, (_, index) => `${who}:${index}`);
    await Promise.all([
      ...others.map((other, who) => other.ask({ do: "append", texts: texts(who) })),
      ...texts(2).map((text) => log.append(randomSessionId(), message(text))),
    ]);
    await complete;
    for (const who of [0, 1, 2]) {
      expect(heard.map(textOf).filter((text) => text.startsWith(`${who}:`))).toEqual(texts(who));
    }
    for (let index = 1; index < heard.length; index++) {
      expect(heard[index]?.prev).toBe(heard[index - 1]?.position.seq);
      expect(heard[index]?.timeMs).toBeGreaterThanOrEqual(heard[index - 1]?.timeMs ?? 0);
    }
    const second = open(segment);
    expect(await all(second)).toEqual(heard);
  });

  test("loses and tears nothing when four of them write as fast as they can", async () => {
    const log = open(segment, { capacityBytes: 2 ** 24 });
    const others = await Promise.all(Array.from({ length: 4 }, () => start(segment)));
    const [rounds, texts] = [20, 500];
    await Promise.all(
      others.map(async (other, who) => {
        for (let round = 0; round < rounds; round++) {
          const said = Array.from(
            { length: texts },
            (_, index) => `${who}:${round * texts + index} ${"y".repeat(index % 97)}`,
          );
          await other.ask({ do: "append", texts: said });
        }
      }),
    );
    const events = await all(log);
    expect(events).toHaveLength(others.length * rounds * texts);
    const next = others.map(() => 0);
    for (const [at, event] of events.entries()) {
      const [, digit, index, filling] = /^(\d):(\d+) (y*)$/.exec(textOf(event)) as RegExpExecArray;
      const who = Number(digit);
      expect(Number(index)).toBe(next[who]);
      next[who] = Number(index) + 1;
      expect(filling).toHaveLength((Number(index) % texts) % 97);
      expect(event.prev).toBe(at === 0 ? 0 : events[at - 1]?.position.seq);
    }
  });

  test("lets one name be held once, whichever process asks", async () => {
    const others = [await start(segment), await start(segment), await start(segment)];
    const outcomes = await Promise.all(others.map((other) => other.ask<ClaimOutcome>({ do: "claim", name: "Ada" })));
    expect(outcomes.filter((outcome) => outcome.claimed)).toHaveLength(1);
    expect(outcomes.filter((outcome) => !outcome.claimed)).toEqual(
      Array.from({ length: 2 }, () => ({ claimed: false, reason: "NAME_TAKEN" })),
    );
  });

  test("takes a message id once, whichever process repeats it", async () => {
    const log = open(segment);
    const other = await start(segment);
    const messageId = randomMessageId();
    const first = await log.append(randomSessionId(), message("once", messageId));
    const { appended } = await other.ask<{ appended: Appended[] }>({
      do: "append",
      texts: ["once", "and more"],
      messageIds: [messageId, randomMessageId()],
    });
    expect(appended[0]).toEqual({ position: first.position, timeMs: first.timeMs, duplicate: true });
    expect(appended[1]?.duplicate).toBe(false);
    expect((await all(log)).map(textOf)).toEqual(["once", "and more"]);
  });

  test("is gone when the last of them has left, and was there until then", async () => {
    const log = open(segment);
    const other = await start(segment);
    await log.append(randomSessionId(), message("hello"));
    await log.close();
    const again = open(segment);
    expect((await all(again)).map(textOf)).toEqual(["hello"]);
    await again.close();
    await other.ask({ do: "close" });
    expect(listSegments().map(({ name }) => name)).not.toContain(segment);
  });

  test("opened and closed a thousand times leaves neither files nor descriptors", async () => {
    const descriptors = (): number => readdirSync("/proc/self/fd").length;
    const cycle = async (): Promise<void> => {
      const log = openSharedMemoryRoomLog(segment, { capacityBytes: 2 ** 16, rosterSlots: 16 });
      log.follow({ epoch: log.epoch, seq: 0 }, { events: () => {}, lost: () => {}, failed: () => {} });
      await log.close();
    };
    for (let warmUp = 0; warmUp < 10; warmUp++) await cycle();
    const before = descriptors();
    for (let count = 0; count < 1000; count++) await cycle();
    // A closed pipe gives its descriptor back in a later turn.
    await expect.poll(descriptors, { timeout: 30_000 }).toBeLessThanOrEqual(before);
    expect(readdirSync("/dev/shm").filter((file) => file.includes(segment))).toEqual([]);
  });

  test("stays when the last to leave says so, and the next finds what was said", async () => {
    const log = open(segment);
    await log.append(randomSessionId(), message("hello"));
    await log.close({ keep: true });
    const again = open(segment, { create: false });
    expect((await all(again)).map(textOf)).toEqual(["hello"]);
  });
});

describe("a process killed with -9", () => {
  // A room's readers never hold its writers back, so nothing of a gate is stored.
  const logPoints = LOG_FAILPOINTS.filter((point) => !point.startsWith("log-gate:"));
  const failpoints = [...logPoints, ...ROSTER_FAILPOINTS, "mutex-lock:taken", "mutex-unlock:begin"];

  test.each(failpoints)("at %s leaves the others working, its name free and every record whole", async (failpoint) => {
    // Small, so that the appends below overwrite old records.
    const log = open(segment, { capacityBytes: 2 ** 16 });
    const victim = await start(segment);
    await log.append(randomSessionId(), message("before"));
    await victim.ask({ do: "claim", name: "eve", join: true });
    await victim.ask({ do: "arm", failpoint, action: "kill" });
    const long = Array.from({ length: 100 }, (_, index) => `${index} ${"x".repeat(1000)}`);
    const died = (async () => {
      await victim.ask({ do: "claim", name: "mallory" });
      await victim.ask({ do: "release", name: "mallory" });
      await victim.ask({ do: "append", texts: long });
    })();
    await expect(died).rejects.toThrow("has ended");

    // A claim sweeps the dead, so the name is free for it at once.
    const claim = { name: "eve", sessionId: randomSessionId() };
    expect(await log.roster.claim(claim)).toMatchObject({ claimed: true, resumed: false });
    await log.append(randomSessionId(), message("after"));
    const events = await all(log);
    expect(textOf(events.at(-1) as ChatEvent)).toBe("after");
    const messages = events.filter((event) => event.type === "message");
    for (let index = 1; index < messages.length; index++) {
      expect(messages[index]?.prev).toBe(messages[index - 1]?.position.seq);
    }
    const left = events.filter((event) => event.type === "left" && event.reason === "died" && event.name === "eve");
    expect(left).toHaveLength(1);
    expect((await log.roster.entries()).map(({ name }) => name)).toEqual(["eve"]);
  });

  test("while it holds the lock: the next writer in another process is told that it is recovered", async () => {
    const log = open(segment);
    const victim = await start(segment);
    const survivor = await start(segment);
    await survivor.ask({ do: "append", texts: ["before"] });
    expect(await survivor.ask({ do: "recovered" })).toEqual({ recovered: false });
    await victim.ask({ do: "arm", failpoint: "log-append:payload", action: "stop" });
    const lost = victim.ask({ do: "append", texts: ["never seen"] });
    const outcome = expect(lost).rejects.toThrow("has ended");
    await victim.stopped();
    await victim.kill();
    await outcome;
    await survivor.ask({ do: "append", texts: ["after"] });
    expect(await survivor.ask({ do: "recovered" })).toEqual({ recovered: true });
    expect((await all(log)).map(textOf)).toEqual(["before", "after"]);
  });

  test("its name is released with LEFT(died) by those who stay, without anybody asking", async () => {
    const log = open(segment);
    const victim = await start(segment);
    await victim.ask({ do: "claim", name: "eve", join: true });
    const left = new Promise<ChatEvent>((resolve, reject) => {
      log.follow(
        { epoch: log.epoch, seq: 0 },
        {
          events: (events) => {
            const found = events
              .map((event) => decode(frameFrom(event)) as ChatEvent)
              .find(({ type }) => type === "left");
            if (found !== undefined) resolve(found);
          },
          lost: () => reject(new Error("lost")),
          failed: reject,
        },
      );
    });
    await victim.kill();
    expect(await left).toMatchObject({ name: "eve", reason: "died" });
    expect(await log.roster.entries()).toEqual([]);
  });

  test("as the only one: the next to start finds the log, and the name free", async () => {
    const victim = await start(segment);
    await victim.ask({ do: "claim", name: "eve", join: true });
    await victim.ask({ do: "append", texts: ["last words"] });
    await victim.kill();
    const next = await start(segment);
    expect(await next.ask({ do: "claim", name: "eve", join: true })).toMatchObject({ claimed: true, resumed: false });
    const log = open(segment);
    expect((await all(log)).map(textOf)).toEqual(["joined", "last words", "left", "joined"]);
  });
});

describe("a process stopped while it holds the lock", () => {
  test("leaves this event loop running: appends wait in a bounded queue, and take effect when it goes on", async () => {
    const queued = 8;
    const log = open(segment, { maxQueuedAppends: queued });
    const holder = await start(segment);
    await holder.ask({ do: "arm", failpoint: "log-append:payload", action: "stop" });
    const held = holder.ask({ do: "append", texts: ["held up"] });
    await holder.stopped();

    const appends = Array.from({ length: queued }, (_, index) => log.append(randomSessionId(), message(`${index}`)));
    await expect(log.append(randomSessionId(), message("one too many"))).rejects.toMatchObject({ code: "OVERLOADED" });
    let turns = 0;
    const ticks = setInterval(() => turns++, 1);
    await expect.poll(() => turns, { timeout: 30_000 }).toBeGreaterThan(100);
    clearInterval(ticks);
    // A stopped process is not a dead one: nobody has taken its lock.
    expect(await all(log)).toEqual([]);

    holder.signal("SIGCONT");
    await held;
    await Promise.all(appends);
    expect((await all(log)).map(textOf)).toEqual([
      "held up",
      ...Array.from({ length: queued }, (_, index) => `${index}`),
    ]);
  });
});
