import fc from "fast-check";
import { expect, test } from "vitest";
import { printable, printableBytes, printableJson } from "../src/cli/printable.ts";

/** Everything that ends a line, moves a cursor, or changes the order of what is shown. */
const OBEYED = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
/** Of the format characters these only join or separate letters, and scripts need them. */
const HARMLESS = /[\u00ad\u0600-\u0605\u06dd\u070f\u0890-\u0891\u08e2\u180e\ufff9-\ufffb]|[\u{10000}-\u{1ffff}]/gu;

test("no text makes a terminal do anything", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(printable(text).replaceAll(HARMLESS, "")).not.toMatch(OBEYED);
    }),
  );
});

test("no bytes make a terminal do anything", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(printableBytes(bytes).replaceAll(HARMLESS, "")).not.toMatch(OBEYED);
    }),
  );
});

test("JSON says the same once it is parsed, and is as safe to show", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ unit: "binary" }), (value, text) => {
      const shown = printableJson({ value, text });
      expect(JSON.parse(shown)).toEqual(JSON.parse(JSON.stringify({ value, text })));
      expect(shown.replaceAll(HARMLESS, "")).not.toMatch(OBEYED);
    }),
  );
});

test("ordinary text of any script stays as it is", () => {
  for (const text of ["grüße", "日本語", "a\\b", "👍🏽", "עברית"]) expect(printable(text)).toBe(text);
});
