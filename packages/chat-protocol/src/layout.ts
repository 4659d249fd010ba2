/**
 * The byte layout of a frame and of the fields that all events begin with. Everything is big-endian.
 *
 * ```
 *  0               4       5       6               8              12
 *  +---------------+-------+-------+---------------+---------------+------------ - -
 *  | length u32    |version| type  | flags u16     | correlation   | payload
 *  |               |  u8   |  u8   |               | id u32        |
 *  +---------------+-------+-------+---------------+---------------+------------ - -
 *   `length` counts the bytes after itself: 8 + payload
 *
 *  an event's payload begins with fields at fixed offsets, so that a log can fill in four of them in place:
 *
 *  12         20         28         36         44                  60
 *  +----------+----------+----------+----------+-------------------+---------+------ - -
 *  | epoch u64| seq u64  | prev u64 | time u64 | message id        | room    | the event's
 *  |          |          |          | ms, Unix | 16 bytes          | string  | own fields
 *  +----------+----------+----------+----------+-------------------+---------+------ - -
 * ```
 *
 * A string is a u16 count of bytes, then that many bytes of UTF-8. A u64 holds at most 2^53 - 1.
 */

export const LENGTH_OFFSET = 0;
export const LENGTH_FIELD_BYTES = 4;
export const VERSION_OFFSET = 4;
export const TYPE_OFFSET = 5;
export const FLAGS_OFFSET = 6;
export const CORRELATION_ID_OFFSET = 8;
export const HEADER_BYTES = 12;

/** The least that a length field may hold: the rest of the header. */
export const MIN_LENGTH: number = HEADER_BYTES - LENGTH_FIELD_BYTES;

export const EVENT_EPOCH_OFFSET = 12;
export const EVENT_SEQ_OFFSET = 20;
export const EVENT_PREV_OFFSET = 28;
export const EVENT_TIME_OFFSET = 36;
export const EVENT_MESSAGE_ID_OFFSET = 44;
export const EVENT_ROOM_OFFSET = 60;

export const MESSAGE_ID_BYTES = 16;
export const SESSION_ID_BYTES = 16;
export const STRING_LENGTH_BYTES = 2;

/** The number of each frame type on the wire. 0x40 and up are events, which are records of the log. */
export const FrameType = {
  hello: 0x01,
  welcome: 0x02,
  ping: 0x03,
  pong: 0x04,
  quit: 0x05,
  disconnect: 0x06,
  ack: 0x10,
  error: 0x11,
  send: 0x20,
  message: 0x40,
  joined: 0x41,
  left: 0x42,
} as const;

export type FrameTypeName = keyof typeof FrameType;

export const FIRST_EVENT_TYPE = 0x40;
export const LAST_EVENT_TYPE = 0x7f;

/** Flag bits, each the property of one frame type. An unknown bit is ignored. */
export const Flag = {
  /** HELLO: a token follows the name. */
  helloToken: 0x0001,
  /** ACK: the message id was known; the position is that of the first time. */
  ackDuplicate: 0x0001,
  /** ERROR: the same request may succeed later. */
  errorTemporary: 0x0001,
  /** DISCONNECT: the client may reconnect. */
  disconnectTemporary: 0x0001,
} as const;
