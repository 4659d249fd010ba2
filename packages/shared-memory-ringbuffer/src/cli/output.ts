/**
 * Where a command's results go: lines and tables for people, one JSON value a line for programs.
 *
 * - Results go to stdout, remarks and errors to stderr.
 * - Colour only on a terminal, never with NO_COLOR; FORCE_COLOR asks for it elsewhere.
 * - Every cell is made printable here, so that a command can't forget it.
 */
import { styleText } from "node:util";
import { printable, printableJson } from "./printable.ts";

export interface Streams {
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

export type Style = Parameters<typeof styleText>[0];

/** A cell with a style, or plain. */
export type Cell = string | number | { readonly text: string; readonly style: Style };

export class Output {
  readonly json: boolean;
  readonly #streams: Streams;
  readonly #coloured: boolean;

  constructor(json: boolean, streams: Streams = process) {
    this.json = json;
    this.#streams = streams;
    this.#coloured = !process.env.NO_COLOR && (Boolean(process.env.FORCE_COLOR) || streams.stdout.isTTY === true);
  }

  /** A line for people made of cells; nothing with `--json`. */
  line(...cells: readonly Cell[]): void {
    if (!this.json) this.#write(`${cells.map((cell) => this.#paint(cell)).join("")}\n`);
  }

  /** Rows under their headings; columns whose first row is a number are aligned to the right. */
  table(headings: readonly string[], rows: readonly (readonly Cell[])[]): void {
    if (this.json) return;
    const texts = rows.map((row) => row.map((cell) => plain(cell)));
    const widths = headings.map((heading, at) => Math.max(heading.length, ...texts.map((row) => row[at]?.length ?? 0)));
    const right = headings.map((_heading, at) => typeof rows[0]?.[at] === "number");
    const place = (shown: string, length: number, at: number): string => {
      const blanks = " ".repeat(Math.max(0, (widths[at] ?? 0) - length));
      return right[at] ? blanks + shown : shown + blanks;
    };
    const join = (cells: string[]): string => `${cells.join("  ").trimEnd()}\n`;
    this.#write(join(headings.map((text, at) => place(this.#paint({ text, style: "bold" }), text.length, at))));
    for (const row of rows) this.#write(join(row.map((cell, at) => place(this.#paint(cell), plain(cell).length, at))));
  }

  /** The result for programs; nothing without `--json`. */
  value(value: unknown): void {
    if (this.json) this.#write(`${printableJson(value)}\n`);
  }

  /** A line on stderr, for people, beside the result. */
  remark(text: string): void {
    this.#streams.stderr.write(`${printable(text)}\n`);
  }

  #paint(cell: Cell): string {
    const text = plain(cell);
    return this.#coloured && typeof cell === "object"
      ? styleText(cell.style, text, { validateStream: false } as Parameters<typeof styleText>[2])
      : text;
  }

  #write(text: string): void {
    this.#streams.stdout.write(text);
  }
}

function plain(cell: Cell): string {
  return printable(typeof cell === "object" ? cell.text : String(cell));
}

const KIBI = 1024;
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `1536` → `1.5 KiB`. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= KIBI && unit < UNITS.length - 1) {
    value /= KIBI;
    unit += 1;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** `2` things, `1` thing. */
export function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? "" : "s"}`;
}
