import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  CorruptSegmentError,
  formatLog,
  inspectLog,
  type LogTransaction,
  logRegionSizeBytes,
  SharedLog,
} from "../src/index.ts";
import { LOG_DATA_OFFSET, LOG_OLDEST_OFFSET, LOG_TAIL_OFFSET } from "../src/records.ts";
import { checkRecord, makeRecord, regionOf, soloLog } from "./fixtures/checked-records.ts";

const CAPACITY_BYTES = 1024;

function logOf(capacityBytes = CAPACITY_BYTES, initialPosition = 0) {
  const region = regionOf(logRegionSizeBytes(capacityBytes));
  formatLog(region, { initialPosition });
  const calls: string[] = [];
  return { region, calls, log: soloLog(region, calls) };
}

/** Appends records of 16 bytes, 32 with their header, and returns their positions. */
function append(log: SharedLog, count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const result = log.append(new Uint8Array(16).fill(index));
    if (!result.ok) throw new Error(result.reason);
    return result.value;
  });
}

function positionsAfter(log: SharedLog, after: number | "oldest" | "tail"): number[] {
  const positions: number[] = [];
  log.reader(after).read((_bytes, position) => positions.push(position));
  return positions;
}

describe("format", () => {
  test("refuses regions and positions that can't be, naming them", () => {
    expect(() => formatLog(regionOf(512))).toThrow(/sizeBytes=512/);
    for (const initialPosition of [8, -16, 2 ** 53, 0.5]) {
      expect(() => formatLog(regionOf(4096), { initialPosition })).toThrow(`initialPosition=${initialPosition}`);
    }
    expect(() => logRegionSizeBytes(5)).toThrow(/capacityBytes=5/);
  });

  test("an unformatted region, or one outside its memory, is refused", () => {
    const region = regionOf(4096);
    expect(() => soloLog(region)).toThrow(CorruptSegmentError);
    expect(() => soloLog({ ...region, sizeBytes: 8192 })).toThrow(ArgumentError);
  });
});

describe.each([0, 2 ** 31 - 512, 2 ** 32 - 512, 2 ** 45 - 512])("a log that starts at %i", (initialPosition) => {
  test("gives every reader all records whole, in order and with their positions", () => {
    const { log } = logOf(CAPACITY_BYTES, initialPosition);
    const early = log.reader(initialPosition);
    let next = 0;
    let last = initialPosition;
    for (let sequence = 0; sequence < 3000; sequence++) {
      const result = log.append(makeRecord(sequence));
      expect(result).toEqual({ ok: true, value: log.tail() });
      if (sequence % 5 !== 4) continue;
      const read = early.read((bytes, position) => {
        expect(checkRecord(bytes, 0, bytes.length)).toBe(next++);
        expect(position).toBeGreaterThan(last);
        last = position;
      });
      expect(read).toEqual({ outcome: "records", records: 5 });
      expect(early.position).toBe(log.tail());
    }
    expect(early.read(() => {})).toEqual({ outcome: "empty", records: 0 });
  });

  test("forgets the oldest records only, and says how much a slow reader lost", () => {
    const { log } = logOf(CAPACITY_BYTES, initialPosition);
    const slow = log.reader(initialPosition);
    const positions = append(log, 100);
    const lostBytes = log.oldest() - initialPosition;
    expect(lostBytes).toBe(100 * 32 - CAPACITY_BYTES);
    expect(slow.read(() => {})).toEqual({ outcome: "lapped", records: 0, lostBytes });
    expect(slow.position).toBe(log.oldest());
    expect(slow.read(() => {})).toEqual({ outcome: "records", records: CAPACITY_BYTES / 32 });
    expect(positionsAfter(log, "oldest")).toEqual(positions.slice(-CAPACITY_BYTES / 32));
  });
});

