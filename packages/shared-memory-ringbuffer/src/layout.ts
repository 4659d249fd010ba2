/**
 * The byte layout of a segment: the one place that knows where anything stands. Every offset below is derived.
 *
 * - Numbers are in the machine's own byte order; `byteOrderMark` tells, and another order is refused.
 * - Everything that is written often by different threads stands on 128-byte lines of its own.
 * - `u64` fields are read and written as 64-bit atomics; all others are 32-bit words.
 * - The words up to `IDENTITY_BYTES` are written before the segment is published and never change.
 *
 * ```
 *      0 ┌───────────────────────────────────────────────────────────────────────────────┐
 *        │ identity   magic "shm-ring" · byte order · version · header bytes · features  │
 *        │            capacity · epoch · boot id · pid namespace · tables                 │
 *    128 ├───────────────────────────────────────────────────────────────────────────────┤
 *        │ life       state: 1 open, 2 closed                                             │
 *    256 ├───────────────────────────────────────────────────────────────────────────────┤
 *        │ mutex      lock word = waiters(1) | generation(21) | slot + 1 (10) · repair    │
 *    384 ├───────────────────────────────────────────────────────────────────────────────┤
 *        │ sleepers   bit n of word n / 32: participant n sleeps (8 words)                │
 *    512 ├───────────────────────────────────────────────────────────────────────────────┤
 *        │ reserved, zero                                                                 │
 *   1024 ├───────────────────────────────────────────────────────────────────────────────┤
 *        │ participant table: slots 0 … slotCount-1, then the janitor's slot; 512 each    │
 *        │   +0   identity u64 = start ticks(37) | tid(24) | phase(2) · generation · pid  │
 *        │        · flags                                                                 │
 *        │   +128 sleeping · wake word · doorbell kind                                    │
 *        │   +256 cursor u64 · gate: 1 + offset / 128 of the log that the cursor gates    │
 *        │   +384 16 counters u64, written by the owner alone, never reset                │
 *        ├───────────────────────────────────────────────────────────────────────────────┤
 *        │ object directory: 64 each: id char[24] · kind · reserved · offset u64 · size   │
 *        ├───────────────────────────────────────────────────────────────────────────────┤
 *        │ objects, each 128-aligned                                                      │
 *        └───────────────────────────────────────────────────────────────────────────────┘
 * ```
 */
import { REGION_ALIGNMENT_BYTES } from "./memory.ts";

export const LAYOUT_VERSION = 1;
export const MAGIC_TEXT = "shm-ring";
export const BYTE_ORDER_MARK = 0x01020304;

const LINE_BYTES = REGION_ALIGNMENT_BYTES;
const WORD_BYTES = 4;
const LONG_BYTES = 8;

/** What an opener must understand to take part. No bit is defined yet but {@link FEATURE_NAMED}. */
export const FEATURE_NAMED = 1;
export const KNOWN_FEATURES: number = FEATURE_NAMED;

// Identity line.
export const MAGIC_OFFSET = 0;
export const BYTE_ORDER_OFFSET: number = MAGIC_OFFSET + LONG_BYTES;
export const VERSION_OFFSET: number = BYTE_ORDER_OFFSET + WORD_BYTES;
export const HEADER_BYTES_OFFSET: number = VERSION_OFFSET + WORD_BYTES;
export const FEATURES_OFFSET: number = HEADER_BYTES_OFFSET + WORD_BYTES;
export const CAPACITY_OFFSET: number = FEATURES_OFFSET + WORD_BYTES;
export const EPOCH_OFFSET: number = CAPACITY_OFFSET + LONG_BYTES;
export const BOOT_ID_OFFSET: number = EPOCH_OFFSET + LONG_BYTES;
export const PID_NAMESPACE_OFFSET: number = BOOT_ID_OFFSET + LONG_BYTES;
export const PARTICIPANTS_OFFSET_OFFSET: number = PID_NAMESPACE_OFFSET + LONG_BYTES;
export const PARTICIPANT_SLOTS_OFFSET: number = PARTICIPANTS_OFFSET_OFFSET + WORD_BYTES;
export const PARTICIPANT_BYTES_OFFSET: number = PARTICIPANT_SLOTS_OFFSET + WORD_BYTES;
export const DIRECTORY_OFFSET_OFFSET: number = PARTICIPANT_BYTES_OFFSET + WORD_BYTES;
export const DIRECTORY_COUNT_OFFSET: number = DIRECTORY_OFFSET_OFFSET + WORD_BYTES;
export const DIRECTORY_ENTRY_BYTES_OFFSET: number = DIRECTORY_COUNT_OFFSET + WORD_BYTES;
export const IDENTITY_BYTES: number = LINE_BYTES;

