import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import {
  inspectMpscRing,
  MPSC_FAILPOINTS,
  MpscConsumer,
  MpscProducer,
  openSegment,
  type Segment,
} from "../src/index.ts";
import { checkRecord, makeRecord } from "./fixtures/checked-records.ts";
import { recordSegment, startTask, type TaskOptions } from "./fixtures/record-peers.ts";

const RING_BYTES = 4096;
const LOG_BYTES = 1024;
const WATCHDOG_MS = 30_000;
/** Records of this process, told from a peer's by their sequence. */
const OWN = 1_000_000;

const CONSUMER_POINTS = MPSC_FAILPOINTS.filter((point) => /-(release|consumer-wake|consumer-close|park):/.test(point));
const PRODUCER_POINTS = MPSC_FAILPOINTS.filter((point) => !CONSUMER_POINTS.includes(point) && !/-pad:/.test(point));
const PAD_POINTS = MPSC_FAILPOINTS.filter((point) => /-pad:/.test(point));

const open = new Set<Segment>();
afterEach(() => {
  for (const segment of open) segment.close();
  open.clear();
});

function segmentOf(kind: "named" | "anonymous"): Segment {
  const segment = recordSegment(kind, RING_BYTES, LOG_BYTES, 2 ** 32 - 4096);
  open.add(segment);
  return segment;
}

const PRODUCE: TaskOptions = { role: "mpsc-produce", from: 0, to: 400, batch: 3, strategy: "park" };

/** Reads `count` records of this process, which all come in order, whatever a dead peer left between them. */
function readOwn(consumer: MpscConsumer, from: number, count: number, onPeer: (sequence: number) => void): void {
  let next = from;
  const onRecord = (bytes: Uint8Array, offset: number, length: number): void => {
    const sequence = checkRecord(bytes, offset, length);
    if (sequence < OWN) onPeer(sequence);
    else expect(sequence).toBe(next++);
  };
  while (next < from + count) {
    const read = consumer.read(onRecord, { strategy: "park", timeoutMs: WATCHDOG_MS, maxRecords: from + count - next });
    expect(typeof read === "number" ? "records" : read).toBe("records");
  }
}

/** Proves that the ring still works: many laps of this process's records go through it. */
function expectSound(segment: Segment, consumer: MpscConsumer, onPeer: (sequence: number) => void = () => {}): void {
  const producer = new MpscProducer(segment.region("mpsc"), segment);
  let sequence = OWN;
  for (let round = 0; round < 60; round++) {
    const from = sequence;
    // A dead one's claim may fill the ring: then it is the consumer that gets on.
    while (sequence < from + 10 && producer.tryWrite(makeRecord(sequence))) sequence++;
    if (sequence > from) readOwn(consumer, from, sequence - from, onPeer);
    else consumer.read((bytes, offset, length) => onPeer(checkRecord(bytes, offset, length)), { timeoutMs: 100 });
  }
  expect(sequence).toBeGreaterThan(OWN + 500);
}

