/**
 * One of two worker threads that send 64 B records to each other's kind: over our ring, or over ringbuf.js.
 *
 * - Both copy each message in and out and make it visible by itself, both spin when the ring is full or empty.
 * - ringbuf.js is a ring of array elements, here bytes: it knows no records, so the reader must know their length, and
 *   there is nothing that waits. A full ring takes a part of a message, so the writer looks for room first.
 */
import { attachAnonymousSegment, RingConsumer, RingProducer, type Segment } from "shared-memory-ringbuffer";
import { Parts, perSecond, type Rate, RING_BYTES, type StreamPlan } from "./figures.ts";
import { allIsRight, endsAreRight, fillMessage, stampMessage, WORD_BYTES } from "./message.ts";

/** What is used of ringbuf.js, whose own declarations don't parse. */
interface ByteRing {
  push(bytes: Uint8Array): number;
  pop(bytes: Uint8Array): number;
  available_read(): number;
  available_write(): number;
}
interface ByteRingClass {
  new (storage: SharedArrayBuffer, type: typeof Uint8Array): ByteRing;
  getStorageForCapacity(capacity: number, type: typeof Uint8Array): SharedArrayBuffer;
}

/** Tries until it works, telling the CPU that it spins. */
const pause: () => void = (Atomics as { pause?: () => void }).pause ?? (() => {});

let segment: Segment | undefined;
let tryWrite: (message: Uint8Array) => boolean;
let tryRead: (message: Uint8Array) => boolean;

async function ringbufJs(): Promise<ByteRingClass> {
  const name: string = "ringbuf.js";
  return ((await import(name)) as { RingBuffer: ByteRingClass }).RingBuffer;
}

export async function ringbufStorage(): Promise<SharedArrayBuffer> {
  return (await ringbufJs()).getStorageForCapacity(RING_BYTES, Uint8Array);
}

export async function useRingbuf(storage: SharedArrayBuffer): Promise<void> {
  const ring = new (await ringbufJs())(storage, Uint8Array);
  tryWrite = (message) => ring.available_write() >= message.length && ring.push(message) === message.length;
  tryRead = (message) => ring.available_read() >= message.length && ring.pop(message) === message.length;
}

export function useOurs(buffer: SharedArrayBuffer, side: "writer" | "reader"): void {
  segment = attachAnonymousSegment(buffer);
  const region = segment.region("there", "ring");
  if (side === "writer") {
    const producer = new RingProducer(region, segment);
    tryWrite = (message) => producer.tryWrite(message);
  } else {
    const consumer = new RingConsumer(region, segment);
    tryRead = (message) => consumer.tryRead(message) === message.length;
  }
}

export function streamSend({ bytes, warm, count }: StreamPlan): void {
  const message = new Uint8Array(bytes);
  const words = new Int32Array(message.buffer);
  const total = warm + count;
  fillMessage(words, 0, words.length, 0);
  for (let sequence = 0; sequence < total; sequence++) {
    stampMessage(words, 0, words.length, sequence);
    while (!tryWrite(message)) pause();
  }
}

export function streamReceive({ bytes, warm, count }: StreamPlan): Rate {
  const message = new Uint8Array(bytes);
  const words = new Int32Array(message.buffer, 0, bytes / WORD_BYTES);
  const total = warm + count;
  let corrupt = 0;
  const parts = new Parts(warm, count);
  for (let sequence = 0; sequence < total; sequence++) {
    while (!tryRead(message)) pause();
    if (sequence === parts.next) parts.mark();
    const right =
      sequence < warm >> 1
        ? allIsRight(words, 0, words.length, sequence, 0)
        : endsAreRight(words, 0, words.length, sequence);
    if (!right) corrupt++;
  }
  parts.mark();
  return { messagesPerSecond: perSecond(parts.medianNs()), verified: total, corrupt };
}

export function close(): void {
  segment?.close();
}
