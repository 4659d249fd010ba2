/**
 * A report before it has a format: sections of blocks, rendered by html.ts and markdown.ts alike.
 *
 * - Texts may hold `code` in backticks and **strong** in double asterisks; nothing else is markup, everything else is escaped.
 */

export interface Column {
  readonly title: string;
  /** Right-aligned, digits of equal width. */
  readonly numeric?: boolean;
}

export interface Chart {
  /** File name without its ending, and prefix of ids inside the drawing. */
  readonly id: string;
  readonly title: string;
  /** What the drawing shows, for those who can't see it. */
  readonly alt: string;
  /** SVG for about 860 px and for a phone. */
  readonly wide: string;
  readonly narrow: string;
}

export type Block =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly string[] }
  | { readonly kind: "code"; readonly text: string }
  | { readonly kind: "chart"; readonly chart: Chart }
  | {
      readonly kind: "table";
      readonly caption: string;
      readonly columns: readonly Column[];
      readonly rows: readonly (readonly string[])[];
    }
  | {
      readonly kind: "card";
      readonly title: string;
      readonly question: string;
      readonly answer: string;
      readonly blocks: readonly Block[];
    }
  | { readonly kind: "details"; readonly summary: string; readonly blocks: readonly Block[] };

export interface Section {
  /** Anchor in the page. */
  readonly id: string;
  readonly title: string;
  readonly blocks: readonly Block[];
}

export interface Document {
  readonly title: string;
  readonly subtitle: string;
  readonly badge: { readonly grade: string; readonly text: string };
  /** Shown above everything else; for made-up figures and invalid trials. */
  readonly warnings: readonly string[];
  readonly answer: readonly string[];
  readonly sections: readonly Section[];
}

export function text(content: string): Block {
  return { kind: "text", text: content };
}

export function table(caption: string, columns: readonly Column[], rows: readonly (readonly string[])[]): Block {
  return { kind: "table", caption, columns, rows };
}

/** Column titles; those that begin with "#" are numeric and lose it. */
export function columns(...titles: readonly string[]): Column[] {
  return titles.map((title) => (title.startsWith("#") ? { title: title.slice(1), numeric: true } : { title }));
}
