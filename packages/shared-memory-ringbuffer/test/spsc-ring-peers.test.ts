import { afterEach, describe, expect, test } from "vitest";
import { EventLoopDoorbell, inspectRing, RingConsumer, RingProducer, type Segment } from "../src/index.ts";
import { RING_FAILPOINTS } from "../src/spsc-ring.ts";
import { checkRecord, makeRecord, produce } from "./fixtures/checked-records.ts";
import { recordSegment, startTask, type TaskOptions } from "./fixtures/record-peers.ts";

const RING_BYTES = 4096;
const LOG_BYTES = 1024;
const WATCHDOG_MS = 30_000;

const open = new Set<Segment>();
afterEach(() => {
  for (const segment of open) segment.close();
  open.clear();
});

function segmentOf(kind: "named" | "anonymous", position = 0): Segment {
  const segment = recordSegment(kind, RING_BYTES, LOG_BYTES, position);
  open.add(segment);
  return segment;
}

/** Reads what follows record `from`, until `done` or the end; returns the number of the record due next. */
function receive(consumer: RingConsumer, from: number, done: (next: number) => boolean): number {
  let next = from;
  const options = { timeoutMs: WATCHDOG_MS, strategy: "park" } as const;
  while (!done(next)) {
    const read = consumer.read((bytes, offset, length) => {
      expect(checkRecord(bytes, offset, length)).toBe(next++);
    }, options);
    if (read === "closed") break;
    expect(read).not.toBe("timed-out");
  }
  return next;
}

describe.each(["named", "anonymous"] as const)("a ring in a %s segment", (kind) => {
  test.each([
    ["spin", 64],
    ["adaptive", 1],
    ["park", 16],
  ] as const)("carries every record to the other side: %s, %i a publish", async (strategy, batch) => {
    const segment = segmentOf(kind, 2 ** 32 - 4096);
    const to = strategy === "park" ? 20_000 : 60_000;
    const peer = startTask(segment, { role: "produce", from: 0, to, batch, strategy });
    const consumer = new RingConsumer(segment.region("ring"), segment);
    expect(receive(consumer, 0, () => false)).toBe(to);
    expect(consumer.ended).toBe(true);
    expect(await peer.ended).toBe("0");
  });

  test("wakes an event loop by its doorbell", async () => {
    const segment = segmentOf(kind);
    const to = 5000;
    const consumer = new RingConsumer(segment.region("ring"), segment);
    let next = 0;
    const received = new Promise<void>((resolve) => {
      const bell = new EventLoopDoorbell(segment, {
        // Arming tells the producer to ring, and says whether there is something to read already.
        hasWork: () => !consumer.arm(),
        onRing: () => {
          consumer.drain((bytes, offset, length) => expect(checkRecord(bytes, offset, length)).toBe(next++));
          if (consumer.ended) resolve(bell.close());
          else bell.arm();
        },
      });
      bell.arm();
    });
    const peer = startTask(segment, { role: "produce", from: 0, to, batch: 50, strategy: "park" });
    await received;
    expect(next).toBe(to);
    expect(await peer.ended).toBe("0");
  });

  test("carries every record from this side, the other sleeping in between", async () => {
    const segment = segmentOf(kind);
    const to = 20_000;
    const peer = startTask(segment, { role: "consume", from: 0, to, batch: 100, strategy: "park" });
    const producer = new RingProducer(segment.region("ring"), segment);
    produce(producer, segment.memory.bytes, 0, to, 10, "park");
    expect(await peer.ended).toBe("0");
    expect(producer.closed).toBe(true);
    expect(inspectRing(segment.region("ring"))).toMatchObject({ consumerClosed: true, usedBytes: 0 });
  });
});

describe("kill -9 of a producer", () => {
  const points = RING_FAILPOINTS.filter((point) => !/release|consumer/.test(point));
  /** Reached before the first record is published. */
  const BEFORE_ANY = ["ring-publish:begin", "ring-room:armed"];

  test.each(points)("at %s loses what it hadn't published, and a new one goes on", async (point) => {
    const segment = segmentOf("named");
    const task: TaskOptions = { role: "produce", from: 0, to: 500, batch: 3, strategy: "park" };
    const consumer = new RingConsumer(segment.region("ring"), segment);
    const doomed = startTask(segment, task, point);
    // Asleep when the first record comes, so that the producer has somebody to wake.
    let next = receive(consumer, 0, (received) => received > 0 || BEFORE_ANY.includes(point));
    let ended: string | undefined;
    while (ended === undefined) {
      ended = await Promise.race([doomed.ended, new Promise<undefined>((go) => setImmediate(go, undefined))]);
      consumer.drain((bytes, offset, length) => expect(checkRecord(bytes, offset, length)).toBe(next++));
    }
    expect(ended).toBe("SIGKILL");
    if (point === "ring-producer-close:signal") {
      expect(consumer.ended).toBe(true);
      expect(next).toBe(500);
      return;
    }
    const successor = startTask(segment, { ...task, from: next });
    expect(receive(consumer, next, () => false)).toBe(500);
    expect(await successor.ended).toBe("0");
  });
});

describe("kill -9 of a consumer", () => {
  const points = RING_FAILPOINTS.filter((point) => /release|consumer/.test(point));

  test.each(points)("at %s loses nothing that it hadn't released, and a new one goes on", async (point) => {
    const to = 3000;
    const segment = segmentOf("named");
    const region = segment.region("ring");
    const producer = new RingProducer(region, segment);
    const doomed = startTask(segment, { role: "consume", from: 0, to, batch: 7, strategy: "park" }, point);
    let sent = 0;
    let ended: string | undefined;
    while (ended === undefined) {
      while (sent < to && producer.tryWrite(makeRecord(sent))) sent++;
      // Asleep when room is made, so that the consumer has somebody to wake.
      if (sent < to) producer.waitForRoom(100, { timeoutMs: 100, strategy: "park" });
      ended = await Promise.race([doomed.ended, new Promise<undefined>((go) => setImmediate(go, undefined))]);
    }
    expect(ended).toBe("SIGKILL");
    expect(producer.closed).toBe(point === "ring-consumer-close:signal");
    if (producer.closed) return;
    while (sent < to && producer.tryWrite(makeRecord(sent))) sent++;
    const left: number[] = [];
    new RingConsumer(region).drain((bytes, offset, length) => left.push(checkRecord(bytes, offset, length)));
    const [first = sent] = left;
    expect(left).toEqual(Array.from({ length: sent - first }, (_, index) => first + index));
    expect(producer.tryWrite(makeRecord(sent))).toBe(true);
  });
});
