/** The document as Markdown with its drawings in `charts/`, for reading in a repository. */
import type { Block, Chart, Document } from "./document.ts";
import { standaloneSvg } from "./theme.ts";

export function renderMarkdown(document: Document): string {
  const parts = [
    `# ${document.title}`,
    ...document.warnings.map((warning) => `> **${warning}**`),
    document.subtitle,
    `**Quality of this run: grade ${document.badge.grade}**, ${document.badge.text}.`,
    document.answer.map((sentence, i) => `${i + 1}. ${sentence}`).join("\n"),
    ...document.sections.flatMap((section) => [`## ${section.title}`, ...section.blocks.map(renderBlock)]),
    "A ratio above 1 always means better than what it is compared with. Intervals are 95%, Student-t on log-ratios paired within blocks.",
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

/** Every drawing of the document as a file of its own: name → SVG. */
export function chartFiles(document: Document): Map<string, string> {
  const charts = document.sections.flatMap((section) => chartsIn(section.blocks));
  return new Map(charts.map((chart) => [`${chart.id}.svg`, standaloneSvg(chart.wide)]));
}

function chartsIn(blocks: readonly Block[]): Chart[] {
  return blocks.flatMap((block) => {
    if (block.kind === "chart") return [block.chart];
    return block.kind === "card" || block.kind === "details" ? chartsIn(block.blocks) : [];
  });
}

function renderBlock(block: Block): string {
  switch (block.kind) {
    case "text":
    case "note":
      return block.text;
    case "list":
      return block.items.map((item) => `- ${item}`).join("\n");
    case "code":
      return `\`\`\`sh\n${block.text}\n\`\`\``;
    case "chart":
      return `**${block.chart.title}**\n\n![${block.chart.alt.replace(/[[\]]/g, "")}](charts/${block.chart.id}.svg)`;
    case "table": {
      const head = block.columns.map(({ title }) => title);
      const rule = block.columns.map(({ numeric }) => (numeric === true ? "---:" : "---"));
      const lines = [head, rule, ...block.rows].map((row) => `| ${row.map(escapeCell).join(" | ")} |`);
      return `**${block.caption}**\n\n${lines.join("\n")}`;
    }
    case "details":
      return `<details><summary>${block.summary.replaceAll("<", "&lt;")}</summary>\n\n${block.blocks.map(renderBlock).join("\n\n")}\n\n</details>`;
    case "card":
      return [`### ${block.title}`, block.question, block.answer, ...block.blocks.map(renderBlock)]
        .filter((part) => part !== "")
        .join("\n\n");
  }
}

function escapeCell(cell: string): string {
  return cell.replaceAll("|", "\\|").replaceAll("\n", " ");
}
