import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  AtomicsFutex,
  CorruptSegmentError,
  formatRing,
  inspectRing,
  type Region,
  RingConsumer,
  RingProducer,
  ringRegionSizeBytes,
} from "../src/index.ts";
import { RING_DATA_OFFSET, RING_HEAD_OFFSET, RING_TAIL_OFFSET } from "../src/records.ts";
import { checkRecord, fillRecord, makeRecord, recordLength, regionOf } from "./fixtures/checked-records.ts";

const CAPACITY_BYTES = 1024;

function ringOf(capacityBytes = CAPACITY_BYTES, initialPosition = 0) {
  const region = regionOf(ringRegionSizeBytes(capacityBytes));
  formatRing(region, { initialPosition });
  const futex = new AtomicsFutex(region.memory.i32);
  return { region, producer: new RingProducer(region, { futex }), consumer: new RingConsumer(region, { futex }) };
}

function drained(consumer: RingConsumer, maxRecords?: number): number[][] {
  const records: number[][] = [];
  consumer.drain((bytes, offset, length) => records.push([...bytes.slice(offset, offset + length)]), maxRecords);
  return records;
}

describe("format", () => {
  test("takes the largest power of two that fits the region", () => {
    const region = regionOf(8192);
    formatRing(region);
    expect(new RingProducer(region).capacityBytes).toBe(4096);
    expect(ringRegionSizeBytes(4096)).toBe(4096 + RING_DATA_OFFSET);
  });

  test("refuses regions and positions that can't be, naming them", () => {
    expect(() => formatRing(regionOf(512))).toThrow(/sizeBytes=512/);
    expect(() => formatRing({ ...regionOf(4096), offsetBytes: 64 })).toThrow(/offsetBytes=64/);
    expect(() => formatRing(regionOf(4096), { initialPosition: 4 })).toThrow(/initialPosition=4/);
    expect(() => ringRegionSizeBytes(1000)).toThrow(/capacityBytes=1000/);
  });

  test("an unformatted region, or one outside its memory, is refused by both handles", () => {
    const region = regionOf(4096);
    expect(() => new RingProducer(region)).toThrow(CorruptSegmentError);
    expect(() => new RingConsumer(region)).toThrow(CorruptSegmentError);
    expect(() => new RingConsumer({ ...region, sizeBytes: 8192 })).toThrow(ArgumentError);
  });
});

describe.each([0, 2 ** 31 - 512, 2 ** 32 - 512])("a ring whose positions start at %i", (initialPosition) => {
  test("carries records of every length whole and in order, around its end many times", () => {
    const { producer, consumer } = ringOf(CAPACITY_BYTES, initialPosition);
    let sent = 0;
    let received = 0;
    while (received < 5000) {
      while (sent < 5000 && producer.tryWrite(makeRecord(sent))) sent++;
      consumer.drain((bytes, offset, length) => expect(checkRecord(bytes, offset, length)).toBe(received++), 7);
    }
    expect(sent).toBe(received);
    expect(consumer.availableBytes).toBe(0);
  });

  test("says full, and takes again after a release, when exactly filled", () => {
    const { producer, consumer } = ringOf(CAPACITY_BYTES, initialPosition);
    for (let record = 0; record < CAPACITY_BYTES / 64; record++)
      expect(producer.tryWrite(new Uint8Array(56))).toBe(true);
    expect(producer.usedBytes).toBe(CAPACITY_BYTES);
    expect(producer.tryWrite(new Uint8Array(0))).toBe(false);
    expect(consumer.drain(() => {}, 1)).toBe(1);
    expect(producer.tryWrite(new Uint8Array(57))).toBe(false);
    expect(producer.tryWrite(new Uint8Array(56))).toBe(true);
    expect(consumer.drain(() => {})).toBe(CAPACITY_BYTES / 64);
  });

  test("a record of the greatest length fits into an empty ring wherever it stands", () => {
    const { producer, consumer } = ringOf(CAPACITY_BYTES, initialPosition);
    for (let step = 0; step < CAPACITY_BYTES / 8; step++) {
      expect(producer.tryWrite(new Uint8Array(producer.maxRecordBytes).fill(step))).toBe(true);
      expect(drained(consumer)[0]).toEqual(Array(producer.maxRecordBytes).fill(step));
      expect(producer.tryWrite(new Uint8Array(0))).toBe(true);
      expect(drained(consumer)).toEqual([[]]);
    }
  });
});

