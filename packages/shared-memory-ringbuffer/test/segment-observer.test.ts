import { afterEach, describe, expect, test } from "vitest";
import {
  formatLog,
  formatRing,
  inspectLog,
  inspectRing,
  logRegionSizeBytes,
  openSegment,
  RingProducer,
  removeSegment,
  ringRegionSizeBytes,
  SegmentObserver,
  SharedLog,
} from "../src/index.ts";
import { checkRecord, makeRecord } from "./fixtures/checked-records.ts";
import { leftovers, NAMED, startProcess, uniqueName } from "./fixtures/peers.ts";

const SPEC = {
  objects: {
    words: { kind: "region", sizeBytes: 128 },
    ring: { kind: "ring", sizeBytes: ringRegionSizeBytes(1024), format: formatRing },
    log: { kind: "log", sizeBytes: logRegionSizeBytes(4096), format: formatLog },
  },
} as const;

let close: (() => void)[] = [];
afterEach(() => {
  for (const each of close) each();
  close = [];
});

function observed() {
  const segment = NAMED.create(SPEC);
  const observer = openSegment(segment.name as string, { readOnly: true });
  close.push(() => segment.close({ keep: false }));
  close.push(() => observer.close());
  return { segment, observer };
}

describe("an observer of a segment", () => {
  test("sees header, objects, participants, counters and lock, and takes no slot", () => {
    const { segment, observer } = observed();
    expect(observer).toBeInstanceOf(SegmentObserver);
    expect(observer).toMatchObject({ epoch: segment.epoch, capacityBytes: segment.capacityBytes, removed: false });
    expect(observer.objects).toEqual(segment.objects);
    expect(segment.participants()).toHaveLength(1);
    expect(observer.participants()).toMatchObject([{ pid: process.pid, alive: true, phase: "active" }]);
    expect(observer.lock()).toEqual({ held: false, hasWaiters: false, needsRepair: false });
    segment.mutex.lock();
    expect(observer.lock()).toMatchObject({ held: true, owner: { slot: 0, alive: true, participant: { slot: 0 } } });
    segment.mutex.unlock();
    segment.doorbells.ringSleepers();
    expect(observer.counts()).toEqual(segment.counts());
    expect(observer.counts().wakesSuppressed).toBe(1);
  });

  test("sees a lock whose owner is dead, and leaves it alone", async () => {
    const { segment, observer } = observed();
    const peer = startProcess();
    await NAMED.join(peer, segment);
    await peer.call("lock");
    peer.kill();
    await peer.ended;
    expect(observer.lock()).toMatchObject({ held: true, owner: { alive: false, participant: { pid: peer.pid } } });
    expect(segment.mutex.lock()).toEqual({ recovered: true });
    expect(observer.lock()).toMatchObject({ held: true, needsRepair: true, owner: { slot: 0 } });
    segment.mutex.unlock();
    expect(observer.lock()).toMatchObject({ held: false, needsRepair: false });
  });

  test("sees into rings and logs, and tails a log that laps it", () => {
    const { segment, observer } = observed();
    new RingProducer(segment.region("ring")).tryWrite(new Uint8Array(8));
    expect(inspectRing(observer.region("ring", "ring"))).toMatchObject({ usedBytes: 16 });
    const log = new SharedLog(segment.region("log"), segment);
    const reader = observer.logReader("log", "tail");
    let next = 0;
    for (let sequence = 0; sequence < 500; sequence++) {
      log.append(makeRecord(sequence));
      if (sequence % 3 === 0) continue;
      const result = reader.read((bytes) => expect(checkRecord(bytes, 0, bytes.length)).toBe(next++));
      expect(result.outcome).toBe("records");
    }
    expect(inspectLog(observer.region("log"))).toMatchObject({
      tailPosition: log.tail(),
      oldestPosition: log.oldest(),
    });
    for (let sequence = 500; sequence < 700; sequence++) log.append(makeRecord(sequence));
    expect(reader.read(() => {})).toMatchObject({ outcome: "lapped" });
    const seen: number[] = [];
    reader.read((bytes) => void seen.push(checkRecord(bytes, 0, bytes.length)));
    expect(seen.at(-1)).toBe(699);
  });

  test("outlives the segment, says that it was removed, and keeps nothing alive", () => {
    const { segment, observer } = observed();
    segment.close();
    expect(leftovers(segment.name as string)).toEqual([]);
    expect(observer.removed).toBe(true);
    observer.close();
    observer.close();
    expect(() => observer.participants()).toThrow(/closed/);
  });

  test("of no segment says so", () => {
    const name = uniqueName("none");
    expect(() => openSegment(name, { readOnly: true })).toThrow(expect.objectContaining({ code: "ERR_SHM_NOT_FOUND" }));
    expect(removeSegment(name)).toBe(false);
  });
});
