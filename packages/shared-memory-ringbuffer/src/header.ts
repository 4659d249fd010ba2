/**
 * Writes a new segment's header and reads an existing one's.
 *
 * - What is read is validated before it is used: somebody else's file is ERR_SHM_INCOMPATIBLE, our own with
 *   impossible values is a CorruptSegmentError. Nothing read here can lead an access outside the segment.
 */
import { CorruptSegmentError, SharedMemoryError } from "./errors.ts";
import {
  BOOT_ID_OFFSET,
  BYTE_ORDER_MARK,
  BYTE_ORDER_OFFSET,
  CAPACITY_OFFSET,
  CAPACITY_UNIT_BYTES,
  DIRECTORY_COUNT_OFFSET,
  DIRECTORY_ENTRY_BYTES_OFFSET,
  DIRECTORY_OFFSET_OFFSET,
  directoryOffset,
  ENTRY_BYTES,
  ENTRY_ID,
  ENTRY_ID_BYTES,
  ENTRY_KIND,
  ENTRY_OFFSET,
  ENTRY_SIZE,
  EPOCH_OFFSET,
  FEATURE_NAMED,
  FEATURES_OFFSET,
  HEADER_BYTES,
  HEADER_BYTES_OFFSET,
  KNOWN_FEATURES,
  LAYOUT_VERSION,
  MAGIC_OFFSET,
  MAGIC_TEXT,
  MAX_OBJECTS,
  MAX_PARTICIPANT_SLOTS,
  objectsOffset,
  PARTICIPANT_BYTES,
  PARTICIPANT_BYTES_OFFSET,
  PARTICIPANT_SLOTS_OFFSET,
  PARTICIPANTS_OFFSET_OFFSET,
  PID_NAMESPACE_OFFSET,
  STATE_CLOSED,
  STATE_OFFSET,
  STATE_OPEN,
  slotOffset,
  VERSION_OFFSET,
} from "./layout.ts";
import { bootIdHash, pidNamespace } from "./liveness.ts";
import { REGION_ALIGNMENT_BYTES, type SharedMemory } from "./memory.ts";
import { isObjectId, OBJECT_KINDS, type ObjectInfo, type ObjectKind, type SegmentPlan } from "./segment-spec.ts";

export interface SegmentHeader {
  readonly capacityBytes: number;
  /** Time of creation in µs since 1970: tells this segment from an earlier one of the same name. */
  readonly epoch: number;
  readonly slotCount: number;
  readonly objectCount: number;
  readonly named: boolean;
}

const MICROSECONDS_A_MILLISECOND = 1000;
const KINDS_BY_NUMBER = new Map<number, ObjectKind>(
  Object.entries(OBJECT_KINDS).map(([kind, value]) => [value, kind as ObjectKind]),
);

/** Writes the header of a segment that nobody else can see yet, into zeroed memory. */
export function formatHeader(memory: SharedMemory, plan: SegmentPlan, named: boolean): void {
  const { bytes, i32, i64 } = memory;
  const word = (offset: number, value: number): void => {
    i32[offset >>> 2] = value;
  };
  const long = (offset: number, value: bigint): void => {
    i64[offset >>> 3] = value;
  };
  writeText(bytes, MAGIC_OFFSET, MAGIC_TEXT);
  word(BYTE_ORDER_OFFSET, BYTE_ORDER_MARK);
  word(VERSION_OFFSET, LAYOUT_VERSION);
  word(HEADER_BYTES_OFFSET, HEADER_BYTES);
  word(FEATURES_OFFSET, named ? FEATURE_NAMED : 0);
  long(CAPACITY_OFFSET, BigInt(plan.capacityBytes));
  const createdMs = performance.timeOrigin + performance.now();
  long(EPOCH_OFFSET, BigInt(Math.floor(createdMs * MICROSECONDS_A_MILLISECOND)));
  long(BOOT_ID_OFFSET, bootIdHash());
  long(PID_NAMESPACE_OFFSET, pidNamespace());
  word(PARTICIPANTS_OFFSET_OFFSET, slotOffset(0));
  word(PARTICIPANT_SLOTS_OFFSET, plan.slotCount);
  word(PARTICIPANT_BYTES_OFFSET, PARTICIPANT_BYTES);
  word(DIRECTORY_OFFSET_OFFSET, directoryOffset(plan.slotCount));
  word(DIRECTORY_COUNT_OFFSET, plan.objects.length);
  word(DIRECTORY_ENTRY_BYTES_OFFSET, ENTRY_BYTES);
  let entry = directoryOffset(plan.slotCount);
  for (const { id, kind, offsetBytes, sizeBytes } of plan.objects) {
    writeText(bytes, entry + ENTRY_ID, id);
    word(entry + ENTRY_KIND, OBJECT_KINDS[kind]);
    long(entry + ENTRY_OFFSET, BigInt(offsetBytes));
    long(entry + ENTRY_SIZE, BigInt(sizeBytes));
    entry += ENTRY_BYTES;
  }
  word(STATE_OFFSET, STATE_OPEN);
}

