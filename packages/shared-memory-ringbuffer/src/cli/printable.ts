/**
 * Text from elsewhere made safe to show: names of files, payloads of records, messages of errors.
 *
 * - Whatever a terminal could take as a command, or that changes the direction or order of what is shown, is escaped:
 *   C0 and C1 controls, DEL, line and paragraph separators, bidirectional and zero-width marks, lone surrogates.
 * - Backslashes are left alone: this is for reading. `--json` is for programs.
 */

const UNSAFE: RegExp =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose.
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Surrogate}|[\u{e0000}-\u{e007f}]/gu;
const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
const BYTE_MAX = 0xff;

/** `text` on one line without anything that a terminal obeys. */
export function printable(text: string): string {
  return text.replaceAll(UNSAFE, (character) => NAMED[character] ?? escaped(character.codePointAt(0) as number));
}

/** JSON on one line, safe to show as well: the same text once parsed. */
export function printableJson(value: unknown): string {
  const text = JSON.stringify(value, (_key, each) => (typeof each === "bigint" ? Number(each) : each)) ?? "null";
  return text.replaceAll(UNSAFE, (character) =>
    [...Array(character.length).keys()].map((at) => `\\u${hex(character.charCodeAt(at), 4)}`).join(""),
  );
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of bytes that are UTF-8; `undefined` for any others. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Bytes as text: UTF-8 if they are, else ASCII with the other bytes as `\xNN`. */
export function printableBytes(bytes: Uint8Array): string {
  const text = utf8(bytes);
  if (text !== undefined) return printable(text);
  return [...bytes].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : escaped(byte))).join("");
}

function escaped(code: number): string {
  return code <= BYTE_MAX ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 1)}}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
