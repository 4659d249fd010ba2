/** What stands in a segment's objects now, and who holds its lock: one look, for `inspect` and `stat`. */

import { inspectMpscRing } from "../mpsc-words.ts";
import type { LockState, SegmentObserver } from "../segment-observer.ts";
import type { ObjectInfo } from "../segment-spec.ts";
import { inspectLog } from "../shared-log.ts";
import { inspectRing } from "../spsc-ring.ts";

export interface ObjectView extends ObjectInfo {
  readonly capacityBytes?: number;
  /** Bytes, headers included, in a ring and not yet released, or retained by a log. */
  readonly usedBytes?: number;
  /** All bytes ever written: modulo 2^32 in a ring. */
  readonly writtenBytes?: number;
  readonly detail?: Readonly<Record<string, unknown>>;
  /** Why it can't be read. */
  readonly problem?: string;
}

export function viewObjects(observer: SegmentObserver): ObjectView[] {
  return observer.objects.map((object) => {
    try {
      return { ...object, ...look(observer, object) };
    } catch (error) {
      return { ...object, problem: (error as Error).message };
    }
  });
}

function look(observer: SegmentObserver, { id, kind }: ObjectInfo): Partial<ObjectView> {
  const region = observer.region(id);
  if (kind === "log") {
    const { capacityBytes, oldestPosition, tailPosition } = inspectLog(region);
    const detail = { oldestPosition, tailPosition };
    // The two words are read one after the other, so that a running writer can seem to retain a little too much.
    const usedBytes = Math.max(0, Math.min(capacityBytes, tailPosition - oldestPosition));
    return { capacityBytes, usedBytes, writtenBytes: tailPosition, detail };
  }
  if (kind === "ring" || kind === "mpsc") {
    const { capacityBytes, usedBytes, tailPosition, ...rest } =
      kind === "ring" ? inspectRing(region) : inspectMpscRing(region);
    return { capacityBytes, usedBytes, writtenBytes: tailPosition, detail: { tailPosition, ...rest } };
  }
  return {};
}

/** Who holds the lock, in words. */
export function lockText(lock: LockState): string {
  const repair = lock.needsRepair ? "; not yet repaired after a holder's death" : "";
  if (!lock.held) return `free${repair}`;
  const { owner } = lock;
  const who = owner?.participant
    ? `pid ${owner.participant.pid} (slot ${owner.slot})`
    : owner?.alive
      ? "somebody who cleans up"
      : "nobody who is here any more";
  const life = owner?.alive ? "" : ", dead: the next to lock takes it over";
  return `held by ${who}${life}${lock.hasWaiters ? ", others wait" : ""}${repair}`;
}
