/**
 * Writes the result table of README.md from the committed example report, so that no figure there is typed by hand.
 *
 *     npm run readme                rewrites the part between the two markers
 *     npm run readme -- --promote   makes reports/latest the example first
 *     npm run readme -- --check     exits 1 when it is stale
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { REPOSITORY_ROOT } from "./env.ts";
import { summary } from "./report/summary.ts";
import type { Results } from "./results/types.ts";
import { parseResults } from "./results/validate.ts";

const BEGIN = "<!-- results: written by `npm run readme` from reports/example -->";
const END = "<!-- end of results -->";

/** README's text with its results replaced by those of `results`. Throws Error when the markers are missing. */
export function withResults(readme: string, results: Results): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error("README.md has lost the markers of its results");
  return `${readme.slice(0, begin)}${BEGIN}\n\n${resultsText(results)}\n\n${readme.slice(end)}`;
}

function resultsText(results: Results): string {
  const { sentences, quality, table } = summary(results);
  const [head = [], ...rows] = table;
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const { cpu, cores, kernel, node } = results.env;
  return [
    ...sentences.map((sentence, index) => `${index + 1}. ${sentence}`),
    "",
    line(head.map((cell) => cell || "64 B messages")),
    line(head.map((_, index) => (index === 0 ? "---" : "---:"))),
    ...rows.map(line),
    "",
    `${quality}. Measured on ${cpu ?? "an unknown processor"} with ${cores ?? "?"} cores, ${kernel ?? "unknown kernel"}, ` +
      `Node ${node.replace(/^v/, "")}; × above 1 is better than TCP, with its 95% interval. Your machine will differ: run it.`,
  ].join("\n");
}

/** Each trial with its own histogram: of use on the machine it was measured on, too much to commit. */
const NOT_COMMITTED = "trials.ndjson";

function promoteLatest(reports: string): void {
  const example = path.join(reports, "example");
  rmSync(example, { recursive: true, force: true });
  cpSync(path.join(reports, "latest"), example, {
    recursive: true,
    filter: (source) => path.basename(source) !== NOT_COMMITTED,
  });
}

function main(flags: readonly string[]): void {
  const reports = path.join(REPOSITORY_ROOT, "reports");
  const readmePath = path.join(REPOSITORY_ROOT, "README.md");
  if (flags.includes("--promote")) promoteLatest(reports);
  const before = readFileSync(readmePath, "utf8");
  const after = withResults(before, parseResults(readFileSync(path.join(reports, "example/results.json"), "utf8")));
  if (!flags.includes("--check")) writeFileSync(readmePath, after);
  else if (before !== after) throw new Error("README.md is not what reports/example says: run `npm run readme`");
}

if (import.meta.main) {
  try {
    main(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`error: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
