/**
 * One whole comparison: look at the machine, run the blocks, build the results, write the report, print the answer.
 *
 * - Returns the exit code; writes only to the streams it is given and to the report's folder.
 * - SIGINT, SIGTERM or SIGHUP kills the children, removes what they leave, writes what was measured as incomplete, and gives 130.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { styleText } from "node:util";
import { allContenders } from "../contenders/index.ts";
import { REPOSITORY_ROOT, readEnvironment, readGit, withLoadAfter } from "../env.ts";
import { summary } from "../report/summary.ts";
import { assertWritable, RESULTS_FILE, renderReports, type WrittenReport, writeReports } from "../report/write.ts";
import { buildResults } from "../results/build.ts";
import { readDesignFacts } from "../results/design-facts.ts";
import type { Results } from "../results/types.ts";
import { parseResults } from "../results/validate.ts";
import { allScenarios } from "../scenarios/index.ts";
import type { Scenario } from "../scenarios/scenario.ts";
import { Cleanup } from "./cleanup.ts";
import { inspectMachine, type Machine } from "./machine.ts";
import type { Profile } from "./profile.ts";
import { createProgress } from "./progress.ts";
import { type RunOutput, runBlocks } from "./runner.ts";

const EXIT_INTERRUPTED = 130;
const INVALID_SHOWN = 5;
const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface CompareOptions {
  readonly profile: Profile;
  readonly seed: number;
  /** The reports folder: `latest` and `history` are made in it. */
  readonly outFolder: string;
  readonly json: boolean;
  readonly stdout: Output;
  readonly stderr: Output;
  /** For tests: other scenarios than all of them. */
  readonly scenarios?: (machine: Machine) => readonly Scenario[];
}

export async function runCompare(options: CompareOptions): Promise<number> {
  const { profile, seed, stderr } = options;
  const startedAt = new Date();
  const startedMs = performance.now();
  const machine = inspectMachine();
  const scenarios = scenariosOf(options, machine);
  const env = readEnvironment();
  const git = readGit();
  const cleanup = new Cleanup();
  const progress = createProgress(stderr);
  assertWritable(options.outFolder);
  for (const line of limitations(machine)) progress.note(line);
  shareCompileCache(cleanup);
  const stopped = new AbortController();
  const stop = (): void => {
    stopped.abort();
    cleanup.releaseAll();
  };
  for (const signal of STOP_SIGNALS) process.on(signal, stop);
  // However this process ends, its children and files don't outlive it.
  const atExit = (): void => cleanup.releaseAll();
  process.on("exit", atExit);
  let output: RunOutput;
  try {
    output = await runBlocks({ scenarios, profile, machine, seed, cleanup, progress, signal: stopped.signal });
  } finally {
    cleanup.releaseAll();
    process.off("exit", atExit);
    for (const signal of STOP_SIGNALS) process.off(signal, stop);
  }
  const interrupted = stopped.signal.aborted;
  if (output.scenarios.length === 0) {
    stderr.write(
      interrupted ? "interrupted before anything was measured: nothing written\n" : "nothing can be measured here\n",
    );
    return interrupted ? EXIT_INTERRUPTED : 1;
  }
  progress.note(`measured for ${Math.round(output.measuredMs / 1_000)} s, now drawing the report`);
  const { results, trialsNdjson } = buildResults({
    run: {
      startedAt: startedAt.toISOString(),
      durationMs: performance.now() - startedMs,
      mode: profile.mode,
      seed,
      argv: ["npm", "run", "compare", "--", ...modeFlag(profile), "--seed", String(seed)],
      git,
      skipped: [...machineSkips(machine), ...output.skipped],
      synthetic: false,
    },
    env: withLoadAfter(env),
    blocks: output.blocks,
    contenders: output.contenders,
    scenarios: output.scenarios,
    designFacts: readDesignFacts(REPOSITORY_ROOT),
  });
  const written = writeReports(options.outFolder, results, trialsNdjson);
  print(options, results, written, output.invalid, interrupted);
  for (const line of output.invalid.slice(0, INVALID_SHOWN)) stderr.write(`invalid trial: ${line}\n`);
  if (output.invalid.length > INVALID_SHOWN) stderr.write(`… and ${output.invalid.length - INVALID_SHOWN} more\n`);
  if (interrupted) {
    stderr.write("interrupted: the report is marked incomplete\n");
    return EXIT_INTERRUPTED;
  }
  return output.invalid.length > 0 ? 1 : 0;
}

/** `--report-only`: draws the latest report again. */
export function redraw(options: CompareOptions): number {
  const file = path.join(options.outFolder, "latest", RESULTS_FILE);
  const written = renderReports(file);
  print(options, parseResults(readFileSync(file, "utf8")), written, [], false);
  return 0;
}

