import fc from "fast-check";
import { expect, test } from "vitest";
import { CorruptSegmentError, formatLog, logRegionSizeBytes, type SharedLog } from "../src/index.ts";
import { CAPACITY_OFFSET, FORMAT_OFFSET, LOG_FORMAT } from "../src/records.ts";
import { regionOf, soloLog } from "./fixtures/checked-records.ts";

const CAPACITY_BYTES = 1024;

interface Kept {
  readonly position: number;
  readonly bytes: number[];
}

type Step =
  | { readonly op: "append"; readonly lengths: readonly number[]; readonly fails: boolean }
  | { readonly op: "read"; readonly maxRecords: number; readonly maxBytes: number }
  | { readonly op: "seek"; readonly nth: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    op: fc.constant("append" as const),
    lengths: fc.array(fc.nat(240), { maxLength: 3 }),
    fails: fc.boolean(),
  }),
  fc.record({
    op: fc.constant("read" as const),
    maxRecords: fc.integer({ min: 1, max: 9 }),
    maxBytes: fc.integer({ min: 1, max: 2000 }),
  }),
  fc.record({ op: fc.constant("seek" as const), nth: fc.nat(30) }),
);

const initialPosition = fc
  .constantFrom(0, 2 ** 31, 2 ** 32, 2 ** 45, 2 ** 53 - 2 ** 20)
  .chain((base) => fc.nat(100).map((steps) => Math.max(0, base - steps * 16)));

function appendAll(log: SharedLog, records: readonly number[][], fails: boolean): Kept[] {
  const kept: Kept[] = [];
  try {
    log.transaction((tx) => {
      for (const bytes of records) {
        const position = tx.append(bytes.length, (target, offset, at) => {
          target.set(bytes, offset);
          expect(at).toBeGreaterThan(tx.tail);
        });
        kept.push({ position, bytes });
      }
      if (fails) throw new RangeError("on purpose");
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return [];
  }
  return kept;
}

test("any sequence of transactions and reads gives what a list with a moving start would", () => {
  fc.assert(
    fc.property(initialPosition, fc.array(step, { maxLength: 150 }), (start, steps) => {
      const region = regionOf(logRegionSizeBytes(CAPACITY_BYTES));
      formatLog(region, { initialPosition: start });
      const log = soloLog(region);
      const all: Kept[] = [];
      let reader = log.reader(start);
      let cursor = start;
      let next = 0;
      for (const each of steps) {
        if (each.op === "append") {
          const records = each.lengths.map((length) => {
            next++;
            return Array.from({ length }, (_, at) => (next + at) & 0xff);
          });
          all.push(...appendAll(log, records, each.fails));
          expect(log.tail()).toBe(all.at(-1)?.position ?? start);
          expect(log.tail() - log.oldest()).toBeLessThanOrEqual(CAPACITY_BYTES);
        } else if (each.op === "seek") {
          const target = all.at(-1 - each.nth)?.position ?? start;
          expect(log.isRetained(target)).toBe(target >= log.oldest());
          reader = log.reader(target);
          cursor = target;
        } else {
          const seen: Kept[] = [];
          const result = reader.read((bytes, position) => seen.push({ position, bytes: [...bytes] }), each);
          if (cursor < log.oldest()) {
            expect(result).toEqual({ outcome: "lapped", records: 0, lostBytes: log.oldest() - cursor });
            cursor = log.oldest();
          } else {
            let bytes = 0;
            const expected = all
              .filter(({ position }) => position > cursor)
              .filter((record, index) => {
                bytes += record.bytes.length;
                return index < each.maxRecords && (index === 0 || bytes <= each.maxBytes);
              });
            expect(seen).toEqual(expected);
            expect(result).toEqual({ outcome: seen.length > 0 ? "records" : "empty", records: seen.length });
            cursor = expected.at(-1)?.position ?? cursor;
          }
          expect(reader.position).toBe(cursor);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("any number that is no record's position is refused, whatever the payloads hold", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 4 }),
      fc.nat(1100),
      (payloads, at) => {
        const region = regionOf(logRegionSizeBytes(CAPACITY_BYTES));
        formatLog(region);
        const log = soloLog(region);
        const positions = [0];
        for (const payload of payloads) positions.push((log.append(payload) as { value: number }).value);
        const known = positions.includes(at) && at >= log.oldest();
        expect(log.isRetained(at)).toBe(known);
        const { outcome } = log.reader(at).read(() => {});
        if (known) expect(outcome).toBe(at === log.tail() ? "empty" : "records");
        else expect(["invalid", "lapped"]).toContain(outcome);
      },
    ),
    { numRuns: 1000 },
  );
});

test("any bytes in place of a log give data or CorruptSegmentError, and never an endless loop", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 1408 }),
      fc.nat(1407),
      fc.boolean(),
      fc.boolean(),
      (noise, at, keepFormat, late) => {
        const region = regionOf(logRegionSizeBytes(CAPACITY_BYTES));
        const { bytes, i32 } = region.memory;
        const damage = () => {
          bytes.set(noise.subarray(0, bytes.length - at), at);
          if (!keepFormat) return;
          i32[FORMAT_OFFSET / 4] = LOG_FORMAT;
          i32[CAPACITY_OFFSET / 4] = CAPACITY_BYTES;
        };
        formatLog(region);
        if (!late) damage();
        try {
          const log = soloLog(region);
          const reader = log.reader("oldest");
          for (let record = 0; record < 5; record++) log.append(new Uint8Array(40).fill(record));
          if (late) damage();
          for (let turn = 0; turn < 5; turn++) {
            log.append(new Uint8Array(200));
            log.isRetained(48);
            const { records } = reader.read((record) => expect(record.length).toBeLessThanOrEqual(log.maxRecordBytes));
            expect(records).toBeLessThanOrEqual(CAPACITY_BYTES / 16);
          }
        } catch (error) {
          if (!(error instanceof CorruptSegmentError)) throw error;
        }
      },
    ),
    { numRuns: 2000 },
  );
});
