/**
 * One participant's announcement that it sleeps: its slot's `sleeping` word and its bit among the sleepers.
 *
 * - Only the owner enters and leaves sleep; a ringer only looks. (A reaper clears both for a dead owner.)
 * - The slot's word has one bit for the event loop and one for a parked thread; the bit among the sleepers, which is
 *   all a publisher with nobody to wake has to look at, stands while either is set.
 */
import { failpoint } from "./failpoint.ts";
import { SLOT_SLEEPING, SLOT_WAKE, slotOffset } from "./layout.ts";
import { sleepersBit, sleepersIndex } from "./participants.ts";

export class SleepState {
  /** Index in `i32` of the word a parked thread sleeps on. */
  readonly wakeIndex: number;
  readonly #i32: Int32Array;
  readonly #sleepingIndex: number;
  readonly #sleepersIndex: number;
  readonly #bit: number;
  /** The owner's own copy of its `sleeping` word. */
  #sleeping = 0;

  constructor(i32: Int32Array, slot: number) {
    this.#i32 = i32;
    this.wakeIndex = (slotOffset(slot) + SLOT_WAKE) >>> 2;
    this.#sleepingIndex = (slotOffset(slot) + SLOT_SLEEPING) >>> 2;
    this.#sleepersIndex = sleepersIndex(slot);
    this.#bit = sleepersBit(slot);
  }

  wakeWord(): number {
    return Atomics.load(this.#i32, this.wakeIndex);
  }

  /** Announces sleep. The caller must look for work once more before it sleeps. */
  enter(how: number): void {
    failpoint("sleep:begin");
    const before = this.#sleeping;
    this.#sleeping = before | how;
    Atomics.store(this.#i32, this.#sleepingIndex, before | how);
    failpoint("sleep:sleeping");
    if (before === 0) Atomics.or(this.#i32, this.#sleepersIndex, this.#bit);
    failpoint("sleep:sleepers");
  }

  leave(how: number): void {
    const after = this.#sleeping & ~how;
    this.#sleeping = after;
    Atomics.store(this.#i32, this.#sleepingIndex, after);
    failpoint("wake-up:sleeping");
    if (after === 0) Atomics.and(this.#i32, this.#sleepersIndex, ~this.#bit);
    failpoint("wake-up:sleepers");
  }
}