/** `--list`: what a run of this profile would measure here. */
export function listEverything(options: CompareOptions): number {
  const machine = inspectMachine();
  const scenarios = scenariosOf(options, machine).map((scenario) => ({
    id: scenario.id,
    title: scenario.title,
    cells: scenario
      .cells(options.profile, machine)
      .map(({ plan }) => ({ placement: plan.placement, params: plan.params })),
    contenders: scenario.contenders.map((contender) => ({
      id: contender.info.id,
      label: contender.info.label,
      unavailable: contender.available(machine) ?? null,
    })),
  }));
  if (options.json) {
    options.stdout.write(`${JSON.stringify({ scenarios, limitations: limitations(machine) }, null, 2)}\n`);
    return 0;
  }
  for (const { id, title, cells, contenders } of scenarios) {
    options.stdout.write(`${id}: ${title}\n`);
    for (const { placement, params } of cells) {
      const shown = Object.entries(params).map(([name, value]) => `${name} ${value}`);
      options.stdout.write(`  ${[placement, ...shown].join(", ")}\n`);
    }
    for (const { id: contender, label, unavailable } of contenders) {
      options.stdout.write(
        `    ${contender.padEnd(18)} ${label}${unavailable === null ? "" : ` (not here: ${unavailable})`}\n`,
      );
    }
  }
  for (const line of limitations(machine)) options.stdout.write(`${line}\n`);
  return 0;
}

/**
 * Each trial starts fresh processes of the same sources: compiled once, they start in a third of the time. The cache
 * holds bytecode only; what is optimised is still optimised afresh in each process.
 */
function shareCompileCache(cleanup: Cleanup): void {
  if (process.env.NODE_COMPILE_CACHE !== undefined) return;
  const folder = mkdtempSync(path.join(tmpdir(), "parley-bench-"));
  process.env.NODE_COMPILE_CACHE = folder;
  cleanup.add(() => {
    delete process.env.NODE_COMPILE_CACHE;
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  });
}

function scenariosOf(options: CompareOptions, machine: Machine): readonly Scenario[] {
  return options.scenarios?.(machine) ?? allScenarios(allContenders(machine));
}

function modeFlag({ mode }: Profile): string[] {
  return mode === "default" ? [] : [`--${mode}`];
}

/** One line for each thing that this machine doesn't allow. */
function limitations(machine: Machine): string[] {
  return machineSkips(machine).map(({ what, why }) => `left out: ${what} (${why})`);
}

function machineSkips({ cannotName, cannotPin, cpus }: Machine): { what: string; why: string }[] {
  const skips = [];
  if (cannotName !== null) {
    skips.push({
      what: "shared memory between processes, and the chat on it; threads on a SharedArrayBuffer are measured instead",
      why: cannotName,
    });
  }
  if (cannotPin !== null) skips.push({ what: "pinning to CPUs, so placements are not told apart", why: cannotPin });
  else if (cpus.length < 2) skips.push({ what: "everything across two CPUs", why: "there is only one" });
  return skips;
}

function print(
  { json, stdout }: CompareOptions,
  results: Results,
  written: WrittenReport,
  invalid: readonly string[],
  interrupted: boolean,
): void {
  const { sentences, quality, tableLines } = summary(results);
  if (json) {
    const { run } = results;
    stdout.write(
      `${JSON.stringify({
        ok: invalid.length === 0 && !interrupted,
        interrupted,
        id: run.id,
        mode: run.mode,
        seed: run.seed,
        durationMs: Math.round(run.durationMs),
        answer: sentences,
        quality: { grade: results.quality.grade, text: quality },
        skipped: run.skipped,
        invalid,
        comparisons: results.scenarios.flatMap(({ id, placement, params, comparisons }) =>
          comparisons.map((comparison) => ({ scenario: id, placement, params, ...comparison })),
        ),
        files: { results: written.resultsPath, markdown: written.markdownPath, page: written.pagePath },
        url: written.pageUrl,
      })}\n`,
    );
    return;
  }
  const skipped = results.run.skipped.length;
  stdout.write(`\n${sentences.map((sentence, i) => `${i + 1}. ${sentence}`).join("\n")}\n\n`);
  stdout.write(`${tableLines.map((line, i) => (i === 0 ? styleText("bold", line) : line)).join("\n")}\n\n`);
  stdout.write(`${quality}${skipped > 0 ? `; ${skipped} things left out, listed in the report` : ""}\n`);
  stdout.write(
    `Report: ${path.relative(process.env.INIT_CWD ?? process.cwd(), written.markdownPath)}\n        ${written.pageUrl}\n`,
  );
}
