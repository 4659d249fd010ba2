/**
 * The table of names in a room's segment: who holds which, in whose process.
 *
 * - Every call but those of the two marks is made under the segment's mutex; nothing here waits.
 * - A slot is filled first and then committed by one atomic store of its state, and freed by one: whoever dies at any
 *   instruction leaves a slot that is free or held, never half of one.
 * - What is read is checked first: a table that no participant could have left throws CorruptSegmentError.
 * - A name belongs to a participant {slot, generation}: that is how a survivor finds the names of a dead one.
 */

import { hash } from "node:crypto";
import { foldName } from "@parley/chat-room";
import { CorruptSegmentError, failpoint, type Region } from "shared-memory-ringbuffer";
import {
  DIGEST_ALGORITHM,
  DIGEST_BYTES,
  DIGEST_OFFSET,
  FORMAT_OFFSET,
  GRACE_MS_OFFSET,
  HELD_UNTIL_OFFSET,
  KEEP_MARK_OFFSET,
  LEASE_OFFSET,
  MAX_NAME_BYTES,
  NAME_BYTES_OFFSET,
  NAME_OFFSET,
  NO_PARTICIPANT,
  PARTICIPANT_GENERATION_OFFSET,
  PARTICIPANT_SLOT_OFFSET,
  READ_MARK_OFFSET,
  RESUME_KEY_BYTES,
  RESUME_KEY_OFFSET,
  ROSTER_FORMAT,
  ROSTER_HEADER_BYTES,
  ROSTER_SLOT_BYTES,
  rosterRegionSizeBytes,
  SESSION_ID_BYTES,
  SESSION_ID_OFFSET,
  SLOTS_OFFSET,
  STATE_FREE,
  STATE_HELD,
  STATE_OFFSET,
} from "./roster-layout.ts";

const I64_BYTES = BigInt64Array.BYTES_PER_ELEMENT;
const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { fatal: true });

/** One participant of the segment; a slot that is used again has another generation. */
export interface ParticipantRef {
  readonly slot: number;
  readonly generation: number;
}

export interface HeldName {
  readonly participant: ParticipantRef;
  /** 32 hexadecimal digits. */
  readonly sessionId: string;
  readonly name: string;
  /** Counts the session's claims. */
  readonly lease: number;
  /** So long the name is held after its participant died. */
  readonly graceMs: number;
}

/** Failpoints of this file, in the order of their stores. */
export const ROSTER_FAILPOINTS: readonly string[] = ["roster:begin", "roster:filled", "roster:held", "roster:freed"];

/** Makes `region` an empty table of as many slots as fit. Nobody may be using the region. */
export function formatRoster(region: Region): void {
  const { memory, offsetBytes, sizeBytes } = region;
  memory.bytes.fill(0, offsetBytes, offsetBytes + sizeBytes);
  const key = crypto.getRandomValues(new Uint8Array(RESUME_KEY_BYTES));
  memory.bytes.set(key, offsetBytes + RESUME_KEY_OFFSET);
  const words = memory.i32;
  words[(offsetBytes + SLOTS_OFFSET) >>> 2] = Math.floor((sizeBytes - ROSTER_HEADER_BYTES) / ROSTER_SLOT_BYTES);
  Atomics.store(words, (offsetBytes + FORMAT_OFFSET) >>> 2, ROSTER_FORMAT);
}

export class RosterTable {
  readonly slots: number;
  readonly #region: Region;

  /** Throws CorruptSegmentError for a region that holds no roster of this version. */
  constructor(region: Region) {
    const { memory, offsetBytes, sizeBytes } = region;
    const format = Atomics.load(memory.i32, (offsetBytes + FORMAT_OFFSET) >>> 2);
    const slots = Atomics.load(memory.i32, (offsetBytes + SLOTS_OFFSET) >>> 2);
    if (format !== ROSTER_FORMAT || slots < 1 || rosterRegionSizeBytes(slots) > sizeBytes) {
      throw new CorruptSegmentError(
        `no roster of this version: format=0x${(format >>> 0).toString(16)} slots=${slots} sizeBytes=${sizeBytes}`,
        { format, slots, sizeBytes },
      );
    }
    this.#region = region;
    this.slots = slots;
  }

