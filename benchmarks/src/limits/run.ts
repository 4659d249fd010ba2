/**
 * Makes the runs: each makes every trial once, in an order shuffled by the seed, and every row is computed within its run.
 *
 * - A trial that fails or finds anything corrupt is told and counted, and gives no figure; the others go on.
 * - Interrupted, it stops at once, and nothing is written.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { styleText } from "node:util";
import { readEnvironment, readGit, withLoadAfter } from "../env.ts";
import { Cleanup } from "../rig/cleanup.ts";
import { cpusFor, inspectMachine } from "../rig/machine.ts";
import { seededRandom, shuffled } from "../stats/random.ts";
import { compileFloor } from "./c-floor.ts";
import { conclusion, markdown, terminalTable } from "./render.ts";
import { LIMITS_SCHEMA_VERSION, type LimitsResults, rowResults } from "./results.ts";
import { ROWS, type Row } from "./rows.ts";
import { type LimitsContext, TRIALS, type Trial } from "./trials.ts";

export const RESULTS_JSON = "limits.json";
export const RESULTS_MARKDOWN = "limits.md";

const EXIT_FAILURE = 1;
const EXIT_INTERRUPTED = 130;
/** Trials of a quick run are this much shorter. */
const QUICK_SHORTER = 4;
const STOP_SIGNALS = ["SIGINT", "SIGTERM"] as const;

interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export interface LimitsOptions {
  readonly runs: number;
  readonly quick: boolean;
  readonly seed: number;
  readonly json: boolean;
  /** Fail when a row misses what it must. */
  readonly gate: boolean;
  readonly outFolder: string;
  readonly stdout: Output;
  readonly stderr: Output;
  /** For tests: others than all of them, and a compiler that isn't there. */
  readonly trials?: readonly Trial[];
  readonly rows?: readonly Row[];
  readonly compiler?: string;
}

/** Measures, writes and prints. Answers the exit code. */
export async function runLimits(options: LimitsOptions): Promise<number> {
  const { stdout, stderr, runs, seed, trials = TRIALS, rows = ROWS } = options;
  const startedAt = new Date();
  const cleanup = new Cleanup();
  const stopped = new AbortController();
  const stop = (): void => {
    stopped.abort();
    cleanup.releaseAll();
  };
  const atExit = (): void => cleanup.releaseAll();
  for (const signal of STOP_SIGNALS) process.on(signal, stop);
  process.on("exit", atExit);
  try {
    // Each trial starts fresh processes of the same sources: compiled once, they start in a third of the time.
    if (process.env.NODE_COMPILE_CACHE === undefined) {
      const folder = mkdtempSync(path.join(tmpdir(), "parley-limits-"));
      process.env.NODE_COMPILE_CACHE = folder;
      cleanup.add(() => {
        delete process.env.NODE_COMPILE_CACHE;
        rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
      });
    }
    const env = readEnvironment();
    const git = readGit();
    const machine = inspectMachine();
    const random = seededRandom(seed);
    const floor = compileFloor(cleanup, options.compiler);
    let names = 0;
    const context: LimitsContext = {
      machine,
      cleanup,
      random,
      floor,
      shorter: options.quick ? QUICK_SHORTER : 1,
      uniqueName: () => `parley-limits-${process.pid}-${startedAt.getTime().toString(36)}-${names++}`,
    };
    const unavailable = new Map<string, string>();
    for (const { id, unavailable: why } of trials) {
      const reason = why(context);
      if (reason !== undefined) unavailable.set(id, reason);
    }
    for (const reason of new Set(unavailable.values())) {
      const left = [...unavailable].filter(([, each]) => each === reason).map(([id]) => id);
      stderr.write(`left out: ${left.join(", ")} (${reason})\n`);
    }
    const possible = trials.filter(({ id }) => !unavailable.has(id));
    const { measured, failures, verified, corrupt } = await makeRuns(possible, context, options, stopped.signal);
    if (stopped.signal.aborted) {
      stderr.write("interrupted: nothing written\n");
      return EXIT_INTERRUPTED;
    }
    const results: LimitsResults = {
      schemaVersion: LIMITS_SCHEMA_VERSION,
      startedAt: startedAt.toISOString(),
      durationMs: Date.now() - startedAt.getTime(),
      seed,
      runs,
      quick: options.quick,
      git,
      env: withLoadAfter(env),
      compiler: "missing" in floor ? null : floor.compiler,
      cpus: machine.cannotPin === null ? cpusFor(machine, "across-cpus", 2) : null,
      verified,
      corrupt,
      failures,
      rows: rowResults(rows, { runs: measured, unavailable }),
      measured,
    };
    mkdirSync(options.outFolder, { recursive: true });
    writeFileSync(path.join(options.outFolder, RESULTS_JSON), `${JSON.stringify(results, null, 1)}\n`);
    writeFileSync(path.join(options.outFolder, RESULTS_MARKDOWN), markdown(results));
    if (options.json) stdout.write(`${JSON.stringify(results)}\n`);
    else {
      stdout.write(`${terminalTable(results)}\n\n${conclusion(results)}\n`);
      const from = process.env.INIT_CWD ?? process.cwd();
      stdout.write(`Written: ${path.relative(from, path.join(options.outFolder, RESULTS_MARKDOWN))}\n`);
    }
    for (const failure of failures) stderr.write(`failed: ${failure}\n`);
    const missed = results.rows.filter(({ verdict }) => verdict === "missed");
    if (options.gate) for (const { what } of missed) stderr.write(`missed: ${what}\n`);
    return failures.length > 0 || (options.gate && missed.length > 0) ? EXIT_FAILURE : 0;
  } finally {
    cleanup.releaseAll();
    process.off("exit", atExit);
    for (const signal of STOP_SIGNALS) process.off(signal, stop);
  }
}

