/**
 * Creates and opens segments.
 *
 * - A named segment is built without a name and published whole; of many creators one wins and the others open it.
 * - An opener claims a slot, takes the lock, sweeps the dead and only then looks whether the segment is still open and
 *   still behind its path. If not, it gives the slot back and starts over: the last to leave decides under the same
 *   lock, so either it sees the newcomer's claim and leaves the segment alone, or the newcomer sees it closed.
 * - An anonymous segment is a SharedArrayBuffer, which the creator posts to worker threads.
 */
import { closeSync } from "node:fs";
import { dirname } from "node:path";
import { ArgumentError, SharedMemoryError } from "./errors.ts";
import { closeOnExit } from "./exit-hook.ts";
import { failpoint } from "./failpoint.ts";
import { formatHeader, readDirectory, readHeader, type SegmentHeader } from "./header.ts";
import { sweepAsJanitor } from "./janitor.ts";
import { CAPACITY_UNIT_BYTES, PHASE_ACTIVE } from "./layout.ts";
import { currentThread } from "./liveness.ts";
import {
  type Mapping,
  makeUnnamedFile,
  mapFile,
  openFile,
  publishFile,
  readIdentity,
  type SegmentMode,
} from "./mapping.ts";
import { type SharedMemory, sharedMemoryOver } from "./memory.ts";
import { native } from "./native.ts";
import { type Participant, ParticipantTable } from "./participants.ts";
import { Segment, type SegmentParts } from "./segment.ts";
import { clearIfClosed } from "./segment-files.ts";
import { isMarkedClosed, isSameFile, reapDead, unlinkClosed } from "./segment-life.ts";
import { segmentPath } from "./segment-name.ts";
import { type ObserveOptions, observeSegment, type SegmentObserver } from "./segment-observer.ts";
import { type ObjectInfo, planSegment, type SegmentPlan, type SegmentSpec } from "./segment-spec.ts";

export interface SegmentOptions {
  /** Map as a SharedArrayBuffer where the start-up self-test allows, else as usual: see `Segment.mapping`. */
  readonly overlay?: boolean;
  /** Where the segment's file is; default `SHM_DIR` or /dev/shm. */
  readonly directory?: string;
  /** How long to wait, in ms, for a living holder of the lock while joining; default 5000. */
  readonly timeoutMs?: number;
  /**
   * Who may take part: 0o600 (default) its user alone, 0o660 its group, too. Everybody who opens a group's segment says so,
   * as everybody who may write it can forge or stop what is in it. In a folder like /dev/shm only the creator's user can
   * remove it: others leave it there.
   */
  readonly mode?: SegmentMode;
  /** Leave in an orderly way when the process exits without `close`; default true. */
  readonly closeOnExit?: boolean;
}

const DEFAULT_JOIN_TIMEOUT_MS = 5000;
/** Each start over means that somebody else made progress, so this many in a row mean that something is wrong. */
const MAX_ATTEMPTS = 1000;

/** Creates a named segment. Throws ERR_SHM_EXISTS when there is one of that name. */
export function createSegment(name: string, spec: SegmentSpec, options: SegmentOptions = {}): Segment {
  const path = segmentPath(name, options.directory);
  const plan = planSegment(spec);
  requireIdentity();
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const created = tryCreate(name, path, spec, plan, options);
    if (created !== undefined) return created;
    // A closed segment whose last participant died before it could remove the file doesn't count.
    if (!clearIfClosed(path)) {
      throw new SharedMemoryError("ERR_SHM_EXISTS", `the segment ${name} exists already (${path})`, { name, path });
    }
  }
  throw tooManyAttempts(name, path);
}

/** Opens an existing named segment. Throws ERR_SHM_NOT_FOUND, or whatever is wrong with what stands there. */
export function openSegment(name: string, options?: SegmentOptions & { readonly readOnly?: false }): Segment;
/** With `readOnly`: looks at it without taking part. See {@link SegmentObserver}. */
export function openSegment(name: string, options: ObserveOptions & { readonly readOnly: true }): SegmentObserver;
export function openSegment(
  name: string,
  options: SegmentOptions & { readonly readOnly?: boolean } = {},
): Segment | SegmentObserver {
  const path = segmentPath(name, options.directory);
  requireIdentity();
  if (options.readOnly) {
    const observer = observeSegment(name, options);
    if (observer === undefined) throw notFound(name, path);
    return observer;
  }
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const opened = tryOpen(name, path, options);
    if (opened instanceof Segment) return opened;
    if (opened === "missing") {
      throw notFound(name, path);
    }
  }
  throw tooManyAttempts(name, path);
}

