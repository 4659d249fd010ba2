/**
 * Messages to frames and back.
 *
 * - Fields are positional; new ones are only appended, so that trailing bytes are ignored.
 * - Optional fields are announced by flag bits.
 * - `decode` gives every field or throws ProtocolError; it never reads outside the frame.
 */

import { ProtocolError } from "./errors.ts";
import {
  Flag,
  FrameType,
  type FrameTypeName,
  HEADER_BYTES,
  LENGTH_FIELD_BYTES,
  MESSAGE_ID_BYTES,
  SESSION_ID_BYTES,
  STRING_LENGTH_BYTES,
} from "./layout.ts";
import { PROTOCOL_VERSION } from "./limits.ts";
import { type EventFields, LEFT_REASONS, type Message, UNKNOWN_LEFT_REASON } from "./messages.ts";
import { FieldReader, FieldWriter, utf8Length } from "./wire.ts";

/** A frame's header fields and where its payload lies. `bytes` is the whole frame, header included. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly version: number;
  readonly type: number;
  readonly flags: number;
  readonly correlationId: number;
}

/** Largest sum of a message's fixed-size payload fields; WELCOME has it. */
const MAX_FIXED_FIELDS_BYTES = 96;

const typeNames = new Map<number, FrameTypeName>(
  Object.entries(FrameType).map(([name, number]) => [number, name as FrameTypeName]),
);

/** The name of a type number, `undefined` for one not known here. */
export function frameTypeName(type: number): FrameTypeName | undefined {
  return typeNames.get(type);
}

/**
 * One whole frame. `correlationId` ties a reply to its request; 0 for what nobody asked for.
 * Throws ProtocolError MALFORMED for a value that has no encoding (a string above 65,535 bytes, a bad id, a number
 * outside its field's range). Limits are the session's business: a frame may be longer than a peer takes.
 */
export function encode(message: Message, correlationId = 0): Uint8Array {
  const writer = new FieldWriter(
    new Uint8Array(HEADER_BYTES + MAX_FIXED_FIELDS_BYTES + stringBytes(message)),
    HEADER_BYTES,
  );
  const flags = writePayload(writer, message);
  const sizeBytes = writer.offset;
  writer.offset = 0;
  writer.u32(sizeBytes - LENGTH_FIELD_BYTES);
  writer.u8(PROTOCOL_VERSION);
  writer.u8(FrameType[message.type]);
  writer.u16(flags);
  writer.u32(correlationId);
  return writer.bytes.subarray(0, sizeBytes);
}

function stringBytes(message: Message): number {
  let bytes = 0;
  for (const value of Object.values(message)) {
    if (typeof value === "string") bytes += STRING_LENGTH_BYTES + utf8Length(value);
  }
  return bytes;
}

function writeEventFields(writer: FieldWriter, event: EventFields): void {
  writer.u64(event.position.epoch);
  writer.u64(event.position.seq);
  writer.u64(event.prev);
  writer.u64(event.timeMs);
  writer.fixed(event.messageId, MESSAGE_ID_BYTES);
  writer.string(event.room);
}

