/**
 * A process that sleeps until another one publishes, or that wakes such a one.
 *
 * - A wake-up is one way: from just before the publish to the callback on the sleeper's event loop that has read the
 *   record. Both read CLOCK_MONOTONIC, which is one clock for all processes of a Linux machine.
 * - The waker sleeps between publishes, so that the other side is asleep again and a shared CPU is free for it.
 */
import {
  createSegment,
  EventLoopDoorbell,
  formatRing,
  openSegment,
  RingConsumer,
  RingProducer,
  ringRegionSizeBytes,
  type Segment,
} from "shared-memory-ringbuffer";
import { monotonicNs } from "../scenarios/chat-text.ts";
import { type Latencies, percentile } from "./figures.ts";

const RING_BYTES = 65_536;
const RECORD_BYTES = 16;
const BETWEEN_WAKES_MS = 0.4;

let segment: Segment;

export function create(name: string): void {
  segment = createSegment(name, {
    objects: { ring: { kind: "ring", sizeBytes: ringRegionSizeBytes(RING_BYTES), format: formatRing } },
    participantSlots: 4,
  });
}

export function attach(name: string): void {
  segment = openSegment(name);
}

/** Publishes `count` records, each with its number and the time, to a reader that is asleep. */
export function wake(count: number): void {
  const producer = new RingProducer(segment.region("ring", "ring"), segment);
  const record = new Float64Array(RECORD_BYTES / Float64Array.BYTES_PER_ELEMENT);
  const bytes = new Uint8Array(record.buffer);
  const nap = new Int32Array(new SharedArrayBuffer(4));
  for (let sequence = 0; sequence < count; sequence++) {
    Atomics.wait(nap, 0, 0, BETWEEN_WAKES_MS);
    record[0] = sequence;
    record[1] = monotonicNs();
    if (!producer.tryWrite(bytes)) throw new Error("the ring is full");
  }
}

/** Is woken `count` times; the first `warm` aren't measured. */
export function sleep(warm: number, count: number): Promise<Latencies> {
  const consumer = new RingConsumer(segment.region("ring", "ring"), segment);
  const record = new Float64Array(RECORD_BYTES / Float64Array.BYTES_PER_ELEMENT);
  const bytes = new Uint8Array(record.buffer);
  const delaysNs = new Float64Array(count - warm);
  let sequence = 0;
  let corrupt = 0;
  const take = (memory: Uint8Array, offset: number, length: number): void => {
    const nowNs = monotonicNs();
    bytes.set(memory.subarray(offset, offset + RECORD_BYTES));
    const delayNs = nowNs - (record[1] as number);
    // A delay below zero would mean that the two don't read the same clock.
    if (length !== RECORD_BYTES || record[0] !== sequence || !(delayNs >= 0)) corrupt++;
    if (sequence >= warm) delaysNs[sequence - warm] = delayNs;
    sequence++;
  };
  return new Promise((resolve, reject) => {
    const turn = (): void => {
      try {
        do consumer.drain(take);
        while (sequence < count && !consumer.arm());
      } catch (error) {
        reject(error);
        return;
      }
      if (sequence < count) {
        doorbell.arm();
        return;
      }
      doorbell.close();
      const meanNs = delaysNs.reduce((sum, each) => sum + each, 0) / delaysNs.length;
      delaysNs.sort();
      const [p50Ns, p99Ns] = [percentile(delaysNs, 0.5), percentile(delaysNs, 0.99)];
      resolve({ meanNs, p50Ns, p99Ns, verified: sequence, corrupt });
    };
    const doorbell = new EventLoopDoorbell(segment, {
      hasWork: () => consumer.availableBytes > 0 || consumer.ended,
      onRing: turn,
    });
    turn();
  });
}

function percentOfCpu(before: NodeJS.CpuUsage, forMs: number): { readonly cpuPercent: number } {
  const { user, system } = process.cpuUsage(before);
  return { cpuPercent: (user + system) / 1_000 / (forMs / 100) };
}

/** Waits `forMs` on a ring on which nothing comes, the thread parked; the whole process's CPU time meanwhile. */
export function idleParked(forMs: number): { readonly cpuPercent: number } {
  const consumer = new RingConsumer(segment.region("ring", "ring"), segment);
  const before = process.cpuUsage();
  const waited = consumer.waitForRecords({ strategy: "park", timeoutMs: forMs });
  if (waited !== "timed-out") throw new Error(`something came while idle: ${waited}`);
  return percentOfCpu(before, forMs);
}

/** The same with an event loop asleep on its doorbell. */
export async function idleLoop(forMs: number): Promise<{ readonly cpuPercent: number }> {
  const consumer = new RingConsumer(segment.region("ring", "ring"), segment);
  const doorbell = new EventLoopDoorbell(segment, {
    hasWork: () => consumer.availableBytes > 0 || consumer.ended,
    onRing: () => {},
  });
  if (!consumer.arm()) throw new Error("something came while idle");
  doorbell.arm();
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, forMs));
  const usage = percentOfCpu(before, forMs);
  doorbell.close();
  return usage;
}

export function close(): void {
  segment?.close();
}
