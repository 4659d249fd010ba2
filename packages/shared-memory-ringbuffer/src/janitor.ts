/**
 * Work on a segment by somebody who is no participant: sweeping the dead out of a full table, removing a segment.
 *
 * Locking needs a slot that the lock word can name. The table has one more for this, taken for the work and given
 * back; who takes it bumps its generation, so that the lock of a janitor that died is seen to be nobody's.
 */
import { AtomicsFutex } from "./atomics-futex.ts";
import type { LockGrant } from "./contracts.ts";
import { SharedMemoryError } from "./errors.ts";
import { failpoint } from "./failpoint.ts";
import type { SegmentHeader } from "./header.ts";
import { KernelFutex } from "./kernel-futex.ts";
import { currentThread } from "./liveness.ts";
import type { Mapping } from "./mapping.ts";
import { RobustMutex } from "./mutex.ts";
import type { Participant, ParticipantTable } from "./participants.ts";
import { reapDead } from "./segment-life.ts";

const CLAIM_RETRY_MS = 2;
const nobodyWakes = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

export interface JanitorPlace {
  readonly path: string | undefined;
  readonly header: SegmentHeader;
  readonly mapping: Mapping;
  readonly table: ParticipantTable;
}

/** Takes the janitor's slot and the lock for `work`. Throws ERR_SHM_IN_USE when the living don't let it in. */
export function asJanitor<T>(place: JanitorPlace, timeoutMs: number, work: (grant: LockGrant) => T): T {
  const { mapping, table, path } = place;
  const deadlineMs = performance.now() + timeoutMs;
  let janitor: Participant | undefined = table.claimJanitor(currentThread());
  while (janitor === undefined && performance.now() < deadlineMs) {
    // Asleep, not spinning: a crowd that waits here would take the CPU from the very one it waits for.
    Atomics.wait(nobodyWakes, 0, 0, CLAIM_RETRY_MS);
    janitor = table.claimJanitor(currentThread());
  }
  if (janitor === undefined) throw inUse(path, timeoutMs, "others were sweeping it all the time");
  const futex =
    mapping.kind === "anonymous" ? new AtomicsFutex(mapping.memory.i32) : new KernelFutex(mapping.baseAddress);
  const mutex = new RobustMutex(table, futex, janitor);
  try {
    const grant = mutex.lock(Math.max(0, deadlineMs - performance.now()));
    if (grant === undefined) throw inUse(path, timeoutMs, "its lock could not be had");
    failpoint("janitor:locked");
    try {
      return work(grant);
    } finally {
      mutex.unlockUnrepaired();
    }
  } finally {
    table.free(janitor);
  }
}

/** Frees the slots of the dead. */
export function sweepAsJanitor(place: JanitorPlace, timeoutMs: number): number {
  const { table, path, header } = place;
  return asJanitor(place, timeoutMs, (grant) => reapDead(table, undefined, { path, epoch: header.epoch }, [], grant));
}

function inUse(path: string | undefined, timeoutMs: number, why: string): SharedMemoryError {
  return new SharedMemoryError("ERR_SHM_IN_USE", `${path ?? "the segment"} is in use: ${why} for ${timeoutMs} ms`, {
    path,
    timeoutMs,
  });
}