describe("producer", () => {
  test("shows nothing before commit, and all that was reserved with one publish", () => {
    const { region, producer, consumer } = ringOf();
    for (let sequence = 0; sequence < 3; sequence++) {
      const offset = producer.tryReserve(recordLength(sequence));
      expect(offset % 8).toBe(0);
      fillRecord(region.memory.bytes, offset, recordLength(sequence), sequence);
      expect(consumer.drain(() => {})).toBe(0);
    }
    producer.publish();
    let next = 0;
    expect(consumer.drain((bytes, offset, length) => expect(checkRecord(bytes, offset, length)).toBe(next++))).toBe(3);
    producer.publish();
    expect(consumer.drain(() => {})).toBe(0);
  });

  test("abort takes the newest reservation back and keeps those before it", () => {
    const { region, producer, consumer } = ringOf();
    region.memory.bytes[producer.tryReserve(1)] = 1;
    producer.tryReserve(100);
    producer.abort();
    expect(() => producer.abort()).toThrow(/abort without a reservation/);
    region.memory.bytes[producer.tryReserve(1)] = 2;
    producer.commit();
    expect(drained(consumer)).toEqual([[1], [2]]);
    expect(() => producer.commit()).toThrow(/commit without a reservation/);
  });

  test("abort after a padding takes the padding back, too", () => {
    const { producer, consumer } = ringOf();
    producer.tryWrite(new Uint8Array(400));
    producer.tryWrite(new Uint8Array(400));
    consumer.drain(() => {});
    // 208 bytes are left before the end: the padding and this record go together.
    expect(producer.tryReserve(300)).toBeGreaterThan(0);
    producer.abort();
    expect(producer.tryStage(new Uint8Array(150).fill(5))).toBe(true);
    expect(producer.tryStage(new Uint8Array(450).fill(6))).toBe(true);
    producer.publish();
    expect(drained(consumer).map((record) => [record.length, record[0]])).toEqual([
      [150, 5],
      [450, 6],
    ]);
  });

  test("refuses a record that could never fit, with the values", () => {
    const { producer } = ringOf();
    expect(producer.maxRecordBytes).toBe(504);
    for (const length of [505, -1, 1.5, Number.NaN]) {
      expect(() => producer.tryReserve(length)).toThrow(`lengthBytes=${length} capacityBytes=1024`);
    }
  });

  test("a new handle goes on at the published tail, and what its predecessor hadn't published never was", () => {
    const { region, producer, consumer } = ringOf();
    producer.tryWrite(Uint8Array.of(1));
    producer.tryStage(Uint8Array.of(2));
    new RingProducer(region).tryWrite(Uint8Array.of(3));
    expect(drained(consumer)).toEqual([[1], [3]]);
  });
});

describe("consumer", () => {
  test("drains at most what it is asked for", () => {
    const { producer, consumer } = ringOf();
    for (let record = 0; record < 5; record++) producer.tryWrite(Uint8Array.of(record));
    expect(drained(consumer, 2)).toEqual([[0], [1]]);
    expect(drained(consumer)).toEqual([[2], [3], [4]]);
    expect(() => consumer.drain(() => {}, 0)).toThrow(/maxRecords=0/);
  });

  test("gives room back while it drains, so that a producer isn't starved by a long one", () => {
    const { producer, consumer } = ringOf();
    while (producer.tryWrite(new Uint8Array(56)));
    let written = 0;
    consumer.drain(() => {
      if (producer.tryWrite(new Uint8Array(56))) written++;
    });
    expect(written).toBeGreaterThan(0);
  });

  test("a record counts as read even if its callback threw", () => {
    const { producer, consumer } = ringOf();
    for (let record = 0; record < 3; record++) producer.tryWrite(Uint8Array.of(record));
    expect(() =>
      consumer.drain((bytes, offset) => {
        if (bytes[offset] === 1) throw new Error("no");
      }),
    ).toThrow("no");
    expect(drained(consumer)).toEqual([[2]]);
  });

  test("tryRead copies a record out, and leaves one that the target is too short for", () => {
    const { producer, consumer } = ringOf();
    const target = new Uint8Array(8);
    expect(consumer.tryRead(target)).toBe(-1);
    producer.tryWrite(new Uint8Array(9).fill(9));
    expect(() => consumer.tryRead(target)).toThrow(/length=9 target=8/);
    expect(consumer.tryRead(new Uint8Array(9))).toBe(9);
    // To the end and over it: the padding is passed.
    for (let record = 0; record < 40; record++) {
      expect(producer.tryWrite(new Uint8Array(200).fill(record))).toBe(true);
      const copy = new Uint8Array(200);
      expect(consumer.tryRead(copy)).toBe(200);
      expect(copy).toEqual(new Uint8Array(200).fill(record));
    }
  });

  test("refuses to be called from within its own callback", () => {
    const { producer, consumer } = ringOf();
    producer.tryWrite(Uint8Array.of(1));
    expect(() => consumer.drain(() => consumer.drain(() => {}))).toThrow(ArgumentError);
    producer.tryWrite(Uint8Array.of(1));
    expect(() => consumer.drain(() => consumer.tryRead(new Uint8Array(1)))).toThrow(ArgumentError);
  });
});

