/** Advice as text for people and as one object for scripts; both say which run it comes from. */
import { styleText } from "node:util";
import { formatCount, formatUs } from "../results/quantities.ts";
import type { Results } from "../results/types.ts";
import { type Needs, QUESTIONS } from "./needs.ts";
import type { Figure, Recommendation } from "./recommend.ts";

export interface Source {
  readonly path: string;
  /** The committed example, measured on another machine. */
  readonly isExample: boolean;
  readonly results: Results;
}

export const JSON_VERSION = 1;

export function asJson({ path, isExample, results }: Source, needs: Needs, advice: Recommendation): unknown {
  return {
    adviceVersion: JSON_VERSION,
    source: { path, isExample, run: results.run.id, grade: results.quality.grade },
    needs: Object.fromEntries(QUESTIONS.map(({ name }) => [name, needs[name]])),
    ...advice,
  };
}

export function asText({ isExample, results }: Source, advice: Recommendation): string {
  const { use, because, isMeasured, notes, measuredAt, figures, batch } = advice;
  const { run, quality, env } = results;
  const lines = [
    styleText("bold", `Use: ${use}`),
    isMeasured && measuredAt !== null ? `${because} (${measuredAt})` : because,
    "",
    ...notes.map((note) => `- ${note}`),
    ...(figures.length > 0 ? ["", ...inColumns(figures, batch)] : []),
    "",
    `From run ${run.id}, grade ${quality.grade}, on ${env.cpu ?? "an unknown processor"} with ${env.cores ?? "?"} cores.`,
  ];
  if (isExample) {
    const text = "This is the committed example, not your machine: run `npm run compare`, then ask again.";
    lines.push(styleText("yellow", text));
  }
  if (quality.grade === "C") lines.push(styleText("yellow", "Grade C: noisy; nothing under 1.5× is claimed."));
  if (run.synthetic) lines.push(styleText("yellow", "The figures are made up."));
  return `${lines.join("\n").replaceAll("\n\n\n", "\n\n")}\n`;
}

function inColumns(figures: readonly Figure[], batch: number): string[] {
  const messages = batch === 1 ? "messages/s, one by one" : `messages/s, ${batch} a publish`;
  const rows = [
    ["", "round trip p50", "× TCP", messages, "CPU/message", "cores at your rate"],
    ...figures.map(({ label, p50Us, againstTcp, rate, cpuUsPerMessage, coresAtRate }) => [
      ...[label, formatUs(p50Us), againstTcp, formatCount(rate), formatUs(cpuUsPerMessage)],
      coresAtRate === null ? "–" : coresText(coresAtRate),
    ]),
  ];
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

/** Thousandths of a core don't matter to anybody. */
function coresText(cores: number): string {
  return cores < 0.005 ? "0.00" : cores.toFixed(2);
}
