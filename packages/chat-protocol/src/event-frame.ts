/**
 * Event frames as records of a log: what a log fills in, and what it reads, without decoding the rest.
 *
 * - A sender encodes an event with position, prev and time 0; the log fills them in where the bytes lie.
 * - The same bytes go to every reader, in a segment and on a socket.
 */

import type { Frame } from "./codec.ts";
import { ProtocolError } from "./errors.ts";
import {
  CORRELATION_ID_OFFSET,
  DIRECT_ADDRESSEE_OFFSET,
  DIRECT_SENDER_OFFSET,
  EVENT_EPOCH_OFFSET,
  EVENT_MESSAGE_ID_OFFSET,
  EVENT_PREV_OFFSET,
  EVENT_ROOM_OFFSET,
  EVENT_SEQ_OFFSET,
  EVENT_TIME_OFFSET,
  FIRST_EVENT_TYPE,
  FrameType,
  HEADER_BYTES,
  LAST_EVENT_TYPE,
  LENGTH_FIELD_BYTES,
  LENGTH_OFFSET,
  MESSAGE_ID_BYTES,
  MIN_LENGTH,
  SESSION_ID_BYTES,
  STRING_LENGTH_BYTES,
  TYPE_OFFSET,
} from "./layout.ts";
import type { MessageId, Position, SessionId } from "./messages.ts";
import { FieldReader, writeU64 } from "./wire.ts";

/** What the log decides about an event. */
export interface LogFields {
  readonly position: Position;
  readonly prev: number;
  readonly timeMs: number;
}

/** Position, prev and time of an event that no log has taken yet. */
export const NOT_YET_LOGGED: LogFields = { position: { epoch: 0, seq: 0 }, prev: 0, timeMs: 0 };

export function isEventType(type: number): boolean {
  return type >= FIRST_EVENT_TYPE && type <= LAST_EVENT_TYPE;
}

/** Throws ProtocolError MALFORMED unless `bytes` is one whole event frame with all its fixed fields. */
export function assertEventFrame(bytes: Uint8Array): void {
  const view = viewOf(bytes);
  const whole =
    bytes.length >= EVENT_ROOM_OFFSET + STRING_LENGTH_BYTES && view.getUint32(0) + LENGTH_FIELD_BYTES === bytes.length;
  if (!whole || !isEventType(bytes[TYPE_OFFSET] as number)) {
    throw new ProtocolError("MALFORMED", `${bytes.length} bytes are no whole event frame`);
  }
}

/**
 * Fills in the log's fields of the event frame that starts at `offset` of `bytes`, and touches nothing else.
 * Throws ProtocolError MALFORMED when the fields pass the end or a value has no encoding.
 */
export function patchEvent(bytes: Uint8Array, offset: number, fields: LogFields): void {
  if (offset + EVENT_MESSAGE_ID_OFFSET > bytes.length) {
    throw new ProtocolError("MALFORMED", `${bytes.length} bytes hold no event frame at ${offset}`);
  }
  const view = viewOf(bytes);
  writeU64(view, offset + EVENT_EPOCH_OFFSET, fields.position.epoch);
  writeU64(view, offset + EVENT_SEQ_OFFSET, fields.position.seq);
  writeU64(view, offset + EVENT_PREV_OFFSET, fields.prev);
  writeU64(view, offset + EVENT_TIME_OFFSET, fields.timeMs);
}

/** The log's fields of an event frame that starts at `offset` of `bytes`. */
export function logFieldsOf(bytes: Uint8Array, offset = 0): LogFields {
  const reader = new FieldReader(bytes, offset + EVENT_EPOCH_OFFSET);
  return { position: { epoch: reader.u64(), seq: reader.u64() }, prev: reader.u64(), timeMs: reader.u64() };
}

export function messageIdOf(eventFrame: Uint8Array): MessageId {
  return new FieldReader(eventFrame, EVENT_MESSAGE_ID_OFFSET).fixed(MESSAGE_ID_BYTES);
}

/** Puts the message id of an event frame into `words` as four numbers of 32 bits: for indexes that want no strings. */
export function messageIdWordsOf(eventFrame: Uint8Array, words: Uint32Array): void {
  for (let word = 0; word < words.length; word++) {
    const offset = EVENT_MESSAGE_ID_OFFSET + Uint32Array.BYTES_PER_ELEMENT * word;
    words[word] =
      ((eventFrame[offset] as number) << 24) |
      ((eventFrame[offset + 1] as number) << 16) |
      ((eventFrame[offset + 2] as number) << 8) |
      (eventFrame[offset + 3] as number);
  }
}

export function isMessageFrame(eventFrame: Uint8Array): boolean {
  return eventFrame[TYPE_OFFSET] === FrameType.message;
}

/** Whose a DIRECT is: the sessions of its sender and its addressee. */
export function directPartiesOf(eventFrame: Uint8Array): {
  readonly senderId: SessionId;
  readonly addresseeId: SessionId;
} {
  return {
    senderId: new FieldReader(eventFrame, DIRECT_SENDER_OFFSET).fixed(SESSION_ID_BYTES),
    addresseeId: new FieldReader(eventFrame, DIRECT_ADDRESSEE_OFFSET).fixed(SESSION_ID_BYTES),
  };
}

/**
 * The stream whose history an event belongs to: a MESSAGE to its room's, a DIRECT to its addressee's. Undefined: to none, for
 * it isn't kept (joining, leaving, being renamed are in the order of events, but are not replayed).
 */
export function streamOf(eventFrame: Uint8Array): string | undefined {
  switch (eventFrame[TYPE_OFFSET]) {
    case FrameType.message:
      return roomOf(eventFrame);
    case FrameType.direct:
      return directStream(directPartiesOf(eventFrame).addresseeId);
    default:
      return undefined;
  }
}

/** The stream of what is said to one session alone. No room's name begins with a control character. */
export function directStream(sessionId: SessionId): string {
  return `\u0000${sessionId}`;
}

/** A copy of `eventFrame` with a correlation id: part of the answer to a request. */
export function answeringFrame(eventFrame: Uint8Array, correlationId: number): Uint8Array {
  const copy = eventFrame.slice();
  viewOf(copy).setUint32(CORRELATION_ID_OFFSET, correlationId);
  return copy;
}

export function roomOf(eventFrame: Uint8Array): string {
  return new FieldReader(eventFrame, EVENT_ROOM_OFFSET).string();
}

/**
 * Calls `onFrame` for each of the whole frames that lie one after the other in `bytes`.
 * Throws ProtocolError MALFORMED at the first that isn't whole.
 */
export function splitFrames(bytes: Uint8Array, onFrame: (frame: Uint8Array) => void): void {
  const view = viewOf(bytes);
  let offset = 0;
  while (offset < bytes.length) {
    const header = offset + HEADER_BYTES <= bytes.length;
    const length = header ? view.getUint32(offset + LENGTH_OFFSET) : 0;
    const end = offset + LENGTH_FIELD_BYTES + length;
    if (length < MIN_LENGTH || end > bytes.length) {
      throw new ProtocolError("MALFORMED", `no whole frame at ${offset} of ${bytes.length} bytes`);
    }
    onFrame(bytes.subarray(offset, end));
    offset = end;
  }
}

export function isEventFrame(frame: Frame): boolean {
  return isEventType(frame.type);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
