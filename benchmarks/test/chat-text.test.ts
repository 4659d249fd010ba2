import fc from "fast-check";
import { expect, test } from "vitest";
import { composeText, parseText, TEXT_LENGTH } from "../src/scenarios/chat-text.ts";

const text = fc.record({
  last: fc.boolean(),
  sequence: fc.integer({ min: 0, max: 1e9 }),
  sentNs: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
});

test("what was composed is read back, at one length", () => {
  fc.assert(
    fc.property(text, (message) => {
      expect(composeText(message)).toHaveLength(TEXT_LENGTH);
      expect(parseText(composeText(message))).toEqual(message);
    }),
  );
});

test("a changed character is noticed", () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 0, max: TEXT_LENGTH - 1 }), (message, at) => {
      const whole = composeText(message);
      expect(parseText(`${whole.slice(0, at)}#${whole.slice(at + 1)}`)).toBeUndefined();
    }),
  );
});
