/** docs/protocol.md must be enough to write a client with, so it is checked against the code and against the golden frames. */

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  type CodeEntry,
  DEFAULT_LIMITS,
  DisconnectCode,
  ErrorCode,
  FrameType,
  LEFT_REASONS,
  type Message,
} from "../src/index.ts";
import { bytesOf, hexOf, vectors } from "./vectors.ts";

const document = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");

/** Rows of the first table under a heading, without header and rule. */
function tableUnder(heading: string): string[][] {
  const [, section = ""] = document.split(new RegExp(`^#+ ${heading}$`, "m"));
  const lines = (section.split(/^#+ /m)[0] as string).split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** `goingAway` is GOING_AWAY there. */
function headingOf(type: string): string {
  return type.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

describe("docs/protocol.md lists", () => {
  test("every type with its number", () => {
    const listed = tableUnder("Messages").map(([number = "", name = ""]) => [
      /\[(\w+)\]/.exec(name)?.[1],
      Number(number),
    ]);
    const types = Object.entries(FrameType).map(([type, number]) => [headingOf(type), number]);
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(types));
    expect(listed).toHaveLength(Object.keys(FrameType).length);
  });

  const codeTables: [string, Record<string, CodeEntry>][] = [
    ["Error codes", ErrorCode],
    ["Disconnect codes", DisconnectCode],
  ];
  test.each(codeTables)("%s as the code has them", (heading, codes) => {
    const rows = Object.entries(codes).map(([name, { code, temporary, meaning }]) => [
      String(code),
      name,
      temporary ? "yes" : "no",
      meaning,
    ]);
    expect(tableUnder(heading)).toEqual(rows);
  });

  test("the default limits", () => {
    const listed = tableUnder("Limits").map(([, size = ""]) => Number(size.replaceAll(/\D/g, "")));
    expect(listed).toEqual([
      DEFAULT_LIMITS.maxFrameBytes,
      DEFAULT_LIMITS.maxTextBytes,
      DEFAULT_LIMITS.maxNameBytes,
      DEFAULT_LIMITS.maxRoomNameBytes,
    ]);
  });

  test("only codes that exist, wherever it names one", () => {
    const known = new Set([
      ...Object.keys(ErrorCode),
      ...Object.keys(DisconnectCode),
      ...Object.keys(FrameType).map(headingOf),
      "TCP_NODELAY",
    ]);
    const named = [...document.matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map((match) => match[1] as string);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test("every left reason with its number", () => {
    const reason = tableUnder("LEFT").find(([field]) => field === "reason")?.[2];
    LEFT_REASONS.forEach((name, index) => {
      expect(reason).toContain(`${index} ${name}:`);
    });
  });
});

test("the promise is never more than at-least-once", () => {
  expect(document).toContain("At-least-once, with dedupe, within retention");
  expect(document).not.toMatch(/exactly[ -]once/i);
});

/** Reads a payload by nothing but the document's field tables. */
function readByDocument(
  type: string,
  payload: Buffer,
  flags: number,
): { fields: Record<string, unknown>; end: number } {
  const isEvent = (FrameType[type as keyof typeof FrameType] ?? 0) >= 0x40;
  const own = tableUnder(headingOf(type)).map(([field = "", kind = "", meaning = ""]) => ({ field, kind, meaning }));
  const shared = tableUnder("Events").map(([, field = "", kind = ""]) => ({ field, kind, meaning: "" }));
  const fields: Record<string, unknown> = {};
  let at = 0;
  const take = (bytes: number): Buffer => {
    at += bytes;
    return payload.subarray(at - bytes, at);
  };
  const textOf = (): string => take(take(2).readUInt16BE()).toString("utf8");
  const positionOf = (): object => ({
    epoch: Number(take(8).readBigUInt64BE()),
    seq: Number(take(8).readBigUInt64BE()),
  });
  const placeOf = (): object => ({ room: textOf(), position: positionOf() });
  const read: Record<string, () => unknown> = {
    u8: () => take(1).readUInt8(),
    u16: () => take(2).readUInt16BE(),
    u32: () => take(4).readUInt32BE(),
    u64: () => Number(take(8).readBigUInt64BE()),
    id: () => hexOf(take(16)),
    string: textOf,
    position: positionOf,
    place: placeOf,
    "resumed place": () => ({ ...placeOf(), recovered: take(1).readUInt8() !== 0 }),
  };
  for (const { field, kind, meaning } of isEvent ? [...shared, ...own] : own) {
    const flag = /only with flag (0x[0-9a-f]+)/.exec(meaning)?.[1];
    if (flag !== undefined && (flags & Number(flag)) === 0) continue;
    const kinds = kind.split(", ");
    field.split(", ").forEach((name, index) => {
      const [, listed] = /^list of (.+)s$/.exec(kinds[index] as string) ?? [];
      fields[name] =
        listed === undefined
          ? read[kinds[index] as string]?.()
          : Array.from({ length: take(2).readUInt16BE() }, () => read[listed]?.());
    });
  }
  return { fields, end: at };
}

test.each(vectors.valid)("$name: can be read by the document's tables alone", ({ message, correlationId, hex }) => {
  const frame = Buffer.from(bytesOf(hex));
  expect(frame.readUInt32BE(0)).toBe(frame.length - 4);
  expect(frame.readUInt8(4)).toBe(vectors.protocol);
  expect(frame.readUInt8(5)).toBe(FrameType[message.type]);
  expect(frame.readUInt32BE(8)).toBe(correlationId);

  const { fields, end } = readByDocument(message.type, frame.subarray(12), frame.readUInt16BE(6));
  expect(end, "bytes of payload read").toBe(frame.length - 12);
  expect(fields).toEqual(flattened(message));
});

/** A message of this implementation in the document's flat shape. Flags aren't fields there. */
function flattened(message: Message): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(message)) {
    if (["type", "temporary", "duplicate", "more"].includes(key)) continue;
    if (["limits", "resume", "resumable"].includes(key) || (key === "position" && "prev" in message))
      Object.assign(flat, value);
    else flat[key] = key === "reason" ? LEFT_REASONS.indexOf(value) : value;
  }
  return flat;
}
