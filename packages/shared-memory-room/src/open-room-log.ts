/** Opening and removing the segment of a room by name. */

import {
  attachAnonymousSegment,
  CorruptSegmentError,
  createAnonymousSegment,
  openOrCreateSegment,
  openSegment,
  removeSegment,
  type Segment,
} from "shared-memory-ringbuffer";
import { type RoomSegmentOptions, roomSegmentSpec } from "./room-segment.ts";
import { SharedMemoryRoomLog, type SharedMemoryRoomLogOptions } from "./shared-memory-room-log.ts";

export interface OpenRoomOptions extends SharedMemoryRoomLogOptions, RoomSegmentOptions {
  /** Make the segment if there is none. Default true. */
  readonly create?: boolean;
  /** Map it as a real SharedArrayBuffer where the start-up self-test allows. Default false: koffi's view. */
  readonly overlay?: boolean;
}

/**
 * Opens the room in the named segment. Throws SharedMemoryError: ERR_SHM_UNSUPPORTED, ERR_SHM_NAME, ERR_SHM_NOT_FOUND
 * (without `create`), ERR_SHM_NO_SPACE, ERR_SHM_PERMISSION, ERR_SHM_IN_USE (a stopped process holds the lock),
 * ERR_SHM_INCOMPATIBLE (not a room's segment), or CorruptSegmentError.
 */
export function openSharedMemoryRoomLog(name: string, options: OpenRoomOptions = {}): SharedMemoryRoomLog {
  const { create = true, overlay = false } = options;
  const spec = roomSegmentSpec(options);
  const segment = create ? openOrCreateSegment(name, spec, { overlay }) : openSegment(name, { overlay });
  return roomOn(segment, `shm://${name}`, options);
}

/** A room for the threads of one process; `buffer` is what the others pass to `attachThreadRoomLog`. */
export function createThreadRoomLog(options: OpenRoomOptions = {}): SharedMemoryRoomLog {
  return roomOn(createAnonymousSegment(roomSegmentSpec(options)), "shared memory of this process", options);
}

/** Takes part in another thread's room. Throws SharedMemoryError when the buffer holds none. */
export function attachThreadRoomLog(buffer: SharedArrayBuffer, options: OpenRoomOptions = {}): SharedMemoryRoomLog {
  return roomOn(attachAnonymousSegment(buffer), "shared memory of this process", options);
}

function roomOn(segment: Segment, label: string, options: OpenRoomOptions): SharedMemoryRoomLog {
  // Only the creator of a segment is ever the first user of its first slot.
  const isCreator = segment.me.slot === 0 && segment.me.generation === 0;
  const pid = segment.me.thread.pid;
  options.onTrace?.(
    isCreator ? "create" : "attach",
    `${label}, ${segment.capacityBytes} bytes, thread ${segment.me.thread.tid} of ${pid}`,
    Date.now(),
  );
  try {
    return new SharedMemoryRoomLog(segment, label, options);
  } catch (error) {
    // Not ours to remove: what can't be read here may be of use to somebody who looks into it.
    segment.close({ keep: true });
    if (!(error instanceof CorruptSegmentError)) throw error;
    throw new CorruptSegmentError(`${segment.path ?? label}: ${error.message}`, error.details);
  }
}

/** Removes the segment of a room that nobody uses. False: there was none. Throws ERR_SHM_IN_USE while somebody does. */
export function removeSharedMemoryRoom(name: string): boolean {
  return removeSegment(name);
}
