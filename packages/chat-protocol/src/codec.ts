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
import {
  type EventFields,
  type Hello,
  LEFT_REASONS,
  type Message,
  type Position,
  type Resume,
  UNKNOWN_LEFT_REASON,
  type Welcome,
} from "./messages.ts";
import { FieldReader, FieldWriter, utf8Length } from "./wire.ts";

/** A frame's header fields and where its payload lies. `bytes` is the whole frame, header included. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly version: number;
  readonly type: number;
  readonly flags: number;
  readonly correlationId: number;
}

/** Above the largest sum of a message's fixed-size payload fields; WELCOME has it. */
const MAX_FIXED_FIELDS_BYTES = 128;
/** Above the sum of a list item's fixed-size fields: a position and a byte. */
const LIST_ITEM_FIXED_BYTES = 24;

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
  for (const value of Object.values(message)) bytes += stringBytesOf(value);
  return bytes;
}

function stringBytesOf(value: unknown): number {
  if (typeof value === "string") return STRING_LENGTH_BYTES + utf8Length(value);
  if (Array.isArray(value))
    return value.reduce((bytes, item) => bytes + LIST_ITEM_FIXED_BYTES + stringBytesOf(item), 0);
  if (typeof value === "object" && value !== null) {
    return Object.values(value).reduce((bytes, item) => bytes + stringBytesOf(item), 0);
  }
  return 0;
}

function writePosition(writer: FieldWriter, position: Position): void {
  writer.u64(position.epoch);
  writer.u64(position.seq);
}

/** A u16 count, then the items. */
function writeList<Item>(writer: FieldWriter, items: readonly Item[], write: (item: Item) => void): void {
  writer.u16(items.length);
  for (const item of items) write(item);
}

function readPosition(reader: FieldReader): Position {
  return { epoch: reader.u64(), seq: reader.u64() };
}

function readList<Item>(reader: FieldReader, read: () => Item): Item[] {
  const items: Item[] = [];
  // Nothing is made for a count alone: each item has to be there.
  for (let count = reader.u16(); count > 0; count--) items.push(read());
  return items;
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
      return writeHelloOptions(writer, message);
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
      return writeWelcomeOptions(writer, message);
    case "ping":
    case "pong":
    case "quit":
      return 0;
    case "goingAway":
      writer.u32(message.withinMs);
      writer.string(message.message);
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
    case "join":
    case "leave":
    case "who":
    case "typing":
      writer.string(message.room);
      return 0;
    case "sendDirect":
      writer.fixed(message.messageId, MESSAGE_ID_BYTES);
      writer.string(message.to);
      writer.string(message.text);
      return 0;
    case "rename":
      writer.string(message.name);
      return 0;
    case "named":
      writer.string(message.name);
      if (message.resumeToken === undefined) return 0;
      writer.string(message.resumeToken);
      return Flag.namedResumeToken;
    case "people":
      writer.string(message.room);
      writer.u32(message.total);
      writeList(writer, message.names, (name) => writer.string(name));
      return 0;
    case "history":
      writer.string(message.room);
      writePosition(writer, message.before);
      writer.u16(message.maxEvents);
      return 0;
    case "end":
      writer.string(message.room);
      writePosition(writer, message.position);
      return message.more ? Flag.endMore : 0;
    case "isTyping":
      writer.string(message.room);
      writer.string(message.name);
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
    case "renamed":
      writeEventFields(writer, message);
      writer.string(message.name);
      writer.string(message.newName);
      return 0;
    case "presence":
      writeEventFields(writer, message);
      writer.u32(message.people);
      writer.u32(message.joined);
      writer.u32(message.left);
      return 0;
    case "direct":
      writeEventFields(writer, message);
      writer.fixed(message.senderId, SESSION_ID_BYTES);
      writer.fixed(message.addresseeId, SESSION_ID_BYTES);
      writer.string(message.name);
      writer.string(message.to);
      writer.string(message.text);
      return 0;
    case "takeover":
      writeEventFields(writer, message);
      writer.fixed(message.sessionId, SESSION_ID_BYTES);
      writer.u32(message.lease);
      return 0;
  }
}

