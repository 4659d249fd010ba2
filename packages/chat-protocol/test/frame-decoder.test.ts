import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decode, encode, FrameDecoder, ProtocolError } from "../src/index.ts";
import { message } from "./arbitraries.ts";
import { bytesOf, framesIn, hexOf, ownCopy, vectors } from "./vectors.ts";

describe("frames arrive however the bytes do", () => {
  test.each(vectors.valid)("$name: cut in two at every byte", ({ hex, message }) => {
    const bytes = bytesOf(hex);
    // A long frame's middle is one long string: its ends and every 61st byte say as much as all of it.
    const step = bytes.length > 600 ? 61 : 1;
    for (let cut = 0; cut <= bytes.length; cut += cut < 120 || bytes.length - cut < 120 ? 1 : step) {
      const { frames, decoder } = framesIn([bytes.subarray(0, cut), bytes.subarray(cut)]);
      expect(
        frames.map((frame) => hexOf(frame.bytes)),
        `cut at ${cut}`,
      ).toEqual([hex]);
      expect(decode(frames[0]!)).toEqual(message);
      expect(decoder.pendingBytes).toBe(0);
    }
  });

  test("all golden frames one byte at a time", () => {
    const all = vectors.valid.map(({ hex }) => hex).join("");
    const bytes = bytesOf(all);
    const { frames } = framesIn(Array.from(bytes, (_, index) => bytes.subarray(index, index + 1)));
    expect(frames.map((frame) => hexOf(frame.bytes)).join("")).toBe(all);
  });

  test("all golden frames in one chunk", () => {
    const all = vectors.valid.map(({ hex }) => hex).join("");
    const { frames } = framesIn([bytesOf(all)]);
    expect(frames.map((frame) => hexOf(frame.bytes))).toEqual(vectors.valid.map(({ hex }) => hex));
  });

  test("any messages in chunks of any sizes", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), sizes, (messages, chunkSizes) => {
        const bytes = Buffer.concat(messages.map((each) => encode(each)));
        const chunks: Uint8Array[] = [];
        for (let offset = 0, turn = 0; offset < bytes.length; turn++) {
          const end = offset + (chunkSizes[turn % chunkSizes.length] as number);
          chunks.push(bytes.subarray(offset, end));
          offset = end;
        }
        expect(framesIn(chunks).frames.map((frame) => decode(frame))).toEqual(messages);
      }),
    );
  });

  test("what is kept of a frame is a copy: the chunk's owner may use its buffer again", () => {
    const vector = vectors.valid[0]!;
    const bytes = bytesOf(vector.hex);
    for (const cut of [2, 4, 9, 20]) {
      const reused = Buffer.from(bytes.subarray(0, cut));
      const decoder = new FrameDecoder();
      const got: string[] = [];
      decoder.push(reused, () => expect.unreachable());
      reused.fill(0xee);
      decoder.push(bytes.subarray(cut), (frame) => got.push(hexOf(frame.bytes)));
      expect(got).toEqual([vector.hex]);
    }
  });
});

describe("a bad length", () => {
  test.each([0, 1, 7])("of %i, below the header, is refused as soon as it is read", (length) => {
    expect(() => pushLength(length)).toThrow(expect.objectContaining({ code: "PROTOCOL_ERROR", fatal: true }));
  });

  test.each([1021, 65_536, 2 ** 24, 2 ** 31, 2 ** 32 - 1])("of %i, above the limit, is refused", (length) => {
    expect(() => pushLength(length)).toThrow(expect.objectContaining({ code: "FRAME_TOO_LARGE", fatal: true }));
  });

  test("is refused when its four bytes come one by one", () => {
    const decoder = new FrameDecoder();
    for (let index = 0; index < 3; index++) decoder.push(new Uint8Array([0xff]), () => expect.unreachable());
    expect(() => decoder.push(new Uint8Array([0xff]), () => expect.unreachable())).toThrow(ProtocolError);
    expect(decoder.pendingBytes).toBe(0);
  });

  test("costs no memory, however often it is tried", () => {
    const before = process.memoryUsage().arrayBuffers;
    const decoders = Array.from({ length: 1000 }, () => {
      const decoder = new FrameDecoder();
      expect(() => decoder.push(new Uint8Array([0xff, 0xff, 0xff, 0xff]), () => {})).toThrow(ProtocolError);
      return decoder;
    });
    expect(decoders).toHaveLength(1000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  });

  test("ends the stream: frames before it are given out, nothing after it is read", () => {
    const good = encode({ type: "ping" }, 1);
    const decoder = new FrameDecoder();
    const types: number[] = [];
    const push = (bytes: Uint8Array): void => decoder.push(bytes, (frame) => types.push(frame.type));
    expect(() => push(Buffer.concat([good, new Uint8Array(4), good]))).toThrow(ProtocolError);
    expect(types).toHaveLength(1);
    expect(() => push(good)).toThrow(expect.objectContaining({ code: "PROTOCOL_ERROR" }));
    expect(types).toHaveLength(1);
  });
});

describe("limits", () => {
  test("a frame of exactly the limit passes, one byte more does not", () => {
    const frame = encode({ type: "error", code: 1, temporary: false, message: "x".repeat(1000) });
    expect(framesIn([frame], frame.length).frames).toHaveLength(1);
    expect(() => framesIn([frame], frame.length - 1)).toThrow(expect.objectContaining({ code: "FRAME_TOO_LARGE" }));
  });

  test("memory grows with what arrived, not with what was announced", () => {
    const before = process.memoryUsage().arrayBuffers;
    const start = new Uint8Array([0x00, 0x00, 0xff, 0xfc, 0x01, 0x20]);
    const decoders = Array.from({ length: 2000 }, () => {
      const decoder = new FrameDecoder();
      decoder.push(start.subarray(0, 3), () => {});
      decoder.push(start.subarray(3), () => {});
      return decoder;
    });
    expect(decoders.every(({ pendingBytes }) => pendingBytes === start.length)).toBe(true);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4_000_000);
  });

  test("never more than one frame is kept", () => {
    const limit = 4096;
    const decoder = new FrameDecoder(limit);
    const bytes = encode({ type: "error", code: 1, temporary: false, message: "x".repeat(3000) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9000 }), (size) => {
        const stream = Buffer.concat([bytes, bytes, bytes, bytes]);
        for (let offset = 0; offset < stream.length; offset += size) {
          decoder.push(stream.subarray(offset, offset + size), () => {});
          expect(decoder.pendingBytes).toBeLessThan(limit);
        }
        expect(decoder.pendingBytes).toBe(0);
      }),
    );
  });

  test("a client raises the limit to what the server advertises", () => {
    const frame = encode({ type: "error", code: 1, temporary: false, message: "x".repeat(1000) });
    const decoder = new FrameDecoder(100);
    decoder.maxFrameBytes = 2000;
    let frames = 0;
    decoder.push(frame, () => frames++);
    expect(frames).toBe(1);
  });
});

test("random bytes in random chunks end with ProtocolError or are waited on, and every push returns", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), (chunks) => {
      const decoder = new FrameDecoder(256);
      try {
        for (const chunk of chunks) decoder.push(chunk, (frame) => decode(ownCopy(frame)));
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
      expect(decoder.pendingBytes).toBeLessThan(256);
    }),
    { numRuns: 2000 },
  );
});

function pushLength(length: number): void {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length);
  framesIn([bytes], 1024);
}
