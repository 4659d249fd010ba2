/**
 * The participant table: who takes part in a segment, and how a slot is claimed, left and taken from the dead.
 *
 * - A participant is a thread. Its slot's identity word holds tid, start time and phase in 64 bits, so one
 *   compare-and-swap from zero claims the slot *and* says who did: a claimer killed at any later store, or at none,
 *   is found dead like everybody else. (A claim in two steps would leave a slot that names nobody.)
 * - A slot's generation goes up each time it is freed, before it is free: {slot, generation} names one participant.
 * - The owner alone writes its slot, but for these: a reaper, under the segment's mutex and sure that the owner is
 *   dead, sweeps it; any thread reads it.
 * - A dead participant's slot is freed under the mutex, after all hooks have swept what names it. A leaver frees its
 *   own slot just after it has given the mutex back: the lock word named it until then, nothing does any more.
 */
import { failpoint } from "./failpoint.ts";
import {
  DOORBELL_NONE,
  FLAG_READER,
  LOCK_GENERATION_MASK,
  LOCK_SLOT_BITS,
  PHASE_ACTIVE,
  PHASE_BITS,
  PHASE_FREE,
  PHASE_JOINING,
  SLEEPERS_OFFSET,
  SLOT_CURSOR,
  SLOT_DOORBELL,
  SLOT_FLAGS,
  SLOT_GATE,
  SLOT_GENERATION,
  SLOT_IDENTITY,
  SLOT_PID,
  SLOT_SLEEPING,
  START_TICKS_BITS,
  slotOffset,
  TID_BITS,
} from "./layout.ts";
import { isThreadDead, type ThreadIdentity } from "./liveness.ts";
import { REGION_ALIGNMENT_BYTES, type SharedMemory } from "./memory.ts";

export type ParticipantPhase = "joining" | "active" | "leaving";

/** What one look at a slot saw. */
export interface ParticipantInfo {
  readonly slot: number;
  readonly generation: number;
  /** 0 while the participant is still joining. */
  readonly pid: number;
  readonly tid: number;
  readonly startTicks: number;
  readonly phase: ParticipantPhase;
  readonly alive: boolean;
  readonly isMe: boolean;
  readonly isReader: boolean;
  /** The position that it last published with `publishCursor`. */
  readonly cursor: number;
  readonly sleeping: boolean;
  /** Start of the log whose writers must not overtake `cursor`; `undefined` when it gates none. */
  readonly gatedOffsetBytes: number | undefined;
}

const WORD_SHIFT = 2;
const LONG_SHIFT = 3;
const PHASE_NAMES: readonly (ParticipantPhase | undefined)[] = [undefined, "joining", "active", "leaving"];
const PHASE_MASK = (1n << BigInt(PHASE_BITS)) - 1n;
const TID_MASK = (1n << BigInt(TID_BITS)) - 1n;
const START_MASK = (1n << BigInt(START_TICKS_BITS)) - 1n;
const START_SHIFT = BigInt(PHASE_BITS + TID_BITS);

function identityWord(thread: ThreadIdentity, phase: number): bigint {
  return (BigInt(thread.startTicks) << START_SHIFT) | (BigInt(thread.tid) << BigInt(PHASE_BITS)) | BigInt(phase);
}

/** This thread as a participant of a segment. */
export class Participant {
  readonly slot: number;
  readonly generation: number;
  readonly thread: ThreadIdentity;
  readonly #memory: SharedMemory;
  readonly #offset: number;

  constructor(memory: SharedMemory, slot: number, generation: number, thread: ThreadIdentity) {
    this.slot = slot;
    this.generation = generation;
    this.thread = thread;
    this.#memory = memory;
    this.#offset = slotOffset(slot);
  }