/**
 * Opens the segment, or creates it if there is none. An existing one must have the spec's objects, of the same kinds;
 * their sizes are those of the creator. Throws ERR_SHM_INCOMPATIBLE otherwise.
 */
export function openOrCreateSegment(name: string, spec: SegmentSpec, options: SegmentOptions = {}): Segment {
  const path = segmentPath(name, options.directory);
  const plan = planSegment(spec);
  requireIdentity();
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const opened = tryOpen(name, path, options, spec);
    if (opened instanceof Segment) return opened;
    if (opened === "start over") continue;
    const created = tryCreate(name, path, spec, plan, options);
    if (created !== undefined) return created;
  }
  throw tooManyAttempts(name, path);
}

/** Creates a segment for the threads of this process. `segment.memory.buffer` is what other threads attach. */
export function createAnonymousSegment(spec: SegmentSpec): Segment {
  const plan = planSegment(spec);
  const memory = sharedMemoryOver(new SharedArrayBuffer(plan.capacityBytes));
  formatHeader(memory, plan, false);
  formatObjects(memory, plan.objects, spec);
  const header = readHeader(memory, plan.capacityBytes, "the new segment");
  return joinAnonymous(memory, header, plan.objects);
}

/**
 * Takes part in another thread's anonymous segment. Throws ERR_SHM_INCOMPATIBLE, ERR_SHM_CORRUPT on other bytes,
 * ERR_SHM_CLOSED when its last participant has left.
 */
export function attachAnonymousSegment(buffer: SharedArrayBuffer): Segment {
  if (!(buffer instanceof SharedArrayBuffer)) {
    throw new ArgumentError("attachAnonymousSegment needs the SharedArrayBuffer of an anonymous segment");
  }
  const what = "the buffer";
  if (buffer.byteLength < CAPACITY_UNIT_BYTES || buffer.byteLength % CAPACITY_UNIT_BYTES !== 0) {
    throw new SharedMemoryError("ERR_SHM_INCOMPATIBLE", `${what} is not a segment: its size is ${buffer.byteLength}`, {
      sizeBytes: buffer.byteLength,
    });
  }
  const memory = sharedMemoryOver(buffer);
  const header = readHeader(memory, buffer.byteLength, what);
  if (header.named) throw new ArgumentError("the buffer is a view of a named segment: open it by its name");
  return joinAnonymous(memory, header, readDirectory(memory, header, what));
}

function joinAnonymous(memory: SharedMemory, header: SegmentHeader, objects: readonly ObjectInfo[]): Segment {
  const mapping: Mapping = { kind: "anonymous", memory, baseAddress: 0, inode: 0n, release: () => {} };
  const table = new ParticipantTable(memory, header.slotCount);
  const place = { name: undefined, path: undefined };
  const me = claimSlot({ ...place, header, mapping, table }, DEFAULT_JOIN_TIMEOUT_MS);
  const joined = join({ ...place, header, objects, mapping, table, me }, DEFAULT_JOIN_TIMEOUT_MS);
  if (joined !== undefined) return joined;
  throw new SharedMemoryError("ERR_SHM_CLOSED", "the segment was closed by its last participant", {});
}

function tryCreate(
  name: string,
  path: string,
  spec: SegmentSpec,
  plan: SegmentPlan,
  options: SegmentOptions,
): Segment | undefined {
  failpoint("segment-create:begin");
  const file = makeUnnamedFile(dirname(path), plan.capacityBytes, options.mode);
  let mapping: Mapping | undefined;
  try {
    failpoint("segment-create:sized");
    mapping = mapFile(file, options.overlay ?? false);
    formatHeader(mapping.memory, plan, true);
    formatObjects(mapping.memory, plan.objects, spec);
    failpoint("segment-create:formatted");
    const header = readHeader(mapping.memory, plan.capacityBytes, path);
    const table = new ParticipantTable(mapping.memory, plan.slotCount);
    // The creator is in before anybody can see the segment, so it never looks abandoned.
    const me = table.claim(currentThread()) as Participant;
    me.enterPhase(PHASE_ACTIVE);
    failpoint("segment-create:joined");
    if (!publishFile(file.fd, path)) {
      mapping.release();
      return undefined;
    }
    failpoint("segment-create:published");
    return finish({ name, path, header, objects: plan.objects, mapping, table, me }, options);
  } catch (error) {
    mapping?.release();
    throw error;
  } finally {
    closeSync(file.fd);
  }
}

