/**
 * What happened in a segment, counted in the segment.
 *
 * - Each participant counts in its own slot with plain stores, so counting costs a nanosecond or two and no line
 *   bounces between CPUs. A slot's counters go on when the next participant takes it: nothing is ever summed up and
 *   cleared, so no crash can lose or double a count.
 * - A total is the sum over all slots. It may lag by what other CPUs are just storing.
 */
import { SLOT_COUNTERS, slotOffset } from "./layout.ts";
import type { SharedMemory } from "./memory.ts";

/** Number of a counter in its slot; part of the layout. */
export const COUNTER = {
  messages: 0,
  bytes: 1,
  /** Something did not fit. */
  full: 2,
  /** A thread slept: on the lock, or for something to read. */
  waits: 3,
  wakesSent: 4,
  /** Something was published and nobody slept. */
  wakesSuppressed: 5,
  /** The lock of a dead owner was taken over. */
  recoveries: 6,
} as const;
export type CounterName = keyof typeof COUNTER;
export type CounterTotals = Record<CounterName, number>;

const IS_LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
/** Words of a u64 as the machine orders them. */
const LOW_WORD = IS_LITTLE_ENDIAN ? 0 : 1;
const HIGH_WORD = 1 - LOW_WORD;
const TWO_TO_32 = 2 ** 32;

export class Counters {
  readonly #i32: Int32Array;
  readonly #i64: BigInt64Array;
  readonly #base: number;
  readonly #slotCount: number;

  constructor(memory: SharedMemory, slotCount: number, ownSlot: number) {
    this.#i32 = memory.i32;
    this.#i64 = memory.i64;
    this.#base = (slotOffset(ownSlot) + SLOT_COUNTERS) >>> 2;
    this.#slotCount = slotCount;
  }

  /** Adds `amount` (0 to 2^31 - 1) to counter {@link COUNTER}`.x`. */
  add(counter: number, amount: number): void {
    const i32 = this.#i32;
    const low = this.#base + counter * 2 + LOW_WORD;
    const before = (i32[low] as number) >>> 0;
    const after = before + amount;
    if (after < TWO_TO_32) {
      i32[low] = after;
      return;
    }
    // Once in 2^32 the carry is stored together with the rest, so that no death falls between the two.
    const at = (this.#base >>> 1) + counter;
    Atomics.store(this.#i64, at, (this.#i64[at] as bigint) + BigInt(amount));
  }

  /** Sums over all participants there ever were. */
  totals(): CounterTotals {
    const totals = {} as CounterTotals;
    for (const [name, counter] of Object.entries(COUNTER)) {
      let sum = 0;
      for (let slot = 0; slot < this.#slotCount; slot++) {
        const at = ((slotOffset(slot) + SLOT_COUNTERS) >>> 2) + counter * 2;
        sum += (Atomics.load(this.#i32, at + HIGH_WORD) >>> 0) * TWO_TO_32;
        sum += Atomics.load(this.#i32, at + LOW_WORD) >>> 0;
      }
      totals[name as CounterName] = sum;
    }
    return totals;
  }
}
