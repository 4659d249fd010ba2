/**
 * What is kept of each stream (a room's messages, one person's direct messages), to page back in and to resume from.
 *
 * - Bounded in number and bytes for each stream and in bytes for all together; the oldest goes first.
 * - `floor`: everything after it is kept. A reader that is at it or after it can be given all that it missed.
 * - What an entry holds is the owner's business: the frame itself, or where it is.
 */

export interface HistoryRetention {
  readonly messagesAStream: number;
  readonly bytesAStream: number;
  readonly bytesInAll: number;
}

export const HISTORY_RETENTION: HistoryRetention = {
  messagesAStream: 1000,
  bytesAStream: 1024 * 1024,
  bytesInAll: 64 * 1024 * 1024,
};

/** Dropped entries are cut off an array when there are this many, and more of them than kept ones: amortized O(1). */
const COMPACT_AFTER = 1024;

interface Entry<Item> {
  readonly seq: number;
  readonly sizeBytes: number;
  readonly stream: Stream<Item>;
  item: Item | undefined;
}

interface Stream<Item> {
  readonly name: string;
  readonly entries: Fifo<Entry<Item>>;
  bytes: number;
  lastSeq: number;
  floor: number;
}

export interface Kept<Item> {
  readonly items: readonly Item[];
  /** False: some of what was asked for is forgotten. */
  readonly isWhole: boolean;
}

export interface KeptPage<Item> {
  /** Oldest first. */
  readonly items: readonly Item[];
  readonly hasMore: boolean;
}

export class RoomHistory<Item> {
  readonly #retention: HistoryRetention;
  readonly #streams = new Map<string, Stream<Item>>();
  /** All entries in the order of their seq, some of them forgotten already. */
  readonly #all = new Fifo<Entry<Item>>();
  #keptEntries = 0;
  #bytes = 0;
  /** The floor of a stream of which nothing is kept. */
  #floorOfOthers = 0;
  /** The floor of every stream is at least this. */
  #lowestFloor = 0;

  constructor(retention: HistoryRetention = HISTORY_RETENTION) {
    this.#retention = retention;
  }

  /** How many entries are kept, in all streams. */
  get size(): number {
    return this.#keptEntries;
  }

  /** Seq of the stream's latest entry, 0 if none is kept. */
  lastSeqOf(stream: string): number {
    return this.#streams.get(stream)?.lastSeq ?? 0;
  }

  /** Entries come in the order of their seq. */
  add(name: string, seq: number, sizeBytes: number, item: Item): void {
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = { name, entries: new Fifo(), bytes: 0, lastSeq: 0, floor: this.#floorOfOthers };
      this.#streams.set(name, stream);
    }
    const entry: Entry<Item> = { seq, sizeBytes, stream, item };
    stream.entries.push(entry);
    stream.lastSeq = seq;
    stream.bytes += sizeBytes;
    this.#all.push(entry);
    this.#keptEntries++;
    this.#bytes += sizeBytes;
    const { messagesAStream, bytesAStream, bytesInAll } = this.#retention;
    while (stream.entries.length > messagesAStream || stream.bytes > bytesAStream) this.#forgetOldestOf(stream);
    while (this.#bytes > bytesInAll) this.#forgetOldestOf((this.#all.first as Entry<Item>).stream);
    this.#dropForgotten();
  }

  /** Something up to `seq` was never added: no stream is whole before it. */
  missedUpTo(seq: number): void {
    this.#lowestFloor = Math.max(this.#lowestFloor, seq);
  }

  /** What the stream has after `seq`. */
  since(name: string, seq: number): Kept<Item> {
    const stream = this.#streams.get(name);
    const floor = Math.max(stream?.floor ?? this.#floorOfOthers, this.#lowestFloor);
    const items: Item[] = [];
    if (stream !== undefined) {
      for (let at = this.#indexAfter(stream, seq); at < stream.entries.length; at++) {
        items.push(stream.entries.at(at).item as Item);
      }
    }
    return { items, isWhole: seq >= floor };
  }

  /** The latest `maxItems` entries before `seq`, fewer if they are above `maxBytes`; always one, if there is one. */
  before(name: string, seq: number, maxItems: number, maxBytes: number): KeptPage<Item> {
    const stream = this.#streams.get(name);
    if (stream === undefined) return { items: [], hasMore: false };
    const end = this.#indexAfter(stream, seq - 1);
    let start = end;
    let bytes = 0;
    while (start > 0 && end - start < maxItems) {
      bytes += stream.entries.at(start - 1).sizeBytes;
      if (bytes > maxBytes && start < end) break;
      start--;
    }
    const items: Item[] = [];
    for (let at = start; at < end; at++) items.push(stream.entries.at(at).item as Item);
    return { items, hasMore: start > 0 };
  }

  clear(): void {
    this.#streams.clear();
    this.#all.clear();
    this.#keptEntries = 0;
    this.#bytes = 0;
    this.#floorOfOthers = 0;
    this.#lowestFloor = 0;
  }

  #forgetOldestOf(stream: Stream<Item>): void {
    const entry = stream.entries.shift() as Entry<Item>;
    entry.item = undefined;
    stream.bytes -= entry.sizeBytes;
    stream.floor = entry.seq;
    this.#bytes -= entry.sizeBytes;
    this.#keptEntries--;
    if (stream.entries.length === 0) {
      this.#streams.delete(stream.name);
      this.#floorOfOthers = Math.max(this.#floorOfOthers, stream.floor);
    }
    this.#dropForgottenFirst();
  }

  /** So that the first of all is one that is kept. */
  #dropForgottenFirst(): void {
    while (this.#all.length > 0 && (this.#all.first as Entry<Item>).item === undefined) this.#all.shift();
  }

  /** A busy stream forgets behind the back of a quiet one, whose entry stays the first of all. */
  #dropForgotten(): void {
    if (this.#all.length > COMPACT_AFTER && this.#all.length > 2 * this.#keptEntries) {
      this.#all.keepOnly((entry) => entry.item !== undefined);
    }
  }

  /** Index of the stream's first entry whose seq is above `seq`. */
  #indexAfter({ entries }: Stream<Item>, seq: number): number {
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (entries.at(middle).seq <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** An array to which one appends and from whose start one takes. */
class Fifo<T> {
  #items: (T | undefined)[] = [];
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  get first(): T | undefined {
    return this.#items[this.#first];
  }

  at(index: number): T {
    return this.#items[this.#first + index] as T;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#first];
    this.#items[this.#first++] = undefined;
    if (this.#first > COMPACT_AFTER && 2 * this.#first > this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }

  keepOnly(isWanted: (item: T) => boolean): void {
    this.#items = this.#items.filter((item) => item !== undefined && isWanted(item));
    this.#first = 0;
  }

  clear(): void {
    this.#items = [];
    this.#first = 0;
  }
}
