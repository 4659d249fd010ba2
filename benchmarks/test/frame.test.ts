import fc from "fast-check";
import { expect, test } from "vitest";
import { frameIsWhole, frameKind, frameSequence, KIND_MEASURED, writeFrame } from "../src/rig/frame.ts";

const sizes = fc.integer({ min: 1, max: 80 }).map((units) => units * 16);

test("a frame that was written is whole, and says its number and kind", () => {
  fc.assert(
    fc.property(
      sizes,
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      fc.integer({ min: 0, max: 9 }),
      (bytes, sequence, at) => {
        const words = new Int32Array(at + bytes / 4);
        writeFrame(words, at, bytes, sequence, KIND_MEASURED);
        expect(frameIsWhole(words, at, bytes)).toBe(true);
        expect(frameSequence(words, at)).toBe(sequence);
        expect(frameKind(words, at)).toBe(KIND_MEASURED);
      },
    ),
  );
});

test("any single changed bit is noticed", () => {
  fc.assert(
    fc.property(sizes, fc.nat(), fc.nat(), fc.integer({ min: 0, max: 31 }), (bytes, sequence, place, bit) => {
      const words = new Int32Array(bytes / 4);
      writeFrame(words, 0, bytes, sequence, KIND_MEASURED);
      const changed = place % words.length;
      words[changed] = (words[changed] as number) ^ (1 << bit);
      expect(frameIsWhole(words, 0, bytes)).toBe(false);
    }),
  );
});

test("two words that changed places are noticed", () => {
  const words = new Int32Array(16);
  writeFrame(words, 0, 64, 5, KIND_MEASURED);
  [words[6], words[10]] = [words[10] as number, words[6] as number];
  expect(frameIsWhole(words, 0, 64)).toBe(false);
});