  /** Slots that are held, in table order. A slot's number is good while the mutex is held. */
  heldSlots(): number[] {
    const held: number[] = [];
    for (let slot = 0; slot < this.slots; slot++) {
      const state = this.#word(slot, STATE_OFFSET);
      if (state === STATE_HELD) held.push(slot);
      else if (state !== STATE_FREE) throw this.#corrupt(slot, `state=${state}`);
    }
    return held;
  }

  /** What a held slot holds. */
  read(slot: number): HeldName {
    const { bytes } = this.#region.memory;
    const start = this.#start(slot);
    const nameBytes = this.#word(slot, NAME_BYTES_OFFSET) >>> 0;
    if (nameBytes > MAX_NAME_BYTES) throw this.#corrupt(slot, `nameBytes=${nameBytes}`);
    let name: string;
    try {
      // A copy: TextDecoder takes no view of a SharedArrayBuffer.
      name = utf8Decoder.decode(bytes.slice(start + NAME_OFFSET, start + NAME_OFFSET + nameBytes));
    } catch {
      throw this.#corrupt(slot, "the name is not UTF-8");
    }
    const sessionId = bytes.slice(start + SESSION_ID_OFFSET, start + SESSION_ID_OFFSET + SESSION_ID_BYTES);
    return {
      participant: this.participantOf(slot),
      sessionId: Buffer.from(sessionId).toString("hex"),
      name,
      lease: this.#word(slot, LEASE_OFFSET) >>> 0,
      graceMs: this.#word(slot, GRACE_MS_OFFSET) >>> 0,
    };
  }

  /** Whose a held slot is: all that the search for the dead needs of it. */
  participantOf(slot: number): ParticipantRef {
    return {
      slot: this.#word(slot, PARTICIPANT_SLOT_OFFSET),
      generation: this.#word(slot, PARTICIPANT_GENERATION_OFFSET),
    };
  }

  /** Whether the participant died, so that the name only waits for the end of its grace. */
  isOrphaned(slot: number): boolean {
    return this.#word(slot, PARTICIPANT_SLOT_OFFSET) === NO_PARTICIPANT;
  }

