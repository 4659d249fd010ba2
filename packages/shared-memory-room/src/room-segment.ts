/** What a room's segment holds: the log of its events, the roster of its names, and who is in which room. */

import { formatLog, logRegionSizeBytes, type SegmentSpec } from "shared-memory-ringbuffer";
import { formatPlaces, PLACES_A_NAME, placesRegionSizeBytes } from "./places-table.ts";
import { DEFAULT_ROSTER_SLOTS, rosterRegionSizeBytes } from "./roster-layout.ts";
import { formatRoster } from "./roster-table.ts";

export const LOG_OBJECT = "log";
export const ROSTER_OBJECT = "roster";
export const PLACES_OBJECT = "places";

/** Some 30,000 messages of usual length. */
export const DEFAULT_LOG_CAPACITY_BYTES: number = 4 * 1024 * 1024;

export interface RoomSegmentOptions {
  /** Bytes of events that are retained: a power of two, at least 256 KiB for messages of every allowed length. Default 4 MiB. */
  readonly capacityBytes?: number;
  /** How many names can be held at once. Default 1024. */
  readonly rosterSlots?: number;
}

/** The layout of a new room segment. Throws ArgumentError for a capacity that is no power of two. */
export function roomSegmentSpec(options: RoomSegmentOptions = {}): SegmentSpec {
  const { capacityBytes = DEFAULT_LOG_CAPACITY_BYTES, rosterSlots = DEFAULT_ROSTER_SLOTS } = options;
  return {
    objects: {
      [LOG_OBJECT]: {
        kind: "log",
        sizeBytes: logRegionSizeBytes(capacityBytes),
        format: (region) => formatLog(region),
      },
      [ROSTER_OBJECT]: { kind: "region", sizeBytes: rosterRegionSizeBytes(rosterSlots), format: formatRoster },
      [PLACES_OBJECT]: {
        kind: "region",
        sizeBytes: placesRegionSizeBytes(PLACES_A_NAME * rosterSlots),
        format: formatPlaces,
      },
    },
  };
}
