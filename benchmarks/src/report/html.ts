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
    if (piece.length > 4 && piece.startsWith("**")) return html`<strong>${piece.slice(2, -2)}</strong>`;
    return piece;
  })}`;
}

function toSource(value: HtmlValue): string {
  if (value instanceof Html) return value.source;
  if (typeof value === "object") return value.map(toSource).join("");
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
