/**
 * The document as one self-contained page: no script, no request to anywhere, light and dark, from a phone's width up.
 */
import type { Block, Document } from "./document.ts";
import { type Html, html, inline, trusted } from "./html.ts";
import { PAGE_CSS } from "./page-style.ts";

/** A cell after the first that is longer than this makes a table of prose, which is stacked on a phone. */
const PROSE_LENGTH = 48;

export function renderHtml(document: Document): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${document.title}</title>
<link rel="icon" href="data:,">
<style>${trusted(PAGE_CSS)}</style>
</head>
<body>
<div class="page">
<header>
${document.warnings.map((warning) => html`<p class="warning" role="note">${inline(warning)}</p>\n`)}
<h1>${document.title}</h1>
<p class="subtitle">${inline(document.subtitle)}</p>
<div class="badge grade-${document.badge.grade}"><b>${document.badge.grade}</b><span>Quality of this run: ${inline(document.badge.text)}</span></div>
<ol class="answer">
${document.answer.map((sentence) => html`<li>${inline(sentence)}</li>\n`)}</ol>
<nav aria-label="Sections">
${document.sections.map((section) => html`<a href="#${section.id}">${section.title}</a>\n`)}</nav>
</header>
<main>
${document.sections.map(
  (section) => html`<section aria-labelledby="${section.id}">
<h2 id="${section.id}">${section.title}</h2>
${section.blocks.map(renderBlock)}</section>
`,
)}</main>
<footer>A ratio above 1 always means better than what it is compared with. Intervals are 95%, Student-t on log-ratios paired within blocks. All figures are in results.json beside this page.</footer>
</div>
</body>
</html>
`;
  return page.source;
}

function renderBlock(block: Block): Html {
  switch (block.kind) {
    case "text":
      return html`<p>${inline(block.text)}</p>\n`;
    case "note":
      return html`<p class="note">${inline(block.text)}</p>\n`;
    case "list":
      return html`<ul>${block.items.map((item) => html`<li>${inline(item)}</li>`)}</ul>\n`;
    case "code":
      return html`<pre><code>${block.text}</code></pre>\n`;
    case "chart": {
      const { title, alt, wide, narrow } = block.chart;
      return html`<figure role="img" aria-label="${alt}"><figcaption>${title}</figcaption><div class="wide" aria-hidden="true">${trusted(wide)}</div><div class="narrow" aria-hidden="true">${trusted(narrow)}</div></figure>\n`;
    }
    case "table":
      return renderTable(block);
    case "details":
      return html`<details><summary>${block.summary}</summary>${block.blocks.map(renderBlock)}</details>\n`;
    case "card":
      return html`<article class="card"><h3>${block.title}</h3><p class="question">${inline(block.question)}</p>${
        block.answer === "" ? "" : html`<p>${inline(block.answer)}</p>`
      }${block.blocks.map(renderBlock)}</article>\n`;
  }
}

function renderTable({ caption, columns, rows }: Extract<Block, { kind: "table" }>): Html {
  const cellClass = (i: number): Html => trusted(columns[i]?.numeric === true ? ' class="num"' : "");
  const prose = rows.some((row) => row.slice(1).some((cell) => cell.length > PROSE_LENGTH));
  return html`<div class="table${prose ? " long" : ""}"><div class="caption">${caption}</div><div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table><thead><tr>${columns.map(
    ({ title }, i) => html`<th scope="col"${cellClass(i)}>${title}</th>`,
  )}</tr></thead><tbody>${rows.map(
    (row) =>
      html`<tr>${row.map((cell, i) => html`<td${cellClass(i)} data-label="${columns[i]?.title ?? ""}">${inline(cell)}</td>`)}</tr>\n`,
  )}</tbody></table></div></div>\n`;
}
