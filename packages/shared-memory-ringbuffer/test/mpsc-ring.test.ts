import { describe, expect, test } from "vitest";
import {
  AtomicsFutex,
  CorruptSegmentError,
  formatMpscRing,
  inspectMpscRing,
  MpscConsumer,
  MpscProducer,
  mpscRegionSizeBytes,
} from "../src/index.ts";
import { CLAIM_SLICE_MS } from "../src/mpsc-consumer.ts";
import { MPSC_DATA_OFFSET, MPSC_HEAD_OFFSET, MPSC_RELEASE_OFFSET, MPSC_TAIL_OFFSET } from "../src/records.ts";
import { checkRecord, makeRecord, recordLength, regionOf } from "./fixtures/checked-records.ts";

const CAPACITY_BYTES = 1024;

function ringOf(initialPosition = 0) {
  const region = regionOf(mpscRegionSizeBytes(CAPACITY_BYTES));
  formatMpscRing(region, { initialPosition });
  const dead = new Set<number>();
  const asked: number[] = [];
  const futex = new AtomicsFutex(region.memory.i32);
  const options = (slot: number) => ({
    futex,
    claims: {
      ownerWord: (7 << 10) | (slot + 1),
      isOwnerDead: (who: number, generation: number) => {
        expect(generation).toBe(7);
        asked.push(who);
        return dead.has(who);
      },
    },
  });
  return {
    region,
    dead,
    asked,
    producer: (slot: number) => new MpscProducer(region, options(slot)),
    consumer: () => new MpscConsumer(region, options(99)),
  };
}

function drained(consumer: MpscConsumer): number[][] {
  const records: number[][] = [];
  consumer.drain((bytes, offset, length) => records.push([...bytes.slice(offset, offset + length)]));
  return records;
}

async function slice(): Promise<void> {
  const until = performance.now() + CLAIM_SLICE_MS + 1;
  while (performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 1));
}

describe("many producers", () => {
  test("are read in the order of their claims, whatever the order of their commits", () => {
    const { region, producer, consumer } = ringOf();
    const [first, second] = [producer(0), producer(1)];
    const reader = consumer();
    const offsets = [first.tryReserve(1), second.tryReserve(1), first.tryReserve(1)];
    for (const [index, offset] of offsets.entries()) region.memory.bytes[offset] = index;
    second.commit();
    expect(drained(reader)).toEqual([]);
    expect(inspectMpscRing(region)).toMatchObject({ pendingClaim: { slot: 0, generation: 7 }, usedBytes: 48 });
    first.commit();
    expect(drained(reader)).toEqual([[0], [1], [2]]);
  });

  test("keep their own records in order, around the end many times", () => {
    const { producer, consumer } = ringOf(2 ** 32 - 512);
    const producers = [0, 1, 2].map((slot) => producer(slot));
    const reader = consumer();
    const sent = [0, 0, 0];
    const received = [0, 0, 0];
    while (received.some((count) => count < 1000)) {
      for (const [index, each] of producers.entries()) {
        const sequence = (sent[index] as number) * 3 + index;
        if ((sent[index] as number) < 1000 && each.tryWrite(makeRecord(sequence))) (sent[index] as number)++;
      }
      reader.drain((bytes, offset, length) => {
        const sequence = checkRecord(bytes, offset, length);
        expect(Math.floor(sequence / 3)).toBe((received[sequence % 3] as number)++);
      }, 2);
    }
  });

  test("a producer that is late by a whole lap can't claim what isn't the tail", () => {
    const { region, producer, consumer } = ringOf();
    const reader = consumer();
    const early = producer(0);
    // Stands between its loads and its exchange while the others go a lap and a half.
    const others = producer(1);
    const { i64 } = region.memory;
    const before = i64.slice();
    for (let record = 0; record < 24; record++) {
      expect(others.tryWrite(new Uint8Array(56))).toBe(true);
      reader.drain(() => {});
    }
    // The free words of this lap differ from those that the late one saw.
    for (let at = MPSC_DATA_OFFSET / 8; at < i64.length; at++) expect(i64[at]).not.toBe(before[at]);
    expect(early.tryWrite(Uint8Array.of(9))).toBe(true);
    expect(drained(reader)).toEqual([[9]]);
  });
});

describe("a batch", () => {
  test("is read whole and together, or not at all", () => {
    const { producer, consumer } = ringOf();
    const reader = consumer();
    const writer = producer(0);
    const records = [0, 1, 2, 3].map((sequence) => makeRecord(sequence));
    for (let round = 0; round < 50; round++) {
      expect(writer.tryWriteBatch(records)).toBe(true);
      let next = 0;
      expect(reader.drain((bytes, offset, length) => expect(checkRecord(bytes, offset, length)).toBe(next++))).toBe(4);
    }
    expect(writer.tryWriteBatch([])).toBe(true);
    expect(() => writer.tryWriteBatch([new Uint8Array(400), new Uint8Array(400)])).toThrow(/half the ring/);
    expect(writer.tryWriteBatch([new Uint8Array(200), new Uint8Array(200)])).toBe(true);
    expect(writer.tryWriteBatch([new Uint8Array(200), new Uint8Array(200)])).toBe(true);
    expect(writer.tryWriteBatch([new Uint8Array(200), new Uint8Array(200)])).toBe(false);
  });
});

