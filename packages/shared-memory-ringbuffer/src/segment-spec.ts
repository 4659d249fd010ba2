/**
 * What a segment is to hold, and where each part of it goes. Pure: no memory is touched.
 */
import { ArgumentError } from "./errors.ts";
import {
  alignUp,
  CAPACITY_UNIT_BYTES,
  DEFAULT_PARTICIPANT_SLOTS,
  ENTRY_ID_BYTES,
  MAX_CAPACITY_BYTES,
  MAX_OBJECTS,
  MAX_PARTICIPANT_SLOTS,
  objectsOffset,
} from "./layout.ts";
import { REGION_ALIGNMENT_BYTES, type Region, type SharedMemory } from "./memory.ts";

/** What an object is. The number is what the directory stores. */
export const OBJECT_KINDS = { ring: 1, log: 2, region: 3, mpsc: 4 } as const;
export type ObjectKind = keyof typeof OBJECT_KINDS;

export interface ObjectSpec {
  readonly kind: ObjectKind;
  /** Bytes that the object gets, rounded up to a multiple of 128. */
  readonly sizeBytes: number;
  /** Writes the object's empty state, once, before anybody else can see the segment. Without it: zeros. */
  readonly format?: (region: Region) => void;
}

export interface SegmentSpec {
  /** By id: 1 to 24 characters of `A-Z a-z 0-9 . _ -`. At most 64 objects. */
  readonly objects: Readonly<Record<string, ObjectSpec>>;
  /** How many threads can take part at once: 1 to 256, default 64. */
  readonly participantSlots?: number;
}

/** An object as the directory has it. */
export interface ObjectInfo {
  readonly id: string;
  readonly kind: ObjectKind;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

export interface SegmentPlan {
  readonly objects: readonly ObjectInfo[];
  readonly slotCount: number;
  readonly capacityBytes: number;
}

const OBJECT_ID = new RegExp(`^[A-Za-z0-9._-]{1,${ENTRY_ID_BYTES}}$`);

/** The part of the memory that belongs to an object. Throws ArgumentError when there is none of that id and kind. */
export function findRegion(
  memory: SharedMemory,
  objects: readonly ObjectInfo[],
  id: string,
  kind: ObjectKind | undefined,
): Region {
  const object = objects.find((each) => each.id === id);
  if (object === undefined || (kind !== undefined && object.kind !== kind)) {
    throw new ArgumentError(`the segment has no ${kind ?? "object"} ${JSON.stringify(id)}`, { id, kind });
  }
  return { memory, offsetBytes: object.offsetBytes, sizeBytes: object.sizeBytes };
}

export function isObjectId(id: string): boolean {
  return OBJECT_ID.test(id);
}

/** Lays a spec out. Throws ArgumentError naming the value that can't be met. */
export function planSegment(spec: SegmentSpec): SegmentPlan {
  const slotCount = spec.participantSlots ?? DEFAULT_PARTICIPANT_SLOTS;
  if (!Number.isInteger(slotCount) || slotCount < 1 || slotCount > MAX_PARTICIPANT_SLOTS) {
    throw new ArgumentError(`participantSlots must be 1 to ${MAX_PARTICIPANT_SLOTS}, participantSlots=${slotCount}`, {
      participantSlots: slotCount,
    });
  }
  const entries = Object.entries(spec.objects);
  if (entries.length > MAX_OBJECTS) {
    throw new ArgumentError(`a segment holds at most ${MAX_OBJECTS} objects, objects=${entries.length}`, {
      objects: entries.length,
    });
  }
  let offsetBytes = objectsOffset(slotCount, entries.length);
  const objects: ObjectInfo[] = [];
  for (const [id, { kind, sizeBytes }] of entries) {
    if (!isObjectId(id)) {
      throw new ArgumentError(
        `an object's id is 1 to ${ENTRY_ID_BYTES} of A-Z a-z 0-9 . _ -, id=${JSON.stringify(id)}`,
        {
          id,
        },
      );
    }
    if (OBJECT_KINDS[kind] === undefined) throw new ArgumentError(`unknown object kind, kind=${kind}`, { id, kind });
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 1) {
      throw new ArgumentError(`sizeBytes must be a positive integer, ${id}.sizeBytes=${sizeBytes}`, { id, sizeBytes });
    }
    const rounded = alignUp(sizeBytes, REGION_ALIGNMENT_BYTES);
    objects.push({ id, kind, offsetBytes, sizeBytes: rounded });
    offsetBytes += rounded;
  }
  const capacityBytes = alignUp(offsetBytes, CAPACITY_UNIT_BYTES);
  if (capacityBytes > MAX_CAPACITY_BYTES) {
    throw new ArgumentError(`a segment has at most ${MAX_CAPACITY_BYTES} bytes, capacityBytes=${capacityBytes}`, {
      capacityBytes,
    });
  }
  return { objects, slotCount, capacityBytes };
}
