/** The sizes that keep memory bounded: a peer's announcement of more is refused before anything is allocated. */

/** The one protocol version spoken so far. HELLO offers a range, WELCOME names the choice. */
export const PROTOCOL_VERSION = 1;

export interface Limits {
  /** Longest frame on the wire, its length field included. */
  readonly maxFrameBytes: number;
  /** Longest chat text, in bytes of UTF-8. */
  readonly maxTextBytes: number;
  /** Longest name of a person, in bytes of UTF-8. */
  readonly maxNameBytes: number;
  /** Longest name of a room, in bytes of UTF-8. */
  readonly maxRoomNameBytes: number;
}

/** What a server advertises in WELCOME unless it was told otherwise. */
export const DEFAULT_LIMITS: Limits = {
  maxFrameBytes: 64 * 1024,
  maxTextBytes: 4 * 1024,
  maxNameBytes: 32,
  maxRoomNameBytes: 64,
};

/** No server may advertise longer frames: a frame has to begin with a zero byte, and a client's memory has to be bounded. */
export const FRAME_BYTES_CEILING: number = 2 ** 24 - 1;

/** What HELLO's and WELCOME's capabilities may say; both sides ignore bits they don't know. */
export const Capability = {
  /** The client may resume: when its connection is lost, its name and its places in rooms are held for WELCOME's graceMs. */
  resume: 0x0000_0001,
} as const;

/** The most events that one page of history holds. */
export const MAX_HISTORY_PAGE = 500;

/** The room that everybody enters with WELCOME. */
export const DEFAULT_ROOM = "lobby";
