/**
 * Which messages a log has already, by message id, so that one sent again isn't taken twice.
 *
 * - Remembers for MESSAGE_ID_MEMORY: two minutes or 65,536 messages, whichever is less.
 * - Ids are remembered in log order, so that the oldest is always the next to go.
 * - An open-addressing hash table over typed arrays: a Map of strings and objects took a quarter of a busy server's time,
 *   in cache misses and garbage collection. Deletion closes the gap (Knuth, The Art of Computer Programming 3, 6.4, R).
 * - Peers choose the ids, so the hash has coefficients of chance: nobody can choose ids that collide.
 */

import { type MessageId, messageIdWordsOf, type Position } from "@parley/chat-protocol";
import { MESSAGE_ID_MEMORY } from "./room-log.ts";

/** Where a message was put the first time. */
export interface RememberedMessage {
  readonly position: Position;
  readonly timeMs: number;
}

const WORDS = 4;
const HEX_DIGITS_OF_WORD = 8;
const BITS_OF_WORD = 32;

export class MessageIdIndex {
  readonly #maxMessages: number;
  readonly #maxAgeMs: number;
  /** The remembered messages as a ring: ids, positions and times, the oldest at `#oldest` once the ring is full. */
  readonly #ids: Uint32Array;
  readonly #epochs: Float64Array;
  readonly #seqs: Float64Array;
  readonly #timesMs: Float64Array;
  #size = 0;
  #oldest = 0;
  /** Indexes into the ring, plus 1; 0 is free. At most half full. */
  readonly #table: Int32Array;
  readonly #mask: number;
  readonly #shift: number;
  readonly #coefficients: Uint32Array = crypto.getRandomValues(new Uint32Array(WORDS));
  /** The id that is looked for. */
  readonly #wanted = new Uint32Array(WORDS);

  constructor(memory: { readonly milliseconds: number; readonly messages: number } = MESSAGE_ID_MEMORY) {
    this.#maxMessages = memory.messages;
    this.#maxAgeMs = memory.milliseconds;
    this.#ids = new Uint32Array(WORDS * memory.messages);
    this.#epochs = new Float64Array(memory.messages);
    this.#seqs = new Float64Array(memory.messages);
    this.#timesMs = new Float64Array(memory.messages);
    const tableBits = Math.ceil(Math.log2(2 * memory.messages));
    this.#table = new Int32Array(2 ** tableBits);
    this.#mask = this.#table.length - 1;
    this.#shift = BITS_OF_WORD - tableBits;
    for (let word = 0; word < WORDS; word++) (this.#coefficients[word] as number) |= 1;
  }

  get size(): number {
    return this.#size;
  }

  /** Where `id` was put, if that is remembered at `nowMs`. */
  find(id: MessageId, nowMs: number): RememberedMessage | undefined {
    this.#want(id);
    return this.#found(nowMs);
  }

  /** `find` for the id in an event frame, without making a string of it. */
  findIdOf(eventFrame: Uint8Array, nowMs: number): RememberedMessage | undefined {
    messageIdWordsOf(eventFrame, this.#wanted);
    return this.#found(nowMs);
  }

  /** Remembers `id`; the oldest is forgotten when there are too many. An id known already keeps its place in the order. */
  remember(id: MessageId, message: RememberedMessage): void {
    this.#want(id);
    this.#remember(message);
  }

  /** `remember` for the id in an event frame. */
  rememberIdOf(eventFrame: Uint8Array, message: RememberedMessage): void {
    messageIdWordsOf(eventFrame, this.#wanted);
    this.#remember(message);
  }

  /** Forgets everything: before the index is built again from the log. */
  clear(): void {
    this.#table.fill(0);
    this.#size = 0;
    this.#oldest = 0;
  }

  #want(id: MessageId): void {
    for (let word = 0; word < WORDS; word++) {
      const start = word * HEX_DIGITS_OF_WORD;
      this.#wanted[word] = Number.parseInt(id.slice(start, start + HEX_DIGITS_OF_WORD), 16);
    }
  }

  #found(nowMs: number): RememberedMessage | undefined {
    const at = (this.#table[this.#placeOfWanted()] as number) - 1;
    if (at < 0) return undefined;
    const timeMs = this.#timesMs[at] as number;
    if (nowMs - timeMs >= this.#maxAgeMs) return undefined;
    return { position: { epoch: this.#epochs[at] as number, seq: this.#seqs[at] as number }, timeMs };
  }

  #remember({ position, timeMs }: RememberedMessage): void {
    let place = this.#placeOfWanted();
    let at = (this.#table[place] as number) - 1;
    if (at < 0) {
      if (this.#size < this.#maxMessages) at = this.#size++;
      else {
        at = this.#oldest;
        this.#oldest = (this.#oldest + 1) % this.#maxMessages;
        this.#forget(at);
        place = this.#placeOfWanted();
      }
      this.#ids.set(this.#wanted, WORDS * at);
      this.#table[place] = at + 1;
    }
    this.#epochs[at] = position.epoch;
    this.#seqs[at] = position.seq;
    this.#timesMs[at] = timeMs;
  }

  /** The place in the table of the wanted id, or the free one where it would go. */
  #placeOfWanted(): number {
    const table = this.#table;
    const ids = this.#ids;
    const wanted = this.#wanted;
    let place = this.#homeOf(wanted, 0);
    for (; table[place] !== 0; place = (place + 1) & this.#mask) {
      const first = WORDS * ((table[place] as number) - 1);
      if (
        ids[first] === wanted[0] &&
        ids[first + 1] === wanted[1] &&
        ids[first + 2] === wanted[2] &&
        ids[first + 3] === wanted[3]
      ) {
        break;
      }
    }
    return place;
  }

  /** Takes the ring's entry `at` out of the table, moving up what would not be found behind the gap. */
  #forget(at: number): void {
    const table = this.#table;
    const mask = this.#mask;
    let gap = this.#homeOf(this.#ids, WORDS * at);
    while (table[gap] !== at + 1) gap = (gap + 1) & mask;
    for (let place = (gap + 1) & mask; table[place] !== 0; place = (place + 1) & mask) {
      const home = this.#homeOf(this.#ids, WORDS * ((table[place] as number) - 1));
      if (((place - home) & mask) < ((place - gap) & mask)) continue;
      table[gap] = table[place] as number;
      gap = place;
    }
    table[gap] = 0;
  }

  /** Where the id of four words at `offset` belongs: the upper bits of a sum of products. */
  #homeOf(words: Uint32Array, offset: number): number {
    const coefficients = this.#coefficients;
    let sum = 0;
    for (let word = 0; word < WORDS; word++) {
      sum = (sum + Math.imul(words[offset + word] as number, coefficients[word] as number)) | 0;
    }
    return sum >>> this.#shift;
  }
}
