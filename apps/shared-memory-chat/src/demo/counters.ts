/**
 * One counter in shared memory, and adding to it with and without the lock: what a lock is for, in twenty lines.
 *
 * - Adding one is three steps: load, add, store. Two who do it at once can both load the same number, and one of the two
 *   additions is lost. Under the lock only one at a time is between load and store.
 */

import type { Region, Segment, SegmentSpec } from "shared-memory-ringbuffer";

const COUNTER_OBJECT = "counter";
/** Offsets in the object; each on a cache line of its own. */
const COUNTER_OFFSET = 0;
const AT_THE_START_OFFSET = 128;
const OBJECT_BYTES = 256;
/** A starter looks this often between two looks at the clock. */
const LOOKS_A_CHECK = 1000;
const START_TIMEOUT_MS = 10_000;

export const counterSegmentSpec: SegmentSpec = {
  objects: { [COUNTER_OBJECT]: { kind: "region", sizeBytes: OBJECT_BYTES } },
};

export class Counter {
  readonly #segment: Segment;
  readonly #words: Int32Array;
  readonly #counter: number;
  readonly #atTheStart: number;

  constructor(segment: Segment) {
    const region: Region = segment.region(COUNTER_OBJECT);
    this.#segment = segment;
    this.#words = region.memory.i32;
    this.#counter = (region.offsetBytes + COUNTER_OFFSET) >>> 2;
    this.#atTheStart = (region.offsetBytes + AT_THE_START_OFFSET) >>> 2;
  }

  get value(): number {
    return Atomics.load(this.#words, this.#counter);
  }

  reset(): void {
    Atomics.store(this.#words, this.#counter, 0);
    Atomics.store(this.#words, this.#atTheStart, 0);
  }

  /** Spins until `parties` have come here, so that all of them begin at the same moment. */
  awaitStart(parties: number): void {
    Atomics.add(this.#words, this.#atTheStart, 1);
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    while (Atomics.load(this.#words, this.#atTheStart) < parties) {
      for (let look = 0; look < LOOKS_A_CHECK; look++)
        if (Atomics.load(this.#words, this.#atTheStart) >= parties) return;
      if (performance.now() > deadlineMs) throw new Error("the others did not come to the start");
    }
  }

  addWithoutLock(times: number): void {
    const words = this.#words;
    const counter = this.#counter;
    for (let time = 0; time < times; time++) {
      // Each access is atomic, the three steps together are not. Plain ones the compiler would keep in a register.
      Atomics.store(words, counter, Atomics.load(words, counter) + 1);
    }
  }

  addWithLock(times: number): void {
    const words = this.#words;
    const counter = this.#counter;
    const { mutex } = this.#segment;
    for (let time = 0; time < times; time++) {
      mutex.lock();
      Atomics.store(words, counter, Atomics.load(words, counter) + 1);
      mutex.unlock();
    }
  }
}
