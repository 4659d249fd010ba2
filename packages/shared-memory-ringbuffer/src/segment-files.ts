/**
 * Looking at and clearing up named segments from outside, without taking part.
 */
import { closeSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { SharedMemoryError } from "./errors.ts";
import { readHeader, type SegmentHeader } from "./header.ts";
import { asJanitor } from "./janitor.ts";
import { type Mapping, mapFile, openFile, readIdentity } from "./mapping.ts";
import { native } from "./native.ts";
import { type ParticipantInfo, ParticipantTable } from "./participants.ts";
import { closeAndUnlink, isMarkedClosed, reapDead, unlinkClosed, unlinkIfThere } from "./segment-life.ts";
import { FILE_PREFIX, PIPE_SEPARATOR, segmentDirectory, segmentPath } from "./segment-name.ts";

export interface SegmentListing {
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  /** Why it can't be used; the fields below are then missing. */
  readonly problem?: string;
  readonly epoch?: number;
  readonly participants?: readonly ParticipantInfo[];
}

export interface RemoveOptions {
  readonly directory?: string;
  /** Remove it although living participants use it, or although what stands there is no usable segment. */
  readonly force?: boolean;
}

const LOCK_TIMEOUT_MS = 1000;

/** All named segments of a directory. One that is broken is listed with its problem. Throws ERR_SHM_UNSUPPORTED. */
export function listSegments(directory?: string): SegmentListing[] {
  native();
  const listings: SegmentListing[] = [];
  const place = segmentDirectory(directory);
  for (const file of readdirSync(place)) {
    if (!file.startsWith(FILE_PREFIX) || file.includes(PIPE_SEPARATOR)) continue;
    const path = join(place, file);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    const base = { name: file.slice(FILE_PREFIX.length), path, sizeBytes: stat.size };
    try {
      const seen = withMapping(path, ({ header, table }) => ({ epoch: header.epoch, participants: table.list() }));
      if (seen !== undefined) listings.push({ ...base, ...seen });
    } catch (error) {
      listings.push({ ...base, problem: (error as Error).message });
    }
  }
  return listings;
}

/**
 * Removes a named segment and the pipes beside it. False: there was none. Throws ERR_SHM_IN_USE when somebody living
 * takes part, and whatever makes it unusable, unless `force` is given.
 */
export function removeSegment(name: string, options: RemoveOptions = {}): boolean {
  const path = segmentPath(name, options.directory);
  const force = options.force ?? false;
  let removed: boolean;
  try {
    removed = withMapping(path, (place) => removeMapped(name, path, place, force)) ?? false;
  } catch (error) {
    if (!force) throw error;
    unlinkIfThere(path);
    removed = true;
  }
  if (removed) removePipes(path);
  return removed;
}

/** Removes a closed segment that its last participant had no time to remove. False: an open one stands there. */
export function clearIfClosed(path: string): boolean {
  const cleared = withMapping(path, (place) => {
    const { mapping } = place;
    if (!isMarkedClosed(mapping.memory)) return false;
    asJanitor(place, LOCK_TIMEOUT_MS, () => unlinkClosed(path, mapping.inode));
    return true;
  });
  return cleared ?? true;
}

interface Place {
  readonly path: string;
  readonly header: SegmentHeader;
  readonly mapping: Mapping;
  readonly table: ParticipantTable;
}

function removeMapped(name: string, path: string, place: Place, force: boolean): boolean {
  const { mapping, table, header } = place;
  return asJanitor(place, LOCK_TIMEOUT_MS, (grant) => {
    reapDead(table, undefined, { path, epoch: header.epoch }, [], grant);
    if (!force && table.hasOthers(undefined)) {
      const pids = table.list().map(({ pid }) => pid);
      throw new SharedMemoryError("ERR_SHM_IN_USE", `the segment ${name} is in use by ${pids.join(", ")}`, {
        name,
        path,
        pids,
      });
    }
    closeAndUnlink(mapping.memory, path, mapping.inode);
    return true;
  });
}

function withMapping<T>(path: string, work: (place: Place) => T): T | undefined {
  const file = openFile(path);
  if (file === undefined) return undefined;
  let header: SegmentHeader;
  let mapping: Mapping;
  try {
    header = readHeader(readIdentity(file), file.sizeBytes, path);
    mapping = mapFile(file, false);
  } finally {
    closeSync(file.fd);
  }
  try {
    return work({ path, header, mapping, table: new ParticipantTable(mapping.memory, header.slotCount) });
  } finally {
    mapping.release();
  }
}

function removePipes(path: string): void {
  const directory = join(path, "..");
  const prefix = path.slice(directory.length + 1) + PIPE_SEPARATOR;
  for (const file of readdirSync(directory)) if (file.startsWith(prefix)) unlinkIfThere(join(directory, file));
}
