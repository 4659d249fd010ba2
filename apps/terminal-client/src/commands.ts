/** What a line of the input means. */

export type Line =
  | { readonly kind: "say"; readonly text: string }
  | { readonly kind: "quit" | "help" | "nothing" }
  | { readonly kind: "unknown"; readonly command: string };

export const HELP = `/quit   leave (Ctrl-D and Ctrl-C do too)
/help   this
//text  say a text that begins with a slash`;

/** A command is a slash and a word, alone at the start of a line; `//` says the rest with one slash. */
export function parseLine(line: string): Line {
  if (line.trim() === "") return { kind: "nothing" };
  if (!line.startsWith("/")) return { kind: "say", text: line };
  if (line.startsWith("//")) return { kind: "say", text: line.slice(1) };
  const [command = ""] = line.trim().split(/\s/, 1);
  if (command === "/quit") return { kind: "quit" };
  if (command === "/help") return { kind: "help" };
  return { kind: "unknown", command };
}
