/** The rows as a table for a terminal and as Markdown; both are pure functions of the results. */
import { styleText } from "node:util";
import type { LimitsResults, RowResult, Verdict } from "./results.ts";

const COLOURS = { reached: "green", met: "green", missed: "red", shown: "dim", "not measured": "yellow" } as const;
const HEADINGS = ["row", "median", "min to max", "must", "reach", "verdict", "from reach"];

/** Three significant digits, without an exponent. */
export function shown(value: number, unit: RowResult["unit"]): string {
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 || size === 0 ? 2 : 3;
  return `${value.toFixed(digits)}${unit === "slices" ? "" : unit}`;
}

function target(row: RowResult, value: number | null): string {
  if (value === null) return "";
  return `${row.better === "higher" ? "≥" : "≤"} ${value}${row.unit === "slices" ? "" : row.unit}`;
}

function fromReach({ beyondReach }: RowResult): string {
  if (beyondReach === null) return "";
  const percent = Math.round(100 * Math.abs(beyondReach));
  return `${percent} % ${beyondReach >= 0 ? "beyond" : "short"}`;
}

function cells(row: RowResult): string[] {
  const { median, min, max, unit } = row;
  return [
    row.what,
    median === null ? "" : shown(median, unit),
    min === null || max === null ? "" : `${shown(min, unit)} to ${shown(max, unit)}`,
    target(row, row.must),
    target(row, row.reach),
    row.verdict,
    fromReach(row),
  ];
}

const WHAT_WIDTH = 60;

export function terminalTable({ rows }: LimitsResults): string {
  const lines = [HEADINGS, ...rows.map(cells)];
  const heads = rows.map((row) => wrapped(row.what));
  const widths = HEADINGS.map((_, column) =>
    column === 0 ? WHAT_WIDTH : Math.max(...lines.map((line) => (line[column] as string).length)),
  );
  const padded = (line: readonly string[]): string =>
    line
      .map((cell, column) => {
        const width = widths[column] as number;
        return column === 0 || column >= 5 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd();
  const text = [styleText("bold", padded(HEADINGS))];
  rows.forEach((row, index) => {
    const head = heads[index] as string[];
    const values = cells(row).slice(1);
    text.push(...head.slice(0, -1), coloured(padded([head.at(-1) as string, ...values]), row.verdict));
    if (row.why !== null) text.push(styleText("dim", `    ${row.why}`));
  });
  return text.join("\n");
}

function coloured(line: string, verdict: Verdict): string {
  return line.replace(` ${verdict}`, ` ${styleText(COLOURS[verdict], verdict)}`);
}

/** A description in lines that fit into its column. */
function wrapped(text: string): string[] {
  const lines: string[] = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) as string;
    if (line !== "" && line.length + 1 + word.length > WHAT_WIDTH) lines.push(`  ${word}`);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}

/** What is said below the table, in the terminal and in Markdown. */
export function conclusion(results: LimitsResults): string {
  const { rows, runs, verified, corrupt, failures } = results;
  const judged = rows.filter(({ must }) => must !== null);
  const count = (...verdicts: Verdict[]): number => judged.filter(({ verdict }) => verdicts.includes(verdict)).length;
  return (
    `${count("reached", "met")} of ${judged.length} rows meet what they must, ${count("reached")} what they reach for; ` +
    `${count("missed")} missed, ${count("not measured")} not measured. Median of ${runs} runs; ` +
    `${corrupt} corrupt of ${verified.toLocaleString("en")} messages verified` +
    `${failures.length === 0 ? "." : `; ${failures.length} trials failed.`}`
  );
}

export function markdown(results: LimitsResults): string {
  const { env, git, seed, cpus, compiler, rows, failures, startedAt, quick } = results;
  const line = (each: readonly string[]): string => `| ${each.join(" | ")} |`;
  const reasons = rows.filter(({ why }) => why !== null && why !== "");
  return [
    "# Limits",
    "",
    "How close `shared-memory-ringbuffer` comes to what the machine allows: each figure is a ratio to a C program that does",
    "the same work (`benchmarks/src/limits/floor.c`), or to Node's own sockets, measured in the same run.",
    "`npm run limits` measures it; [docs/benchmarking.md](../../docs/benchmarking.md) says how.",
    "",
    conclusion(results),
    "",
    line(HEADINGS),
    line(HEADINGS.map((_, column) => (column === 0 || column >= 5 ? "---" : "---:"))),
    ...rows.map((row) => line(cells(row))),
    "",
    ...(reasons.length === 0 ? [] : ["What stands between a row and its reach:", ""]),
    ...reasons.map(({ what, why }) => `- ${what}: ${why}`),
    ...(reasons.length === 0 ? [] : [""]),
    ...failures.map((failure) => `- failed: ${failure}`),
    ...(failures.length === 0 ? [] : [""]),
    `${env.cpu ?? "unknown processor"}, ${env.cores ?? "?"} cores${env.hypervisor === null || env.hypervisor === "none" ? "" : " (virtual)"}, ` +
      `${env.kernel}, Node ${env.node}, ${compiler ?? "no C compiler"}; sides on CPUs ${cpus?.join(" and ") ?? "as the kernel chose"}; ` +
      `load ${env.loadBefore?.[0] ?? "?"} before and ${env.loadAfter?.[0] ?? "?"} after.`,
    `Measured ${startedAt.slice(0, 16).replace("T", " ")} UTC at ${git.sha?.slice(0, 7) ?? "an unknown commit"}, seed ${seed}` +
      `${quick ? ", quick (shorter trials)" : ""}.`,
    "",
  ].join("\n");
}