  /** When the grace of an orphaned name is over, in ms of Unix time. */
  heldUntilMs(slot: number): number {
    return Number(Atomics.load(this.#region.memory.i64, (this.#start(slot) + HELD_UNTIL_OFFSET) / I64_BYTES));
  }

  /** Takes a name from its dead participant: it is held until its grace is over. */
  orphan(slot: number, nowMs: number): void {
    const { i32, i64 } = this.#region.memory;
    const start = this.#start(slot);
    const untilMs = nowMs + (this.#word(slot, GRACE_MS_OFFSET) >>> 0);
    Atomics.store(i64, (start + HELD_UNTIL_OFFSET) / I64_BYTES, BigInt(untilMs));
    // Only now: whoever dies in between leaves it to the dead one, and it is begun again.
    Atomics.store(i32, (start + PARTICIPANT_SLOT_OFFSET) >>> 2, NO_PARTICIPANT);
  }

  /** The key of the resume tokens. */
  get resumeKey(): Uint8Array {
    const start = this.#region.offsetBytes + RESUME_KEY_OFFSET;
    return this.#region.memory.bytes.slice(start, start + RESUME_KEY_BYTES);
  }

  /** Which of the `held` slots belongs to the session. */
  slotOfSession(held: readonly number[], sessionId: string): number | undefined {
    return this.#find(held, SESSION_ID_OFFSET, Buffer.from(sessionId, "hex"));
  }

  /** Which of the `held` slots has a name that counts as the same as `name`. */
  slotOfName(held: readonly number[], name: string): number | undefined {
    return this.#find(held, DIGEST_OFFSET, digestOf(name));
  }

  /** Writes a name into a free slot. False: no slot is free. The name must fit ({@link fits}). */
  add(entry: HeldName): boolean {
    for (let slot = 0; slot < this.slots; slot++) {
      if (this.#word(slot, STATE_OFFSET) !== STATE_FREE) continue;
      const { bytes, i32 } = this.#region.memory;
      const start = this.#start(slot);
      const name = utf8Encoder.encode(entry.name);
      failpoint("roster:begin");
      i32[(start + PARTICIPANT_SLOT_OFFSET) >>> 2] = entry.participant.slot;
      i32[(start + PARTICIPANT_GENERATION_OFFSET) >>> 2] = entry.participant.generation;
      i32[(start + NAME_BYTES_OFFSET) >>> 2] = name.length;
      i32[(start + LEASE_OFFSET) >>> 2] = entry.lease;
      i32[(start + GRACE_MS_OFFSET) >>> 2] = entry.graceMs;
      bytes.set(Buffer.from(entry.sessionId, "hex"), start + SESSION_ID_OFFSET);
      bytes.set(digestOf(entry.name), start + DIGEST_OFFSET);
      bytes.set(name, start + NAME_OFFSET);
      failpoint("roster:filled");
      Atomics.store(i32, (start + STATE_OFFSET) >>> 2, STATE_HELD);
      failpoint("roster:held");
      return true;
    }
    return false;
  }

  free(slot: number): void {
    Atomics.store(this.#region.memory.i32, (this.#start(slot) + STATE_OFFSET) >>> 2, STATE_FREE);
    failpoint("roster:freed");
  }

  /** Seq of the newest event that any reader has shown; needs no lock. It outlives the reader that stored it. */
  get readMark(): number {
    return this.#mark(READ_MARK_OFFSET);
  }

  /** Raises the read mark to `seq`; a lower one changes nothing. Needs no lock. */
  raiseReadMark(seq: number): void {
    this.#raise(READ_MARK_OFFSET, seq);
  }

  /** What is up to this seq waits for a reader, even when nobody is left. Needs no lock. */
  get keepMark(): number {
    return this.#mark(KEEP_MARK_OFFSET);
  }

  /** Raises the keep mark to `seq`; a lower one changes nothing. Needs no lock. */
  raiseKeepMark(seq: number): void {
    this.#raise(KEEP_MARK_OFFSET, seq);
  }

  #mark(offset: number): number {
    return Number(Atomics.load(this.#region.memory.i64, this.#markIndex(offset)));
  }

  #raise(offset: number, seq: number): void {
    const words = this.#region.memory.i64;
    const index = this.#markIndex(offset);
    const wanted = BigInt(seq);
    let current = Atomics.load(words, index);
    while (current < wanted) {
      const found = Atomics.compareExchange(words, index, current, wanted);
      if (found === current) return;
      current = found;
    }
  }

  #markIndex(offset: number): number {
    return (this.#region.offsetBytes + offset) / I64_BYTES;
  }

  #start(slot: number): number {
    return this.#region.offsetBytes + ROSTER_HEADER_BYTES + slot * ROSTER_SLOT_BYTES;
  }

  #word(slot: number, offset: number): number {
    return Atomics.load(this.#region.memory.i32, (this.#start(slot) + offset) >>> 2);
  }

  #find(held: readonly number[], offset: number, wanted: Uint8Array): number | undefined {
    const { bytes } = this.#region.memory;
    return held.find((slot) => {
      const start = this.#start(slot) + offset;
      for (let index = 0; index < wanted.length; index++) if (bytes[start + index] !== wanted[index]) return false;
      return true;
    });
  }

  #corrupt(slot: number, what: string): CorruptSegmentError {
    return new CorruptSegmentError(`roster slot ${slot} is not as anybody leaves it: ${what}`, { slot });
  }
}

/** Whether a name has place in a slot. */
export function fits(name: string): boolean {
  return utf8Encoder.encode(name).length <= MAX_NAME_BYTES;
}

function digestOf(name: string): Uint8Array {
  const digest = hash(DIGEST_ALGORITHM, foldName(name), "buffer");
  return digest.subarray(0, DIGEST_BYTES);
}
