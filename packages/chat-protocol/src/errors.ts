/**
 * Every code that a peer can be told, and the one error class this package throws.
 *
 * - An ERROR answers one request and the connection lives; a DISCONNECT is the last frame of a connection.
 * - Numbers are part of the protocol: never reused, only added.
 */

export interface CodeEntry {
  readonly code: number;
  /** For ERROR: the same request may succeed later. For DISCONNECT: the client may reconnect. */
  readonly temporary: boolean;
  readonly meaning: string;
}

export const ErrorCode = {
  MALFORMED: { code: 1, temporary: false, meaning: "the frame's payload can't be decoded as its type" },
  UNKNOWN_TYPE: { code: 2, temporary: false, meaning: "the frame's type is not known here" },
  UNSUPPORTED_PROTOCOL: { code: 3, temporary: false, meaning: "no protocol version in the offered range is spoken" },
  HELLO_REQUIRED: { code: 4, temporary: false, meaning: "the first request must be HELLO" },
  ALREADY_WELCOMED: { code: 5, temporary: false, meaning: "HELLO was answered before on this connection" },
  NAME_TAKEN: { code: 6, temporary: false, meaning: "somebody here has that name" },
  NAME_INVALID: { code: 7, temporary: false, meaning: "the name is empty or has characters that names can't have" },
  NAME_TOO_LONG: { code: 8, temporary: false, meaning: "the name is longer than the limit" },
  TEXT_TOO_LONG: { code: 9, temporary: false, meaning: "the text is longer than the limit" },
  TEXT_EMPTY: { code: 10, temporary: false, meaning: "the text is empty" },
  NOT_IN_ROOM: { code: 11, temporary: false, meaning: "the sender is not in that room" },
  SERVER_FULL: { code: 12, temporary: true, meaning: "as many people as allowed are here" },
  OVERLOADED: { code: 13, temporary: true, meaning: "the log's queue is full" },
  LOG_UNAVAILABLE: { code: 14, temporary: true, meaning: "the log can't take the message now" },
  INTERNAL: { code: 15, temporary: true, meaning: "a fault on the other side" },
  RATE_LIMITED: {
    code: 16,
    temporary: true,
    meaning: "more requests in a second than are allowed; this one was not done",
  },
  LOGIN_REQUIRED: { code: 17, temporary: false, meaning: "nobody gets in here without a token" },
  LOGIN_FAILED: { code: 18, temporary: false, meaning: "the token doesn't belong to that name" },
  ROOM_INVALID: {
    code: 19,
    temporary: false,
    meaning: "the room's name is empty, too long or has characters it can't have",
  },
  ROOM_FULL: { code: 20, temporary: true, meaning: "as many people as allowed are in that room" },
  TOO_MANY_ROOMS: {
    code: 21,
    temporary: false,
    meaning: "the session is in as many rooms as allowed; leave one first",
  },
  NO_SUCH_NAME: { code: 22, temporary: false, meaning: "nobody here has that name" },
  BAD_TOKEN: {
    code: 23,
    temporary: false,
    meaning: "the resume token is not one that was given for this session and name",
  },
} as const;

export type ErrorCodeName = keyof typeof ErrorCode;

export const DisconnectCode = {
  BYE: { code: 1, temporary: false, meaning: "the answer to QUIT" },
  PROTOCOL_ERROR: { code: 2, temporary: false, meaning: "bytes that are no frame of this protocol" },
  FRAME_TOO_LARGE: { code: 3, temporary: false, meaning: "a length above the limit was announced" },
  HANDSHAKE_TIMEOUT: { code: 4, temporary: true, meaning: "no complete HELLO in time" },
  SLOW_CONSUMER: { code: 5, temporary: true, meaning: "the client read too slowly; events were not kept for it" },
  SHUTTING_DOWN: { code: 6, temporary: true, meaning: "the server stops" },
  LOG_LOST: { code: 7, temporary: true, meaning: "the log was lost or overtook this reader; position is gone" },
  HEARTBEAT_TIMEOUT: { code: 8, temporary: true, meaning: "nothing was heard for too long" },
  REPLACED: { code: 9, temporary: false, meaning: "the session goes on over another connection" },
  RATE_LIMITED: { code: 10, temporary: true, meaning: "far too many requests in a short time" },
  TOO_MANY_CONNECTIONS: { code: 11, temporary: true, meaning: "as many connections as allowed are open" },
} as const;

export type DisconnectCodeName = keyof typeof DisconnectCode;

/** Name of an ERROR's or DISCONNECT's number, or `UNKNOWN(n)`: a newer peer may use codes not known here. */
export function nameOfCode(table: Readonly<Record<string, CodeEntry>>, code: number): string {
  for (const [name, entry] of Object.entries(table)) if (entry.code === code) return name;
  return `UNKNOWN(${code})`;
}

/**
 * Bytes that are no frame, or a value that can't be put into one.
 * `fatal` says that the byte stream can't be followed any further, so that the connection has to end.
 */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: ErrorCodeName | DisconnectCodeName;
  readonly fatal: boolean;

  constructor(code: ErrorCodeName | DisconnectCodeName, message: string, fatal = false) {
    super(message);
    this.code = code;
    this.fatal = fatal;
  }
}
