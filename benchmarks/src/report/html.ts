/**
 * Escaping HTML templates.
 *
 * - Every value put into `html` is escaped unless it is itself the result of `html` or `trusted`; arrays are joined.
 */

/** HTML that needs no escaping. */
export class Html {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

export type HtmlValue = Html | string | number | readonly HtmlValue[];

export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(parts.reduce((result, part, i) => result + toSource(values[i - 1] as HtmlValue) + part));
}

/** Text that is HTML already: drawings and style sheets of our own. */
export function trusted(source: string): Html {
  return new Html(source);
}

/** A document's text with its two kinds of markup, `code` and **strong**. */
export function inline(content: string): Html {
  const pieces = content.split(/(`[^`]+`|\*\*.+?\*\*)/);
  return html`${pieces.map((piece): HtmlValue => {
    if (piece.length > 2 && piece.startsWith("`")) return html`<code>${piece.slice(1, -1)}</code>`;
    if (piece.length > 4 && piece.startsWith("**")) return html`<strong>${unbroken(piece.slice(2, -2))}</strong>`;
    return unbroken(piece);
  })}`;
}

/** Keeps a figure and its unit, and the ends of an interval, on one line. */
function unbroken(content: string): string {
  return content
    .replace(/(\d) (?=(?:µs|ms|s|B|KiB|MiB|GiB|M|G)(?![\p{L}\d]))/gu, "$1\u00a0")
    .replace(/(\d)–(?=\d)/g, "$1\u2060–\u2060");
}

function toSource(value: HtmlValue): string {
  if (value instanceof Html) return value.source;
  if (typeof value === "object") return value.map(toSource).join("");
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
