/**
 * The table of places in a segment: which session is in which room. Its byte layout stands here too; words are in the machine's
 * byte order.
 *
 *     0     format u32 | slots u32                       written once
 *     64    slots of 160 bytes
 *
 *     slot  0    state u32 (free, held)                  one atomic store commits or frees the slot
 *           4    bytes of the room's name u32
 *           16   session id, 16 bytes
 *           32   room's name, at most 128 bytes of UTF-8
 *
 * - Every call is made under the segment's mutex; nothing here waits.
 * - A slot is filled first and then committed: whoever dies at any instruction leaves a slot that is free or held.
 * - A place whose session has no name in the roster is nobody's: it is freed by whoever looks next.
 * - What is read is checked first: a table that no participant could have left throws CorruptSegmentError.
 */

import { CorruptSegmentError, failpoint, type Region } from "shared-memory-ringbuffer";

/** "PLC" with the layout's version in the last byte. */
const PLACES_FORMAT = 0x504c4301;
const FORMAT_OFFSET = 0;
const SLOTS_OFFSET = 4;
const HEADER_BYTES = 64;
const STATE_OFFSET = 0;
const NAME_BYTES_OFFSET = 4;
const SESSION_ID_OFFSET = 16;
const SESSION_ID_BYTES = 16;
const NAME_OFFSET = 32;
const SLOT_BYTES = 160;
const MAX_NAME_BYTES = SLOT_BYTES - NAME_OFFSET;
const STATE_FREE = 0;
const STATE_HELD = 1;

/** Places for so many rooms a name, on average. */
export const PLACES_A_NAME = 2;

/** Failpoints of this file, in the order of their stores. */
export const PLACES_FAILPOINTS: readonly string[] = ["places:begin", "places:filled", "places:held", "places:freed"];

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { fatal: true });

export interface HeldPlace {
  readonly slot: number;
  /** 32 hexadecimal digits. */
  readonly sessionId: string;
  readonly room: string;
}

export function placesRegionSizeBytes(slots: number): number {
  return HEADER_BYTES + slots * SLOT_BYTES;
}

/** Makes `region` an empty table of as many slots as fit. Nobody may be using the region. */
export function formatPlaces(region: Region): void {
  const { memory, offsetBytes, sizeBytes } = region;
  memory.bytes.fill(0, offsetBytes, offsetBytes + sizeBytes);
  const words = memory.i32;
  words[(offsetBytes + SLOTS_OFFSET) >>> 2] = Math.floor((sizeBytes - HEADER_BYTES) / SLOT_BYTES);
  Atomics.store(words, (offsetBytes + FORMAT_OFFSET) >>> 2, PLACES_FORMAT);
}

export class PlacesTable {
  readonly slots: number;
  readonly #region: Region;

  /** Throws CorruptSegmentError for a region that holds no places of this version. */
  constructor(region: Region) {
    const { memory, offsetBytes, sizeBytes } = region;
    const format = Atomics.load(memory.i32, (offsetBytes + FORMAT_OFFSET) >>> 2);
    const slots = Atomics.load(memory.i32, (offsetBytes + SLOTS_OFFSET) >>> 2);
    if (format !== PLACES_FORMAT || slots < 1 || placesRegionSizeBytes(slots) > sizeBytes) {
      throw new CorruptSegmentError(
        `no places of this version: format=0x${(format >>> 0).toString(16)} slots=${slots} sizeBytes=${sizeBytes}`,
        { format, slots, sizeBytes },
      );
    }
    this.#region = region;
    this.slots = slots;
  }

  /** Every place, in table order. */
  held(): HeldPlace[] {
    const held: HeldPlace[] = [];
    for (let slot = 0; slot < this.slots; slot++) {
      const state = this.#word(slot, STATE_OFFSET);
      if (state === STATE_HELD) held.push(this.#read(slot));
      else if (state !== STATE_FREE) throw this.#corrupt(slot, `state=${state}`);
    }
    return held;
  }

  /** Writes a place into a free slot. False: no slot is free, or the room's name has no place in one. */
  add(sessionId: string, room: string): boolean {
    const name = utf8Encoder.encode(room);
    if (name.length > MAX_NAME_BYTES) return false;
    for (let slot = 0; slot < this.slots; slot++) {
      if (this.#word(slot, STATE_OFFSET) !== STATE_FREE) continue;
      const { bytes, i32 } = this.#region.memory;
      const start = this.#start(slot);
      failpoint("places:begin");
      i32[(start + NAME_BYTES_OFFSET) >>> 2] = name.length;
      bytes.set(Buffer.from(sessionId, "hex"), start + SESSION_ID_OFFSET);
      bytes.set(name, start + NAME_OFFSET);
      failpoint("places:filled");
      Atomics.store(i32, (start + STATE_OFFSET) >>> 2, STATE_HELD);
      failpoint("places:held");
      return true;
    }
    return false;
  }

  free(slot: number): void {
    Atomics.store(this.#region.memory.i32, (this.#start(slot) + STATE_OFFSET) >>> 2, STATE_FREE);
    failpoint("places:freed");
  }

  #read(slot: number): HeldPlace {
    const { bytes } = this.#region.memory;
    const start = this.#start(slot);
    const nameBytes = this.#word(slot, NAME_BYTES_OFFSET) >>> 0;
    if (nameBytes > MAX_NAME_BYTES) throw this.#corrupt(slot, `nameBytes=${nameBytes}`);
    const sessionId = bytes.slice(start + SESSION_ID_OFFSET, start + SESSION_ID_OFFSET + SESSION_ID_BYTES);
    try {
      // A copy: TextDecoder takes no view of a SharedArrayBuffer.
      const room = utf8Decoder.decode(bytes.slice(start + NAME_OFFSET, start + NAME_OFFSET + nameBytes));
      return { slot, sessionId: Buffer.from(sessionId).toString("hex"), room };
    } catch {
      throw this.#corrupt(slot, "the room's name is not UTF-8");
    }
  }

  #start(slot: number): number {
    return this.#region.offsetBytes + HEADER_BYTES + slot * SLOT_BYTES;
  }

  #word(slot: number, offset: number): number {
    return Atomics.load(this.#region.memory.i32, (this.#start(slot) + offset) >>> 2);
  }

  #corrupt(slot: number, what: string): CorruptSegmentError {
    return new CorruptSegmentError(`places slot ${slot} is not as anybody leaves it: ${what}`, { slot });
  }
}
