/**
 * How segments end and the dead are cleared away. Every function here is called with the segment's mutex held.
 */
import { statSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import type { LockGrant } from "./contracts.ts";
import { failpoint } from "./failpoint.ts";
import { STATE_CLOSED, STATE_OFFSET, STATE_OPEN } from "./layout.ts";
import type { SharedMemory } from "./memory.ts";
import type { Participant, ParticipantInfo, ParticipantTable } from "./participants.ts";
import { pipePath } from "./segment-name.ts";

/** Sweeps what names a dead participant, under the mutex. `grant.recovered`: its structures may be half-changed. */
export type ReapHook = (dead: ParticipantInfo, grant: LockGrant) => void;

const STICKY_BIT = 0o1000;
const STATE_INDEX = STATE_OFFSET >>> 2;

export function isMarkedClosed(memory: SharedMemory): boolean {
  return Atomics.load(memory.i32, STATE_INDEX) !== STATE_OPEN;
}

/** Frees the slots of all participants that are certainly dead, their pipes and what the hooks know first. */
export function reapDead(
  table: ParticipantTable,
  me: Participant | undefined,
  place: { readonly path: string | undefined; readonly epoch: number },
  hooks: Iterable<ReapHook>,
  grant: LockGrant,
): number {
  let reaped = 0;
  for (const slot of table.deadSlots()) {
    const info = table.inspect(slot, me);
    if (info !== undefined) {
      for (const hook of hooks) hook(info, grant);
      if (place.path !== undefined) unlinkIfAllowed(pipePath(place.path, place.epoch, slot, info.generation));
    }
    table.freeDead(slot);
    reaped += 1;
  }
  return reaped;
}

/** Marks the segment closed, then takes its name away. An opener in between finds it closed and starts over. */
export function closeAndUnlink(memory: SharedMemory, path: string | undefined, inode: bigint): void {
  Atomics.store(memory.i32, STATE_INDEX, STATE_CLOSED);
  failpoint("segment-close:marked");
  if (path !== undefined) unlinkClosed(path, inode);
  failpoint("segment-close:unlinked");
}

/**
 * Removes a closed segment's name, if it is still this segment's. Whoever removes it holds this very segment's mutex,
 * so nobody can have put another file there between the look and the removal.
 */
export function unlinkClosed(path: string, inode: bigint): void {
  if (isSameFile(path, inode)) unlinkIfThere(path);
}

export function isSameFile(path: string, inode: bigint): boolean {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino === inode;
}

/** Another user's pipe in a sticky folder stays: it names a participant that there never will be again. */
export function unlinkIfAllowed(path: string): void {
  try {
    unlinkIfThere(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EPERM" && code !== "EACCES") throw error;
  }
}

/** Whether this user could remove the file: in a sticky folder such as /dev/shm only its owner can. */
export function mayRemove(path: string): boolean {
  const user = process.geteuid?.();
  const folder = statSync(dirname(path));
  if (user === undefined || user === 0 || (folder.mode & STICKY_BIT) === 0 || folder.uid === user) return true;
  const file = statSync(path, { throwIfNoEntry: false });
  return file === undefined || file.uid === user;
}

export function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
