/**
 * A process that writes to a shared log: one of them takes the lock and is killed, another wants to go on.
 *
 * - A record is one verified frame (rig/frame.ts), its sequence number counted by whoever writes.
 */
import {
  formatLog,
  logRegionSizeBytes,
  openOrCreateSegment,
  type Segment,
  SharedLog,
  sharedMemoryOver,
} from "shared-memory-ringbuffer";
import { frameIsWhole, frameSequence, KIND_MEASURED, writeFrame } from "../rig/frame.ts";
import { IntegrityChecker, type IntegrityCounts } from "../rig/integrity.ts";
import { monotonicNs } from "./chat-text.ts";

const LOG_OBJECT = "log";
const LOG_BYTES = 65_536;
const RECORD_BYTES = 64;

let segment: Segment | undefined;
let log: SharedLog | undefined;
let written = 0;
const frame = sharedMemoryOver(new ArrayBuffer(RECORD_BYTES));

export function open(name: string): void {
  const opened = openOrCreateSegment(name, {
    objects: { [LOG_OBJECT]: { kind: "log", sizeBytes: logRegionSizeBytes(LOG_BYTES), format: (r) => formatLog(r) } },
  });
  segment = opened;
  log = new SharedLog(opened.region(LOG_OBJECT, "log"), { mutex: opened.mutex, doorbells: opened.doorbells });
}

/** Takes the lock and keeps it: the next thing that happens to this process is its death. */
export function holdLock(timeoutMs: number): boolean {
  return segment?.mutex.lock(timeoutMs) !== undefined;
}

/** Appends one record, waiting for the lock; says when that was done and whether a dead holder's lock was taken over. */
export function append(timeoutMs: number): { readonly doneNs: number; readonly recovered: boolean } {
  writeFrame(frame.i32, 0, RECORD_BYTES, written, KIND_MEASURED);
  const result = (log as SharedLog).transaction(
    (tx) => {
      tx.append(RECORD_BYTES, (target, offset) => target.set(frame.bytes, offset));
      return tx.recovered;
    },
    { timeoutMs },
  );
  if (!result.ok) throw new Error(`no lock within ${timeoutMs} ms`);
  written++;
  return { doneNs: monotonicNs(), recovered: result.value };
}

/** Reads everything that this process appended and verifies it. */
export function verify(): IntegrityCounts {
  const checker = new IntegrityChecker();
  const copy = sharedMemoryOver(new ArrayBuffer(RECORD_BYTES));
  (log as SharedLog).reader("oldest").read((record: Uint8Array) => {
    copy.bytes.set(record.subarray(0, RECORD_BYTES));
    if (record.length === RECORD_BYTES && frameIsWhole(copy.i32, 0, RECORD_BYTES)) {
      checker.accept(frameSequence(copy.i32, 0));
    } else checker.damaged();
  });
  return checker.finish(written);
}

export function close(): void {
  segment?.close();
  segment = undefined;
}
