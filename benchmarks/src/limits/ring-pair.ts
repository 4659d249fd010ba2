/** The segment of two rings, one each way, that is measured: floor.c has the same two. */
import { formatRing, ringRegionSizeBytes, type SegmentSpec } from "shared-memory-ringbuffer";
import { RING_BYTES } from "./figures.ts";

const RING = { kind: "ring", sizeBytes: ringRegionSizeBytes(RING_BYTES), format: formatRing } as const;

export const RING_PAIR: SegmentSpec = { objects: { there: RING, back: RING }, participantSlots: 4 };
