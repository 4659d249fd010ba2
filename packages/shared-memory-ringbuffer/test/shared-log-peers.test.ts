import { afterEach, describe, expect, test } from "vitest";
import { type LogReader, type Segment, SharedLog } from "../src/index.ts";
import { LOG_FAILPOINTS } from "../src/shared-log.ts";
import { checkRecord, makeRecord, recordLength } from "./fixtures/checked-records.ts";
import { recordSegment, startTask, type TaskOptions } from "./fixtures/record-peers.ts";

const RING_BYTES = 1024;

const open = new Set<Segment>();
afterEach(() => {
  for (const segment of open) segment.close();
  open.clear();
});

function logOf(kind: "named" | "anonymous", logBytes: number): { segment: Segment; log: SharedLog } {
  const segment = recordSegment(kind, RING_BYTES, logBytes, 2 ** 32 - 4096);
  open.add(segment);
  return { segment, log: new SharedLog(segment.region("log"), segment) };
}

/** Sequence numbers of all that there is to read, each record checked byte by byte. */
function readAll(reader: LogReader): number[] {
  const sequences: number[] = [];
  while (reader.read((bytes) => sequences.push(checkRecord(bytes, 0, bytes.length))).outcome !== "empty");
  return sequences;
}

describe.each(["named", "anonymous"] as const)("a log in a %s segment", (kind) => {
  test("keeps the records of two writers whole, and those of each in order", async () => {
    const { segment, log } = logOf(kind, 2 ** 20);
    const task: TaskOptions = { role: "append", from: 0, to: 3000, batch: 5, strategy: "park" };
    const reader = log.reader("tail");
    const writers = [startTask(segment, task), startTask(segment, { ...task, from: 100_000, to: 103_000 })];
    expect(await Promise.all(writers.map(({ ended }) => ended))).toEqual(["0", "0"]);
    const sequences = readAll(reader);
    const rising = (start: number) => Array.from({ length: 3000 }, (_, index) => start + index);
    expect(sequences.filter((sequence) => sequence < 100_000)).toEqual(rising(0));
    expect(sequences.filter((sequence) => sequence >= 100_000)).toEqual(rising(100_000));
    // A transaction's records stand together.
    for (let at = 0; at < sequences.length; at += 5) {
      expect(sequences.slice(at, at + 5)).toEqual(
        Array.from({ length: 5 }, (_, index) => (sequences[at] ?? 0) + index),
      );
    }
  });

  test("a reader overtaken again and again is told, and never accepts a torn record", async () => {
    const { segment, log } = logOf(kind, 2048);
    const task: TaskOptions = { role: "append", from: 0, to: 150_000, batch: 1, strategy: "park" };
    const writers = [startTask(segment, task), startTask(segment, { ...task, from: 1_000_000, to: 1_150_000 })];
    let running = true;
    const ended = Promise.all(writers.map((writer) => writer.ended)).finally(() => {
      running = false;
    });
    const reader = log.reader("oldest");
    let laps = 0;
    let accepted = 0;
    let lastPosition = 0;
    while (running) {
      for (let turn = 0; turn < 500; turn++) {
        const { outcome } = reader.read((bytes, position) => {
          checkRecord(bytes, 0, bytes.length);
          expect(position).toBeGreaterThan(lastPosition);
          lastPosition = position;
          accepted++;
        });
        expect(outcome).not.toBe("invalid");
        if (outcome === "lapped") laps++;
      }
      await new Promise((go) => setImmediate(go));
    }
    expect(await ended).toEqual(["0", "0"]);
    readAll(reader);
    expect(reader.position).toBe(log.tail());
    expect({ accepted: accepted > 0, laps: laps > 0 }).toEqual({ accepted: true, laps: true });
  });
});

describe("kill -9 of a writer", () => {
  // The records jump about in length, so that the third lap of the log is well past; every point is met by then.
  test.each(LOG_FAILPOINTS.filter((point) => !point.startsWith("log-gate")))(
    "at %s leaves whole records only, and the next writer goes on",
    async (point) => {
      const { segment, log } = logOf("named", 1024);
      const bystander = log.reader("tail");
      const writer = startTask(segment, { role: "append", from: 0, to: 300, batch: 4, strategy: "park" }, `${point}@7`);
      expect(await writer.ended).toBe("SIGKILL");
      readAll(bystander);

      const tail = log.tail();
      const before = readAll(log.reader("oldest"));
      expect(before).toEqual(before.map((_, index) => (before[0] ?? 0) + index));
      const published = (before.at(-1) ?? -1) + 1;
      // Only whole transactions are there.
      expect(published % 4).toBe(0);

      let recovered: boolean | undefined;
      const result = log.transaction(
        (tx) => {
          recovered = tx.recovered;
          const bytes = makeRecord(published);
          expect(tx.tail).toBe(tail);
          return tx.append(recordLength(published), (target, offset) => target.set(bytes, offset));
        },
        { timeoutMs: 20_000 },
      );
      expect(result.ok && recovered).toBe(true);
      expect(readAll(bystander)).toEqual([published]);
      expect(readAll(log.reader("oldest")).at(-1)).toBe(published);
      expect(log.transaction((tx) => tx.recovered)).toEqual({ ok: true, value: false });
      for (let sequence = 0; sequence < 200; sequence++) log.append(makeRecord(sequence));
      expect(readAll(log.reader("oldest")).at(-1)).toBe(199);
    },
  );
});
