/**
 * The frames of a busy server, made and judged without decoding: a chat message costs what copying its bytes costs.
 *
 * - Gives the same bytes as `decode` and `encode` would; a test compares them.
 * - Whatever isn't plainly in order is left to those: they know how to say what is wrong.
 */

import type { Frame } from "./codec.ts";
import {
  CORRELATION_ID_OFFSET,
  EVENT_MESSAGE_ID_OFFSET,
  EVENT_ROOM_OFFSET,
  FLAGS_OFFSET,
  Flag,
  FrameType,
  HEADER_BYTES,
  LENGTH_FIELD_BYTES,
  MESSAGE_ID_BYTES,
  STRING_LENGTH_BYTES,
  TYPE_OFFSET,
  VERSION_OFFSET,
} from "./layout.ts";
import { PROTOCOL_VERSION } from "./limits.ts";
import type { Ack } from "./messages.ts";
import { FieldWriter, utf8Length, writeU64 } from "./wire.ts";

/** SEND's payload begins with the message id, then the room. */
const SEND_ROOM_OFFSET = HEADER_BYTES + MESSAGE_ID_BYTES;
/** Below this size a loop is quicker than a call of the decoder. */
const SHORT_TEXT_BYTES = 256;
const FIRST_NON_ASCII = 0x80;

const ACK_BYTES = HEADER_BYTES + 24;
const ACK_EPOCH_OFFSET = HEADER_BYTES;
const ACK_SEQ_OFFSET = HEADER_BYTES + 8;
const ACK_TIME_OFFSET = HEADER_BYTES + 16;

const strictDecoder = new TextDecoder("utf-8", { fatal: true });

/** `text` as a string field: two bytes of length, then UTF-8. */
export function stringField(text: string): Uint8Array {
  const writer = new FieldWriter(new Uint8Array(STRING_LENGTH_BYTES + utf8Length(text)));
  writer.string(text);
  return writer.bytes;
}

/** Whether the event is of the room whose name is `roomField`, a string field. */
export function isOfRoom(eventFrame: Uint8Array, roomField: Uint8Array): boolean {
  return hasFieldAt(eventFrame, EVENT_ROOM_OFFSET, roomField);
}

/**
 * The MESSAGE event, not logged yet, of a SEND frame: its bytes copied, the name put in. Undefined unless it is a SEND to the
 * room `roomField` with a text of 1 to `maxTextBytes` bytes of UTF-8.
 */
export function messageFromSend(
  frame: Frame,
  roomField: Uint8Array,
  nameField: Uint8Array,
  maxTextBytes: number,
): Uint8Array | undefined {
  const { bytes } = frame;
  if (frame.type !== FrameType.send || !hasFieldAt(bytes, SEND_ROOM_OFFSET, roomField)) return undefined;
  const textOffset = SEND_ROOM_OFFSET + roomField.length;
  if (textOffset + STRING_LENGTH_BYTES > bytes.length) return undefined;
  const textBytes = ((bytes[textOffset] as number) << 8) | (bytes[textOffset + 1] as number);
  const textEnd = textOffset + STRING_LENGTH_BYTES + textBytes;
  if (textBytes === 0 || textBytes > maxTextBytes || textEnd > bytes.length) return undefined;
  if (!isUtf8(bytes, textOffset + STRING_LENGTH_BYTES, textEnd)) return undefined;

  const nameOffset = EVENT_ROOM_OFFSET + roomField.length;
  const event = new Uint8Array(nameOffset + nameField.length + textEnd - textOffset);
  writeHeader(event, FrameType.message, 0, 0);
  event.set(bytes.subarray(HEADER_BYTES, textOffset), EVENT_MESSAGE_ID_OFFSET);
  event.set(nameField, nameOffset);
  event.set(bytes.subarray(textOffset, textEnd), nameOffset + nameField.length);
  return event;
}

/** What `encode` makes of an ACK. */
export function encodeAck(ack: Ack, correlationId: number): Uint8Array {
  const bytes = new Uint8Array(ACK_BYTES);
  const view = writeHeader(bytes, FrameType.ack, ack.duplicate ? Flag.ackDuplicate : 0, correlationId);
  writeU64(view, ACK_EPOCH_OFFSET, ack.position.epoch);
  writeU64(view, ACK_SEQ_OFFSET, ack.position.seq);
  writeU64(view, ACK_TIME_OFFSET, ack.timeMs);
  return bytes;
}

function writeHeader(bytes: Uint8Array, type: number, flags: number, correlationId: number): DataView {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(0, bytes.length - LENGTH_FIELD_BYTES);
  view.setUint8(VERSION_OFFSET, PROTOCOL_VERSION);
  view.setUint8(TYPE_OFFSET, type);
  view.setUint16(FLAGS_OFFSET, flags);
  view.setUint32(CORRELATION_ID_OFFSET, correlationId);
  return view;
}

/** False also if `bytes` end before the field does: what lies outside is undefined, which no byte is. */
function hasFieldAt(bytes: Uint8Array, offset: number, field: Uint8Array): boolean {
  for (let index = 0; index < field.length; index++) if (bytes[offset + index] !== field[index]) return false;
  return true;
}

function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let isAscii = end - start <= SHORT_TEXT_BYTES;
  for (let offset = start; isAscii && offset < end; offset++) {
    isAscii = (bytes[offset] as number) < FIRST_NON_ASCII;
  }
  if (isAscii) return true;
  try {
    strictDecoder.decode(bytes.subarray(start, end));
    return true;
  } catch {
    return false;
  }
}
