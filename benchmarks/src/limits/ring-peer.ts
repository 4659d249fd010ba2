/**
 * One side of a measurement on rings, between two processes, both sides spinning.
 *
 * - Uses the package as anybody would: its exported handles, nothing behind them.
 * - `echo`: 64 B there and back. `stream`: one way; timed where messages arrive, after the warm-up.
 */
import { createSegment, openSegment, RingConsumer, RingProducer, type Segment } from "shared-memory-ringbuffer";
import {
  ECHO_BYTES,
  type EchoPlan,
  type Latencies,
  Parts,
  percentile,
  perSecond,
  type Rate,
  type StreamPlan,
  type Verified,
} from "./figures.ts";
import { allIsRight, endsAreRight, fillMessage, stampMessage, WORD_BYTES } from "./message.ts";
import { RING_PAIR } from "./ring-pair.ts";

const ECHO_WORDS: number = ECHO_BYTES / WORD_BYTES;
const SPINNING = { strategy: "spin" } as const;
let segment: Segment;

export function create(name: string): void {
  segment = createSegment(name, RING_PAIR);
}

export function attach(name: string): void {
  segment = openSegment(name);
}

const producerOf = (id: string): RingProducer => new RingProducer(segment.region(id, "ring"), segment);
const consumerOf = (id: string): RingConsumer => new RingConsumer(segment.region(id, "ring"), segment);

function reserve(producer: RingProducer, bytes: number): number {
  const offset = producer.tryReserve(bytes);
  if (offset >= 0) return offset;
  if (producer.waitForRoom(bytes, SPINNING) !== "ready") throw new Error("the other side closed the ring");
  return producer.tryReserve(bytes);
}

/** What one side of an echo does with what comes, and how it sends. */
class EchoSide implements Verified {
  verified = 0;
  corrupt = 0;
  readonly #producer: RingProducer;
  readonly #consumer: RingConsumer;
  readonly #words: Int32Array = segment.memory.i32;
  readonly #receive = (_bytes: Uint8Array, offset: number, length: number): void => {
    const sequence = this.verified++;
    const whole = allIsRight(this.#words, offset >> 2, ECHO_WORDS, sequence, sequence);
    if (!whole || length !== ECHO_BYTES) this.corrupt++;
  };

  constructor(out: string, back: string) {
    this.#producer = producerOf(out);
    this.#consumer = consumerOf(back);
  }

  send(sequence: number): void {
    const offset = reserve(this.#producer, ECHO_BYTES);
    fillMessage(this.#words, offset >> 2, ECHO_WORDS, sequence);
    this.#producer.publish();
  }

  receive(): void {
    if (typeof this.#consumer.read(this.#receive, SPINNING) !== "number") throw new Error("the other side is gone");
  }
}

function roundTrips(side: EchoSide, count: number): void {
  for (let i = 0; i < count; i++) {
    side.send(side.verified);
    side.receive();
  }
}

export function echoAsk({ warm, count, timed }: EchoPlan): Latencies {
  const side = new EchoSide("there", "back");
  const tripsNs = new Float64Array(timed);
  roundTrips(side, warm);
  const parts = new Parts(0, count);
  for (let done = 0; done < count; ) {
    parts.mark();
    roundTrips(side, parts.next - done);
    done = parts.next;
  }
  parts.mark();
  const meanNs = parts.medianNs();
  let beforeMs = performance.now();
  for (let i = 0; i < timed; i++) {
    roundTrips(side, 1);
    const afterMs = performance.now();
    tripsNs[i] = (afterMs - beforeMs) * 1e6;
    beforeMs = afterMs;
  }
  tripsNs.sort();
  const { verified, corrupt } = side;
  return { meanNs, p50Ns: percentile(tripsNs, 0.5), p99Ns: percentile(tripsNs, 0.99), verified, corrupt };
}

export function echoAnswer({ warm, count, timed }: EchoPlan): Verified {
  const side = new EchoSide("back", "there");
  const total = warm + count + timed;
  while (side.verified < total) {
    const sequence = side.verified;
    side.receive();
    side.send(sequence);
  }
  return { verified: side.verified, corrupt: side.corrupt };
}

export function streamSend({ bytes, batch, copied, warm, count }: StreamPlan): void {
  const producer = producerOf("there");
  const { i32, bytes: memory } = segment.memory;
  const message = new Uint8Array(bytes);
  const messageWords = new Int32Array(message.buffer);
  const wordCount = bytes / WORD_BYTES;
  const total = warm + count;
  fillMessage(messageWords, 0, wordCount, 0);
  for (let sequence = 0; sequence < total; ) {
    for (const end = sequence + batch; sequence < end; sequence++) {
      const offset = reserve(producer, bytes);
      if (copied) {
        stampMessage(messageWords, 0, wordCount, sequence);
        memory.set(message, offset);
      } else fillMessage(i32, offset >> 2, wordCount, sequence);
    }
    producer.publish();
  }
}

export function streamReceive({ bytes, copied, warm, count }: StreamPlan): Rate {
  const consumer = consumerOf("there");
  const words = segment.memory.i32;
  const wordCount = bytes / WORD_BYTES;
  const total = warm + count;
  let sequence = 0;
  let corrupt = 0;
  const parts = new Parts(warm, count);
  const wholly = warm >> 1;
  const onRecord = (_bytes: Uint8Array, offset: number, length: number): void => {
    const at = offset >> 2;
    if (sequence < wholly) {
      if (!allIsRight(words, at, wordCount, sequence, copied ? 0 : sequence)) corrupt++;
    } else {
      if (sequence === parts.next) parts.mark();
      if (length !== bytes || !endsAreRight(words, at, wordCount, sequence)) corrupt++;
    }
    sequence++;
  };
  while (sequence < total) {
    if (typeof consumer.read(onRecord, SPINNING) !== "number") throw new Error("the other side is gone");
  }
  parts.mark();
  return { messagesPerSecond: perSecond(parts.medianNs()), verified: sequence, corrupt };
}

export function close(): void {
  segment?.close();
}