function tryOpen(
  name: string,
  path: string,
  options: SegmentOptions,
  wanted?: SegmentSpec,
): Segment | "missing" | "start over" {
  const file = openFile(path, { mode: options.mode });
  if (file === undefined) return "missing";
  let header: SegmentHeader;
  let mapping: Mapping;
  try {
    header = readHeader(readIdentity(file), file.sizeBytes, path);
    mapping = mapFile(file, options.overlay ?? false);
  } finally {
    closeSync(file.fd);
  }
  try {
    const objects = readDirectory(mapping.memory, header, path);
    if (wanted !== undefined) requireObjects(path, objects, wanted);
    const table = new ParticipantTable(mapping.memory, header.slotCount);
    const timeoutMs = options.timeoutMs ?? DEFAULT_JOIN_TIMEOUT_MS;
    const me = claimSlot({ path, header, mapping, table }, timeoutMs);
    failpoint("segment-open:mapped");
    const joined = join({ name, path, header, objects, mapping, table, me }, timeoutMs);
    if (joined === undefined) {
      mapping.release();
      return "start over";
    }
    if (options.closeOnExit ?? true) closeOnExit(joined);
    return joined;
  } catch (error) {
    mapping.release();
    throw error;
  }
}

/** Admits a claimed slot. `undefined`: the segment is closed or replaced, and the slot has been given back. */
function join(parts: SegmentParts, timeoutMs: number): Segment | undefined {
  const { table, me, mapping, path, header } = parts;
  const segment = new Segment(parts);
  const { mutex } = segment;
  const grant = mutex.lock(timeoutMs);
  if (grant === undefined) {
    table.free(me);
    throw new SharedMemoryError(
      "ERR_SHM_IN_USE",
      `could not join ${path ?? "the segment"}: a living participant has held its lock for ${timeoutMs} ms`,
      { path, timeoutMs },
    );
  }
  let admitted = false;
  try {
    reapDead(table, me, { path, epoch: header.epoch }, [], grant);
    admitted = !isMarkedClosed(mapping.memory) && (path === undefined || isSameFile(path, mapping.inode));
    if (admitted) me.enterPhase(PHASE_ACTIVE);
    else if (path !== undefined && isMarkedClosed(mapping.memory)) unlinkClosed(path, mapping.inode);
    failpoint("segment-open:admitted");
  } finally {
    mutex.unlockUnrepaired();
    if (!admitted) table.free(me);
  }
  return admitted ? segment : undefined;
}

/** A slot of the table, if need be after sweeping the dead out of it. Throws ERR_SHM_NO_SLOT. */
function claimSlot(parts: Pick<SegmentParts, "path" | "header" | "mapping" | "table">, timeoutMs: number): Participant {
  const { table, path } = parts;
  const claimed = table.claim(currentThread());
  if (claimed !== undefined) return claimed;
  sweepAsJanitor(parts, timeoutMs);
  const second = table.claim(currentThread());
  if (second !== undefined) return second;
  throw new SharedMemoryError(
    "ERR_SHM_NO_SLOT",
    `${path ?? "the segment"} is full: all ${table.slotCount} participant slots are taken`,
    { path, participantSlots: table.slotCount },
  );
}

function finish(parts: SegmentParts, options: SegmentOptions): Segment {
  const segment = new Segment(parts);
  if (options.closeOnExit ?? true) closeOnExit(segment);
  return segment;
}

function formatObjects(memory: SharedMemory, objects: readonly ObjectInfo[], spec: SegmentSpec): void {
  for (const { id, offsetBytes, sizeBytes } of objects) spec.objects[id]?.format?.({ memory, offsetBytes, sizeBytes });
}

/** Before joining: who joins an abandoned segment and leaves again removes it. */
function requireObjects(path: string, objects: readonly ObjectInfo[], spec: SegmentSpec): void {
  for (const [id, { kind }] of Object.entries(spec.objects)) {
    if (objects.some((object) => object.id === id && object.kind === kind)) continue;
    throw new SharedMemoryError("ERR_SHM_INCOMPATIBLE", `the segment ${path} has no ${kind} ${JSON.stringify(id)}`, {
      path,
      id,
      kind,
    });
  }
}

/** Throws ERR_SHM_UNSUPPORTED where named segments can't work. */
function requireIdentity(): void {
  native();
  if (currentThread().startTicks !== 0) return;
  throw new SharedMemoryError(
    "ERR_SHM_UNSUPPORTED",
    "named segments are not supported here: /proc is not mounted, so nobody could tell the living from the dead",
    { reason: "/proc is not mounted" },
  );
}

function notFound(name: string, path: string): SharedMemoryError {
  return new SharedMemoryError("ERR_SHM_NOT_FOUND", `there is no segment ${name} (${path})`, { name, path });
}

function tooManyAttempts(name: string, path: string): SharedMemoryError {
  return new SharedMemoryError("ERR_SHM_IN_USE", `gave up on ${name}: it was replaced ${MAX_ATTEMPTS} times`, {
    name,
    path,
  });
}
