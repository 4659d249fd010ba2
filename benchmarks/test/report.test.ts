import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { reportDocument } from "../src/report/content.ts";
import { renderHtml } from "../src/report/render-html.ts";
import { chartFiles, renderMarkdown } from "../src/report/render-markdown.ts";
import { MAX_SUMMARY_LINES, summary } from "../src/report/summary.ts";
import { ReportWriteError, renderReports, writeReports } from "../src/report/write.ts";
import { buildResults } from "../src/results/build.ts";
import { CONTENDERS, SCENARIOS } from "../src/results/ids.ts";
import type { Results } from "../src/results/types.ts";
import { syntheticResults, syntheticRun } from "./synthetic.ts";

const built = syntheticResults();
const BROKEN = /NaN|undefined|\bnull\b|Infinity|\[object/;

function both(results: Results): string[] {
  const document = reportDocument(results);
  return [renderHtml(document), renderMarkdown(document)];
}

describe("the report", () => {
  const [page, markdown] = both(built.results) as [string, string];

  it("says nothing broken, with every scenario and with any one missing or too short", () => {
    for (const text of [page, markdown]) expect(text).not.toMatch(BROKEN);
    const run = syntheticRun({ blocks: 3 });
    const without = (id: string) =>
      buildResults({ ...run, scenarios: run.scenarios.filter(({ plan }) => plan.id !== id) });
    for (const id of Object.values(SCENARIOS).map((kind) => kind.id)) {
      for (const text of both(without(id).results)) expect(text, `without ${id}`).not.toMatch(BROKEN);
    }
    for (const text of both(
      buildResults({ ...run, scenarios: [], blocks: [], designFacts: { linesOfCode: [], perMessage: [] } }).results,
    )) {
      expect(text, "without anything").not.toMatch(BROKEN);
      expect(text).toContain("was not measured in this run");
    }
  });

  it("has every section in the page and in the Markdown", () => {
    const titles = reportDocument(built.results).sections.map((section) => section.title);
    expect(titles).toEqual([
      "Which transport should I use?",
      "How many times better than TCP?",
      "Latency by percentile",
      "Throughput, and CPU a message",
      "Scenario by scenario",
      "What does a web user feel?",
      "Can I trust this?",
      "Sockets and shared memory as designs",
      "Environment, and how to run it again",
    ]);
    for (const title of titles) {
      expect(page).toContain(`>${title}</h2>`);
      expect(markdown).toContain(`\n## ${title}\n`);
    }
  });

  it("is one self-contained page: no script, no request, light and dark", () => {
    expect(page).not.toMatch(/<script|javascript:|\son\w+=|@import|url\(/i);
    expect(page).not.toMatch(/(?:src|href)="(?!#|data:,)/);
    expect(page.replaceAll("http://www.w3.org/", "")).not.toMatch(/https?:\/\//);
    expect(page).toContain("prefers-color-scheme:dark");
    expect(page).toContain('name="viewport"');
  });

  it("is the same for the same results, whatever was drawn before", () => {
    const again = JSON.parse(JSON.stringify(built.results)) as Results;
    // Compared as a boolean: a difference of a whole page helps nobody.
    expect(both(again).map((text, i) => text === [page, markdown][i])).toEqual([true, true]);
  });

  it("says that made-up figures are made up", () => {
    for (const text of [page, markdown]) expect(text).toContain("Synthetic figures");
  });

  it("shows a scenario that it has no section for, with the metrics that it brings", () => {
    const run = syntheticRun();
    const [first] = run.scenarios;
    if (first === undefined) throw new Error("no scenario");
    const plan = {
      ...first.plan,
      id: "novel",
      title: "Something novel",
      primaryMetric: "lag",
      bases: [],
      compared: [],
    };
    const trials = first.trials.map((trial) => ({ ...trial, histogram: null, extra: { lag: 12.5 } }));
    const extraMetrics = [{ id: "lag", label: "generator lag", unit: "ms", better: "lower" as const }];
    const { results } = buildResults({
      ...run,
      extraMetrics,
      scenarios: [...run.scenarios, { ...first, plan, trials }],
    });
    for (const text of both(results)) {
      expect(text).toContain("Something novel");
      expect(text).toContain("generator lag (lower is better)");
      expect(text.replaceAll("\u00a0", " ")).toContain("12.5 ms");
      expect(text).not.toMatch(BROKEN);
    }
  });

  it("orders sizes and batches, whatever order they were measured in", () => {
    const run = syntheticRun();
    const shuffledRun = buildResults({ ...run, scenarios: [...run.scenarios].reverse() }).results;
    expect(summary(shuffledRun).tableLines[0]).toContain("batch 64");
    expect(summary(shuffledRun).tableLines[0]).toBe(summary(built.results).tableLines[0]);
  });

  it("escapes whatever the results hold", () => {
    const evil = { ...built.results, env: { ...built.results.env, cpu: `<img src=x onerror="alert(1)">` } };
    expect(renderHtml(reportDocument(evil))).not.toContain("<img");
  });

  it("draws every chart that the Markdown names, readable alone in light and dark", () => {
    const files = chartFiles(reportDocument(built.results));
    const named = [...markdown.matchAll(/\(charts\/([^)]+)\)/g)].map((match) => match[1]);
    expect(new Set(named)).toEqual(new Set(files.keys()));
    for (const [name, svg] of files) {
      expect(svg, name).toMatch(/^<svg/);
      expect(svg, name).toContain("prefers-color-scheme:dark");
      expect(svg, name).not.toMatch(/#0[1-8]0[1-8]0[1-8]|NaN|undefined/);
    }
  });
});

describe("the answer", () => {
  it("compares like with like first, then spin with its cost, then the chat", () => {
    const { sentences } = summary(built.results);
    expect(sentences[0]).toMatch(
      /^With both sides asleep on an event loop, .*faster than TCP's on two cores .* sharing one core/,
    );
    expect(sentences[1]).toMatch(
      /^Spinning on two cores, .*burns a core on each side.* of CPU a message against TCP's/,
    );
    expect(sentences[2]).toMatch(/chat .*event loops on two cores.*the socket path has a server in between/);
  });

  it("doesn't call faster what was planted equal", () => {
    const run = syntheticRun();
    const scenarios = run.scenarios.map((scenario) => {
      const tcp = scenario.trials.filter((trial) => trial.contender === CONTENDERS.tcpAgain.id);
      const others = scenario.trials.filter((trial) => trial.contender !== CONTENDERS.shmEventLoop.id);
      return {
        ...scenario,
        trials: [...others, ...tcp.map((trial) => ({ ...trial, contender: CONTENDERS.shmEventLoop.id }))],
      };
    });
    const [first] = summary(buildResults({ ...run, scenarios }).results).sentences;
    expect(first).toMatch(/no different in practice|not measurably different/);
    expect(first).not.toContain("faster");
  });

  it("gives both figures and no ratio where trials fell in two groups", () => {
    const run = syntheticRun({ seed: 3, trialNoise: 0.02 });
    const scenarios = run.scenarios.map((scenario) => ({
      ...scenario,
      trials: scenario.trials.map((trial) => {
        const isChat = trial.contender === CONTENDERS.chatShm.id && trial.block % 2 === 0;
        const twin = run.scenarios[0]?.trials.find((each) => each.contender === CONTENDERS.tcp.id);
        return isChat && twin !== undefined ? { ...trial, histogram: twin.histogram } : trial;
      }),
    }));
    const third = summary(buildResults({ ...run, scenarios }).results).sentences[2];
    expect(third).toMatch(/trials fell in two groups.*p50: the room \d.* µs or \d.* µs, the TCP server/);
    expect(third).not.toContain("×");
  });

  it("advises what is better in each of two modes, though there is no one ratio", () => {
    const run = syntheticRun({ seed: 3, trialNoise: 0.02 });
    const scenarios = run.scenarios.map((scenario) => ({
      ...scenario,
      trials: scenario.trials.map((trial) =>
        scenario.plan.id === SCENARIOS.throughput.id && trial.contender.startsWith("shm-") && trial.block % 2 === 0
          ? { ...trial, durationMs: 4 * trial.durationMs }
          : trial,
      ),
    }));
    const [, text] = both(buildResults({ ...run, scenarios }).results);
    expect(text).toMatch(
      /As many messages a second.*\*\*Shared memory.*two modes, so no one ratio, but better in each/,
    );
  });

  it("fits a terminal: at most ten lines of table", () => {
    const { tableLines } = summary(built.results);
    expect(tableLines.length).toBeLessThanOrEqual(MAX_SUMMARY_LINES);
    expect(tableLines.join("\n")).not.toMatch(BROKEN);
  });
});

describe("writing the report", () => {
  const folders: string[] = [];
  const folder = (): string => {
    const made = mkdtempSync(path.join(tmpdir(), "parley-report-"));
    folders.push(made);
    return made;
  };
  afterEach(() => {
    for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
  });

  it("leaves latest and history complete, replaces an earlier latest, and no temporary folder", () => {
    const reports = folder();
    mkdirSync(path.join(reports, "latest"));
    writeFileSync(path.join(reports, "latest", "stale.txt"), "stale");
    const written = writeReports(reports, built.results, built.trialsNdjson);
    const files = ["charts", "index.html", "report.md", "results.json", "trials.ndjson"];
    expect(readdirSync(written.folder).sort()).toEqual(files);
    expect(readdirSync(written.historyFolder as string).sort()).toEqual(files);
    expect(readdirSync(reports).sort()).toEqual(["history", "latest"]);
    expect(written.pageUrl).toMatch(/^file:\/\/.*index\.html$/);
  });

  it("redraws the same report from the results alone", () => {
    const written = writeReports(folder(), built.results, built.trialsNdjson);
    const before = readFileSync(written.pagePath, "utf8");
    writeFileSync(written.pagePath, "");
    rmSync(written.markdownPath);
    renderReports(written.resultsPath);
    expect(readFileSync(written.pagePath, "utf8") === before).toBe(true);
    expect(readFileSync(written.markdownPath, "utf8")).toContain("# Sockets or shared memory?");
  });

  it("fails with one clear line and leaves nothing half-made", () => {
    const place = folder();
    const reports = path.join(place, "reports");
    writeFileSync(reports, "a file, not a folder");
    expect(() => writeReports(reports, built.results, "")).toThrow(ReportWriteError);
    expect(readdirSync(place)).toEqual(["reports"]);
    expect(() => renderReports(path.join(place, "results.json"))).toThrow(/cannot redraw from .*no such file/);
    writeFileSync(path.join(place, "results.json"), "{}");
    expect(() => renderReports(path.join(place, "results.json"))).toThrow(/not a results file of schema version 1/);
  });
});
