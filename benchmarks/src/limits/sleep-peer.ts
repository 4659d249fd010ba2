/**
 * A process that sleeps until another one publishes, or that wakes such a one.
 *
 * - `wake` and `sleep`: one way, from just before the publish of a writer that is awake to the callback on the sleeper's
 *   event loop that has read the record. Both read CLOCK_MONOTONIC, which is one clock for all processes of a Linux machine.
 * - `bounceAsk` and `bounceAnswer`: round trips between two event loops, each asleep until it is rung, as in a round trip
 *   over a socket.
 * - `idle…`: nothing comes, and what that costs.
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  createSegment,
  EventLoopDoorbell,
  openSegment,
  RingConsumer,
  RingProducer,
  type Segment,
} from "shared-memory-ringbuffer";
import { monotonicNs } from "../scenarios/chat-text.ts";
import { ECHO_BYTES, type EchoPlan, type Latencies, percentile, type Verified } from "./figures.ts";
import { allIsRight, fillMessage, WORD_BYTES } from "./message.ts";
import { RING_PAIR } from "./ring-pair.ts";

const RECORD_BYTES = 16;
/**
 * About a socket's round trip across CPUs: the sleeper has read the record and is asleep again, and its CPU has been idle as
 * long as it is in the round trip that this is compared with. (A virtual CPU that was idle for longer takes longer to wake.)
 */
const BETWEEN_WAKES_MS = 0.08;
/** A process that has just started has work of its own left: it isn't idle yet. */
const SETTLE_MS = 400;
const ECHO_WORDS: number = ECHO_BYTES / WORD_BYTES;

let segment: Segment;

export function create(name: string): void {
  segment = createSegment(name, RING_PAIR);
}

export function attach(name: string): void {
  segment = openSegment(name);
}

/** Publishes `count` records, each with its number and the time, to a reader that is asleep. */
export function wake(count: number): void {
  const producer = new RingProducer(segment.region("there", "ring"), segment);
  const record = new Float64Array(RECORD_BYTES / Float64Array.BYTES_PER_ELEMENT);
  const bytes = new Uint8Array(record.buffer);
  for (let sequence = 0; sequence < count; sequence++) {
    // Awake between wakes: a busy writer doesn't fall asleep because it has a reader that does.
    const untilMs = performance.now() + BETWEEN_WAKES_MS;
    while (performance.now() < untilMs);
    record[0] = sequence;
    record[1] = monotonicNs();
    if (!producer.tryWrite(bytes)) throw new Error("the ring is full");
  }
}

/** Is woken `count` times; the first `warm` aren't measured. */
export function sleep(warm: number, count: number): Promise<Latencies> {
  const consumer = new RingConsumer(segment.region("there", "ring"), segment);
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

/** One side of round trips by doorbell: `onMessage` is told each sequence number in turn, and ends it by returning true. */
function bounce(
  out: string,
  back: string,
  onMessage: (send: () => void) => boolean,
  start: boolean,
): Promise<Verified> {
  const producer = new RingProducer(segment.region(out, "ring"), segment);
  const consumer = new RingConsumer(segment.region(back, "ring"), segment);
  const words = segment.memory.i32;
  let sent = 0;
  let verified = 0;
  let corrupt = 0;
  let ended = false;
  const send = (): void => {
    const offset = producer.tryReserve(ECHO_BYTES);
    if (offset < 0) throw new Error("the ring is full");
    fillMessage(words, offset >> 2, ECHO_WORDS, sent++);
    producer.publish();
  };
  const take = (_bytes: Uint8Array, offset: number, length: number): void => {
    const right = allIsRight(words, offset >> 2, ECHO_WORDS, verified, verified);
    if (length !== ECHO_BYTES || !right) corrupt++;
    verified++;
    ended = onMessage(send);
  };
  return new Promise((resolve, reject) => {
    const turn = (): void => {
      try {
        do consumer.drain(take);
        while (!ended && !consumer.arm());
      } catch (error) {
        reject(error);
        return;
      }
      if (!ended) {
        doorbell.arm();
        return;
      }
      doorbell.close();
      resolve({ verified, corrupt });
    };
    const doorbell = new EventLoopDoorbell(segment, {
      hasWork: () => consumer.availableBytes > 0 || consumer.ended,
      onRing: turn,
    });
    if (start) send();
    turn();
  });
}

export async function bounceAsk({ warm, timed }: EchoPlan): Promise<Latencies> {
  const tripsNs = new Float64Array(timed);
  let trip = -warm;
  let beforeMs = performance.now();
  const onMessage = (send: () => void): boolean => {
    const afterMs = performance.now();
    if (trip >= 0) tripsNs[trip] = (afterMs - beforeMs) * 1e6;
    beforeMs = afterMs;
    if (++trip === timed) return true;
    send();
    return false;
  };
  const verified = await bounce("there", "back", onMessage, true);
  const meanNs = tripsNs.reduce((sum, each) => sum + each, 0) / timed;
  tripsNs.sort();
  return { meanNs, p50Ns: percentile(tripsNs, 0.5), p99Ns: percentile(tripsNs, 0.99), ...verified };
}

export function bounceAnswer({ warm, timed }: EchoPlan): Promise<Verified> {
  let left = warm + timed;
  const onMessage = (send: () => void): boolean => {
    send();
    return --left === 0;
  };
  return bounce("back", "there", onMessage, false);
}

function percentOfCpu(before: NodeJS.CpuUsage, forMs: number): { readonly cpuPercent: number } {
  const { user, system } = process.cpuUsage(before);
  return { cpuPercent: (user + system) / 1_000 / (forMs / 100) };
}

/** Waits `forMs` on a ring on which nothing comes, the thread parked; the whole process's CPU time meanwhile. */
export function idleParked(forMs: number): { readonly cpuPercent: number } {
  const consumer = new RingConsumer(segment.region("there", "ring"), segment);
  consumer.waitForRecords({ strategy: "park", timeoutMs: SETTLE_MS });
  const before = process.cpuUsage();
  const waited = consumer.waitForRecords({ strategy: "park", timeoutMs: forMs });
  if (waited !== "timed-out") throw new Error(`something came while idle: ${waited}`);
  return percentOfCpu(before, forMs);
}

/** The same with an event loop asleep on its doorbell. */
export async function idleLoop(forMs: number): Promise<{ readonly cpuPercent: number }> {
  const consumer = new RingConsumer(segment.region("there", "ring"), segment);
  const doorbell = new EventLoopDoorbell(segment, {
    hasWork: () => consumer.availableBytes > 0 || consumer.ended,
    onRing: () => {},
  });
  if (!consumer.arm()) throw new Error("something came while idle");
  doorbell.arm();
  await delay(SETTLE_MS);
  const before = process.cpuUsage();
  await delay(forMs);
  const usage = percentOfCpu(before, forMs);
  doorbell.close();
  return usage;
}

export function close(): void {
  segment?.close();
}