describe("positions", () => {
  test("a reader continues after any position it was told, and one at the tail sees only what comes", () => {
    const { log } = logOf();
    const positions = append(log, 10);
    for (const [index, position] of positions.entries()) {
      expect(positionsAfter(log, position)).toEqual(positions.slice(index + 1));
      expect(log.isRetained(position)).toBe(true);
    }
    expect(positionsAfter(log, 0)).toEqual(positions);
    const late = log.reader("tail");
    const [next] = append(log, 1);
    late.read((_bytes, position) => expect(position).toBe(next));
    expect(late.position).toBe(next);
  });

  test("a number that is no record's position is reported, and reading goes on at the oldest record", () => {
    const { log } = logOf();
    const positions = append(log, 4);
    const tail = log.tail();
    for (const position of [1, 16, 48, tail - 16, tail + 16, tail + 32, 2 ** 40]) {
      expect(log.isRetained(position)).toBe(false);
      const reader = log.reader(position);
      const seen: number[] = [];
      expect(reader.read((_bytes, at) => seen.push(at))).toEqual({ outcome: "invalid", records: 0, position });
      reader.read((_bytes, at) => seen.push(at));
      expect(seen).toEqual(positions);
    }
    expect(() => log.reader(-1)).toThrow(/after=-1/);
    expect(() => log.reader(0.5)).toThrow(ArgumentError);
  });

  test("bytes in a payload that imitate a record are not taken for one", () => {
    const { region, log } = logOf(4096);
    append(log, 1);
    const start = log.tail();
    // The header of a real record, copied into a payload with the position that would fit there.
    const header = region.memory.bytes.slice(LOG_DATA_OFFSET, LOG_DATA_OFFSET + 16);
    const payload = new Uint8Array(64);
    payload.set(header, 16);
    new DataView(payload.buffer).setInt32(20, 0x4441, true);
    new DataView(payload.buffer).setInt32(24, start + 64, true);
    log.append(payload);
    expect(log.isRetained(start + 32)).toBe(false);
    expect(log.reader(start + 32).read(() => {}).outcome).toBe("invalid");
  });

  test("what was overwritten is no longer retained", () => {
    const { log } = logOf();
    const positions = append(log, 64);
    expect(positions.map((position) => log.isRetained(position)).indexOf(true)).toBe(31);
    expect(log.isRetained(0)).toBe(false);
    expect(inspectLog(logOf().region)).toEqual({ capacityBytes: CAPACITY_BYTES, oldestPosition: 0, tailPosition: 0 });
  });

  test("stop cleanly where numbers end", () => {
    const { log } = logOf(CAPACITY_BYTES, 2 ** 53 - 4096);
    let appended = 0;
    expect(() => {
      for (;;) if (log.append(new Uint8Array(16)).ok) appended++;
    }).toThrow(/2\^53/);
    expect(appended).toBe(127);
    expect(log.reader("oldest").read(() => {})).toEqual({ outcome: "records", records: 32 });
  });
});

describe("read", () => {
  test("stops at the number of records or bytes it was given, but gives at least one", () => {
    const { log } = logOf();
    append(log, 6);
    const reader = log.reader(0);
    expect(reader.read(() => {}, { maxRecords: 2 }).records).toBe(2);
    expect(reader.read(() => {}, { maxBytes: 47 }).records).toBe(2);
    expect(reader.read(() => {}, { maxBytes: 1 }).records).toBe(1);
    expect(reader.read(() => {}).records).toBe(1);
    expect(() => reader.read(() => {}, { maxRecords: 0 })).toThrow(/maxRecords=0/);
    expect(() => reader.read(() => {}, { maxBytes: 0 })).toThrow(/maxBytes=0/);
  });

  test("gives records longer than a chunk whole", () => {
    const { log } = logOf(2 ** 20);
    const bytes = new Uint8Array(log.maxRecordBytes).map((_, index) => index * 7);
    for (let record = 0; record < 10; record++) {
      log.append(Uint8Array.of(record));
      log.append(bytes);
    }
    let long = 0;
    log.reader("oldest").read((record) => {
      if (record.length > 1 && Buffer.compare(record, bytes) === 0) long++;
    });
    expect(long).toBeGreaterThan(1);
  });

  test("a record counts as read even if its callback threw, and reading within it is refused", () => {
    const { log } = logOf();
    append(log, 3);
    const reader = log.reader(0);
    expect(() => reader.read(() => reader.read(() => {}))).toThrow(ArgumentError);
    expect(reader.read(() => {})).toEqual({ outcome: "records", records: 2 });
  });

  test("ends though its callback appends", () => {
    const { log } = logOf();
    append(log, 2);
    expect(log.reader(0).read(() => void append(log, 1)).records).toBe(2);
  });
});