// Life line.
export const STATE_OFFSET: number = IDENTITY_BYTES;
export const STATE_OPEN = 1;
export const STATE_CLOSED = 2;

// Mutex line.
export const LOCK_OFFSET: number = STATE_OFFSET + LINE_BYTES;
export const REPAIR_OFFSET: number = LOCK_OFFSET + WORD_BYTES;
export const LOCK_SLOT_BITS = 10;
export const LOCK_SLOT_MASK: number = (1 << LOCK_SLOT_BITS) - 1;
export const LOCK_GENERATION_MASK: number = (1 << 21) - 1;
/** Bit 31: somebody sleeps on the lock word. */
export const LOCK_WAITERS: number = 1 << 31;

// Sleepers line.
export const SLEEPERS_OFFSET: number = LOCK_OFFSET + LINE_BYTES;
export const SLEEPERS_WORDS = 8;
export const MAX_PARTICIPANT_SLOTS: number = SLEEPERS_WORDS * 32;
export const DEFAULT_PARTICIPANT_SLOTS = 64;

export const HEADER_BYTES = 1024;

// A participant's slot, relative to its start.
export const PARTICIPANT_BYTES: number = 4 * LINE_BYTES;
export const SLOT_IDENTITY = 0;
export const SLOT_GENERATION: number = SLOT_IDENTITY + LONG_BYTES;
export const SLOT_PID: number = SLOT_GENERATION + WORD_BYTES;
export const SLOT_FLAGS: number = SLOT_PID + WORD_BYTES;
export const SLOT_SLEEPING: number = LINE_BYTES;
export const SLOT_WAKE: number = SLOT_SLEEPING + WORD_BYTES;
export const SLOT_DOORBELL: number = SLOT_WAKE + WORD_BYTES;
export const SLOT_CURSOR: number = 2 * LINE_BYTES;
export const SLOT_GATE: number = SLOT_CURSOR + LONG_BYTES;
export const SLOT_COUNTERS: number = 3 * LINE_BYTES;
export const SLOT_COUNTER_COUNT: number = LINE_BYTES / LONG_BYTES;

// Identity of a thread in one 64-bit word, so that one compare-and-swap claims a slot with all of it.
export const PHASE_BITS = 2;
export const TID_BITS = 24;
export const START_TICKS_BITS = 37;
/** The slot is free: the whole identity word is zero. */
export const PHASE_FREE = 0;
/** Claimed; the thread isn't admitted yet. */
export const PHASE_JOINING = 1;
export const PHASE_ACTIVE = 2;
/** Has left under the mutex and no longer counts; the slot is about to be freed. */
export const PHASE_LEAVING = 3;

export const FLAG_READER = 1;

/** Bits of a slot's `sleeping` word: the event loop sleeps, or the thread is parked. */
export const SLEEPING_LOOP = 1;
export const SLEEPING_PARKED = 2;

/** How a slot's sleeping event loop is woken. Parked threads are always woken through the wake word. */
export const DOORBELL_NONE = 0;
export const DOORBELL_PIPE = 1;
export const DOORBELL_WAKE_WORD = 2;

// An entry of the object directory, relative to its start.
export const ENTRY_BYTES = 64;
export const ENTRY_ID = 0;
export const ENTRY_ID_BYTES = 24;
export const ENTRY_KIND: number = ENTRY_ID + ENTRY_ID_BYTES;
export const ENTRY_OFFSET: number = ENTRY_KIND + 2 * WORD_BYTES;
export const ENTRY_SIZE: number = ENTRY_OFFSET + LONG_BYTES;
export const MAX_OBJECTS = 64;

/** Capacity is a multiple of a WebAssembly page, so that a SharedArrayBuffer can be laid over any segment. */
export const CAPACITY_UNIT_BYTES = 65_536;
export const MAX_CAPACITY_BYTES: number = 2 ** 32;

/** Rounds up to a multiple of `unit`, a power of two or not, for sizes below 2^53. */
export function alignUp(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}

/** Start of a participant's slot. Slot `slotCount` is the janitor's. */
export function slotOffset(slot: number): number {
  return HEADER_BYTES + slot * PARTICIPANT_BYTES;
}

/** Start of the object directory: after the slots and the janitor's. */
export function directoryOffset(slotCount: number): number {
  return slotOffset(slotCount + 1);
}

/** Start of the first object. */
export function objectsOffset(slotCount: number, objectCount: number): number {
  return alignUp(directoryOffset(slotCount) + objectCount * ENTRY_BYTES, REGION_ALIGNMENT_BYTES);
}
