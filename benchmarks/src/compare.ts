/**
 * `compare`: measures sockets against shared memory on this machine and writes the report.
 *
 * - stdout has the answer (with `--json` one object, nothing else); progress and complaints go to stderr.
 * - Exit codes: 0 all fine; 1 a trial was invalid or the report couldn't be written; 2 a usage mistake; 130 interrupted.
 */
import path from "node:path";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { REPOSITORY_ROOT } from "./env.ts";
import type { CompareOptions } from "./rig/compare-run.ts";
import { PROFILES } from "./rig/profile.ts";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
const MAX_SEED = 2 ** 32 - 1;

interface Flags {
  readonly quick?: boolean;
  readonly thorough?: boolean;
  readonly seed?: number;
  readonly json?: boolean;
  readonly reportOnly?: boolean;
  readonly out?: string;
  readonly list?: boolean;
}

const EXAMPLES = `
Examples:
  npm run compare -- --quick             about a minute
  npm run compare                        under five minutes, the figures to quote
  npm run compare -- --seed 7            the same order of trials again
  npm run -s compare -- --quick --json   one JSON object on stdout
  npm run compare -- --report-only       draw the report again from reports/latest/results.json`;

async function main(): Promise<number> {
  const program = new Command("compare")
    .description("Measures TCP and Unix sockets against shared memory, and writes reports/latest.")
    .option("--quick", "measure for at most 45 seconds")
    .option("--thorough", "measure for up to 30 minutes")
    .option("--seed <number>", "order of trials, 0 to 4294967295 (default: random, saved in the results)", seed)
    .option("--json", "print one JSON object instead of text")
    .option("--report-only", "measure nothing: draw the report again from the latest results")
    .option("--out <folder>", "where reports go (default: reports/ in the repository)")
    .option("--list", "list scenarios and contenders, and what can't run here")
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
  if (flags.quick && flags.thorough) {
    process.stderr.write("error: --quick and --thorough exclude each other\n");
    return EXIT_USAGE;
  }
  const mode = flags.quick ? "quick" : flags.thorough ? "thorough" : "default";
  const options: CompareOptions = {
    profile: PROFILES[mode],
    seed: flags.seed ?? Math.floor(Math.random() * (MAX_SEED + 1)),
    // Nx and npm run this in different folders; people mean the one they typed it in.
    outFolder: path.resolve(process.env.INIT_CWD ?? process.cwd(), flags.out ?? path.join(REPOSITORY_ROOT, "reports")),
    json: flags.json ?? false,
    stdout: process.stdout,
    stderr: process.stderr,
  };
  // Charts and statistics take a second to load: not for a mistake or for --help.
  const { listEverything, redraw, runCompare } = await import("./rig/compare-run.ts");
  if (flags.list) return listEverything(options);
  if (flags.reportOnly) return redraw(options);
  return runCompare(options);
}

function seed(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > MAX_SEED) {
    throw new InvalidArgumentError(`a whole number from 0 to ${MAX_SEED} is needed.`);
  }
  return value;
}

// `compare | head` closes the pipe early: the report is on disk, and that is all that matters then.
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
