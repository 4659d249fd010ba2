import fc from "fast-check";
import { expect, test } from "vitest";
import {
  DEFAULT_LIMITS,
  DEFAULT_ROOM,
  encode,
  FRAME_BYTES_CEILING,
  randomMessageId,
  randomSessionId,
  utf8Length,
} from "../src/index.ts";

test("the longest message that the default limits allow fits into a frame", () => {
  const frame = encode({
    type: "message",
    position: { epoch: 1, seq: 1 },
    prev: 0,
    timeMs: 1,
    messageId: randomMessageId(),
    room: "r".repeat(DEFAULT_LIMITS.maxRoomNameBytes),
    name: "n".repeat(DEFAULT_LIMITS.maxNameBytes),
    text: "t".repeat(DEFAULT_LIMITS.maxTextBytes),
  });
  expect(frame.length).toBeLessThanOrEqual(DEFAULT_LIMITS.maxFrameBytes);
  expect(utf8Length(DEFAULT_ROOM)).toBeLessThanOrEqual(DEFAULT_LIMITS.maxRoomNameBytes);
});

test("a frame within any limit begins with a zero byte, which no line of text does", () => {
  expect(FRAME_BYTES_CEILING >>> 24).toBe(0);
  expect(DEFAULT_LIMITS.maxFrameBytes).toBeLessThanOrEqual(FRAME_BYTES_CEILING);
});

test("utf8Length counts what an encoder writes", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
      (text) => {
        expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length);
      },
    ),
  );
});

test("ids are 16 random bytes as hexadecimal digits", () => {
  const ids = new Set(Array.from({ length: 1000 }, (_, index) => (index % 2 ? randomMessageId() : randomSessionId())));
  expect(ids.size).toBe(1000);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
});
