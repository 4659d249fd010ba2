import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decode, encode, FrameType, frameFrom, type Message, ProtocolError } from "../src/index.ts";
import { message, u32 } from "./arbitraries.ts";
import { bytesOf, framesIn, hexOf, vectors } from "./vectors.ts";

describe("the golden frames", () => {
  test.each(vectors.valid)("$name: encodes to the golden bytes", ({ message, correlationId, hex }) => {
    expect(hexOf(encode(message, correlationId))).toBe(hex);
  });

  test.each([...vectors.valid, ...vectors.lenient])("$name: decodes to the golden message", (vector) => {
    const { frames, decoder } = framesIn([bytesOf(vector.hex)]);
    expect(frames).toHaveLength(1);
    expect(frames[0]?.correlationId).toBe(vector.correlationId);
    expect(decode(frames[0]!)).toEqual(vector.message);
    expect(decoder.pendingBytes).toBe(0);
  });

  test.each(vectors.invalid)("refused as $code: $name", ({ hex, code, fatal, maxFrameBytes }) => {
    const read = (): void => {
      for (const frame of framesIn([bytesOf(hex)], maxFrameBytes).frames) decode(frame);
    };
    expect(read).toThrow(ProtocolError);
    expect(read).toThrow(expect.objectContaining({ code, fatal }));
  });

  test.each(vectors.incomplete)("waits for more: $name", ({ hex, maxFrameBytes }) => {
    const { frames, decoder } = framesIn([bytesOf(hex)], maxFrameBytes);
    expect(frames).toEqual([]);
    expect(decoder.pendingBytes).toBe(hex.length / 2);
  });

  test("there is at least one for every type, flag and left reason", () => {
    const types = new Set(vectors.valid.map(({ message }) => message.type));
    expect([...types].sort()).toEqual(Object.keys(FrameType).sort());
    const bits = (type: string) =>
      new Set(
        vectors.valid.filter((v) => v.message.type === type).map((v) => Number.parseInt(v.hex.slice(12, 16), 16)),
      );
    expect(bits("hello")).toEqual(new Set([0, 1, 2, 3]));
    expect(bits("welcome")).toEqual(new Set([0, 1, 2, 3]));
    const flagged = new Set(vectors.valid.filter(({ hex }) => hex.slice(12, 16) !== "0000").map((v) => v.message.type));
    expect([...flagged].sort()).toEqual(["ack", "disconnect", "end", "error", "hello", "named", "welcome"]);
    const reasons = vectors.valid.flatMap(({ message }) => (message.type === "left" ? [message.reason] : []));
    expect(reasons.sort()).toEqual(["died", "lost", "quit"]);
  });

  test("names say what each is, once", () => {
    const names = [vectors.valid, vectors.lenient, vectors.invalid, vectors.incomplete].flat().map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("any message", () => {
  test("comes back as it was, and encodes to the same bytes again", () => {
    fc.assert(
      fc.property(message, u32, (original, correlationId) => {
        const bytes = encode(original, correlationId);
        const frame = frameFrom(bytes);
        expect(frame.correlationId).toBe(correlationId);
        const decoded = decode(frame);
        expect(decoded).toEqual(original);
        expect(hexOf(encode(decoded, correlationId))).toBe(hexOf(bytes));
      }),
    );
  });

  test("is read the same with trailing bytes and unknown flags", () => {
    fc.assert(
      fc.property(message, fc.uint8Array({ minLength: 1, maxLength: 32 }), (original, tail) => {
        const bytes = encode(original);
        const longer = new Uint8Array(bytes.length + tail.length);
        longer.set(bytes);
        longer.set(tail, bytes.length);
        new DataView(longer.buffer).setUint32(0, longer.length - 4);
        longer[6] = 0xff;
        longer[7] = (longer[7] as number) | 0xfc;
        expect(decode(framesIn([longer]).frames[0]!)).toEqual(original);
      }),
    );
  });

  test("with bytes changed or cut is refused with ProtocolError or read as some message, never anything else", () => {
    const edit = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(message, fc.array(edit, { minLength: 1, maxLength: 6 }), fc.nat(), (original, edits, cut) => {
        const bytes = encode(original, 1);
        for (const { at, to } of edits) bytes[at % bytes.length] = to;
        const mutated = bytes.subarray(0, bytes.length - (cut % 4));
        onlyProtocolErrors(() => {
          for (const frame of framesIn([mutated]).frames) decode(frame);
        });
        // As a log's reader sees it: without a decoder in front.
        onlyProtocolErrors(() => decode(frameFrom(mutated)));
      }),
      { numRuns: 2000 },
    );
  });

  test("made of random bytes behind a valid header is refused with ProtocolError or read", () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(FrameType)), fc.uint8Array({ maxLength: 120 }), (type, payload) => {
        const bytes = new Uint8Array([0, 0, 0, 8 + payload.length, 1, type, 0, 1, 0, 0, 0, 1, ...payload]);
        onlyProtocolErrors(() => decode(framesIn([bytes]).frames[0]!));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("a value that has no encoding is refused, not wrapped round", () => {
  const ack = { type: "ack", position: { epoch: 1, seq: 2 }, timeMs: 3, duplicate: false } as const;
  const hello = { type: "hello", protocolMin: 1, protocolMax: 1, capabilities: 0, client: "", name: "ada" } as const;
  const cases: [string, Message][] = [
    ["a negative position", { ...ack, position: { epoch: 1, seq: -1 } }],
    ["a time above 2^53 - 1", { ...ack, timeMs: 2 ** 53 }],
    ["a time that is no whole number", { ...ack, timeMs: 1.5 }],
    ["NaN", { ...ack, timeMs: Number.NaN }],
    ["a protocol version of 256", { ...hello, protocolMax: 256 }],
    ["capabilities above 32 bits", { ...hello, capabilities: 2 ** 32 }],
    ["a code above 16 bits", { type: "error", code: 65_536, temporary: false, message: "" }],
    ["a string of 65,536 bytes", { ...hello, name: "é".repeat(32_768) }],
    ["a message id of 15 bytes", { type: "send", messageId: "00".repeat(15), room: "lobby", text: "hi" }],
    ["a message id in capitals", { type: "send", messageId: "AB".repeat(16), room: "lobby", text: "hi" }],
  ];
  test.each(cases)("%s", (_, value) => {
    expect(() => encode(value)).toThrow(expect.objectContaining({ name: "ProtocolError", code: "MALFORMED" }));
  });

  test("a correlation id above 32 bits", () => {
    expect(() => encode({ type: "ping" }, 2 ** 32)).toThrow(ProtocolError);
  });

  test("a string of 65,535 bytes still fits", () => {
    const name = "n".repeat(65_535);
    expect(decode(frameFrom(encode({ ...hello, name })))).toEqual({ ...hello, name });
  });

  test("a lone surrogate has no UTF-8 and arrives as U+FFFD", () => {
    expect(decode(frameFrom(encode({ ...hello, name: "a\ud800b" })))).toEqual({ ...hello, name: "a\ufffdb" });
  });
});

function onlyProtocolErrors(action: () => void): void {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
  }
}
