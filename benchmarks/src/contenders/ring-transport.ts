/**
 * Shared memory as a link: one SPSC ring each way in one segment, between two processes (a named segment) or two threads
 * (a SharedArrayBuffer).
 *
 * - Frames are written and read in place; a publish is one store of the ring's tail.
 * - `spin`, `adaptive` and `park` block their thread; `event-loop` sleeps on a doorbell among sockets and timers, as
 *   a chat server does, on both sides.
 */
import {
  attachAnonymousSegment,
  createAnonymousSegment,
  createSegment,
  EventLoopDoorbell,
  formatRing,
  openSegment,
  RingConsumer,
  RingProducer,
  ringRegionSizeBytes,
  type Segment,
  type SegmentSpec,
  type WaitStrategy,
} from "shared-memory-ringbuffer";
import { MAX_FRAME_BYTES } from "../rig/frame.ts";
import { type Link, type LinkSettings, type OnFrame, StalledError, type Transport } from "./contender.ts";

/** The rings, named by who writes them. */
const LISTENER_RING = "from-listener";
const CONNECTOR_RING = "from-connector";
const PARTICIPANTS = 4;
/** Frames take a header of eight bytes more in a ring, and a ring is never filled by what the window allows. */
const RING_WINDOWS = 4;

type RingWait = WaitStrategy | "event-loop";

export const transport: Transport = {
  async listen(settings, announce) {
    const spec = segmentSpec(settings);
    const isThread = settings.boundary === "thread";
    const segment = isThread ? createAnonymousSegment(spec) : createSegment(settings.name, spec);
    const link = openLink(segment, LISTENER_RING, CONNECTOR_RING, settings);
    announce(isThread ? segment.memory.buffer : settings.name);
    return link;
  },

  async connect(settings, address) {
    const segment =
      typeof address === "string" ? openSegment(address) : attachAnonymousSegment(address as SharedArrayBuffer);
    return openLink(segment, CONNECTOR_RING, LISTENER_RING, settings);
  },
};

function segmentSpec(settings: LinkSettings): SegmentSpec {
  const wanted = Math.max(RING_WINDOWS * settings.windowBytes, 4 * MAX_FRAME_BYTES);
  const sizeBytes = ringRegionSizeBytes(2 ** Math.ceil(Math.log2(wanted)));
  const ring = { kind: "ring", sizeBytes, format: formatRing } as const;
  return { objects: { [LISTENER_RING]: ring, [CONNECTOR_RING]: ring }, participantSlots: PARTICIPANTS };
}

function openLink(segment: Segment, own: string, others: string, settings: LinkSettings): Link {
  const wait = settings.wait as RingWait;
  const handles = { futex: segment.futex, doorbells: segment.doorbells };
  const producer = new RingProducer(segment.region(own, "ring"), handles);
  const consumer = new RingConsumer(segment.region(others, "ring"), handles);
  return wait === "event-loop"
    ? new EventLoopRingLink(segment, producer, consumer)
    : new BlockingRingLink(segment, producer, consumer, wait);
}

abstract class RingLink implements Link {
  readonly words: Int32Array;
  protected readonly segment: Segment;
  protected readonly producer: RingProducer;
  protected readonly consumer: RingConsumer;

  constructor(segment: Segment, producer: RingProducer, consumer: RingConsumer) {
    this.segment = segment;
    this.producer = producer;
    this.consumer = consumer;
    this.words = segment.memory.i32;
  }

  reserve(bytes: number): number {
    const offset = this.producer.tryReserve(bytes);
    return offset < 0 ? -1 : offset >> 2;
  }

  publish(): void {
    this.producer.publish();
  }

  abstract run(onFrame: OnFrame, stallMs: number): Promise<void>;
  abstract stop(): void;

  async close(): Promise<void> {
    this.producer.close();
    this.consumer.close();
    this.segment.close();
  }
}

class BlockingRingLink extends RingLink {
  readonly #strategy: WaitStrategy;
  #stopped = false;

  constructor(segment: Segment, producer: RingProducer, consumer: RingConsumer, strategy: WaitStrategy) {
    super(segment, producer, consumer);
    this.#strategy = strategy;
  }

  async run(onFrame: OnFrame, stallMs: number): Promise<void> {
    const { consumer, words } = this;
    const options = { strategy: this.#strategy, timeoutMs: stallMs };
    const onRecord = (_bytes: Uint8Array, offset: number, length: number): void => onFrame(words, offset >> 2, length);
    this.#stopped = false;
    while (!this.#stopped) {
      const read = consumer.read(onRecord, options);
      if (read === "timed-out") throw new StalledError(stallMs);
      if (read === "closed") throw new Error("the other end closed the ring");
    }
  }

  stop(): void {
    this.#stopped = true;
  }
}

class EventLoopRingLink extends RingLink {
  readonly #doorbell: EventLoopDoorbell;
  #onFrame: OnFrame = () => {};
  #finish: (error?: Error) => void = () => {};
  #running = false;
  #arrivals = 0;
  readonly #onRecord = (_bytes: Uint8Array, offset: number, length: number): void => {
    this.#onFrame(this.words, offset >> 2, length);
  };

  constructor(segment: Segment, producer: RingProducer, consumer: RingConsumer) {
    super(segment, producer, consumer);
    this.#doorbell = new EventLoopDoorbell(segment, {
      onRing: () => this.#turn(),
      hasWork: () => this.consumer.availableBytes > 0 || this.consumer.ended,
    });
  }

  run(onFrame: OnFrame, stallMs: number): Promise<void> {
    this.#onFrame = onFrame;
    this.#running = true;
    return new Promise<void>((resolve, reject) => {
      let seen = this.#arrivals;
      const watch = setInterval(() => {
        if (this.#arrivals === seen) this.#finish(new StalledError(stallMs));
        seen = this.#arrivals;
      }, stallMs);
      this.#finish = (error) => {
        this.#finish = () => {};
        this.#running = false;
        clearInterval(watch);
        this.#doorbell.disarm();
        this.consumer.disarm();
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#turn();
    });
  }

  stop(): void {
    this.#finish();
  }

  override async close(): Promise<void> {
    this.#doorbell.close();
    await super.close();
  }

  /** Reads what there is, then sleeps; or comes back in the next turn of the loop when more came meanwhile. */
  #turn(): void {
    if (!this.#running) return;
    try {
      this.#arrivals += this.consumer.drain(this.#onRecord);
      if (!this.#running) return;
      if (this.consumer.arm()) this.#doorbell.arm();
      else if (this.consumer.ended) this.#finish(new Error("the other end closed the ring"));
      else setImmediate(() => this.#turn());
    } catch (error) {
      this.#finish(error as Error);
    }
  }
}
