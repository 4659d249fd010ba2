/**
 * Looks at a named segment without taking part: for tools that list, inspect and tail.
 *
 * - The mapping is read-only. An observer claims no slot, takes no lock, rings nobody and can't change a byte, however
 *   damaged or busy the segment is; nobody sees it, and it keeps no segment alive.
 * - What several words say together is a snapshot of a moving thing: they are read one after the other.
 * - Views of `region` are read-only memory: a store into them kills the process (SIGSEGV). Only `inspectRing`, `inspectMpscRing`,
 *   `inspectLog` and loads of your own may be used on them, no producer, consumer or SharedLog.
 */
import { closeSync } from "node:fs";
import { Counters, type CounterTotals } from "./counters.ts";
import { ArgumentError } from "./errors.ts";
import { readDirectory, readHeader, type SegmentHeader } from "./header.ts";
import { LOCK_GENERATION_MASK, LOCK_OFFSET, LOCK_SLOT_BITS, LOCK_SLOT_MASK, REPAIR_OFFSET } from "./layout.ts";
import { LogReader } from "./log-reader.ts";
import { isPosition, loadOldest, loadTail, openLog } from "./log-words.ts";
import { type Mapping, mapFileReadOnly, openFile, readIdentity } from "./mapping.ts";
import type { Region } from "./memory.ts";
import { type ParticipantInfo, ParticipantTable } from "./participants.ts";
import { isMarkedClosed, isSameFile } from "./segment-life.ts";
import { segmentPath } from "./segment-name.ts";
import { findRegion, type ObjectInfo, type ObjectKind } from "./segment-spec.ts";

export interface ObserveOptions {
  /** Where the segment's file is; default `SHM_DIR` or /dev/shm. */
  readonly directory?: string;
}

/** The lock as one look saw it. */
export interface LockState {
  readonly held: boolean;
  /** Somebody sleeps, or did, until it is free. */
  readonly hasWaiters: boolean;
  /** It was taken from a dead owner, and nobody has said yet that what it protects is repaired. */
  readonly needsRepair: boolean;
  /** Whom the word names, and whether that participant still lives; missing when free. */
  readonly owner?: {
    readonly slot: number;
    readonly generation: number;
    readonly alive: boolean;
    /** Missing when the slot is free or belongs to somebody else by now, and for the janitor. */
    readonly participant?: ParticipantInfo;
  };
}

export class SegmentObserver {
  readonly name: string;
  readonly path: string;
  readonly header: SegmentHeader;
  readonly objects: readonly ObjectInfo[];
  readonly #mapping: Mapping;
  readonly #table: ParticipantTable;
  readonly #counters: Counters;
  #closed = false;

  /** Use {@link observeSegment}. */
  constructor(name: string, path: string, header: SegmentHeader, mapping: Mapping) {
    this.name = name;
    this.path = path;
    this.header = header;
    this.objects = readDirectory(mapping.memory, header, path);
    this.#mapping = mapping;
    this.#table = new ParticipantTable(mapping.memory, header.slotCount);
    this.#counters = new Counters(mapping.memory, header.slotCount, 0);
  }

  get epoch(): number {
    return this.header.epoch;
  }

  get capacityBytes(): number {
    return this.header.capacityBytes;
  }

  /** The read-only memory of an object. Throws ArgumentError when there is none of that id and kind. */
  region(id: string, kind?: ObjectKind): Region {
    this.#mustBeOpen();
    return findRegion(this.#mapping.memory, this.objects, id, kind);
  }

  /** Everybody who takes part, the dead that nobody has swept yet included. */
  participants(): ParticipantInfo[] {
    this.#mustBeOpen();
    return this.#table.list();
  }

  counts(): CounterTotals {
    this.#mustBeOpen();
    return this.#counters.totals();
  }

  lock(): LockState {
    this.#mustBeOpen();
    const { i32 } = this.#mapping.memory;
    const word = Atomics.load(i32, LOCK_OFFSET >>> 2);
    const needsRepair = Atomics.load(i32, REPAIR_OFFSET >>> 2) !== 0;
    const slot = (word & LOCK_SLOT_MASK) - 1;
    if (slot < 0) return { held: false, hasWaiters: word < 0, needsRepair };
    const generation = (word >>> LOCK_SLOT_BITS) & LOCK_GENERATION_MASK;
    const isOwners = (found: number): boolean => (found & LOCK_GENERATION_MASK) === generation;
    // The janitor's slot comes after the last; one beyond that is corruption, and nobody's.
    const known = slot <= this.header.slotCount && isOwners(this.#table.generation(slot));
    const info = known && slot < this.header.slotCount ? this.#table.inspect(slot) : undefined;
    const participant = info !== undefined && isOwners(info.generation) ? info : undefined;
    const alive = participant?.alive ?? (known && !this.#table.isIdentityDead(this.#table.identity(slot)));
    return {
      held: true,
      hasWaiters: word < 0,
      needsRepair,
      owner: { slot, generation, alive, ...(participant === undefined ? {} : { participant }) },
    };
  }

  /** The cursors of all participants that read and ask not to be overtaken or to be looked at. */
  readers(): ParticipantInfo[] {
    return this.participants().filter(({ isReader }) => isReader);
  }

  /**
   * A cursor over a log, as `SharedLog.reader` gives. It copies word by word, some 1.5 ns a byte: for looking and tailing.
   */
  logReader(id: string, after: number | "oldest" | "tail" = "oldest"): LogReader {
    const log = { ...openLog(this.region(id, "log")), readOnly: true };
    if (after === "tail") return new LogReader(log, loadTail(log), true);
    if (after === "oldest") return new LogReader(log, loadOldest(log), true);
    if (!isPosition(after)) {
      throw new ArgumentError(`a position must be an integer from 0 to 2^53 - 1: after=${after}`, { after });
    }
    return new LogReader(log, after, false);
  }

  /** True when the segment was closed by its last participant, or its name leads elsewhere by now. */
  get removed(): boolean {
    this.#mustBeOpen();
    return isMarkedClosed(this.#mapping.memory) || !isSameFile(this.path, this.#mapping.inode);
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#mapping.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new ArgumentError("the observer is closed");
  }
}

/** Looks at a named segment. `undefined`: there is none. Throws whatever is wrong with what stands there. */
export function observeSegment(name: string, options: ObserveOptions = {}): SegmentObserver | undefined {
  const path = segmentPath(name, options.directory);
  const file = openFile(path, { readOnly: true });
  if (file === undefined) return undefined;
  let header: SegmentHeader;
  let mapping: Mapping;
  try {
    header = readHeader(readIdentity(file), file.sizeBytes, path);
    mapping = mapFileReadOnly(file);
  } finally {
    closeSync(file.fd);
  }
  try {
    return new SegmentObserver(name, path, header, mapping);
  } catch (error) {
    mapping.release();
    throw error;
  }
}
