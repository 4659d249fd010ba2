/**
 * Byte layout of what the SPSC ring, the MPSC ring and the shared log keep in their regions: the only file that knows an offset.
 *
 * - All offsets are bytes from the start of the region; all words are in the machine's byte order.
 * - A record is contiguous: what would cross the end of the data area starts at its beginning instead, and a padding
 *   record fills the rest.
 * - Words that different sides write lie on different 128-byte lines, so that one side's store doesn't take the line
 *   of the other's away.
 *
 * Ring: positions are unsigned 32-bit byte counts that wrap; position modulo capacity is the offset in the data.
 *
 *     0     format u32 | capacity u32                              written once
 *     128   tail u32 | waits u32 | wakes u32                       written by the producer
 *     256   head u32 | waits u32 | wakes u32                       written by the consumer
 *     384   consumer's signal u32 (awake, parked, closed, armed)   read by the producer after each publish
 *     512   producer's signal u32 (as the consumer's)             read by the consumer after each release
 *     640   data, capacity bytes
 *
 *     record, 8-aligned   | length i32 | unused 4 | payload, length bytes | 0..7 unused |
 *
 *     A negative length marks padding, and is the one's complement of its length: one word a record is written and read
 *     instead of two, which is a tenth of what a small record costs.
 *
 * MPSC ring: positions are 64-bit byte counts below 2^53 that never wrap; position modulo capacity is the offset in the data.
 *
 *     0     format u32 | capacity u32                              written once
 *     128   tail u64                                               advanced by whoever sees a claim that starts there
 *     256   head u64 | release u64 | waits u32 | wakes u32         written by the consumer
 *     384   consumer's signal u32 (awake, parked, closed, armed)   read by producers after each commit
 *     512   room u32: parked 1, armed 2, then a count of wakes     written by producers that wait, and by the consumer
 *     516   ended u32: 1 after a producer said that nothing more will come
 *     640   data, capacity bytes
 *
 *     record, 8-aligned   | size u32 | state u32 | payload | 0..7 unused |
 *
 *     free       | lap: position / capacity, low 32 bits | 0 |              at every multiple of 8 that isn't claimed
 *     claimed    | size, header included | 2^31 + lock word of claimer |    by a compare-and-swap of all 64 bits
 *     padding    | size, header included | 1 |
 *     committed  | size, header included | 2 + length of the payload |
 *
 * Log: positions are 64-bit byte counts below 2^53 that never wrap; a record's position is where it ends.
 *
 *     0     format u32 | capacity u32 | seal u32                   written once
 *     12    gates u32: times that a reader began to gate           written under the mutex
 *     128   oldest u64                                             start of the oldest retained record
 *     256   tail u64                                               end of the newest published record
 *     384   data, capacity bytes
 *
 *     record, 16-aligned  | length u32 | kind xor seal u32 | position low u32 | high u32 | payload | 0..15 unused |
 *
 * The seal is random for each formatted log and never leaves the segment: bytes in a payload that imitate a header are
 * not taken for one when a reader is asked to start at a position that is no record's.
 */

export const KIND_DATA = 0x4441;
export const KIND_PADDING = 0x5041;

/** "RNG", "MPS" and "LOG" with the layout's version in the last byte. */
export const RING_FORMAT = 0x524e4701;
export const MPSC_FORMAT = 0x4d505301;
export const LOG_FORMAT = 0x4c4f4701;

/** Positions and words of 32 bits allow a data area of at most 1 GiB, so that differences keep their sign. */
export const MAX_CAPACITY_BYTES: number = 2 ** 30;
export const MIN_CAPACITY_BYTES = 256;

export const FORMAT_OFFSET = 0;
export const CAPACITY_OFFSET = 4;

export const RING_TAIL_OFFSET = 128;
export const RING_PRODUCER_WAITS_OFFSET = 132;
export const RING_PRODUCER_WAKES_OFFSET = 136;
export const RING_HEAD_OFFSET = 256;
export const RING_CONSUMER_WAITS_OFFSET = 260;
export const RING_CONSUMER_WAKES_OFFSET = 264;
export const RING_CONSUMER_SIGNAL_OFFSET = 384;
export const RING_PRODUCER_SIGNAL_OFFSET = 512;
export const RING_DATA_OFFSET = 640;

export const RING_RECORD_HEADER_BYTES = 8;
export const RING_RECORD_ALIGNMENT_BYTES = 8;

/** What a side of a ring tells the other through its signal word. */
export const SIGNAL_AWAKE = 0;
export const SIGNAL_PARKED = 1;
export const SIGNAL_CLOSED = 2;
export const SIGNAL_ARMED = 3;

export const MPSC_TAIL_OFFSET = 128;
export const MPSC_HEAD_OFFSET = 256;
export const MPSC_RELEASE_OFFSET = 264;
export const MPSC_WAITS_OFFSET = 272;
export const MPSC_WAKES_OFFSET = 276;
export const MPSC_CONSUMER_SIGNAL_OFFSET = 384;
export const MPSC_ROOM_OFFSET = 512;
export const MPSC_ENDED_OFFSET = 516;
export const MPSC_DATA_OFFSET = 640;

export const MPSC_RECORD_HEADER_BYTES = 8;
export const MPSC_RECORD_ALIGNMENT_BYTES = 8;

/** State word of a record's header. Negative: claimed, by the participant that the other bits name as a lock word does. */
export const MPSC_FREE = 0;
export const MPSC_PADDING = 1;
export const MPSC_COMMITTED = 2;
export const MPSC_CLAIMED: number = 1 << 31;

export const ROOM_PARKED = 1;
export const ROOM_ARMED = 2;
/** Added by each wake, so that a sleeper sees one that came before it slept. */
export const ROOM_WAKE = 4;

export const LOG_SEAL_OFFSET = 8;
export const LOG_GATES_OFFSET = 12;
export const LOG_OLDEST_OFFSET = 128;
export const LOG_TAIL_OFFSET = 256;
export const LOG_DATA_OFFSET = 384;

export const LOG_RECORD_HEADER_BYTES = 16;
export const LOG_RECORD_ALIGNMENT_BYTES = 16;

/** Bytes that a log record with a payload of `lengthBytes` takes. */
export function logRecordBytes(lengthBytes: number): number {
  return (lengthBytes + LOG_RECORD_HEADER_BYTES + LOG_RECORD_ALIGNMENT_BYTES - 1) & -LOG_RECORD_ALIGNMENT_BYTES;
}

/** The largest power of two that leaves room for `headerBytes` in a region of `sizeBytes`, or 0 if none is allowed. */
export function capacityWithin(sizeBytes: number, headerBytes: number): number {
  const room = Math.min(sizeBytes - headerBytes, MAX_CAPACITY_BYTES);
  return room < MIN_CAPACITY_BYTES ? 0 : 2 ** Math.floor(Math.log2(room));
}

/** Whether a capacity read from shared memory is one that this layout allows in a region of `sizeBytes`. */
export function isCapacity(capacityBytes: number, sizeBytes: number, headerBytes: number): boolean {
  return (
    capacityBytes >= MIN_CAPACITY_BYTES &&
    capacityBytes <= Math.min(MAX_CAPACITY_BYTES, sizeBytes - headerBytes) &&
    (capacityBytes & (capacityBytes - 1)) === 0
  );
}