/** Optional fields come in the order of their flag bits. */
function writeHelloOptions(writer: FieldWriter, { token, resume }: Hello): number {
  let flags = 0;
  if (token !== undefined) {
    writer.string(token);
    flags |= Flag.helloToken;
  }
  if (resume !== undefined) {
    writer.string(resume.resumeToken);
    writer.fixed(resume.sessionId, SESSION_ID_BYTES);
    writeList(writer, resume.places, (place) => {
      writer.string(place.room);
      writePosition(writer, place.position);
    });
    flags |= Flag.helloResume;
  }
  return flags;
}

function writeWelcomeOptions(writer: FieldWriter, { resumable, resumed }: Welcome): number {
  let flags = 0;
  if (resumable !== undefined) {
    writer.string(resumable.resumeToken);
    writer.u32(resumable.graceMs);
    flags |= Flag.welcomeResumable;
  }
  if (resumed !== undefined) {
    writeList(writer, resumed, (place) => {
      writer.string(place.room);
      writePosition(writer, place.position);
      writer.u8(place.recovered ? 1 : 0);
    });
    flags |= Flag.welcomeResumed;
  }
  return flags;
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

function readResume(reader: FieldReader): Resume {
  return {
    resumeToken: reader.string(),
    sessionId: reader.fixed(SESSION_ID_BYTES),
    places: readList(reader, () => ({ room: reader.string(), position: readPosition(reader) })),
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
      return {
        ...hello,
        ...(frame.flags & Flag.helloToken ? { token: reader.string() } : {}),
        ...(frame.flags & Flag.helloResume ? { resume: readResume(reader) } : {}),
      };
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
        ...(frame.flags & Flag.welcomeResumable
          ? { resumable: { resumeToken: reader.string(), graceMs: reader.u32() } }
          : {}),
        ...(frame.flags & Flag.welcomeResumed
          ? {
              resumed: readList(reader, () => ({
                room: reader.string(),
                position: readPosition(reader),
                recovered: reader.u8() !== 0,
              })),
            }
          : {}),
      };
    case "goingAway":
      return { type, withinMs: reader.u32(), message: reader.string() };
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
    case "join":
    case "leave":
    case "who":
    case "typing":
      return { type, room: reader.string() };
    case "sendDirect":
      return { type, messageId: reader.fixed(MESSAGE_ID_BYTES), to: reader.string(), text: reader.string() };
    case "rename":
      return { type, name: reader.string() };
    case "named": {
      const name = reader.string();
      return frame.flags & Flag.namedResumeToken ? { type, name, resumeToken: reader.string() } : { type, name };
    }
    case "people":
      return {
        type,
        room: reader.string(),
        total: reader.u32(),
        names: readList(reader, () => reader.string()),
      };
    case "history":
      return { type, room: reader.string(), before: readPosition(reader), maxEvents: reader.u16() };
    case "end":
      return {
        type,
        room: reader.string(),
        position: readPosition(reader),
        more: (frame.flags & Flag.endMore) !== 0,
      };
    case "isTyping":
      return { type, room: reader.string(), name: reader.string() };
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
    case "renamed":
      return { type, ...readEventFields(reader), name: reader.string(), newName: reader.string() };
    case "presence":
      return {
        type,
        ...readEventFields(reader),
        people: reader.u32(),
        joined: reader.u32(),
        left: reader.u32(),
      };
    case "direct":
      return {
        type,
        ...readEventFields(reader),
        senderId: reader.fixed(SESSION_ID_BYTES),
        addresseeId: reader.fixed(SESSION_ID_BYTES),
        name: reader.string(),
        to: reader.string(),
        text: reader.string(),
      };
    case "takeover":
      return {
        type,
        ...readEventFields(reader),
        sessionId: reader.fixed(SESSION_ID_BYTES),
        lease: reader.u32(),
      };
    case undefined:
      throw new ProtocolError("UNKNOWN_TYPE", `frame type ${frame.type} is not known`);
  }
}
