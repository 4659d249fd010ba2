import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const sources = new URL("../src/", import.meta.url);
const files = readdirSync(sources).map((name) => ({ name, text: readFileSync(new URL(name, sources), "utf8") }));

test("there are sources to look at", () => {
  expect(files.length).toBeGreaterThan(5);
});

test.each(files)("$name imports its neighbours only, nothing of Node", ({ text }) => {
  const imported = [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1]);
  for (const specifier of imported) expect(specifier).toMatch(/^\.\/[a-z-]+\.ts$/);
});

test.each(files)("$name uses no global that only Node has", ({ text }) => {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
  expect(code).not.toMatch(/\b(Buffer|process|require|global|__dirname|setImmediate)\b/);
});
