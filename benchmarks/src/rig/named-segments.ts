/** What the rig itself needs of named segments: whether they work here, and removing what a killed process left. */
import { createSegment, removeSegment } from "shared-memory-ringbuffer";

const PROBE_SLOTS = 1;

/** Makes a segment of `sizeBytes` and removes it. Answers why that can't be done; null when it can. */
export function whyNoNamedSegments(name: string, sizeBytes: number): string | null {
  try {
    createSegment(name, { objects: { probe: { kind: "region", sizeBytes } }, participantSlots: PROBE_SLOTS }).close();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Removes a segment whose participants were killed, with their pipes. Nothing there is fine. */
export function removeNamedSegment(name: string): void {
  try {
    removeSegment(name, { force: true });
  } catch {
    // Named segments don't work here, so there is none.
  }
}