describe("transaction", () => {
  test("shows its records to nobody before it ends, then all at once, and rings after unlocking", () => {
    const { log, calls } = logOf();
    const reader = log.reader(0);
    const result = log.transaction((tx) => {
      for (let record = 0; record < 3; record++) {
        const position = tx.append(8, (bytes, offset, at) => {
          bytes.fill(record, offset, offset + 8);
          expect(offset % 16).toBe(0);
          expect(at).toBe(tx.tail + 32);
        });
        expect(tx.tail).toBe(position);
        expect(reader.read(() => {}).outcome).toBe("empty");
      }
      return "done";
    });
    expect(result).toEqual({ ok: true, value: "done" });
    expect(reader.read(() => {}).records).toBe(3);
    expect(calls).toEqual(["lock", "unlock", "ring"]);
  });

  test("that throws publishes nothing, unlocks, rings nobody and passes the error and the duty to repair on", () => {
    const { log, calls } = logOf();
    append(log, 1);
    calls.length = 0;
    const tail = log.tail();
    expect(() =>
      log.transaction((tx) => {
        tx.append(8, () => {});
        throw new Error("changed my mind");
      }),
    ).toThrow("changed my mind");
    expect(log.tail()).toBe(tail);
    expect(calls).toEqual(["lock", "unlock unrepaired"]);
    expect(log.reader(0).read(() => {}).records).toBe(1);
  });

  test("that appends nothing rings nobody; a plain append leaves repairing to whoever can", () => {
    const { region, log, calls } = logOf();
    expect(log.transaction((tx) => tx.recovered)).toEqual({ ok: true, value: false });
    expect(calls).toEqual(["lock", "unlock"]);
    const recovering: string[] = [];
    const after = soloLog(region, recovering, true);
    after.append(new Uint8Array(1));
    expect(recovering).toEqual(["lock", "unlock unrepaired", "ring"]);
    expect(after.transaction((tx) => tx.recovered)).toEqual({ ok: true, value: true });
    expect(recovering.slice(3)).toEqual(["lock", "unlock"]);
  });

  test("reports a mutex that isn't free instead of waiting", () => {
    const { region } = logOf();
    const asked: unknown[] = [];
    const log = new SharedLog(region, {
      mutex: {
        lock: (timeoutMs) => void asked.push(["lock", timeoutMs]) as undefined,
        tryLock: (spins) => void asked.push(["tryLock", spins]) as undefined,
        unlock: () => {},
        unlockUnrepaired: () => {},
      },
    });
    expect(log.append(new Uint8Array(1), { timeoutMs: 7 })).toEqual({ ok: false, reason: "timed-out" });
    expect(log.append(new Uint8Array(1), { wait: false, spins: 9 })).toEqual({ ok: false, reason: "busy" });
    expect(asked).toEqual([
      ["lock", 7],
      ["tryLock", 9],
    ]);
  });

  test("lets a reader catch up inside, and look records up before appending", () => {
    const { log } = logOf();
    const seen = new Set<number>();
    const reader = log.reader(0);
    const appendOnce = (id: number) =>
      log.transaction((tx) => {
        while (reader.read((bytes) => seen.add(bytes[0] as number)).outcome !== "empty");
        if (!seen.has(id)) tx.append(1, (bytes, offset) => bytes.fill(id, offset, offset + 1));
      });
    for (const id of [1, 2, 1, 2, 3]) appendOnce(id);
    expect(positionsAfter(log, 0)).toHaveLength(3);
  });

  test("may be as long as the log, but not longer", () => {
    const { log } = logOf();
    append(log, 3);
    const fill = (records: number) => (tx: LogTransaction) => {
      for (let record = 0; record < records; record++) tx.append(16, () => {});
    };
    expect(() => log.transaction(fill(33))).toThrow(/transactionBytes=1056 .*capacityBytes=1024/);
    const reader = log.reader("tail");
    expect(log.transaction(fill(32)).ok).toBe(true);
    expect(reader.read(() => {}).records).toBe(32);
  });

  test("refuses records too long, appends within a write, and use after its end", () => {
    const { log } = logOf();
    expect(log.maxRecordBytes).toBe(240);
    expect(() => log.append(new Uint8Array(241))).toThrow(/lengthBytes=241/);
    expect(() => log.transaction((tx) => tx.append(8, () => tx.append(8, () => {})))).toThrow(/from within/);
    let leaked: LogTransaction | undefined;
    log.transaction((tx) => {
      leaked = tx;
    });
    expect(() => leaked?.append(1, () => {})).toThrow(/after the transaction/);
  });

  test("drops a record whose write threw, and keeps the others", () => {
    const { log } = logOf();
    log.transaction((tx) => {
      tx.append(1, (bytes, offset) => bytes.fill(1, offset, offset + 1));
      expect(() =>
        tx.append(200, () => {
          throw new Error("no");
        }),
      ).toThrow("no");
      tx.append(1, (bytes, offset) => bytes.fill(2, offset, offset + 1));
    });
    const records: number[] = [];
    log.reader(0).read((bytes) => records.push(...bytes));
    expect(records).toEqual([1, 2]);
  });
});

describe("damage", () => {
  const damages: readonly [string, number, bigint][] = [
    ["a tail before the oldest", LOG_TAIL_OFFSET, 16n],
    ["a tail far beyond the oldest", LOG_TAIL_OFFSET, 2n ** 40n],
    ["a tail that isn't aligned", LOG_TAIL_OFFSET, 1025n],
    ["a negative tail", LOG_TAIL_OFFSET, -16n],
    ["an oldest beyond the tail", LOG_OLDEST_OFFSET, 2n ** 30n],
    ["an oldest that is no number", LOG_OLDEST_OFFSET, 2n ** 60n],
  ];
  test.each(damages)("is an error for readers and writers that meet %s", (_title, offset, word) => {
    const { region, log } = logOf();
    append(log, 100);
    const reader = log.reader("oldest");
    reader.read(() => {}, { maxRecords: 1 });
    region.memory.i64[offset / 8] = word;
    expect(() => log.append(new Uint8Array(1))).toThrow(CorruptSegmentError);
    expect(() => {
      while (reader.read(() => {}).outcome !== "empty");
    }).toThrow(CorruptSegmentError);
  });

  test("is an error for a record that is none, to readers that come by and writers that make room", () => {
    const { region, log } = logOf();
    append(log, 32);
    region.memory.i32[LOG_DATA_OFFSET / 4] = 17;
    expect(() => log.reader("oldest").read(() => {})).toThrow(CorruptSegmentError);
    expect(() => log.append(new Uint8Array(1))).toThrow(CorruptSegmentError);
  });
});
