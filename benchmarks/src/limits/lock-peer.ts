/** A process that takes a segment's lock: again and again without contention, or to die with it, or to inherit it. */
import { openOrCreateSegment, type Segment } from "shared-memory-ringbuffer";
import { monotonicNs } from "../scenarios/chat-text.ts";
import { Parts, type Verified } from "./figures.ts";

let segment: Segment;

export function open(name: string): void {
  segment = openOrCreateSegment(name, {
    objects: { counter: { kind: "region", sizeBytes: 128 } },
    participantSlots: 4,
  });
}

/** `count` pairs of lock and unlock around adding 1 to a shared counter, after as many to warm up. */
export function timeLock(count: number): Verified & { readonly pairNs: number } {
  const { mutex } = segment;
  const { memory, offsetBytes } = segment.region("counter");
  const { i32 } = memory;
  const counter = offsetBytes >> 2;
  const parts = new Parts(count, count);
  for (let pair = 0; pair < 2 * count; pair++) {
    if (pair === parts.next) parts.mark();
    if (mutex.lock() === undefined) throw new Error("no lock");
    i32[counter] = (i32[counter] as number) + 1;
    mutex.unlock();
  }
  parts.mark();
  const pairNs = parts.medianNs();
  const counted = i32[counter] as number;
  return { pairNs, verified: counted, corrupt: Math.abs(2 * count - counted) };
}

/** Takes the lock and keeps it: the next thing that happens to this process is its death. */
export function hold(timeoutMs: number): boolean {
  return segment.mutex.lock(timeoutMs) !== undefined;
}

/** Waits for the lock; says when it came and whether its last owner died with it. */
export function inherit(timeoutMs: number): { readonly doneNs: number; readonly recovered: boolean } {
  const grant = segment.mutex.lock(timeoutMs);
  const doneNs = monotonicNs();
  if (grant === undefined) throw new Error(`no lock within ${timeoutMs} ms`);
  segment.mutex.unlock();
  return { doneNs, recovered: grant.recovered };
}

export function close(): void {
  segment?.close();
}
