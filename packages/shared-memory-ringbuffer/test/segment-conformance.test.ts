import { describe, expect, test } from "vitest";
import type { SegmentSpec } from "../src/index.ts";
import { addUnderLock, firstWord, TEST_SPEC, WORD_LEFT, WORD_NEWS, WORD_RIGHT } from "./fixtures/peer-commands.ts";
import { KINDS, leftovers, type Peer } from "./fixtures/peers.ts";

const INCREMENTS = 20_000;

describe.each(KINDS)("$title", (kind) => {
  async function joinedPeer(segment: Parameters<typeof kind.join>[1]): Promise<Peer> {
    const peer = kind.start();
    await kind.join(peer, segment);
    return peer;
  }

  test("shows every participant the same bytes", () => {
    const one = kind.create();
    const other = kind.attach(one);
    Atomics.store(one.memory.i32, firstWord(one), 4711);
    expect(Atomics.load(other.memory.i32, firstWord(other))).toBe(4711);
    expect(other.epoch).toBe(one.epoch);
    expect(other.objects).toEqual(one.objects);
    other.close();
    one.close();
  });

  test("formats objects once, before anybody else sees them", () => {
    let formatted = 0;
    const spec: SegmentSpec = {
      objects: {
        table: {
          kind: "region",
          sizeBytes: 1,
          format: ({ memory, offsetBytes, sizeBytes }) => {
            formatted += 1;
            memory.bytes.fill(7, offsetBytes, offsetBytes + sizeBytes);
          },
        },
      },
    };
    const one = kind.create(spec);
    const other = kind.attach(one);
    const region = other.region("table", "region");
    expect(region.sizeBytes).toBe(128);
    expect(region.offsetBytes % 128).toBe(0);
    expect(other.memory.bytes[region.offsetBytes + 127]).toBe(7);
    expect(formatted).toBe(1);
    expect(() => other.region("table", "log")).toThrow(/no log "table"/);
    other.close();
    one.close();
  });

  test("lists its participants with their threads, flags and cursors", async () => {
    const segment = kind.create();
    const peer = await joinedPeer(segment);
    await peer.call("cursor", 2 ** 40 + 1);
    const [me, other] = segment.participants();
    expect(me).toMatchObject({ slot: 0, isMe: true, alive: true, phase: "active", pid: process.pid });
    expect(other).toMatchObject({ slot: 1, isMe: false, alive: true, isReader: true, cursor: 2 ** 40 + 1 });
    expect(other?.pid).toBe(peer.pid);
    expect(other?.tid).not.toBe(me?.tid);
    await peer.call("close");
    expect(segment.participants()).toHaveLength(1);
    segment.close();
  });

  test("a closed segment's views throw or stay silent but never crash, and closing twice does nothing", () => {
    const segment = kind.create();
    const { i32 } = segment.memory;
    segment.close();
    segment.close();
    expect(segment.closed).toBe(true);
    if (segment.path !== undefined) expect(i32.length).toBe(0);
    expect(() => segment.mutex.lock()).toThrow(expect.objectContaining({ code: "ERR_SHM_CLOSED" }));
    expect(() => segment.mutex.tryLock()).toThrow(expect.objectContaining({ code: "ERR_SHM_CLOSED" }));
  });

  test("the lock is held by one participant at a time and refuses misuse", async () => {
    const segment = kind.create();
    const peer = await joinedPeer(segment);
    expect(segment.mutex.lock()).toEqual({ recovered: false });
    expect(await peer.call("tryLock", 100)).toBeUndefined();
    expect(await peer.call("lock", 30)).toBeUndefined();
    expect(() => segment.mutex.lock()).toThrow(/already holds/);
    expect(() => segment.close()).toThrow(/holds the lock/);
    await expect(peer.call("unlock")).rejects.toThrow(/does not hold/);
    segment.mutex.unlock();
    expect(await peer.call("lock")).toEqual({ recovered: false });
    await peer.call("unlock");
    segment.close();
  });

  test("four participants that count under the lock lose nothing", async () => {
    const segment = kind.create();
    const peers = await Promise.all([1, 2, 3, 4].map(() => joinedPeer(segment)));
    const recoveries = await Promise.all(peers.map((peer) => peer.call("add", INCREMENTS)));
    expect(recoveries).toEqual([0, 0, 0, 0]);
    const at = firstWord(segment);
    expect(segment.memory.i32[at + WORD_LEFT]).toBe(4 * INCREMENTS);
    expect(segment.memory.i32[at + WORD_RIGHT]).toBe(4 * INCREMENTS);
    segment.close();
  });

  test("a lock whose owner died is taken over, told once to whoever unlocks, by lock and by tryLock", async () => {
    for (const way of ["lock", "tryLock"] as const) {
      const segment = kind.create();
      const peer = await joinedPeer(segment);
      await peer.call("fail", { point: "test:between" });
      await expect(peer.call("add", 1)).rejects.toThrow(/ended/);
      expect(await peer.ended).toBe(kind.killedAs);
      let grant = way === "lock" ? segment.mutex.lock() : segment.mutex.tryLock();
      while (grant === undefined) grant = segment.mutex.tryLock(1000);
      expect(grant).toEqual({ recovered: true });
      segment.mutex.unlock();
      expect(segment.mutex.lock()).toEqual({ recovered: false });
      segment.mutex.unlock();
      expect(segment.counts().recoveries).toBe(1);
      expect(segment.reapDead()).toBe(1);
      expect(segment.participants()).toHaveLength(1);
      segment.close();
    }
  });

  test("who only joins or sweeps after a death leaves the news of it to the next owner", async () => {
    const segment = kind.create();
    const peer = await joinedPeer(segment);
    await peer.call("fail", { point: "test:between" });
    await expect(peer.call("add", 1)).rejects.toThrow(/ended/);
    await peer.ended;
    const newcomer = kind.attach(segment);
    expect(segment.participants()).toHaveLength(2);
    newcomer.close();
    expect(addUnderLock(segment)).toBe(true);
    expect(addUnderLock(segment)).toBe(false);
    segment.close();
  });

  test("hooks sweep what names a dead participant before its slot is free", async () => {
    const segment = kind.create();
    const peer = await joinedPeer(segment);
    const [, info] = segment.participants();
    peer.kill();
    await peer.ended;
    const swept: unknown[] = [];
    segment.onReap((dead) => {
      swept.push([dead.slot, dead.generation]);
      expect(segment.mutex.held).toBe(true);
      expect(segment.participants()).toHaveLength(2);
    });
    expect(segment.isParticipantAlive(info?.slot ?? -1, info?.generation ?? -1)).toBe(false);
    expect(segment.reapDead()).toBe(1);
    expect(swept).toEqual([[info?.slot, info?.generation]]);
    expect(segment.isParticipantAlive(segment.me.slot, segment.me.generation)).toBe(true);
    segment.close();
  });

  test("a slot's next participant has another generation", async () => {
    const segment = kind.create();
    const first = kind.attach(segment);
    const { slot, generation } = first.me;
    first.close();
    const second = kind.attach(segment);
    expect(second.me.slot).toBe(slot);
    expect(second.me.generation).not.toBe(generation);
    expect(segment.isParticipantAlive(slot, generation)).toBe(false);
    second.close();
    segment.close();
  });

  test("a full table is ERR_SHM_NO_SLOT for the living and is swept of the dead", async () => {
    const segment = kind.create({ ...TEST_SPEC, participantSlots: 2 });
    const peer = await joinedPeer(segment);
    expect(() => kind.attach(segment)).toThrow(expect.objectContaining({ code: "ERR_SHM_NO_SLOT" }));
    peer.kill();
    await peer.ended;
    const newcomer = kind.attach(segment);
    expect(newcomer.me.slot).toBe(1);
    newcomer.close();
    segment.close();
  });

  test.each(["spin", "adaptive", "park"] as const)(
    "a thread that waits by %s is woken by a publisher",
    async (strategy) => {
      const segment = kind.create();
      const peer = await joinedPeer(segment);
      for (let round = 0; round < 5; round++) {
        const woken = peer.call("park", { strategy, timeoutMs: 30_000 });
        Atomics.add(segment.memory.i32, firstWord(segment) + WORD_NEWS, 1);
        segment.doorbells.ringSleepers();
        expect(await woken).toBe(true);
      }
      expect(await peer.call("park", { strategy, timeoutMs: 5 })).toBe(false);
      segment.close();
    },
  );

  test("an event loop is rung by a publisher, again and again", async () => {
    const segment = kind.create();
    const peer = await joinedPeer(segment);
    await peer.call("bell");
    for (let round = 1; round <= 20; round++) {
      const rung = peer.nextRing();
      Atomics.store(segment.memory.i32, firstWord(segment) + WORD_NEWS, round);
      segment.doorbells.ringSleepers();
      expect(await rung).toBe(round);
    }
    expect(segment.counts().wakesSent).toBeGreaterThan(0);
    await peer.call("closeBell");
    segment.close();
  });

  test("a publisher killed between publishing and ringing delays an event loop but doesn't strand it", async () => {
    const segment = kind.create();
    const [reader, publisher] = await Promise.all([joinedPeer(segment), joinedPeer(segment)]);
    await reader.call("bell");
    await publisher.call("fail", { point: "test:published" });
    const rung = reader.nextRing();
    await expect(publisher.call("publish")).rejects.toThrow(/ended/);
    expect(await rung).toBe(1);
    segment.close();
  });

  test("a publisher killed between publishing and ringing delays a parked thread but doesn't strand it", async () => {
    const segment = kind.create();
    const [reader, publisher] = await Promise.all([joinedPeer(segment), joinedPeer(segment)]);
    await publisher.call("fail", { point: "test:published" });
    const woken = reader.call("park", { strategy: "park", timeoutMs: 30_000 });
    await expect(publisher.call("publish")).rejects.toThrow(/ended/);
    expect(await woken).toBe(true);
    segment.close();
  });

  test("counts go on when a slot gets its next participant", () => {
    const segment = kind.create();
    for (let round = 0; round < 3; round++) {
      const guest = kind.attach(segment);
      guest.counters.add(0, 2 ** 31 - 1);
      guest.counters.add(1, 5);
      guest.close();
    }
    expect(segment.counts()).toMatchObject({ messages: 3 * (2 ** 31 - 1), bytes: 15 });
    segment.close();
  });

  test("the last to leave takes the segment with it", () => {
    const segment = kind.create();
    const other = kind.attach(segment);
    segment.close();
    if (segment.name !== undefined) expect(leftovers(segment.name)).toHaveLength(1);
    expect(other.removed).toBe(false);
    other.close();
    if (segment.name !== undefined) expect(leftovers(segment.name)).toEqual([]);
    else expect(() => kind.attach(segment)).toThrow(expect.objectContaining({ code: "ERR_SHM_CLOSED" }));
  });
});