describe("close", () => {
  test("by the producer lets the consumer read the rest, then says ended", () => {
    const { region, producer, consumer } = ringOf();
    producer.tryWrite(Uint8Array.of(1));
    producer.tryStage(Uint8Array.of(2));
    producer.close();
    expect(producer.tryWrite(Uint8Array.of(3))).toBe(false);
    expect(consumer.ended).toBe(false);
    expect(consumer.read(() => {})).toBe(1);
    expect(consumer.ended).toBe(true);
    expect(consumer.read(() => {})).toBe("closed");
    expect(new RingProducer(region).closed).toBe(true);
    expect(inspectRing(region)).toMatchObject({ producerClosed: true, consumerClosed: false, usedBytes: 0 });
  });

  test("by the consumer is seen by the producer with its next publish, and ends a wait for room", () => {
    const { producer, consumer } = ringOf();
    consumer.close();
    expect(consumer.drain(() => {})).toBe(0);
    expect(consumer.read(() => {})).toBe("closed");
    expect(producer.tryWrite(Uint8Array.of(1))).toBe(true);
    expect(producer.tryWrite(Uint8Array.of(1))).toBe(false);
    expect(producer.closed).toBe(true);
    expect(producer.write(Uint8Array.of(1))).toBe("closed");
  });

  test("with a reservation open, nothing more can be reserved even after it is taken back", () => {
    const { producer, consumer } = ringOf();
    producer.tryReserve(100);
    consumer.close();
    expect(producer.closed).toBe(true);
    producer.abort();
    expect(producer.tryReserve(1)).toBe(-1);
  });
});

describe("waiting", () => {
  test.each(["spin", "adaptive", "park"] as const)("by %s ends with the time given", (strategy) => {
    const { region, producer, consumer } = ringOf();
    expect(consumer.read(() => {}, { strategy, timeoutMs: 5 })).toBe("timed-out");
    while (producer.tryWrite(new Uint8Array(56)));
    expect(producer.write(new Uint8Array(56), { strategy, timeoutMs: 5 })).toBe("timed-out");
    expect(producer.write(new Uint8Array(56), { strategy, timeoutMs: 0 })).toBe("timed-out");
    const { producerWaits, consumerWaits } = inspectRing(region);
    expect([producerWaits > 0, consumerWaits > 0]).toEqual(Array(2).fill(strategy !== "spin"));
  });

  test("refuses strategies and times that can't be, and to park without a futex", () => {
    const { region, consumer } = ringOf();
    expect(() => consumer.waitForRecords({ strategy: "hope" as "spin" })).toThrow(/strategy=hope/);
    expect(() => consumer.waitForRecords({ timeoutMs: Number.NaN })).toThrow(/timeoutMs=NaN/);
    expect(() => new RingConsumer(region).waitForRecords({ strategy: "park" })).toThrow(/needs a futex/);
  });

  test("rings the doorbell of a consumer that armed itself, once", () => {
    const { region, consumer } = ringOf();
    let rings = 0;
    const producer = new RingProducer(region, { doorbells: { ringSleepers: () => rings++ } });
    producer.tryWrite(Uint8Array.of(1));
    expect(consumer.arm()).toBe(false);
    consumer.drain(() => {});
    expect(consumer.arm()).toBe(true);
    producer.tryWrite(Uint8Array.of(1));
    producer.tryWrite(Uint8Array.of(1));
    expect(rings).toBe(1);
    consumer.drain(() => {});
    consumer.arm();
    consumer.disarm();
    producer.tryWrite(Uint8Array.of(1));
    expect(rings).toBe(1);
  });
});

describe("damage", () => {
  const damages: readonly [string, (region: Region) => void][] = [
    ["a head beyond the tail", ({ memory }) => (memory.i32[RING_HEAD_OFFSET >> 2] = 64)],
    ["a tail beyond the capacity", ({ memory }) => (memory.i32[RING_TAIL_OFFSET >> 2] = 2048)],
    ["positions that aren't aligned", ({ memory }) => (memory.i32[RING_TAIL_OFFSET >> 2] = 12)],
  ];
  test.each(damages)("is an error for handles that meet %s", (_title, damage) => {
    const { region, consumer } = ringOf();
    damage(region);
    expect(() => new RingProducer(region)).toThrow(CorruptSegmentError);
    expect(() => new RingConsumer(region)).toThrow(CorruptSegmentError);
    if (region.memory.i32[RING_HEAD_OFFSET >> 2] === 0)
      expect(() => consumer.drain(() => {})).toThrow(CorruptSegmentError);
  });

  test.each([505, 200, 0x7fffffff, -1, -2, ~(1024 - 8), ~2000])("is an error for a record that says %i", (length) => {
    const { region, producer, consumer } = ringOf();
    producer.tryWrite(new Uint8Array(56));
    region.memory.i32[RING_DATA_OFFSET >> 2] = length;
    expect(() => consumer.drain(() => {})).toThrow(CorruptSegmentError);
    expect(() => consumer.tryRead(new Uint8Array(600))).toThrow(CorruptSegmentError);
  });
});
