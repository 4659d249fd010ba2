import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  assertEventFrame,
  decode,
  encode,
  frameFrom,
  isEventFrame,
  logFieldsOf,
  type Message,
  messageIdOf,
  ProtocolError,
  patchEvent,
  roomOf,
  splitFrames,
} from "../src/index.ts";
import { event, message, position, u64 } from "./arbitraries.ts";
import { hexOf } from "./vectors.ts";

type Event = Extract<Message, { prev: number }>;
const logFields = fc.record({ position, prev: u64, timeMs: u64 });

describe("a log fills in an event frame in place", () => {
  test("position, prev and time are what it says; every other byte is as it was", () => {
    fc.assert(
      fc.property(event, logFields, fc.integer({ min: 0, max: 40 }), (original, fields, offset) => {
        const frame = encode(original);
        const segment = new Uint8Array(offset + frame.length + 16).fill(0xa5);
        segment.set(frame, offset);
        const before = new Uint8Array(segment);
        patchEvent(segment, offset, fields);

        const changed = segment.subarray(offset, offset + frame.length);
        expect(decode(frameFrom(changed))).toEqual({ ...original, ...fields });
        expect(logFieldsOf(segment, offset)).toEqual(fields);
        for (let index = 0; index < segment.length; index++) {
          if (index < offset + 12 || index >= offset + 44) expect(segment[index]).toBe(before[index]);
        }
      }),
    );
  });

  test("a field without an encoding, or bytes too short for the fields, are refused", () => {
    const frame = new Uint8Array(64);
    const fields = { position: { epoch: 1, seq: 2 }, prev: 3, timeMs: 4 };
    expect(() => patchEvent(frame, 0, { ...fields, prev: -1 })).toThrow(ProtocolError);
    expect(() => patchEvent(frame, 30, fields)).toThrow(ProtocolError);
    expect(() => logFieldsOf(frame.subarray(0, 43))).toThrow(ProtocolError);
  });
});

test("message id and room are read without decoding the rest", () => {
  fc.assert(
    fc.property(event, (original) => {
      const frame = encode(original);
      expect(() => assertEventFrame(frame)).not.toThrow();
      expect(isEventFrame(frameFrom(frame))).toBe(true);
      expect(messageIdOf(frame)).toBe((original as Event).messageId);
      expect(roomOf(frame)).toBe((original as Event).room);
    }),
  );
});

test("what is not one whole event frame is refused", () => {
  const frame = encode({
    type: "joined",
    position: { epoch: 1, seq: 1 },
    prev: 0,
    timeMs: 1,
    messageId: "00".repeat(16),
    room: "lobby",
    name: "ada",
  });
  const longer = new Uint8Array([...frame, 0]);
  for (const bytes of [
    frame.subarray(0, -1),
    longer,
    frame.subarray(0, 61),
    frame.subarray(0, 3),
    encode({ type: "ping" }),
  ]) {
    expect(() => assertEventFrame(bytes)).toThrow(expect.objectContaining({ code: "MALFORMED" }));
  }
  expect(() => messageIdOf(frame.subarray(0, 50))).toThrow(ProtocolError);
  expect(() => roomOf(frame.subarray(0, 64))).toThrow(ProtocolError);
});

describe("a run of frames", () => {
  test("splits into the frames it was made of", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), (messages) => {
        const frames = messages.map((each) => encode(each));
        const split: string[] = [];
        splitFrames(new Uint8Array(Buffer.concat(frames)), (frame) => split.push(hexOf(frame)));
        expect(split).toEqual(frames.map(hexOf));
      }),
    );
  });

  test("of any bytes is split or refused with ProtocolError; a length of 0 can't make it go on for ever", () => {
    expect(() => splitFrames(new Uint8Array(64), () => {})).toThrow(ProtocolError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          splitFrames(bytes, (frame) => expect(frame.length).toBeGreaterThanOrEqual(12));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
