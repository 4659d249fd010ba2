import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LineReader } from "../src/line-reader.ts";

function linesOf(chunks: readonly Uint8Array[], maxLineBytes = 100): (string | undefined)[] {
  const reader = new LineReader(maxLineBytes);
  const lines: (string | undefined)[] = [];
  for (const chunk of chunks) reader.push(chunk, (line) => lines.push(line));
  reader.end((line) => lines.push(line));
  return lines;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("a line reader", () => {
  test("cuts at LF and CR LF, gives empty lines, and what is left at the end", () => {
    expect(linesOf([bytesOf("a\nb\r\n\n\r\nc")])).toEqual(["a", "b", "", "", "c"]);
  });

  test("a line at the limit passes with either ending, a longer one is undefined, and the next is whole", () => {
    const text = `${"a".repeat(10)}\n${"b".repeat(10)}\r\n${"c".repeat(11)}\n${"d".repeat(500)}\r\ne\n`;
    expect(linesOf([bytesOf(text)], 10)).toEqual(["a".repeat(10), "b".repeat(10), undefined, undefined, "e"]);
  });

  test("strips telnet commands of every kind", () => {
    const telnet = [
      ...[255, 251, 1], // WILL ECHO
      ...bytesOf("a"),
      ...[255, 250, 24, 0, 10, 13, 255, 255, 120, 255, 240], // a subnegotiation with line ends and a doubled IAC in it
      ...bytesOf("b"),
      ...[255, 244], // interrupt
      ...bytesOf("c\n"),
    ];
    expect(linesOf([Uint8Array.from(telnet)])).toEqual(["abc"]);
  });

  test("bytes that are no UTF-8 become U+FFFD", () => {
    expect(linesOf([Uint8Array.from([97, 0xc3, 10])])).toEqual(["a\ufffd"]);
  });

  test("gives the same lines however the bytes are cut", () => {
    const bytes = fc.array(fc.constantFrom(...[...bytesOf("ab\r\n\n\u00e4"), 255, 251, 250, 240, 0]), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(80)), (all, cuts) => {
        const whole = Uint8Array.from(all);
        const edges = [0, ...cuts.filter((cut) => cut <= whole.length).sort((a, b) => a - b), whole.length];
        const chunks = edges.slice(1).map((end, index) => whole.subarray(edges[index], end));
        expect(linesOf(chunks, 20)).toEqual(linesOf([whole], 20));
      }),
    );
  });
});
