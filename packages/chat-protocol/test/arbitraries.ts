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

const eventFields = { position, prev: u64, timeMs: u64, messageId: id, room: text, name: text };
const type = <T extends string>(name: T): fc.Arbitrary<T> => fc.constant(name);

export const event: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ type: type("message"), ...eventFields, text }),
  fc.record({ type: type("joined"), ...eventFields }),
  fc.record({ type: type("left"), ...eventFields, reason: fc.constantFrom(...LEFT_REASONS) }),
);

export const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ type: type("hello"), protocolMin: u8, protocolMax: u8, capabilities: u32, client: text, name: text }),
  fc.record({
    type: type("hello"),
    protocolMin: u8,
    protocolMax: u8,
    capabilities: u32,
    client: text,
    name: text,
    token: text,
  }),
  fc.record({
    type: type("welcome"),
    protocol: u8,
    capabilities: u32,
    sessionId: id,
    heartbeatMs: u32,
    limits: fc.record({ maxFrameBytes: u32, maxTextBytes: u32, maxNameBytes: u32, maxRoomNameBytes: u32 }),
    position,
    room: text,
    name: text,
  }),
  fc.record({ type: fc.constantFrom("ping" as const, "pong" as const, "quit" as const) }),
  fc.record({
    type: fc.constantFrom("disconnect" as const, "error" as const),
    code: u16,
    temporary: fc.boolean(),
    message: text,
  }),
  fc.record({ type: type("ack"), position, timeMs: u64, duplicate: fc.boolean() }),
  fc.record({ type: type("send"), messageId: id, room: text, text }),
  event,
) as fc.Arbitrary<Message>;
