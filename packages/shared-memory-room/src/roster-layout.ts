/**
 * Byte layout of the roster region: the only file that knows an offset of it. Words are in the machine's byte order,
 * offsets are bytes from the start of the region (header) or of a slot.
 *
 *     0     format u32 | slots u32                                 written once
 *     16    key of the resume tokens, 32 random bytes               written once
 *     128   read mark u64                                          seq of the newest event that a reader has shown
 *     136   keep mark u64                                          seq up to which the segment outlives its users unread
 *     256   slots of 256 bytes
 *
 *     slot  0    state u32 (free, held)       one atomic store commits or frees the slot
 *           4    participant's slot u32 | its generation u32
 *           12   bytes of the name u32
 *           16   session id, 16 bytes
 *           32   SHA-256 of the folded name, 32 bytes: equal for names that count as the same
 *           64   lease u32 (counts the session's claims) | grace in ms u32
 *           72   held until u64, ms of Unix time: for a name without a participant
 *           80   name, at most 176 bytes of UTF-8
 *
 * Everything but the two marks, which only rise, is written under the segment's mutex. The digest stands for the folded name because
 * folding can make a name many times longer.
 */

/** "RST" with the layout's version in the last byte. */
export const ROSTER_FORMAT = 0x52535402;

export const FORMAT_OFFSET = 0;
export const SLOTS_OFFSET = 4;
export const RESUME_KEY_OFFSET = 16;
export const RESUME_KEY_BYTES = 32;
export const READ_MARK_OFFSET = 128;
export const KEEP_MARK_OFFSET = 136;
export const ROSTER_HEADER_BYTES = 256;

export const STATE_OFFSET = 0;
export const PARTICIPANT_SLOT_OFFSET = 4;
export const PARTICIPANT_GENERATION_OFFSET = 8;
export const NAME_BYTES_OFFSET = 12;
export const SESSION_ID_OFFSET = 16;
export const SESSION_ID_BYTES = 16;
export const DIGEST_OFFSET = 32;
export const DIGEST_ALGORITHM = "sha256";
export const DIGEST_BYTES = 32;
export const LEASE_OFFSET = 64;
export const GRACE_MS_OFFSET = 68;
export const HELD_UNTIL_OFFSET = 72;
export const NAME_OFFSET = 80;

/** In place of a participant's slot: it died, and its names are held until their grace is over. */
export const NO_PARTICIPANT = -1;
export const ROSTER_SLOT_BYTES = 256;

export const MAX_NAME_BYTES: number = ROSTER_SLOT_BYTES - NAME_OFFSET;

export const STATE_FREE = 0;
export const STATE_HELD = 1;

/** How many names a room segment has place for unless told otherwise. */
export const DEFAULT_ROSTER_SLOTS = 1024;

/** The size of a region for `slots` names. */
export function rosterRegionSizeBytes(slots: number): number {
  return ROSTER_HEADER_BYTES + slots * ROSTER_SLOT_BYTES;
}