  /** Tells others up to which position (a safe integer ≥ 0) this participant has read. */
  publishCursor(position: number): void {
    failpoint("participant-cursor:begin");
    Atomics.store(this.#memory.i64, (this.#offset + SLOT_CURSOR) >>> LONG_SHIFT, BigInt(position));
    failpoint("participant-cursor:stored");
  }

  /** Says whether this participant is a reader, whose cursor others have to mind. */
  setReader(isReader: boolean): void {
    failpoint("participant-reader:begin");
    Atomics.store(this.#memory.i32, (this.#offset + SLOT_FLAGS) >>> WORD_SHIFT, isReader ? FLAG_READER : 0);
    failpoint("participant-reader:stored");
  }

  /** Says which log's writers must not overtake the cursor: where it starts; `undefined` for none. */
  setGate(logOffsetBytes: number | undefined): void {
    failpoint("participant-gate:begin");
    Atomics.store(this.#memory.i32, (this.#offset + SLOT_GATE) >>> WORD_SHIFT, gateWord(logOffsetBytes));
    failpoint("participant-gate:stored");
  }

  /** How lock words and claims name this participant: generation modulo 2^21, slot + 1. */
  get ownerWord(): number {
    return ((this.generation & LOCK_GENERATION_MASK) << LOCK_SLOT_BITS) | (this.slot + 1);
  }

  /** Moves on to another phase. For the segment's code. */
  enterPhase(phase: number): void {
    failpoint("participant-phase:begin");
    Atomics.store(this.#memory.i64, (this.#offset + SLOT_IDENTITY) >>> LONG_SHIFT, identityWord(this.thread, phase));
    failpoint("participant-phase:stored");
  }
}

function gateWord(logOffsetBytes: number | undefined): number {
  return logOffsetBytes === undefined ? 0 : logOffsetBytes / REGION_ALIGNMENT_BYTES + 1;
}

function gatedOffset(word: number): number | undefined {
  return word === 0 ? undefined : ((word >>> 0) - 1) * REGION_ALIGNMENT_BYTES;
}

export class ParticipantTable {
  readonly memory: SharedMemory;
  readonly slotCount: number;

  constructor(memory: SharedMemory, slotCount: number) {
    this.memory = memory;
    this.slotCount = slotCount;
  }

  /** Claims a free slot in phase joining. `undefined`: none is free. */
  claim(thread: ThreadIdentity): Participant | undefined {
    failpoint("participant-claim:begin");
    const { i32, i64 } = this.memory;
    const claimed = identityWord(thread, PHASE_JOINING);
    for (let slot = 0; slot < this.slotCount; slot++) {
      const offset = slotOffset(slot);
      if (Atomics.compareExchange(i64, offset >>> LONG_SHIFT, 0n, claimed) !== 0n) continue;
      failpoint("participant-claim:identity");
      Atomics.store(i32, (offset + SLOT_PID) >>> WORD_SHIFT, thread.pid);
      failpoint("participant-claim:pid");
      Atomics.store(i32, (offset + SLOT_FLAGS) >>> WORD_SHIFT, 0);
      failpoint("participant-claim:flags");
      Atomics.store(i32, (offset + SLOT_SLEEPING) >>> WORD_SHIFT, 0);
      failpoint("participant-claim:sleeping");
      Atomics.and(i32, sleepersIndex(slot), ~sleepersBit(slot));
      failpoint("participant-claim:sleepers");
      Atomics.store(i32, (offset + SLOT_DOORBELL) >>> WORD_SHIFT, DOORBELL_NONE);
      failpoint("participant-claim:doorbell");
      // Before the cursor: it must not gate anything as if it were a predecessor's.
      Atomics.store(i32, (offset + SLOT_GATE) >>> WORD_SHIFT, 0);
      failpoint("participant-claim:gate");
      Atomics.store(i64, (offset + SLOT_CURSOR) >>> LONG_SHIFT, 0n);
      failpoint("participant-claim:cursor");
      return new Participant(this.memory, slot, this.generation(slot), thread);
    }
    return undefined;
  }

  /**
   * Claims the janitor's slot, which exists so that a table full of the dead can still be locked and swept: taken
   * when free or from a dead janitor. Nothing but the lock word ever names it, and the generation bump that follows
   * makes the lock of a dead predecessor look like what it is. `undefined`: another living janitor is at work.
   */
  claimJanitor(thread: ThreadIdentity): Participant | undefined {
    const slot = this.slotCount;
    const { i64 } = this.memory;
    const index = slotOffset(slot) >>> LONG_SHIFT;
    const seen = Atomics.load(i64, index);
    if (seen !== 0n && !this.isIdentityDead(seen)) return undefined;
    if (Atomics.compareExchange(i64, index, seen, identityWord(thread, PHASE_JOINING)) !== seen) return undefined;
    failpoint("janitor:claimed");
    this.#bumpGeneration(slot);
    failpoint("janitor:generation");
    return new Participant(this.memory, slot, this.generation(slot), thread);
  }

  /** The owner gives its own slot back. It must hold nothing any more, least of all the mutex. */
  free(participant: Participant): void {
    failpoint("participant-free:begin");
    this.#bumpGeneration(participant.slot);
    failpoint("participant-free:generation");
    Atomics.store(this.memory.i64, slotOffset(participant.slot) >>> LONG_SHIFT, 0n);
    failpoint("participant-free:identity");
  }

  /** Frees a dead participant's slot. Caller holds the mutex and has swept what names it. */
  freeDead(slot: number): void {
    const { i32, i64 } = this.memory;
    const offset = slotOffset(slot);
    failpoint("participant-reap:swept");
    Atomics.store(i32, (offset + SLOT_SLEEPING) >>> WORD_SHIFT, 0);
    failpoint("participant-reap:sleeping");
    Atomics.and(i32, sleepersIndex(slot), ~sleepersBit(slot));
    failpoint("participant-reap:sleepers");
    this.#bumpGeneration(slot);
    failpoint("participant-reap:generation");
    Atomics.store(i64, offset >>> LONG_SHIFT, 0n);
    failpoint("participant-reap:identity");
  }

  generation(slot: number): number {
    return Atomics.load(this.memory.i32, (slotOffset(slot) + SLOT_GENERATION) >>> WORD_SHIFT);
  }

  /** 0 when the slot is free. */
  identity(slot: number): bigint {
    return Atomics.load(this.memory.i64, slotOffset(slot) >>> LONG_SHIFT);
  }

  /** True only when it is certain: see liveness.ts. A free slot counts as dead. */
  isIdentityDead(identity: bigint): boolean {
    if (identity === 0n) return true;
    const tid = Number((identity >> BigInt(PHASE_BITS)) & TID_MASK);
    return isThreadDead(tid, Number((identity >> START_SHIFT) & START_MASK));
  }

  /** False when the participant has left, was reaped or is certainly dead. */
  isAlive(slot: number, generation: number): boolean {
    if (!(slot >= 0 && slot <= this.slotCount) || this.generation(slot) !== generation) return false;
    const identity = this.identity(slot);
    if (this.isIdentityDead(identity)) return false;
    return this.generation(slot) === generation;
  }

  /**
   * The smallest cursor of those that gate the log at `logOffsetBytes`, infinity when there is none. One below `needed` is
   * looked at closely: a dead one gates nothing.
   */
  slowestGate(logOffsetBytes: number, needed: number): number {
    const { i32, i64 } = this.memory;
    const wanted = gateWord(logOffsetBytes);
    let slowest = Number.POSITIVE_INFINITY;
    for (let slot = 0; slot < this.slotCount; slot++) {
      const offset = slotOffset(slot);
      if (Atomics.load(i32, (offset + SLOT_GATE) >>> WORD_SHIFT) !== wanted) continue;
      const cursor = Number(Atomics.load(i64, (offset + SLOT_CURSOR) >>> LONG_SHIFT));
      const identity = this.identity(slot);
      if (identity === 0n || (cursor < needed && this.isIdentityDead(identity))) continue;
      slowest = Math.min(slowest, cursor);
    }
    return slowest;
  }

  /** Whether a lock word or a claim that names {slot, generation modulo 2^21} is certainly a dead one's. */
  isOwnerDead(slot: number, generation: number): boolean {
    if (slot < 0 || slot > this.slotCount) return true;
    // Identity first: if the generation still fits afterwards, both belong to one participant.
    const identity = this.identity(slot);
    if ((this.generation(slot) & LOCK_GENERATION_MASK) !== generation) return true;
    return this.isIdentityDead(identity);
  }

  /** What stands in a slot, `undefined` if it is free. Costs a look into `/proc` (15 µs). */
  inspect(slot: number, me?: Participant): ParticipantInfo | undefined {
    const { i32, i64 } = this.memory;
    const offset = slotOffset(slot);
    const identity = Atomics.load(i64, offset >>> LONG_SHIFT);
    const phaseNumber = Number(identity & PHASE_MASK);
    const phase = PHASE_NAMES[phaseNumber];
    if (phaseNumber === PHASE_FREE || phase === undefined) return undefined;
    return {
      slot,
      generation: this.generation(slot),
      pid: phaseNumber === PHASE_JOINING ? 0 : Atomics.load(i32, (offset + SLOT_PID) >>> WORD_SHIFT),
      tid: Number((identity >> BigInt(PHASE_BITS)) & TID_MASK),
      startTicks: Number((identity >> START_SHIFT) & START_MASK),
      phase,
      alive: !this.isIdentityDead(identity),
      isMe: me?.slot === slot,
      isReader: (Atomics.load(i32, (offset + SLOT_FLAGS) >>> WORD_SHIFT) & FLAG_READER) !== 0,
      cursor: Number(Atomics.load(i64, (offset + SLOT_CURSOR) >>> LONG_SHIFT)),
      sleeping: Atomics.load(i32, (offset + SLOT_SLEEPING) >>> WORD_SHIFT) !== 0,
      gatedOffsetBytes: gatedOffset(Atomics.load(i32, (offset + SLOT_GATE) >>> WORD_SHIFT)),
    };
  }

  /** Everybody but free slots. */
  list(me?: Participant): ParticipantInfo[] {
    const found: ParticipantInfo[] = [];
    for (let slot = 0; slot < this.slotCount; slot++) {
      const info = this.inspect(slot, me);
      if (info !== undefined) found.push(info);
    }
    return found;
  }

  /** Slots whose owner is certainly dead. */
  deadSlots(): number[] {
    const dead: number[] = [];
    for (let slot = 0; slot < this.slotCount; slot++) {
      const identity = this.identity(slot);
      if (identity !== 0n && this.isIdentityDead(identity)) dead.push(slot);
    }
    return dead;
  }

  /** Whether anybody alive but `me` takes part or is joining; who is leaving doesn't count. Caller holds the mutex. */
  hasOthers(me: Participant | undefined): boolean {
    for (let slot = 0; slot < this.slotCount; slot++) {
      if (slot === me?.slot) continue;
      const identity = this.identity(slot);
      const phase = Number(identity & PHASE_MASK);
      if ((phase === PHASE_JOINING || phase === PHASE_ACTIVE) && !this.isIdentityDead(identity)) return true;
    }
    return false;
  }

  #bumpGeneration(slot: number): void {
    Atomics.add(this.memory.i32, (slotOffset(slot) + SLOT_GENERATION) >>> WORD_SHIFT, 1);
  }
}

/** Index in `i32` of the sleepers' word that holds this slot's bit. */
export function sleepersIndex(slot: number): number {
  return (SLEEPERS_OFFSET >>> WORD_SHIFT) + (slot >>> 5);
}

export function sleepersBit(slot: number): number {
  return 1 << (slot & 31);
}