/** Writes the payload and returns the flags. */
function writePayload(writer: FieldWriter, message: Message): number {
  switch (message.type) {
    case "hello":
      writer.u8(message.protocolMin);
      writer.u8(message.protocolMax);
      writer.u32(message.capabilities);
      writer.string(message.client);
      writer.string(message.name);
      if (message.token === undefined) return 0;
      writer.string(message.token);
      return Flag.helloToken;
    case "welcome":
      writer.u8(message.protocol);
      writer.u32(message.capabilities);
      writer.fixed(message.sessionId, SESSION_ID_BYTES);
      writer.u32(message.heartbeatMs);
      writer.u32(message.limits.maxFrameBytes);
      writer.u32(message.limits.maxTextBytes);
      writer.u32(message.limits.maxNameBytes);
      writer.u32(message.limits.maxRoomNameBytes);
      writer.u64(message.position.epoch);
      writer.u64(message.position.seq);
      writer.string(message.room);
      writer.string(message.name);
      return 0;
    case "ping":
    case "pong":
    case "quit":
      return 0;
    case "disconnect":
      writer.u16(message.code);
      writer.string(message.message);
      return message.temporary ? Flag.disconnectTemporary : 0;
    case "ack":
      writer.u64(message.position.epoch);
      writer.u64(message.position.seq);
      writer.u64(message.timeMs);
      return message.duplicate ? Flag.ackDuplicate : 0;
    case "error":
      writer.u16(message.code);
      writer.string(message.message);
      return message.temporary ? Flag.errorTemporary : 0;
    case "send":
      writer.fixed(message.messageId, MESSAGE_ID_BYTES);
      writer.string(message.room);
      writer.string(message.text);
      return 0;
    case "message":
      writeEventFields(writer, message);
      writer.string(message.name);
      writer.string(message.text);
      return 0;
    case "joined":
      writeEventFields(writer, message);
      writer.string(message.name);
      return 0;
    case "left":
      writeEventFields(writer, message);
      writer.string(message.name);
      writer.u8(LEFT_REASONS.indexOf(message.reason));
      return 0;
  }
}

function readEventFields(reader: FieldReader): EventFields {
  return {
    position: { epoch: reader.u64(), seq: reader.u64() },
    prev: reader.u64(),
    timeMs: reader.u64(),
    messageId: reader.fixed(MESSAGE_ID_BYTES),
    room: reader.string(),
  };
}

/**
 * The message in a frame. Throws ProtocolError, not fatal: UNKNOWN_TYPE for a type not known here, MALFORMED for a
 * payload that ends early or holds what its type can't have.
 */
export function decode(frame: Frame): Message {
  const type = typeNames.get(frame.type);
  const reader = new FieldReader(frame.bytes, HEADER_BYTES);
  switch (type) {
    case "hello": {
      const hello = {
        type,
        protocolMin: reader.u8(),
        protocolMax: reader.u8(),
        capabilities: reader.u32(),
        client: reader.string(),
        name: reader.string(),
      };
      return frame.flags & Flag.helloToken ? { ...hello, token: reader.string() } : hello;
    }
    case "welcome":
      return {
        type,
        protocol: reader.u8(),
        capabilities: reader.u32(),
        sessionId: reader.fixed(SESSION_ID_BYTES),
        heartbeatMs: reader.u32(),
        limits: {
          maxFrameBytes: reader.u32(),
          maxTextBytes: reader.u32(),
          maxNameBytes: reader.u32(),
          maxRoomNameBytes: reader.u32(),
        },
        position: { epoch: reader.u64(), seq: reader.u64() },
        room: reader.string(),
        name: reader.string(),
      };
    case "ping":
    case "pong":
    case "quit":
      return { type };
    case "disconnect":
      return {
        type,
        code: reader.u16(),
        message: reader.string(),
        temporary: (frame.flags & Flag.disconnectTemporary) !== 0,
      };
    case "ack":
      return {
        type,
        position: { epoch: reader.u64(), seq: reader.u64() },
        timeMs: reader.u64(),
        duplicate: (frame.flags & Flag.ackDuplicate) !== 0,
      };
    case "error":
      return {
        type,
        code: reader.u16(),
        message: reader.string(),
        temporary: (frame.flags & Flag.errorTemporary) !== 0,
      };
    case "send":
      return { type, messageId: reader.fixed(MESSAGE_ID_BYTES), room: reader.string(), text: reader.string() };
    case "message":
      return { type, ...readEventFields(reader), name: reader.string(), text: reader.string() };
    case "joined":
      return { type, ...readEventFields(reader), name: reader.string() };
    case "left": {
      const fields = readEventFields(reader);
      const name = reader.string();
      // A reason that a later version adds must not make a known event unreadable.
      const reason = LEFT_REASONS[reader.u8()] ?? UNKNOWN_LEFT_REASON;
      return { type, ...fields, name, reason };
    }
    case undefined:
      throw new ProtocolError("UNKNOWN_TYPE", `frame type ${frame.type} is not known`);
  }
}
