/**
 * Puts the measured numbers into README.md, between its two `numbers` marks, from the repository's example report.
 *
 * - A number is never typed: machine and rows are copied from `reports/example/report.md`, which `npm run compare` made.
 * - `--check` writes nothing, and exits with 1 when the README doesn't show what the report says.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const home = resolve(import.meta.dirname, "..");
const readme = join(home, "README.md");
const report = resolve(home, "../../reports/example/report.md");
const BEGIN = "<!-- numbers:begin -->\n";
const END = "<!-- numbers:end -->";
/** Tables of the report, and how many of their columns: contender, p50, p90, p99. */
const TITLES = ["Round trip, on two cores, 64 B", "Round trip, sharing one core, 64 B"];
const COLUMNS = 4;

function numbersOf(text: string): string {
  const machine = /^Measured on one machine: ([^\n]*)$/m.exec(text)?.[1];
  if (machine === undefined) throw new Error(`${report} doesn't say on which machine it was measured`);
  const tables = TITLES.map((title) => `${title}:\n\n${tableUnder(text, title)}`);
  return `Lower is better. Measured by \`npm run compare\` on ${machine}\n\n${tables.join("\n\n")}\n`;
}

/** The report's latency table of that title, its first columns. */
function tableUnder(text: string, title: string): string {
  const from = text.indexOf(`**${title} (`);
  const table = /(?:^\|.*\|\n)+/m.exec(text.slice(from))?.[0];
  if (from < 0 || table === undefined) throw new Error(`${report} has no table "${title}"`);
  const rows = table.trimEnd().split("\n");
  return rows
    .map(
      (row) =>
        `${row
          .split("|", COLUMNS + 1)
          .join("|")
          .trimEnd()} |`,
    )
    .join("\n");
}

const { values } = parseArgs({ options: { check: { type: "boolean" } } });
const before = readFileSync(readme, "utf8");
const [head, tail] = [before.indexOf(BEGIN) + BEGIN.length, before.indexOf(END)];
const after = before.slice(0, head) + numbersOf(readFileSync(report, "utf8")) + before.slice(tail);
if (!values.check) {
  writeFileSync(readme, after);
} else if (before !== after) {
  console.error(`${readme} has other numbers than ${report}: run npx nx run shared-memory-ringbuffer:numbers`);
  process.exitCode = 1;
}
