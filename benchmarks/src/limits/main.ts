/**
 * `limits`: how close the ring buffer comes to C, and how far it is from Node's sockets, against its targets.
 *
 * - stdout has the table (with `--json` one object, nothing else); progress and complaints go to stderr.
 * - Exit codes: 0 all fine, even if a target is missed; 1 a trial failed or found anything corrupt, or with `--gate` a row
 *   missed what it must; 2 a usage mistake; 130 interrupted.
 */
import path from "node:path";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { REPOSITORY_ROOT } from "../env.ts";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
const MAX_SEED = 2 ** 32 - 1;
const MAX_RUNS = 1_000;
const DEFAULT_RUNS = 5;
const QUICK_RUNS = 3;

interface Flags {
  readonly quick?: boolean;
  readonly runs?: number;
  readonly seed?: number;
  readonly json?: boolean;
  readonly gate?: boolean;
  readonly out?: string;
}

const EXAMPLES = `
Examples:
  npm run limits -- --quick            ${QUICK_RUNS} runs of shorter trials, to see that it works
  npm run limits                       ${DEFAULT_RUNS} runs, about two minutes on an idle machine: the figures to quote
  npm run limits -- --runs 11          more runs, for a noisy machine
  npm run limits -- --gate             exit code 1 when a row misses what it must
  npm run -s limits -- --json --out /tmp/limits   one JSON object on stdout`;

function wholeNumber(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < from || value > to) {
      throw new InvalidArgumentError(`a whole number from ${from} to ${to} is needed.`);
    }
    return value;
  };
}

async function main(): Promise<number> {
  const program = new Command("limits")
    .description("Measures the ring buffer against a C program and against Node's sockets, and writes reports/limits.")
    .option("--quick", `${QUICK_RUNS} runs of trials a quarter as long`)
    .option("--runs <number>", `how many runs the medians are of (default: ${DEFAULT_RUNS})`, wholeNumber(1, MAX_RUNS))
    .option("--seed <number>", "order of trials, 0 to 4294967295 (default: random, saved)", wholeNumber(0, MAX_SEED))
    .option("--gate", "exit 1 when a row misses what it must")
    .option("--json", "print one JSON object instead of a table")
    .option("--out <folder>", "where limits.json and limits.md go (default: reports/limits in the repository)")
    .addHelpText("after", EXAMPLES)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: (text) => process.stderr.write(text) });
  try {
    program.parse();
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    throw error;
  }
  const flags = program.opts<Flags>();
  const { runLimits } = await import("./run.ts");
  return runLimits({
    runs: flags.runs ?? (flags.quick ? QUICK_RUNS : DEFAULT_RUNS),
    quick: flags.quick ?? false,
    seed: flags.seed ?? Math.floor(Math.random() * (MAX_SEED + 1)),
    json: flags.json ?? false,
    gate: flags.gate ?? false,
    // Nx and npm run this in different folders; people mean the one they typed it in.
    outFolder: path.resolve(
      process.env.INIT_CWD ?? process.cwd(),
      flags.out ?? path.join(REPOSITORY_ROOT, "reports/limits"),
    ),
    stdout: process.stdout,
    stderr: process.stderr,
  });
}

// `limits | head` closes the pipe early: the results are on disk, and that is all that matters then.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = EXIT_FAILURE;
  },
);