/**
 * Reads and checks the identity line, of which `memory` must hold at least the 128 bytes, of a segment that is
 * `sizeBytes` long. `what` names it in errors.
 */
export function readHeader(memory: SharedMemory, sizeBytes: number, what: string): SegmentHeader {
  const { bytes, i32, i64 } = memory;
  const word = (offset: number): number => (i32[offset >>> 2] ?? 0) >>> 0;
  const long = (offset: number): bigint => i64[offset >>> 3] ?? 0n;
  if (readText(bytes, MAGIC_OFFSET, MAGIC_TEXT.length) !== MAGIC_TEXT) {
    throw incompatible(what, "it does not start with the magic of a segment", {});
  }
  mustBe(what, "byte order mark", word(BYTE_ORDER_OFFSET), BYTE_ORDER_MARK);
  mustBe(what, "layout version", word(VERSION_OFFSET), LAYOUT_VERSION);
  mustBe(what, "header size", word(HEADER_BYTES_OFFSET), HEADER_BYTES);
  mustBe(what, "participant size", word(PARTICIPANT_BYTES_OFFSET), PARTICIPANT_BYTES);
  mustBe(what, "directory entry size", word(DIRECTORY_ENTRY_BYTES_OFFSET), ENTRY_BYTES);
  const features = word(FEATURES_OFFSET);
  if ((features & ~KNOWN_FEATURES) !== 0) {
    throw incompatible(what, `it uses features unknown to this version, features=0x${features.toString(16)}`, {
      features,
    });
  }
  sameOrUnknown(what, "an earlier boot of the machine", long(BOOT_ID_OFFSET), bootIdHash());
  sameOrUnknown(what, "another pid namespace (container)", long(PID_NAMESPACE_OFFSET), pidNamespace());

  const capacity = long(CAPACITY_OFFSET);
  if (capacity !== BigInt(sizeBytes) || sizeBytes % CAPACITY_UNIT_BYTES !== 0) {
    throw corrupt(what, `capacity=${capacity} but its size is ${sizeBytes}`, { capacity, sizeBytes });
  }
  const epoch = long(EPOCH_OFFSET);
  if (epoch <= 0n || epoch > BigInt(Number.MAX_SAFE_INTEGER)) throw corrupt(what, `epoch=${epoch}`, { epoch });
  const slotCount = word(PARTICIPANT_SLOTS_OFFSET);
  const objectCount = word(DIRECTORY_COUNT_OFFSET);
  if (slotCount < 1 || slotCount > MAX_PARTICIPANT_SLOTS) {
    throw corrupt(what, `participant slots=${slotCount}`, { slotCount });
  }
  if (objectCount > MAX_OBJECTS) throw corrupt(what, `objects=${objectCount}`, { objectCount });
  const participantsAt = word(PARTICIPANTS_OFFSET_OFFSET);
  const directoryAt = word(DIRECTORY_OFFSET_OFFSET);
  if (participantsAt !== slotOffset(0) || directoryAt !== directoryOffset(slotCount)) {
    throw corrupt(what, `tables at ${participantsAt} and ${directoryAt}`, { participantsAt, directoryAt });
  }
  if (objectsOffset(slotCount, objectCount) > sizeBytes) {
    throw corrupt(what, `its tables do not fit in ${sizeBytes} bytes`, { slotCount, objectCount, sizeBytes });
  }
  return {
    capacityBytes: sizeBytes,
    epoch: Number(epoch),
    slotCount,
    objectCount,
    named: (features & FEATURE_NAMED) !== 0,
  };
}

