/**
 * Puts a report on disk: `reports/latest` and a copy under `reports/history/<run id>`.
 *
 * - A folder is complete or not there: written beside its place under a temporary name, then renamed. An earlier `latest` is replaced.
 * - Any failure is a `ReportWriteError` with one clear line (a full disk says so), and leaves no temporary folder behind.
 * - `renderReports` redraws report.md, index.html and charts beside an existing results.json, which it doesn't touch.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Results } from "../results/types.ts";
import { InvalidResultsError, parseResults, validateResults } from "../results/validate.ts";
import { reportDocument } from "./content.ts";
import { renderHtml } from "./render-html.ts";
import { chartFiles, renderMarkdown } from "./render-markdown.ts";

export const RESULTS_FILE = "results.json";
export const TRIALS_FILE = "trials.ndjson";
const MARKDOWN_FILE = "report.md";
const PAGE_FILE = "index.html";
const CHARTS_FOLDER = "charts";

/** The report couldn't be written or its results not be read. */
export class ReportWriteError extends Error {
  override readonly name = "ReportWriteError";
  readonly code = "REPORT_NOT_WRITTEN";
}

export interface WrittenReport {
  /** Absolute paths. */
  readonly folder: string;
  readonly historyFolder: string | null;
  readonly resultsPath: string;
  readonly markdownPath: string;
  readonly pagePath: string;
  /** file:// URL of the page, for a terminal to open. */
  readonly pageUrl: string;
}

/**
 * Makes the folder and writes into it, to know before minutes of measuring that the report will have a place.
 *
 * @throws ReportWriteError
 */
export function assertWritable(reportsFolder: string): void {
  const probe = path.join(reportsFolder, `.${process.pid}.probe`);
  try {
    makeFolder(path.resolve(reportsFolder));
    writeFileSync(probe, "");
    rmSync(probe);
  } catch (cause) {
    throw new ReportWriteError(`cannot write the report to ${reportsFolder}: ${systemReason(cause)}`, { cause });
  }
}

/** One level at a time: Node's own recursive way never returns where the file system takes no folders, as /proc. */
function makeFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  const parent = path.dirname(folder);
  if (parent !== folder) makeFolder(parent);
  mkdirSync(folder);
}

/**
 * Writes results and report.
 *
 * @param reportsFolder the `reports` folder; made when missing
 * @throws ReportWriteError
 * @throws InvalidResultsError when the results don't match the schema
 */
export function writeReports(reportsFolder: string, results: Results, trialsNdjson: string): WrittenReport {
  validateResults(results);
  const files = new Map([
    [RESULTS_FILE, `${JSON.stringify(results, null, 2)}\n`],
    [TRIALS_FILE, trialsNdjson],
    ...reportFiles(results),
  ]);
  const latest = path.join(reportsFolder, "latest");
  const history = path.join(reportsFolder, "history", results.run.id);
  replaceFolder(history, files);
  replaceFolder(latest, files);
  return written(latest, history);
}

/**
 * Draws report.md, index.html and charts again, beside the results.
 *
 * @param resultsPath a results.json
 * @throws ReportWriteError when it can't be read, isn't valid, or the report can't be written
 */
export function renderReports(resultsPath: string): WrittenReport {
  const folder = path.dirname(path.resolve(resultsPath));
  let results: Results;
  try {
    results = parseResults(readFileSync(resultsPath, "utf8"));
  } catch (cause) {
    const reason = cause instanceof InvalidResultsError ? cause.message : systemReason(cause);
    throw new ReportWriteError(`cannot redraw from ${resultsPath}: ${reason}`, { cause });
  }
  try {
    const files = reportFiles(results);
    for (const [name, content] of files) replaceFile(path.join(folder, name), content);
  } catch (cause) {
    throw new ReportWriteError(`cannot write the report to ${folder}: ${systemReason(cause)}`, { cause });
  }
  return written(folder, null);
}

function reportFiles(results: Results): Map<string, string> {
  const document = reportDocument(results);
  const files = new Map([
    [MARKDOWN_FILE, renderMarkdown(document)],
    [PAGE_FILE, renderHtml(document)],
  ]);
  for (const [name, svg] of chartFiles(document)) files.set(path.join(CHARTS_FOLDER, name), svg);
  return files;
}

function replaceFolder(folder: string, files: ReadonlyMap<string, string>): void {
  const temporary = `${folder}.${process.pid}.tmp`;
  const previous = `${folder}.${process.pid}.old`;
  try {
    for (const [name, content] of files) {
      const file = path.join(temporary, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, content);
    }
    // A folder can't be renamed over one that has contents, so the previous one steps aside first.
    const hadPrevious = renameIfThere(folder, previous);
    try {
      renameSync(temporary, folder);
    } catch (cause) {
      if (hadPrevious) renameSync(previous, folder);
      throw cause;
    }
    rmSync(previous, { recursive: true, force: true });
  } catch (cause) {
    rmSync(temporary, { recursive: true, force: true });
    throw new ReportWriteError(`cannot write the report to ${folder}: ${systemReason(cause)}`, { cause });
  }
}

function renameIfThere(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw cause;
  }
}

function replaceFile(file: string, content: string): void {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(temporary, content);
    renameSync(temporary, file);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw cause;
  }
}

function systemReason(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC") return "the disk is full";
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") return "no permission to write there";
  if (code === "ENOENT") return "no such file";
  if (code === "ENOTDIR" || code === "EEXIST") return "a file stands where a folder should be";
  return message.split("\n")[0] ?? "unknown error";
}

function written(folder: string, historyFolder: string | null): WrittenReport {
  const at = (name: string): string => path.resolve(folder, name);
  return {
    folder: path.resolve(folder),
    historyFolder: historyFolder === null ? null : path.resolve(historyFolder),
    resultsPath: at(RESULTS_FILE),
    markdownPath: at(MARKDOWN_FILE),
    pagePath: at(PAGE_FILE),
    pageUrl: pathToFileURL(at(PAGE_FILE)).href,
  };
}