describe.each(["named", "anonymous"] as const)("an MPSC ring in a %s segment", (kind) => {
  test("carries the records of three producers whole, those of each in order", async () => {
    const segment = segmentOf(kind);
    const consumer = new MpscConsumer(segment.region("mpsc"), segment);
    const each = 6000;
    const next = [0, each, 2 * each];
    const peers = next.map((from) => startTask(segment, { ...PRODUCE, from, to: from + each, keepOpen: true }));
    const counts = { ended: 0 };
    for (const peer of peers) void peer.ended.then(() => counts.ended++);
    for (;;) {
      const records = consumer.drain((bytes, offset, length) => {
        const sequence = checkRecord(bytes, offset, length);
        const writer = Math.floor(sequence / each);
        expect(sequence).toBe((next[writer] as number)++);
      });
      if (records === 0 && counts.ended === 3) break;
      if (records === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(next).toEqual([each, 2 * each, 3 * each]);
  });
});

// Whether a point is come by depends on who sleeps when: a producer that never had to wake anybody doesn't die of it.
// Only that is tried again; a torn or lost record fails at once.
const NOT_COME_BY = "the producer ended without having come by";
const UNTIL_COME_BY = { retry: { count: 5, condition: new RegExp(NOT_COME_BY) } };

describe("kill -9 of a producer", () => {
  test.each(PRODUCER_POINTS)(
    "at %s holds nobody up, and tears, doubles and loses nothing published",
    UNTIL_COME_BY,
    async (point) => {
      const segment = segmentOf("named");
      const consumer = new MpscConsumer(segment.region("mpsc"), segment);
      let next = 0;
      const onPeer = (sequence: number): void => {
        expect(sequence).toBe(next++);
      };
      const doomed = startTask(segment, PRODUCE, point);
      const isRoomPoint = point.startsWith("mpsc-room");
      let ended: string | undefined;
      while (ended === undefined) {
        ended = await Promise.race([doomed.ended, new Promise<undefined>((go) => setTimeout(go, 2, undefined))]);
        // Asleep when records come, so that the producer has somebody to wake; away, so that it has to wait for room.
        if (isRoomPoint) continue;
        consumer.read((bytes, offset, length) => onPeer(checkRecord(bytes, offset, length)), {
          strategy: "park",
          timeoutMs: 20,
        });
      }
      if (ended === "0") throw new Error(`${NOT_COME_BY} ${point}`);
      expect(ended).toBe("SIGKILL");
      if (point === "mpsc-end:ended") {
        while (!consumer.ended) consumer.drain((bytes, offset, length) => onPeer(checkRecord(bytes, offset, length)));
        expect(next).toBe(PRODUCE.to);
        return;
      }
      if (isRoomPoint) consumer.read((bytes, offset, length) => onPeer(checkRecord(bytes, offset, length)));
      expectSound(segment, consumer, onPeer);
      expect(inspectMpscRing(segment.region("mpsc")).pendingClaim).toBeUndefined();
    },
  );

  test("and its slot taken by another leaves its claim a dead one's", async () => {
    const segment = segmentOf("named");
    const doomed = startTask(segment, PRODUCE, "mpsc-commit:begin@9");
    expect(await doomed.ended).toBe("SIGKILL");
    expect(segment.reapDead(1000)).toBe(1);
    const guest = openSegment(segment.name as string);
    expect(guest.me.slot).toBe(1);
    expectSound(segment, new MpscConsumer(segment.region("mpsc"), segment));
    guest.close();
  });

  test("that is only stopped is waited for", async () => {
    const segment = segmentOf("named");
    const consumer = new MpscConsumer(segment.region("mpsc"), segment);
    process.env.SHM_FAILPOINT_STOP = "mpsc-commit:begin@9";
    const stopped = startTask(segment, PRODUCE);
    delete process.env.SHM_FAILPOINT_STOP;
    let next = 0;
    const onRecord = (bytes: Uint8Array, offset: number, length: number): void => {
      expect(checkRecord(bytes, offset, length)).toBe(next++);
    };
    const pending = () => inspectMpscRing(segment.region("mpsc")).pendingClaim;
    const isStopped = (): boolean => {
      const peer = segment.participants().find(({ isMe }) => !isMe);
      return peer !== undefined && peer.pid > 0 && / T /.test(readFileSync(`/proc/${peer.pid}/stat`, "latin1"));
    };
    while (!isStopped()) {
      consumer.drain(onRecord);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    while (consumer.drain(onRecord) > 0);
    const before = next;
    expect(consumer.read(onRecord, { strategy: "park", timeoutMs: 150 })).toBe("timed-out");
    expect([next, pending()?.slot]).toEqual([before, 1]);
    process.kill(segment.participants().find(({ isMe }) => !isMe)?.pid as number, "SIGCONT");
    while (!consumer.ended) consumer.read(onRecord, { strategy: "park", timeoutMs: WATCHDOG_MS });
    expect(next).toBe(PRODUCE.to);
    expect(await stopped.ended).toBe("0");
  });
});

describe("kill -9 of who clears up after a dead producer", () => {
  test.each(PAD_POINTS)("at %s leaves it to the next", async (point) => {
    const segment = segmentOf("named");
    expect(await startTask(segment, PRODUCE, "mpsc-claim:tail@5").ended).toBe("SIGKILL");
    // A blocked producer finds the dead claim, once the records before it are read.
    const consumer = new MpscConsumer(segment.region("mpsc"), segment);
    consumer.drain(() => {});
    expect(await startTask(segment, PRODUCE, point).ended).toBe("SIGKILL");
    expectSound(segment, consumer);
  });
});

describe("kill -9 of a consumer", () => {
  test.each(CONSUMER_POINTS)("at %s loses nothing that it hadn't released, and a new one goes on", async (point) => {
    const to = 3000;
    const segment = segmentOf("named");
    const region = segment.region("mpsc");
    const producer = new MpscProducer(region, segment);
    const doomed = startTask(segment, { role: "mpsc-consume", from: 0, to, batch: 7, strategy: "park" }, point);
    let sent = 0;
    let ended: string | undefined;
    while (ended === undefined) {
      while (sent < to && producer.tryWrite(makeRecord(sent))) sent++;
      // Asleep when room is made, so that the consumer has somebody to wake.
      if (sent < to) producer.waitForRoom(100, { timeoutMs: 100, strategy: "park" });
      ended = await Promise.race([doomed.ended, new Promise<undefined>((go) => setImmediate(go, undefined))]);
    }
    expect(ended).toBe("SIGKILL");
    expect(producer.closed).toBe(point === "mpsc-consumer-close:signal");
    if (producer.closed) return;
    while (sent < to && producer.tryWrite(makeRecord(sent))) sent++;
    const left: number[] = [];
    const successor = new MpscConsumer(region, segment);
    successor.drain((bytes, offset, length) => left.push(checkRecord(bytes, offset, length)));
    const [first = sent] = left;
    expect(left).toEqual(Array.from({ length: sent - first }, (_, index) => first + index));
    expectSound(segment, successor);
  });
});

test("the list of failpoints names each point of the sources once, and the document each of the list", () => {
  const sources = ["mpsc-producer", "mpsc-consumer", "mpsc-words"].map((name) =>
    readFileSync(new URL(`../src/${name}.ts`, import.meta.url), "utf8"),
  );
  const found = sources.flatMap((text) => [...text.matchAll(/\bfailpoint\("([^"]+)"\)/g)].map(([, name]) => name));
  expect(found.sort()).toEqual([...MPSC_FAILPOINTS].sort());
  const document = readFileSync(new URL("../../../docs/crash-behavior.md", import.meta.url), "utf8");
  expect(MPSC_FAILPOINTS.filter((name) => !document.includes(`\`${name}\``))).toEqual([]);
});
