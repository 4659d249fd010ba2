import fc from "fast-check";
import { expect, test } from "vitest";
import { CorruptSegmentError, formatRing, RingConsumer, RingProducer, ringRegionSizeBytes } from "../src/index.ts";
import { CAPACITY_OFFSET, FORMAT_OFFSET, RING_FORMAT } from "../src/records.ts";
import { regionOf } from "./fixtures/checked-records.ts";

const CAPACITY_BYTES = 512;

type Step =
  | { readonly op: "reserve" | "write"; readonly length: number }
  | { readonly op: "abort" | "publish" | "reopen" }
  | { readonly op: "drain"; readonly maxRecords: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constantFrom("reserve", "write"), length: fc.nat(248) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom("abort", "publish", "reopen") }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant("drain" as const), maxRecords: fc.integer({ min: 1, max: 9 }) }),
  },
);

/** Near the wraps of the sign and of the word, and anywhere else. */
const initialPosition = fc
  .oneof(fc.constantFrom(2 ** 31, 2 ** 32, 0), fc.nat(2 ** 31 - 1))
  .chain((base) => fc.nat(100).map((steps) => Math.max(0, base - (base % 8) - steps * 8)));

test("any sequence of calls gives what two plain lists would", () => {
  fc.assert(
    fc.property(initialPosition, fc.array(step, { maxLength: 200 }), (position, steps) => {
      const region = regionOf(ringRegionSizeBytes(CAPACITY_BYTES));
      formatRing(region, { initialPosition: position });
      let producer = new RingProducer(region);
      const consumer = new RingConsumer(region);
      const published: number[][] = [];
      let staged: number[][] = [];
      let takeable = false;
      let next = 0;
      const fill = (length: number): number[] => {
        next++;
        return Array.from({ length }, (_, at) => (next + at) & 0xff);
      };
      for (const { op, ...rest } of steps) {
        if (op === "reserve") {
          const record = fill((rest as { length: number }).length);
          const offset = producer.tryReserve(record.length);
          if (offset < 0) continue;
          region.memory.bytes.set(record, offset);
          staged.push(record);
          takeable = true;
        } else if (op === "write") {
          const record = fill((rest as { length: number }).length);
          if (!producer.tryWrite(Uint8Array.from(record))) continue;
          published.push(...staged, record);
          staged = [];
          takeable = false;
        } else if (op === "abort") {
          if (!takeable) {
            expect(() => producer.abort()).toThrow();
            continue;
          }
          producer.abort();
          staged.pop();
          takeable = false;
        } else if (op === "publish") {
          producer.publish();
          published.push(...staged);
          staged = [];
          takeable = false;
        } else if (op === "reopen") {
          producer = new RingProducer(region);
          staged = [];
          takeable = false;
        } else {
          const { maxRecords } = rest as { maxRecords: number };
          const seen: number[][] = [];
          consumer.drain((bytes, offset, length) => seen.push([...bytes.slice(offset, offset + length)]), maxRecords);
          expect(seen).toEqual(published.splice(0, maxRecords));
        }
      }
      // What was refused must have been refused for want of room: an empty ring takes any record that may be taken.
      producer.publish();
      consumer.drain(() => {});
      expect(producer.tryWrite(new Uint8Array(producer.maxRecordBytes))).toBe(true);
    }),
    { numRuns: 400 },
  );
});

test("any bytes in place of a ring give data or CorruptSegmentError, and never an endless loop", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 1152 }),
      fc.nat(1151),
      fc.boolean(),
      fc.boolean(),
      (noise, at, keepFormat, late) => {
        const region = regionOf(ringRegionSizeBytes(CAPACITY_BYTES));
        const { bytes, i32 } = region.memory;
        const damage = () => {
          bytes.set(noise.subarray(0, bytes.length - at), at);
          if (!keepFormat) return;
          i32[FORMAT_OFFSET / 4] = RING_FORMAT;
          i32[CAPACITY_OFFSET / 4] = CAPACITY_BYTES;
        };
        formatRing(region);
        if (!late) damage();
        try {
          const producer = new RingProducer(region);
          const consumer = new RingConsumer(region);
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
