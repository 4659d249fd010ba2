/**
 * The memory that every structure of this package works on, whatever it is backed by.
 *
 * - A `SharedMemory` is one block of bytes shared by threads or processes, with typed views over all of it.
 * - A `Region` is a part of it that one structure (ring, log, table) owns; offsets in a structure are relative to it.
 * - Nothing here allocates shared memory: `segment.ts` does.
 */

/** One block of shared bytes and the views over all of it. Offsets into `bytes` are bytes, into `i32` are words. */
export interface SharedMemory {
  /** A SharedArrayBuffer (threads, or the overlay on a mapping) or the ArrayBuffer view of a named mapping. */
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  readonly bytes: Uint8Array;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;
}

/** A part of a shared memory that one structure owns. */
export interface Region {
  readonly memory: SharedMemory;
  /** Start of the region in the memory, a multiple of {@link REGION_ALIGNMENT_BYTES}. */
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** Two cache lines: neighbours on x86 are fetched in pairs, and Apple's arm64 has lines of 128 bytes. */
export const REGION_ALIGNMENT_BYTES = 128;

/** Typed views over the whole of `buffer`, whose length must be a multiple of 8. */
export function sharedMemoryOver(buffer: ArrayBuffer | SharedArrayBuffer): SharedMemory {
  return {
    buffer,
    bytes: new Uint8Array(buffer),
    i32: new Int32Array(buffer),
    i64: new BigInt64Array(buffer),
  };
}
