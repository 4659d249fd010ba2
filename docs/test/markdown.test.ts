/** What the documents promise that a machine can check: diagrams parse, links lead somewhere, commands exist. */

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { filesEndingWith, root } from "./repository.ts";

// Mermaid cleans labels through a DOM before drawing them; parsing alone has no use for one.
// A sequence diagram's box asks the page whether its first word is a colour.
vi.stubGlobal("window", { CSS: { supports: () => false } });
vi.mock("dompurify", () => ({ default: { addHook() {}, sanitize: (text: string) => text } }));

const documents = filesEndingWith(".md").map((path) => [path, readFileSync(join(root, path), "utf8")] as const);
const scripts = (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> })
  .scripts;

describe("diagrams", async () => {
  const { default: mermaid } = await import("mermaid");
  const diagrams = documents.flatMap(([path, text]) =>
    [...text.matchAll(/^```mermaid\n([\s\S]*?)^```/gm)].map(
      (match, index) => [`${path} #${index + 1}`, match[1] as string] as const,
    ),
  );

  test("architecture.md has its diagrams", () => {
    expect(diagrams.filter(([name]) => name.startsWith("docs/architecture.md")).length).toBeGreaterThanOrEqual(9);
  });

  test.each(diagrams)("%s parses", async (_name, diagram) => {
    await expect(mermaid.parse(diagram)).resolves.toBeTruthy();
  });

  test("a broken diagram would be noticed", async () => {
    await expect(mermaid.parse("flowchart TD\n A[open --> B")).rejects.toThrow();
  });
});

/** GitHub's anchors of a document: lower case, punctuation dropped, spaces as hyphens, repeated ones numbered. */
function anchorsOf(document: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of document.matchAll(/^#+ (.*)$/gm)) {
    const plain = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-");
    let anchor = plain;
    for (let repeat = 1; anchors.has(anchor); repeat++) anchor = `${plain}-${repeat}`;
    anchors.add(anchor);
  }
  return anchors;
}

test.each(documents)("relative links of %s lead somewhere", (path, text) => {
  for (const match of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    const target = match[1] as string;
    if (/^[a-z]+:/.test(target)) continue;
    const [file, anchor] = target.split("#") as [string, string | undefined];
    const resolved = file === "" ? join(root, path) : join(root, dirname(path), file);
    expect(existsSync(resolved), `${path}: ${target}`).toBe(true);
    if (anchor !== undefined && resolved.endsWith(".md")) {
      expect(anchorsOf(readFileSync(resolved, "utf8")), `${path}: ${target}`).toContain(anchor);
    }
  }
});

test.each(documents)("npm scripts named in %s exist", (path, text) => {
  for (const match of text.matchAll(/npm run (?:-s )?([a-z][\w:-]*)/g)) {
    expect(Object.keys(scripts), `${path}: ${match[0]}`).toContain(match[1]);
  }
});
