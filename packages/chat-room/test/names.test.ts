import { displayText } from "@parley/chat-protocol";
import { foldName, normalizeName } from "@parley/chat-room";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

describe("normalizeName", () => {
  test("composes what can be composed, and otherwise leaves a name as it was typed", () => {
    expect(normalizeName("Zoe\u0308")).toEqual({ valid: true, name: "Zoë" });
    expect(normalizeName("a: >> b")).toEqual({ valid: true, name: "a: >> b" });
  });

  test.each([
    ["nothing", ""],
    ["a space at the start", " ada"],
    ["a space at the end", "ada "],
    ["a no-break space at the end", "ada\u00a0"],
    ["a leading slash", "/ada"],
    ["a leading asterisk", "*ada"],
    ["an escape", "a\u001b[31mda"],
    ["a line feed", "a\nda"],
    ["a NUL", "a\u0000"],
    ["a C1 control", "a\u009b"],
    ["a line separator", "a\u2028b"],
    ["a bidirectional override", "a\u202eb"],
    ["a bidirectional isolate", "a\u2067b"],
    ["a lone surrogate", "a\ud800"],
    ["bytes that were no UTF-8", "a\ufffd"],
    ["nothing that can be seen", "\u200b\u2060"],
  ])("refuses %s", (_, raw) => {
    expect(normalizeName(raw)).toMatchObject({ valid: false, code: "NAME_INVALID" });
  });

  test("counts bytes of UTF-8: at the limit passes, one more is NAME_TOO_LONG", () => {
    expect(normalizeName("ä".repeat(16), 32)).toMatchObject({ valid: true });
    expect(normalizeName(`${"ä".repeat(16)}x`, 32)).toMatchObject({ valid: false, code: "NAME_TOO_LONG" });
  });

  test("whatever it accepts is accepted again unchanged and is safe to show", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (raw) => {
        const outcome = normalizeName(raw);
        if (!outcome.valid) return;
        expect(normalizeName(outcome.name)).toEqual(outcome);
        expect(displayText(outcome.name)).toBe(outcome.name);
      }),
    );
  });
});

describe("foldName", () => {
  test.each([
    ["ADA", "ada"],
    ["Straße", "STRASSE"],
    ["ΟΔΟΣ", "οδος"],
    ["ﬁn", "FIN"],
    ["ａｄａ", "ada"],
    ["a\u200bda", "ada"],
  ])("%s and %s are one name", (left, right) => {
    expect(foldName(left)).toBe(foldName(right));
  });

  test("accents and other scripts make another name", () => {
    expect(foldName("ada")).not.toBe(foldName("adá"));
    expect(foldName("ada")).not.toBe(foldName("аda"));
  });

  test("folding twice changes nothing", () => {
    fc.assert(fc.property(fc.string({ unit: "grapheme" }), (raw) => foldName(foldName(raw)) === foldName(raw)));
  });
});
