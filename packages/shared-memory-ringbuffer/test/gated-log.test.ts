import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { inspectLog, LOG_FAILPOINTS, type LogReader, type Segment, SharedLog } from "../src/index.ts";
import { checkRecord, makeRecord } from "./fixtures/checked-records.ts";
import { KINDS } from "./fixtures/peers.ts";
import { recordSegment, startTask } from "./fixtures/record-peers.ts";

const LOG_BYTES = 4096;
const WATCHDOG_MS = 30_000;
const open = new Set<Segment>();
afterEach(() => {
  for (const segment of open) segment.close();
  open.clear();
});

function made(kind: "named" | "anonymous") {
  const segment = recordSegment(kind, 4096, LOG_BYTES);
  open.add(segment);
  return { segment, log: new SharedLog(segment.region("log"), segment) };
}

function gated(log: SharedLog, after: number | "oldest" | "tail" = "oldest"): LogReader {
  const result = log.gatedReader(after);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

/** Appends until the log is full, or so many records; returns the number of the next. */
function fill(log: SharedLog, from: number, most = 1000): number {
  let sequence = from;
  while (sequence < from + most && log.append(makeRecord(sequence)).ok) sequence++;
  return sequence;
}

describe.each(["named", "anonymous"] as const)("a reader that gates, in a %s segment", (kind) => {
  test("is never overtaken: writers are told full, and go on when it has read", () => {
    const { log } = made(kind);
    fill(log, 0, 100);
    const reader = gated(log);
    let sent = fill(log, 100);
    expect(sent).toBeLessThan(200);
    expect(log.append(makeRecord(sent))).toEqual({ ok: false, reason: "full" });
    expect(log.isFull(100)).toBe(true);
    const positions = log.transaction((tx) => tx.append(100, () => {}));
    expect(positions).toEqual({ ok: true, value: -1 });
    let next = -1;
    let count = 0;
    while (count < 2000) {
      const result = reader.read(
        (bytes) => {
          const sequence = checkRecord(bytes, 0, bytes.length);
          if (next >= 0) expect(sequence).toBe(next);
          next = sequence + 1;
          count++;
        },
        { maxRecords: 7 },
      );
      expect(result.outcome).toBe("records");
      sent = fill(log, sent);
    }
  });

  test("that closes, or whose segment closes, gates no more", () => {
    const { segment, log } = made(kind);
    const reader = gated(log);
    fill(log, 0);
    expect(segment.participants()[0]?.gatedOffsetBytes).toBe(segment.region("log").offsetBytes);
    reader.close();
    reader.close();
    expect(segment.participants()[0]?.gatedOffsetBytes).toBeUndefined();
    expect(fill(log, 0)).toBe(1000);
    const guest = KINDS[kind === "named" ? 0 : 1]?.attach(segment) as Segment;
    gated(new SharedLog(guest.region("log"), guest), "tail");
    expect(fill(log, 0)).toBeLessThan(1000);
    guest.close();
    expect(fill(log, 0)).toBe(1000);
  });

  test("starts only where nothing is missing", () => {
    const { log } = made(kind);
    fill(log, 0);
    expect(log.gatedReader(0)).toEqual({ ok: false, reason: "lapped" });
    expect(log.gatedReader(log.oldest() + 16)).toEqual({ ok: false, reason: "lapped" });
    expect(gated(log, log.oldest()).position).toBe(log.oldest());
    // A second of the same participant ends the first.
    gated(log, "tail").close();
    expect(fill(log, 0)).toBe(1000);
  });

  test("wakes writers that wait for room, blocking or not", async () => {
    const { log } = made(kind);
    const reader = gated(log);
    fill(log, 0);
    expect(log.waitForRoom(100, { timeoutMs: 3 })).toBe(false);
    expect(await log.waitForRoomAsync(100, { timeoutMs: 3 })).toBe(false);
    const waiting = log.waitForRoomAsync(100, { timeoutMs: WATCHDOG_MS });
    await nextTurn();
    reader.read(() => {});
    expect(await waiting).toBe(true);
    expect(log.waitForRoom(100)).toBe(true);
  });
});

test("a reader that was killed doesn't gate", async () => {
  const { segment, log } = made("named");
  for (const point of LOG_FAILPOINTS.filter((name) => name.startsWith("log-gate"))) {
    const peer = startTask(segment, { role: "gate", from: 0, to: 1, batch: 1, strategy: "park" }, point);
    expect(await peer.ended).toBe("SIGKILL");
    expect(fill(log, 0)).toBe(1000);
  }
  // So that only the next one's gate is to be seen.
  expect(segment.reapDead(1000)).toBeGreaterThan(0);
  const peer = startTask(segment, { role: "gate", from: 0, to: 1, batch: 1, strategy: "park" });
  while (!segment.participants().some(({ gatedOffsetBytes }) => gatedOffsetBytes !== undefined)) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const sent = fill(log, 0);
  expect(sent).toBeLessThan(1000);
  process.kill(segment.participants().find(({ isMe }) => !isMe)?.pid as number, "SIGKILL");
  expect(await peer.ended).toBe("SIGKILL");
  expect(fill(log, sent)).toBe(sent + 1000);
  expect(inspectLog(segment.region("log")).tailPosition).toBe(log.tail());
});
