import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import {
  MpscConsumer,
  MpscProducer,
  RingConsumer,
  RingProducer,
  type Segment,
  SharedLog,
  StringCodec,
} from "../src/index.ts";
import { checkRecord, makeRecord } from "./fixtures/checked-records.ts";
import { recordSegment, startTask } from "./fixtures/record-peers.ts";

const RING_BYTES = 4096;
const WATCHDOG_MS = 30_000;
const open = new Set<Segment>();
afterEach(() => {
  for (const segment of open) segment.close();
  open.clear();
});

function segmentOf(kind: "named" | "anonymous"): Segment {
  const segment = recordSegment(kind, RING_BYTES, 65_536);
  open.add(segment);
  return segment;
}

const RINGS = {
  ring: {
    producer: (segment: Segment) => new RingProducer(segment.region("ring"), segment),
    consumer: (segment: Segment) => new RingConsumer(segment.region("ring"), segment),
    role: "produce",
  },
  mpsc: {
    producer: (segment: Segment) => new MpscProducer(segment.region("mpsc"), segment),
    consumer: (segment: Segment) => new MpscConsumer(segment.region("mpsc"), segment),
    role: "mpsc-produce",
  },
} as const;

describe.each(["named", "anonymous"] as const)("on an event loop, in a %s segment", (kind) => {
  describe.each(["ring", "mpsc"] as const)("%s", (name) => {
    const ring = RINGS[name];

    test("for await gives every record of a peer, and ends when the peer ends it", async () => {
      const segment = segmentOf(kind);
      const to = 3000;
      const peer = startTask(segment, { role: ring.role, from: 0, to, batch: 3, strategy: "park" });
      let next = 0;
      for await (const record of ring.consumer(segment)) {
        expect(checkRecord(record, 0, record.length)).toBe(next++);
      }
      expect(next).toBe(to);
      expect(await peer.ended).toBe("0");
    });

    test("for await gives the loop its turns, however much there is to read", async () => {
      const segment = segmentOf(kind);
      const producer = ring.producer(segment);
      const consumer = ring.consumer(segment);
      let turns = 0;
      let going = true;
      const count = (): void => {
        turns++;
        if (going) setImmediate(count);
      };
      setImmediate(count);
      let read = 0;
      while (producer.tryWrite(makeRecord(0)));
      for await (const _ of consumer.records({ maxRecordsPerTurn: 10 })) {
        while (producer.tryWrite(makeRecord(0)));
        if (++read === 1000) break;
      }
      going = false;
      expect(turns).toBeGreaterThanOrEqual(95);
    });

    test("leaving a for await leaves the rest to be read", async () => {
      const segment = segmentOf(kind);
      const producer = ring.producer(segment);
      const consumer = ring.consumer(segment);
      for (let sequence = 0; sequence < 5; sequence++) producer.tryWrite(makeRecord(sequence));
      for await (const record of consumer.records()) if (checkRecord(record, 0, record.length) === 1) break;
      let next = 2;
      consumer.drain((bytes, offset, length) => expect(checkRecord(bytes, offset, length)).toBe(next++));
      expect(next).toBe(5);
    });

    test("readAsync and writeAsync end by data, in time, and by a signal", async () => {
      const segment = segmentOf(kind);
      const producer = ring.producer(segment);
      const consumer = ring.consumer(segment);
      expect(await consumer.readAsync(() => {}, { timeoutMs: 5 })).toBe("timed-out");
      const controller = new AbortController();
      const aborted = consumer.readAsync(() => {}, { signal: controller.signal });
      controller.abort(new Error("enough"));
      await expect(aborted).rejects.toThrow("enough");
      const reading = consumer.readAsync(() => {}, { timeoutMs: WATCHDOG_MS });
      await nextTurn();
      expect(await producer.writeAsync(makeRecord(0))).toBe("written");
      expect(await reading).toBe(1);
      while (producer.tryWrite(makeRecord(1)));
      expect(await producer.writeAsync(makeRecord(1), { timeoutMs: 5 })).toBe("timed-out");
      const writing = producer.writeAsync(makeRecord(1), { timeoutMs: WATCHDOG_MS });
      await nextTurn();
      consumer.drain(() => {});
      expect(await writing).toBe("written");
      consumer.close();
      producer.tryWrite(makeRecord(1));
      expect(await producer.writeAsync(makeRecord(1))).toBe("closed");
    });

    test("strings go through in both encodings", () => {
      const segment = segmentOf(kind);
      const producer = ring.producer(segment);
      const strings = new StringCodec(segment.memory);
      const texts = ["", "plain", "Grüße", "æøå".repeat(20)];
      for (const text of texts) expect(strings.tryWrite(producer, text, "latin1")).toBe(true);
      const consumer = ring.consumer(segment);
      const read: string[] = [];
      consumer.drain((_bytes, offset, length) => read.push(strings.read(offset, length, "latin1")));
      for (const text of [...texts, "日本語 👋"]) expect(strings.tryWrite(producer, text)).toBe(true);
      consumer.drain((_bytes, offset, length) => read.push(strings.read(offset, length)));
      expect(read).toEqual([...texts, ...texts, "日本語 👋"]);
      while (strings.tryWrite(producer, "x".repeat(100)));
      expect(strings.tryStage(producer, "x".repeat(100))).toBe(false);
    });
  });

  test("for await over a log gives what a peer appends, with positions, and tells of what was lost", async () => {
    const segment = segmentOf(kind);
    const log = new SharedLog(segment.region("log"), segment);
    const to = 400;
    const items = log.items("tail");
    const peer = startTask(segment, { role: "append", from: 0, to, batch: 5, strategy: "park" });
    let next = 0;
    let last = 0;
    for await (const item of items) {
      if (item.outcome !== "record") throw new Error(item.outcome);
      expect(checkRecord(item.bytes, 0, item.bytes.length)).toBe(next++);
      last = item.position;
      if (next === to) break;
    }
    expect(last).toBe(log.tail());
    expect(await peer.ended).toBe("0");
    for (let sequence = 0; sequence < 2000; sequence++) log.append(makeRecord(sequence));
    for await (const item of log.items(last)) {
      expect(item).toEqual({ outcome: "lapped", lostBytes: log.oldest() - last, position: log.oldest() });
      break;
    }
    const controller = new AbortController();
    const waiting = log.items("tail", { signal: controller.signal }).next();
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
  });

  test("several waits of one participant share its doorbell", async () => {
    const segment = segmentOf(kind);
    const consumers = [RINGS.ring.consumer(segment), RINGS.mpsc.consumer(segment)];
    const reads = consumers.map((consumer) => consumer.readAsync(() => {}, { timeoutMs: WATCHDOG_MS }));
    await nextTurn();
    RINGS.mpsc.producer(segment).tryWrite(makeRecord(0));
    expect(await reads[1]).toBe(1);
    RINGS.ring.producer(segment).tryWrite(makeRecord(0));
    expect(await reads[0]).toBe(1);
    const pending = segment.waitAsync(() => false);
    segment.close();
    await expect(pending).rejects.toThrow(/closed/);
  });
});
