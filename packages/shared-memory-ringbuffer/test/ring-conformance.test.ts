/** What the SPSC and the MPSC ring promise alike: one suite on both. */
import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  AtomicsFutex,
  CorruptSegmentError,
  formatMpscRing,
  formatRing,
  MpscConsumer,
  MpscProducer,
  mpscRegionSizeBytes,
  type Region,
  RingConsumer,
  RingProducer,
  ringRegionSizeBytes,
} from "../src/index.ts";
import { checkRecord, fillRecord, makeRecord, recordLength, regionOf } from "./fixtures/checked-records.ts";

const CAPACITY_BYTES = 1024;
const CLAIMS = { ownerWord: 1, isOwnerDead: () => false };

type Producer = RingProducer | MpscProducer;
type Consumer = RingConsumer | MpscConsumer;

interface RingKind {
  readonly title: string;
  sizeBytes(capacityBytes: number): number;
  format(region: Region, initialPosition: number): void;
  producer(region: Region): Producer;
  consumer(region: Region): Consumer;
  end(producer: Producer): void;
}

const KINDS: readonly RingKind[] = [
  {
    title: "an SPSC ring",
    sizeBytes: ringRegionSizeBytes,
    format: (region, initialPosition) => formatRing(region, { initialPosition }),
    producer: (region) => new RingProducer(region, { futex: new AtomicsFutex(region.memory.i32) }),
    consumer: (region) => new RingConsumer(region, { futex: new AtomicsFutex(region.memory.i32) }),
    end: (producer) => producer.close(),
  },
  {
    title: "an MPSC ring",
    sizeBytes: mpscRegionSizeBytes,
    format: (region, initialPosition) => formatMpscRing(region, { initialPosition }),
    producer: (region) => new MpscProducer(region, { claims: CLAIMS, futex: new AtomicsFutex(region.memory.i32) }),
    consumer: (region) => new MpscConsumer(region, { claims: CLAIMS, futex: new AtomicsFutex(region.memory.i32) }),
    end: (producer) => (producer as MpscProducer).end(),
  },
];

function drained(consumer: Consumer, maxRecords?: number): number[][] {
  const records: number[][] = [];
  consumer.drain((bytes, offset, length) => records.push([...bytes.slice(offset, offset + length)]), maxRecords);
  return records;
}

