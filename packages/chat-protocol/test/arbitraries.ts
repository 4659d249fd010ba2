/** Any message that has an encoding, for fast-check. */

import fc from "fast-check";
import { LEFT_REASONS, type Message } from "../src/index.ts";

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
export const u32: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0xffff_ffff });
export const u64: fc.Arbitrary<number> = fc.maxSafeNat();
// Whole code points, any plane, no lone surrogates: those have no UTF-8 and come back as U+FFFD.
export const text: fc.Arbitrary<string> = fc.string({ unit: "binary", maxLength: 40 });
export const id: fc.Arbitrary<string> = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString("hex"));
export const position: fc.Arbitrary<{ epoch: number; seq: number }> = fc.record({ epoch: u64, seq: u64 });

const plainEventFields = { position, prev: u64, timeMs: u64, messageId: id, room: text };
const eventFields = { ...plainEventFields, name: text };
const places = fc.array(fc.record({ room: text, position }), { maxLength: 4 });
const resume = fc.record({ resumeToken: text, sessionId: id, places });
const resumable = fc.record({ resumeToken: text, graceMs: u32 });
const resumed = fc.array(fc.record({ room: text, position, recovered: fc.boolean() }), { maxLength: 4 });
const type = <T extends string>(name: T): fc.Arbitrary<T> => fc.constant(name);

export const event: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ type: type("message"), ...eventFields, text }),
  fc.record({ type: type("joined"), ...eventFields }),
  fc.record({ type: type("left"), ...eventFields, reason: fc.constantFrom(...LEFT_REASONS) }),
  fc.record({ type: type("renamed"), ...eventFields, newName: text }),
  fc.record({ type: type("presence"), ...plainEventFields, people: u32, joined: u32, left: u32 }),
  fc.record({ type: type("direct"), ...eventFields, senderId: id, addresseeId: id, to: text, text }),
  fc.record({ type: type("takeover"), ...plainEventFields, sessionId: id, lease: u32 }),
);

export const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record(
    {
      type: type("hello"),
      protocolMin: u8,
      protocolMax: u8,
      capabilities: u32,
      client: text,
      name: text,
      token: text,
      resume,
    },
    { requiredKeys: ["type", "protocolMin", "protocolMax", "capabilities", "client", "name"] },
  ),
  fc.record(
    {
      type: type("welcome"),
      protocol: u8,
      capabilities: u32,
      sessionId: id,
      heartbeatMs: u32,
      limits: fc.record({ maxFrameBytes: u32, maxTextBytes: u32, maxNameBytes: u32, maxRoomNameBytes: u32 }),
      position,
      room: text,
      name: text,
      resumable,
      resumed,
    },
    {
      requiredKeys: [
        "type",
        "protocol",
        "capabilities",
        "sessionId",
        "heartbeatMs",
        "limits",
        "position",
        "room",
        "name",
      ],
    },
  ),
  fc.record({ type: fc.constantFrom("ping" as const, "pong" as const, "quit" as const) }),
  fc.record({
    type: fc.constantFrom("disconnect" as const, "error" as const),
    code: u16,
    temporary: fc.boolean(),
    message: text,
  }),
  fc.record({ type: type("ack"), position, timeMs: u64, duplicate: fc.boolean() }),
  fc.record({ type: type("send"), messageId: id, room: text, text }),
  fc.record({ type: type("goingAway"), withinMs: u32, message: text }),
  fc.record({ type: type("named"), name: text, resumeToken: text }, { requiredKeys: ["type", "name"] }),
  fc.record({ type: type("people"), room: text, total: u32, names: fc.array(text, { maxLength: 4 }) }),
  fc.record({ type: type("end"), room: text, position, more: fc.boolean() }),
  fc.record({ type: type("isTyping"), room: text, name: text }),
  fc.record({
    type: fc.constantFrom("join" as const, "leave" as const, "who" as const, "typing" as const),
    room: text,
  }),
  fc.record({ type: type("sendDirect"), messageId: id, to: text, text }),
  fc.record({ type: type("rename"), name: text }),
  fc.record({ type: type("history"), room: text, before: position, maxEvents: u16 }),
  event,
) as fc.Arbitrary<Message>;