interface Made {
  readonly measured: LimitsResults["measured"][number][];
  readonly failures: string[];
  readonly verified: number;
  readonly corrupt: number;
}

async function makeRuns(
  trials: readonly Trial[],
  context: LimitsContext,
  { runs, stderr }: LimitsOptions,
  signal: AbortSignal,
): Promise<Made> {
  const measured: Made["measured"] = [];
  const failures: string[] = [];
  let verified = 0;
  let corrupt = 0;
  const startedMs = performance.now();
  const clear = (): void => {
    if (stderr.isTTY) stderr.write("\r\x1b[K");
  };
  for (let run = 1; run <= runs; run++) {
    const order = shuffled(trials, context.random);
    const figuresOfRun: Made["measured"][number] = [];
    for (const [done, trial] of order.entries()) {
      const part = (run - 1 + done / order.length) / runs;
      const leftMs = part > 0 ? ((performance.now() - startedMs) * (1 - part)) / part : Number.NaN;
      const left = part > 0 ? `, about ${Math.round(leftMs / 1_000)} s left` : "";
      clear();
      if (stderr.isTTY) stderr.write(styleText("dim", `run ${run}/${runs}: ${trial.id}${left}`));
      else if (done === 0) stderr.write(`run ${run}/${runs}${left}\n`);
      try {
        const figures = await trial.run(context);
        verified += figures.verified ?? 0;
        corrupt += figures.corrupt ?? 0;
        if (figures.corrupt !== 0) failures.push(`run ${run}, ${trial.id}: ${figures.corrupt} corrupt messages`);
        else figuresOfRun.push({ trial: trial.id, figures });
      } catch (error) {
        failures.push(`run ${run}, ${trial.id}: ${(error as Error).message}`);
      }
      if (signal.aborted) return { measured, failures, verified, corrupt };
    }
    measured.push(figuresOfRun);
  }
  clear();
  return { measured, failures, verified, corrupt };
}