describe("a claim that isn't committed", () => {
  test("of the living is waited for, however long", async () => {
    const { producer, consumer, asked } = ringOf();
    const [slow, quick] = [producer(0), producer(1)];
    const reader = consumer();
    slow.tryReserve(8);
    quick.tryWrite(Uint8Array.of(1));
    for (let turn = 0; turn < 4; turn++) {
      expect(drained(reader)).toEqual([]);
      await slice();
    }
    expect(asked).toEqual([0, 0, 0]);
    slow.commit();
    expect(drained(reader)).toHaveLength(2);
  });

  test("of a dead one is skipped by the reader, after a slice", async () => {
    const { producer, consumer, dead } = ringOf();
    const [doomed, survivor] = [producer(0), producer(1)];
    const reader = consumer();
    doomed.tryReserve(100);
    dead.add(0);
    survivor.tryWrite(Uint8Array.of(1));
    expect(drained(reader)).toEqual([]);
    await slice();
    expect(drained(reader)).toEqual([[1]]);
    expect(() => doomed.commit()).toThrow(CorruptSegmentError);
  });

  test("of a dead one is skipped by a reader that sleeps", () => {
    const { producer, consumer, dead } = ringOf();
    producer(0).tryReserve(100);
    dead.add(0);
    producer(1).tryWrite(Uint8Array.of(1));
    const seen: number[] = [];
    const read = consumer().read((bytes, offset) => seen.push(bytes[offset] as number), {
      strategy: "park",
      timeoutMs: 30_000,
    });
    expect([read, seen]).toEqual([1, [1]]);
  });

  test.each(["spin", "park"] as const)(
    "of a dead one is made padding by a producer that is blocked: %s",
    (strategy) => {
      const { producer, region, dead } = ringOf();
      const doomed = producer(0);
      while (doomed.tryReserve(100) >= 0);
      dead.add(0);
      // Full all the same, as the consumer is away: but it won't have to ask.
      expect(producer(1).waitForRoom(100, { strategy, timeoutMs: 80 })).toBe("timed-out");
      expect(inspectMpscRing(region).pendingClaim).toBeUndefined();
    },
  );

  test("whose tail wasn't moved is moved past by the next producer", () => {
    const { producer, consumer, region } = ringOf();
    const first = producer(0);
    first.tryReserve(8);
    // As if it had been stopped between the two exchanges.
    region.memory.i64[MPSC_TAIL_OFFSET / 8] = 0n;
    expect(producer(1).tryWrite(Uint8Array.of(2))).toBe(true);
    first.commit();
    expect(drained(consumer())).toHaveLength(2);
  });

  test("is taken back when its producer closes", () => {
    const { producer, consumer } = ringOf();
    const first = producer(0);
    first.tryReserve(8);
    first.tryReserve(8);
    producer(1).tryWrite(Uint8Array.of(1));
    first.close();
    expect(first.tryReserve(1)).toBe(-1);
    expect(drained(consumer())).toEqual([[1]]);
  });
});

test("a consumer that died while it cleared leaves the rest to the next, which loses nothing", () => {
  const { producer, consumer, region } = ringOf();
  const writer = producer(0);
  for (let sequence = 0; sequence < 4; sequence++) writer.tryWrite(makeRecord(sequence));
  const read = 8 + ((recordLength(0) + 7) & -8);
  region.memory.i64[MPSC_RELEASE_OFFSET / 8] = BigInt(read);
  // Half of the first record is cleared, with the next lap's free words.
  region.memory.i32[MPSC_DATA_OFFSET / 4] = 1;
  region.memory.i32[MPSC_DATA_OFFSET / 4 + 1] = 0;
  let next = 1;
  const reader = consumer();
  expect(reader.drain((bytes, offset, length) => expect(checkRecord(bytes, offset, length)).toBe(next++))).toBe(3);
  for (let sequence = 0; sequence < 500; sequence++) {
    expect(writer.tryWrite(makeRecord(sequence))).toBe(true);
    expect(reader.drain(() => {})).toBe(1);
  }
});

test.each([
  ["a tail before the head", MPSC_TAIL_OFFSET, -8n],
  ["a tail too far", MPSC_TAIL_OFFSET, 4096n],
  ["an odd head", MPSC_HEAD_OFFSET, 3n],
  ["a head that is no position", MPSC_HEAD_OFFSET, 2n ** 60n],
] as const)("%s is corruption, not data", (_what, offset, value) => {
  const { producer, consumer, region } = ringOf();
  producer(0).tryWrite(new Uint8Array(8));
  const reader = consumer();
  region.memory.i64[offset / 8] = value;
  // A reader keeps a head of its own and looks at the tail; a new one looks at both.
  if (offset === MPSC_TAIL_OFFSET) expect(() => reader.drain(() => {})).toThrow(CorruptSegmentError);
  expect(() => consumer()).toThrow(CorruptSegmentError);
});