/** Reads and checks state and object directory. Objects lie in order, aligned, apart, and inside the segment. */
export function readDirectory(memory: SharedMemory, header: SegmentHeader, what: string): ObjectInfo[] {
  const { bytes, i32, i64 } = memory;
  const state = Atomics.load(i32, STATE_OFFSET >>> 2);
  if (state !== STATE_OPEN && state !== STATE_CLOSED) throw corrupt(what, `state=${state}`, { state });
  const objects: ObjectInfo[] = [];
  let entry = directoryOffset(header.slotCount);
  let freeFrom = objectsOffset(header.slotCount, header.objectCount);
  for (let number = 0; number < header.objectCount; number++, entry += ENTRY_BYTES) {
    const id = readText(bytes, entry + ENTRY_ID, ENTRY_ID_BYTES);
    const kind = KINDS_BY_NUMBER.get(i32[(entry + ENTRY_KIND) >>> 2] ?? 0);
    const offsetBytes = Number(i64[(entry + ENTRY_OFFSET) >>> 3]);
    const sizeBytes = Number(i64[(entry + ENTRY_SIZE) >>> 3]);
    if (!isObjectId(id) || kind === undefined || objects.some((other) => other.id === id)) {
      throw corrupt(what, `object ${number} has id ${JSON.stringify(id)} and kind ${kind}`, { number, id });
    }
    const fits =
      offsetBytes >= freeFrom &&
      sizeBytes > 0 &&
      offsetBytes % REGION_ALIGNMENT_BYTES === 0 &&
      sizeBytes % REGION_ALIGNMENT_BYTES === 0 &&
      offsetBytes + sizeBytes <= header.capacityBytes;
    if (!fits) {
      throw corrupt(what, `object ${id} lies at ${offsetBytes} with ${sizeBytes} bytes`, {
        id,
        offsetBytes,
        sizeBytes,
      });
    }
    objects.push({ id, kind, offsetBytes, sizeBytes });
    freeFrom = offsetBytes + sizeBytes;
  }
  return objects;
}

function mustBe(what: string, field: string, found: number, wanted: number): void {
  if (found === wanted) return;
  throw incompatible(what, `its ${field} is ${found}, this version needs ${wanted}`, { field, found, wanted });
}

function sameOrUnknown(what: string, origin: string, found: bigint, own: bigint): void {
  if (found === own || found === 0n || own === 0n) return;
  throw incompatible(what, `it was made in ${origin}, so its participants can't be judged alive or dead`, {
    found,
    own,
  });
}

function incompatible(what: string, why: string, details: Record<string, unknown>): SharedMemoryError {
  return new SharedMemoryError("ERR_SHM_INCOMPATIBLE", `${what} is not a segment that this program can use: ${why}`, {
    what,
    ...details,
  });
}

function corrupt(what: string, why: string, details: Record<string, unknown>): CorruptSegmentError {
  return new CorruptSegmentError(`${what} is corrupt: ${why}`, { what, ...details });
}

function writeText(bytes: Uint8Array, offset: number, text: string): void {
  for (let at = 0; at < text.length; at++) bytes[offset + at] = text.charCodeAt(at);
}

/** NUL-padded ASCII. */
function readText(bytes: Uint8Array, offset: number, maxBytes: number): string {
  let text = "";
  for (let at = 0; at < maxBytes; at++) {
    const code = bytes[offset + at] ?? 0;
    if (code === 0) break;
    text += String.fromCharCode(code);
  }
  return text;
}
