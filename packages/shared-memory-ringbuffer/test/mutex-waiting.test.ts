import { setTimeout as afterMs } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { Segment } from "../src/index.ts";
import { KINDS } from "./fixtures/peers.ts";

const WATCHDOG_MS = 30_000;

describe.each(KINDS)("the lock of $title", (kind) => {
  const open = new Set<Segment>();
  afterEach(() => {
    for (const { mutex } of open) if (mutex.held) mutex.unlock();
    for (const segment of open) segment.close();
    open.clear();
  });
  function made(): Segment {
    const segment = kind.create();
    open.add(segment);
    return segment;
  }
  function attached(segment: Segment): Segment {
    const other = kind.attach(segment);
    open.add(other);
    return other;
  }

  test("withLock gives the value back and the lock away, thrown or returned", () => {
    const { mutex } = made();
    expect(mutex.withLock(({ recovered }) => [recovered, mutex.held])).toEqual({ ok: true, value: [false, true] });
    expect(() =>
      mutex.withLock(() => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(mutex.held).toBe(false);
  });

  test("withLock tells of a dead owner until one returns", async () => {
    const segment = made();
    const peer = kind.start();
    await kind.join(peer, segment);
    await peer.call("lock");
    await peer.call("fail", { point: "mutex-unlock:begin" });
    await peer.call("unlock").catch(() => {});
    await peer.ended;
    const { mutex } = segment;
    expect(() =>
      mutex.withLock(({ recovered }) => {
        throw new Error(`recovered=${recovered}`);
      }),
    ).toThrow("recovered=true");
    const result = await mutex.withLockAsync(async ({ recovered }) => recovered);
    expect(result).toEqual({ ok: true, value: true });
    expect(mutex.withLock(({ recovered }) => recovered)).toEqual({ ok: true, value: false });
  });

  test("a taken lock times out in each way of asking", async () => {
    const segment = made();
    const { mutex } = attached(segment);
    segment.mutex.lock();
    expect(mutex.lock({ timeoutMs: 5 })).toBeUndefined();
    expect(mutex.withLock(() => 1, { timeoutMs: 0 })).toEqual({ ok: false, reason: "timed-out" });
    expect(await mutex.lockAsync({ timeoutMs: 5 })).toBeUndefined();
    expect(await mutex.withLockAsync(() => 1, { timeoutMs: 0 })).toEqual({ ok: false, reason: "timed-out" });
    expect(() => mutex.lock(Number.NaN)).toThrow(/timeoutMs=NaN/);
    await expect(mutex.lockAsync({ timeoutMs: -1 })).rejects.toThrow(/timeoutMs=-1/);
  });

  test("a signal ends the wait with its reason, before it or during it", async () => {
    const segment = made();
    const { mutex } = attached(segment);
    segment.mutex.lock();
    expect(() => mutex.lock({ signal: AbortSignal.abort(new Error("no more")) })).toThrow("no more");
    const controller = new AbortController();
    const waiting = mutex.lockAsync({ signal: controller.signal });
    await afterMs(20);
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    segment.mutex.unlock();
    expect(mutex.tryLock()).toEqual({ recovered: false });
  });

  test("lockAsync never blocks the event loop, and has the lock soon after it is free", async () => {
    const segment = made();
    const { mutex } = attached(segment);
    segment.mutex.lock();
    let turns = 0;
    const timer = setInterval(() => {
      turns++;
      if (turns === 20) segment.mutex.unlock();
    }, 1);
    expect(await mutex.lockAsync({ timeoutMs: WATCHDOG_MS })).toEqual({ recovered: false });
    clearInterval(timer);
    expect(turns).toBeGreaterThanOrEqual(20);
  });

  test("tasks of one thread take turns", async () => {
    const { mutex } = made();
    let inside = 0;
    const order: number[] = [];
    await Promise.all(
      [1, 2, 3, 4].map((task) =>
        mutex.withLockAsync(async () => {
          inside++;
          expect(inside).toBe(1);
          await afterMs(2);
          order.push(task);
          inside--;
        }),
      ),
    );
    expect(order.sort()).toEqual([1, 2, 3, 4]);
  });

  test("lockAsync takes the lock over from a dead owner", async () => {
    const segment = made();
    const peer = kind.start();
    await kind.join(peer, segment);
    await peer.call("lock");
    await peer.call("fail", { point: "mutex-unlock:begin" });
    await peer.call("unlock").catch(() => {});
    await peer.ended;
    expect(await segment.mutex.lockAsync({ timeoutMs: WATCHDOG_MS })).toEqual({ recovered: true });
  });
});
