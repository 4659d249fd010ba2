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
/** DIRECT belongs to no room: its room is empty, and both sessions lie at fixed offsets behind it. */
export const DIRECT_SENDER_OFFSET = 62;
export const DIRECT_ADDRESSEE_OFFSET = 78;
/** TAKEOVER belongs to no room either. */
export const TAKEOVER_SESSION_OFFSET = 62;

export const MESSAGE_ID_BYTES = 16;
export const SESSION_ID_BYTES = 16;
export const STRING_LENGTH_BYTES = 2;

/** The number of each frame type on the wire. 0x40 and up are events, all but PRESENCE records of the log. */
export const FrameType = {
  hello: 0x01,
  welcome: 0x02,
  ping: 0x03,
  pong: 0x04,
  quit: 0x05,
  disconnect: 0x06,
  goingAway: 0x07,
  ack: 0x10,
  error: 0x11,
  named: 0x12,
  people: 0x13,
  end: 0x14,
  isTyping: 0x15,
  send: 0x20,
  join: 0x21,
  leave: 0x22,
  sendDirect: 0x23,
  rename: 0x24,
  who: 0x25,
  history: 0x26,
  typing: 0x27,
  message: 0x40,
  joined: 0x41,
  left: 0x42,
  renamed: 0x43,
  presence: 0x44,
  direct: 0x45,
  takeover: 0x46,
} as const;

export type FrameTypeName = keyof typeof FrameType;

export const FIRST_EVENT_TYPE = 0x40;
export const LAST_EVENT_TYPE = 0x7f;

/** Flag bits, each the property of one frame type. An unknown bit is ignored. */
export const Flag = {
  /** HELLO: a token follows the name. */
  helloToken: 0x0001,
  /** HELLO: what is needed to resume follows. */
  helloResume: 0x0002,
  /** WELCOME: what is needed to resume later follows. */
  welcomeResumable: 0x0001,
  /** WELCOME: the rooms in which the session went on follow. */
  welcomeResumed: 0x0002,
  /** NAMED: a new resume token follows. */
  namedResumeToken: 0x0001,
  /** END: there are earlier events. */
  endMore: 0x0001,
  /** ACK: the message id was known; the position is that of the first time. */
  ackDuplicate: 0x0001,
  /** ERROR: the same request may succeed later. */
  errorTemporary: 0x0001,
  /** DISCONNECT: the client may reconnect. */
  disconnectTemporary: 0x0001,
} as const;