describe.each(KINDS)("$title", (kind) => {
  function made(initialPosition = 0) {
    const region = regionOf(kind.sizeBytes(CAPACITY_BYTES));
    kind.format(region, initialPosition);
    return { region, producer: kind.producer(region), consumer: kind.consumer(region) };
  }

  test("refuses regions that hold none, or lie outside their memory", () => {
    const region = regionOf(4096);
    expect(() => kind.producer(region)).toThrow(CorruptSegmentError);
    expect(() => kind.consumer(region)).toThrow(CorruptSegmentError);
    expect(() => kind.consumer({ ...region, sizeBytes: 8192 })).toThrow(ArgumentError);
    expect(() => kind.format(regionOf(512), 0)).toThrow(/sizeBytes=512/);
    expect(() => kind.format(regionOf(4096), 4)).toThrow(/initialPosition=4/);
    expect(() => kind.sizeBytes(1000)).toThrow(/capacityBytes=1000/);
  });

  describe.each([0, 2 ** 31 - 512, 2 ** 32 - 512])("with positions that start at %i", (position) => {
    test("carries records of every length whole and in order, around its end many times", () => {
      const { producer, consumer } = made(position);
      let [sent, received] = [0, 0];
      while (received < 3000) {
        while (sent < 3000 && producer.tryWrite(makeRecord(sent))) sent++;
        consumer.drain((bytes, offset, length) => expect(checkRecord(bytes, offset, length)).toBe(received++), 7);
      }
      expect(sent).toBe(received);
      expect(consumer.availableBytes).toBe(0);
    });

    test("says full, and takes again after a release, when exactly filled", () => {
      const { producer, consumer } = made(position);
      for (let record = 0; record < CAPACITY_BYTES / 64; record++) {
        expect(producer.tryWrite(new Uint8Array(56))).toBe(true);
      }
      expect(producer.usedBytes).toBe(CAPACITY_BYTES);
      expect(producer.tryWrite(new Uint8Array(0))).toBe(false);
      expect(consumer.drain(() => {}, 1)).toBe(1);
      expect(producer.tryWrite(new Uint8Array(57))).toBe(false);
      expect(producer.tryWrite(new Uint8Array(56))).toBe(true);
      expect(consumer.drain(() => {})).toBe(CAPACITY_BYTES / 64);
    });

    test("a record of the greatest length fits into an empty ring wherever it stands", () => {
      const { producer, consumer } = made(position);
      for (let step = 0; step < CAPACITY_BYTES / 8; step++) {
        expect(producer.tryWrite(new Uint8Array(producer.maxRecordBytes).fill(step))).toBe(true);
        expect(drained(consumer)[0]).toEqual(Array(producer.maxRecordBytes).fill(step));
        expect(producer.tryWrite(new Uint8Array(0))).toBe(true);
        expect(drained(consumer)).toEqual([[]]);
      }
    });
  });

  test("shows nothing before publish, and all that was reserved then", () => {
    const { region, producer, consumer } = made();
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
    const { region, producer, consumer } = made();
    region.memory.bytes[producer.tryReserve(1)] = 1;
    producer.tryReserve(100);
    producer.abort();
    region.memory.bytes[producer.tryReserve(1)] = 2;
    producer.commit();
    expect(drained(consumer)).toEqual([[1], [2]]);
    expect(() => producer.commit()).toThrow(/commit without a reservation/);
    expect(() => producer.abort()).toThrow(/abort without a reservation/);
  });

  test("refuses a record that could never fit, with the values", () => {
    const { producer } = made();
    expect(producer.maxRecordBytes).toBe(504);
    for (const length of [505, -1, 1.5, Number.NaN]) {
      expect(() => producer.tryReserve(length)).toThrow(`lengthBytes=${length} capacityBytes=1024`);
    }
  });

  test("drains at most what it is asked for, and copies with tryRead", () => {
    const { producer, consumer } = made();
    for (let record = 0; record < 5; record++) producer.tryWrite(Uint8Array.of(record));
    expect(drained(consumer, 2)).toEqual([[0], [1]]);
    const target = new Uint8Array(8);
    expect(consumer.tryRead(target)).toBe(1);
    expect(target[0]).toBe(2);
    expect(() => consumer.tryRead(new Uint8Array(0))).toThrow(/target is shorter/);
    expect(drained(consumer)).toEqual([[3], [4]]);
    expect(consumer.tryRead(target)).toBe(-1);
    expect(() => consumer.drain(() => {}, 0)).toThrow(/maxRecords=0/);
  });

  test("gives room back while it drains, and refuses to be drained from within", () => {
    const { producer, consumer } = made();
    while (producer.tryWrite(new Uint8Array(56)));
    let written = 0;
    consumer.drain(() => {
      if (producer.tryWrite(new Uint8Array(56))) written++;
      expect(() => consumer.drain(() => {})).toThrow(/within/);
    });
    expect(written).toBeGreaterThan(0);
  });

  test("a record counts as read even if its callback threw", () => {
    const { producer, consumer } = made();
    for (const record of [1, 2]) producer.tryWrite(Uint8Array.of(record));
    expect(() =>
      consumer.drain(() => {
        throw new Error("mine");
      }),
    ).toThrow("mine");
    expect(drained(consumer)).toEqual([[2]]);
  });

  test("a new consumer goes on at the released head", () => {
    const { region, producer, consumer } = made();
    for (const record of [1, 2, 3]) producer.tryWrite(Uint8Array.of(record));
    consumer.drain(() => {}, 1);
    expect(drained(kind.consumer(region))).toEqual([[2], [3]]);
  });

  test("ends after the rest is read; a closed consumer closes it for producers", () => {
    const { producer, consumer } = made();
    producer.tryWrite(Uint8Array.of(1));
    kind.end(producer);
    expect(producer.tryWrite(Uint8Array.of(2))).toBe(false);
    expect(consumer.ended).toBe(false);
    expect(consumer.read(() => {}, { timeoutMs: 1000 })).toBe(1);
    expect(consumer.ended).toBe(true);
    expect(consumer.read(() => {}, { timeoutMs: 1000 })).toBe("closed");
    const other = made();
    other.consumer.close();
    // At the latest the second write notices.
    other.producer.tryWrite(Uint8Array.of(1));
    expect(other.producer.tryWrite(Uint8Array.of(1))).toBe(false);
    expect(other.producer.write(Uint8Array.of(1), { timeoutMs: 1000 })).toBe("closed");
    expect(other.producer.closed).toBe(true);
  });

  test.each(["spin", "adaptive", "park"] as const)("waits end in time, or by a signal: %s", (strategy) => {
    const { producer, consumer } = made();
    const signal = AbortSignal.abort(new Error("no more"));
    expect(consumer.read(() => {}, { timeoutMs: 3, strategy })).toBe("timed-out");
    expect(() => consumer.read(() => {}, { strategy, signal })).toThrow("no more");
    while (producer.tryWrite(new Uint8Array(56)));
    expect(producer.write(new Uint8Array(8), { timeoutMs: 3, strategy })).toBe("timed-out");
    expect(() => producer.write(new Uint8Array(8), { strategy, signal })).toThrow("no more");
  });
});
