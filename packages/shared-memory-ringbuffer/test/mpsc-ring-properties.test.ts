import fc from "fast-check";
import { expect, test } from "vitest";
import { CorruptSegmentError, formatMpscRing, MpscConsumer, MpscProducer, mpscRegionSizeBytes } from "../src/index.ts";
import { CAPACITY_OFFSET, FORMAT_OFFSET, MPSC_FORMAT } from "../src/records.ts";
import { regionOf } from "./fixtures/checked-records.ts";

const CAPACITY_BYTES = 512;
const PRODUCERS = 3;
const optionsOf = (slot: number) => ({ claims: { ownerWord: slot + 1, isOwnerDead: () => false } });

const lengths = fc.integer({ min: 0, max: CAPACITY_BYTES / 2 - 8 });
const producers = fc.nat(PRODUCERS - 1);
const step = fc.oneof(
  fc.record({ op: fc.constant("reserve" as const), who: producers, length: lengths }),
  fc.record({ op: fc.constant("publish" as const), who: producers }),
  fc.record({ op: fc.constant("abort" as const), who: producers }),
  fc.record({ op: fc.constant("batch" as const), who: producers, lengths: fc.array(fc.nat(60), { maxLength: 3 }) }),
  fc.record({ op: fc.constant("drain" as const), maxRecords: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ op: fc.constant("reopen" as const) }),
);

/** A claim as the model has it. */
interface Claim {
  readonly who: number;
  readonly record: number[];
  state: "open" | "committed" | "aborted";
}

test("any sequence of calls gives the committed records in the order of their claims", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 80 }),
      fc.constantFrom(0, 2 ** 31 - 256, 2 ** 32 - 256, 2 ** 52),
      (steps, initialPosition) => {
        const region = regionOf(mpscRegionSizeBytes(CAPACITY_BYTES));
        formatMpscRing(region, { initialPosition });
        const writers = Array.from({ length: PRODUCERS }, (_, who) => new MpscProducer(region, optionsOf(who)));
        let consumer = new MpscConsumer(region, optionsOf(99));
        const queue: Claim[] = [];
        let next = 0;
        const fill = (length: number): number[] => {
          next++;
          return Array.from({ length }, (_, at) => (next + at) & 0xff);
        };
        const openOf = (who: number): Claim[] => queue.filter((each) => each.who === who && each.state === "open");
        for (const each of steps) {
          if (each.op === "reserve") {
            const record = fill(each.length);
            const offset = (writers[each.who] as MpscProducer).tryReserve(record.length);
            if (offset < 0) continue;
            region.memory.bytes.set(record, offset);
            queue.push({ who: each.who, record, state: "open" });
          } else if (each.op === "publish") {
            (writers[each.who] as MpscProducer).publish();
            for (const claim of openOf(each.who)) claim.state = "committed";
          } else if (each.op === "abort") {
            const newest = openOf(each.who).at(-1);
            if (newest === undefined) continue;
            (writers[each.who] as MpscProducer).abort();
            newest.state = "aborted";
          } else if (each.op === "batch") {
            const records = each.lengths.map(fill);
            if (!(writers[each.who] as MpscProducer).tryWriteBatch(records.map((record) => Uint8Array.from(record)))) {
              continue;
            }
            if (records.length > 0) for (const claim of openOf(each.who)) claim.state = "committed";
            for (const record of records) queue.push({ who: each.who, record, state: "committed" });
          } else if (each.op === "reopen") {
            consumer = new MpscConsumer(region, optionsOf(99));
          } else {
            const expected: number[][] = [];
            while (expected.length < each.maxRecords && queue[0] !== undefined && queue[0].state !== "open") {
              const claim = queue.shift() as Claim;
              if (claim.state === "committed") expected.push(claim.record);
            }
            const seen: number[][] = [];
            consumer.drain(
              (bytes, offset, length) => seen.push([...bytes.slice(offset, offset + length)]),
              each.maxRecords,
            );
            expect(seen).toEqual(expected);
          }
        }
        for (const writer of writers) writer.publish();
        consumer.drain(() => {});
        expect(writers[0]?.tryWrite(new Uint8Array(writers[0].maxRecordBytes))).toBe(true);
      },
    ),
    { numRuns: 400 },
  );
});

test("any bytes in place of an MPSC ring give data or CorruptSegmentError, and never an endless loop", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 1152 }),
      fc.nat(1151),
      fc.boolean(),
      fc.boolean(),
      (noise, at, keepFormat, late) => {
        const region = regionOf(mpscRegionSizeBytes(CAPACITY_BYTES));
        const { bytes, i32 } = region.memory;
        const damage = () => {
          bytes.set(noise.subarray(0, bytes.length - at), at);
          if (!keepFormat) return;
          i32[FORMAT_OFFSET / 4] = MPSC_FORMAT;
          i32[CAPACITY_OFFSET / 4] = CAPACITY_BYTES;
        };
        formatMpscRing(region);
        if (!late) damage();
        try {
          const producer = new MpscProducer(region, optionsOf(0));
          const consumer = new MpscConsumer(region, optionsOf(99));
          for (let record = 0; record < 5; record++) producer.tryWrite(new Uint8Array(40).fill(record));
          if (late) damage();
          for (let turn = 0; turn < 5; turn++) {
            producer.tryWrite(new Uint8Array(17));
            const records = consumer.drain((_bytes, offset, length) => {
              expect(offset + length).toBeLessThanOrEqual(bytes.length);
              expect(length).toBeGreaterThanOrEqual(0);
            });
            expect(records).toBeLessThanOrEqual(CAPACITY_BYTES / 8);
            consumer.tryRead(new Uint8Array(CAPACITY_BYTES));
          }
        } catch (error) {
          if (!(error instanceof CorruptSegmentError)) throw error;
        }
      },
    ),
    { numRuns: 2000 },
  );
});
