// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { displayText } from "../src/index.ts";

const ESC = "\u001b";

const corpus: [string, string, string][] = [
  ["plain text", "hello, world", "hello, world"],
  ["other scripts, accents and emoji with joiners", "naïve 日本語 שלום 👩‍👩‍👧", "naïve 日本語 שלום 👩‍👩‍👧"],
  ["colours", `${ESC}[31;1mred${ESC}[0m`, "red"],
  ["moving the cursor and clearing the screen", `${ESC}[2J${ESC}[H${ESC}[10Aup`, "up"],
  ["private modes", `a${ESC}[?1049hb${ESC}[>4;2mc`, "abc"],
  ["a window title ended by BEL", `a${ESC}]0;pwned\u0007b`, "ab"],
  ["a hyperlink ended by ST", `${ESC}]8;;http://evil${ESC}\\click${ESC}]8;;${ESC}\\`, "click"],
  ["writing the clipboard (OSC 52)", `${ESC}]52;c;cm0gLXJm\u0007x`, "x"],
  ["an OSC that never ends", `a${ESC}]0;rest`, "a"],
  ["a device control string", `a${ESC}P$q"p${ESC}\\b`, "ab"],
  ["application, privacy and start-of-string commands", `a${ESC}_x${ESC}\\b${ESC}^y${ESC}\\c${ESC}Xz${ESC}\\d`, "abcd"],
  ["CSI as one C1 character", "a\u009b31mb", "ab"],
  ["OSC and ST as C1 characters", "a\u009d0;title\u009cb", "ab"],
  ["other C1 characters", "a\u0085b\u0080c\u009fd", "abc"],
  ["a lone ESC", `a${ESC}`, "a"],
  ["ESC and a letter", `a${ESC}cb`, "ab"],
  ["a charset switch", `a${ESC}(0b`, "ab"],
  ["ESC within ESC", `${ESC}${ESC}[31m[32mx`, "[32mx"],
  ["an unfinished CSI", `a${ESC}[12`, "a12"],
  ["bell, backspace, NUL, DEL", "a\u0007b\bc\u0000d\u007fe", "abcde"],
  ["line breaks of all kinds: a message is one line", "a\r\nb\u2028c\u2029d\u000be\u000cf", "abcdef"],
  ["a tab", "a\tb", "a b"],
  ["bidirectional overrides", "user\u202etxt.exe\u202c", "usertxt.exe"],
  ["bidirectional isolates and marks", "a\u2066b\u2067c\u2068d\u2069e\u200ef\u200fg\u061ch", "abcdefgh"],
];

describe("shown text", () => {
  test.each(corpus)("%s", (_, remote, shown) => {
    expect(displayText(remote)).toBe(shown);
  });

  test("never has a control character or an override, whatever came in, and is the same shown twice", () => {
    const nasty = fc.constantFrom(
      ESC,
      "[",
      "]",
      "P",
      "\\",
      "\u009b",
      "\u009c",
      "\u0007",
      "0",
      "m",
      ";",
      "\u202e",
      "\r",
      "é",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.array(nasty).map((parts) => parts.join("")),
        ),
        (remote) => {
          const shown = displayText(remote);
          expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
          expect(displayText(shown)).toBe(shown);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("a long hostile text takes time in proportion to its length, not more", () => {
    for (const unit of [`${ESC}]`, `${ESC}[`, `${ESC}[0`, "\u009d", `${ESC}(`, "0;"]) {
      // Quadratic work on this would outlast the test's watchdog.
      displayText(unit.repeat(1_000_000));
    }
  });
});
