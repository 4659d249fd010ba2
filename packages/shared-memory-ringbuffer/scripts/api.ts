/**
 * Writes the API reference, `docs/api/README.md`, from the docstrings of everything that `src/index.ts` exports.
 *
 * - TypeDoc makes it; it needs TypeScript 6, which this package therefore has beside the repository's own.
 * - `--check` writes nothing, and exits with 1 when the reference isn't what the sources say.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const home = resolve(import.meta.dirname, "..");
const reference = join(home, "docs/api/README.md");
const NOTE = "Generated from the sources by `npx nx run shared-memory-ringbuffer:api`.";

export function generateReference(): string {
  const folder = mkdtempSync(join(tmpdir(), "ringbuffer-api-"));
  try {
    const typedoc = join(home, "node_modules/typedoc/bin/typedoc");
    const args = [typedoc, "--out", folder, "--logLevel", "Warn"];
    execFileSync(process.execPath, args, { cwd: home, stdio: ["ignore", "ignore", "inherit"] });
    return withIndex(withoutAncestry(readFileSync(join(folder, "README.md"), "utf8")));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Takes out what only links one member to another one of the same name; those anchors are numbered, and break. */
function withoutAncestry(text: string): string {
  return text.replaceAll(/^#+ (Overrides|Inherited from|Implementation of)\n\n.*\n\n?/gm, "");
}

/** Puts a line of links for each kind of export at the top. */
function withIndex(text: string): string {
  const [title, ...groups] = text.split(/^(?=## )/m) as [string, ...string[]];
  const rows = groups.map((group) => {
    const names = [...group.matchAll(/^### (.*)$/gm)].map((match) => match[1] as string);
    const links = names.map((name) => `[${name}](#${name.toLowerCase().replaceAll(/[^a-z0-9_-]/g, "")})`);
    return `**${/^## (.*)$/m.exec(group)?.[1]}**: ${links.join(" · ")}\n`;
  });
  return [`${title.trimEnd()}\n`, `${NOTE}\n`, ...rows, groups.join("").trimEnd(), ""].join("\n");
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { check: { type: "boolean" } } });
  const generated = generateReference();
  if (!values.check) {
    mkdirSync(join(reference, ".."), { recursive: true });
    writeFileSync(reference, generated);
  } else if (readFileSync(reference, "utf8") !== generated) {
    console.error(`${reference} is stale: run npx nx run shared-memory-ringbuffer:api`);
    process.exitCode = 1;
  }
}
