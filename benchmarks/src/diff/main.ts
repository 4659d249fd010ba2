/**
 * `diff`: what changed between two runs of compare, by ratios to the sockets of the same run.
 *
 * - Exit codes: 0 compared; 1 with `--gate`, something became worse beyond the band; 2 a usage mistake, or runs that can't be
 *   read or compared.
 */
import path from "node:path";
import { Command, CommanderError } from "commander";
import { REPOSITORY_ROOT } from "../env.ts";

const EXIT_WORSE = 1;
const EXIT_USAGE = 2;

interface Flags {
  readonly json?: boolean;
  readonly gate?: boolean;
  readonly all?: boolean;
  readonly reports: string;
}

const HELP = `
A run is a folder of reports/, a results.json, or a run's name in reports/history. Times are never compared, only ratios to the
sockets of the same run; a change counts when its whole 95% interval, widened for the number of comparisons, is beyond
the wider of the two runs' bands.

Examples:
  npm run -s diff                                   the two newest runs of reports/history
  npm run -s diff -- reports/example reports/latest
  npm run -s diff -- BEFORE AFTER --gate            exit code 1 when something became worse: for CI
  npm run -s diff -- BEFORE AFTER --json            one JSON object on stdout

Exit codes: 0 compared, 1 worse (with --gate), 2 a usage mistake or runs that can't be compared.`;

async function main(): Promise<number> {
  const program = new Command("diff")
    .description("Compares two runs of `compare`: what became better or worse, beyond what noise explains.")
    .argument("[before]", "the earlier run (default: the last but one of reports/history)")
    .argument("[after]", "the later run (default: the newest)")
    .option("--gate", "exit with 1 when something became worse beyond the band")
    .option("--all", "list what didn't change, too")
    .option("--json", "print one JSON object instead of text")
    .option("--reports <folder>", "where the history is", path.join(REPOSITORY_ROOT, "reports"))
    .addHelpText("after", HELP)
    .allowExcessArguments(false)
    .exitOverride();
  try {
    program.parse();
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    throw error;
  }
  const flags = program.opts<Flags>();
  const [before, after] = program.args;
  if (before !== undefined && after === undefined) {
    process.stderr.write(`error: "${before}" is one run, two are compared (or none is named: the two newest)\n`);
    return EXIT_USAGE;
  }
  // What validates and computes takes a moment to load: not for a mistake or for --help.
  const { IncomparableRunsError, loadRuns, newestTwo, resultsPath } = await import("./load.ts");
  const { compareRuns } = await import("./changes.ts");
  const { warningsOf } = await import("./warnings.ts");
  const { asJson, asText } = await import("./print.ts");
  // Nx and npm run this in different folders; people mean the one they typed it in.
  const folder = process.env.INIT_CWD ?? process.cwd();
  const history = path.join(path.resolve(folder, flags.reports), "history");
  try {
    const paths =
      before === undefined || after === undefined
        ? newestTwo(history)
        : ([before, after].map((name) => resultsPath(name, folder, history)) as [string, string]);
    const [earlier, later] = loadRuns(...paths);
    const difference = compareRuns(earlier.results, later.results);
    const warnings = warningsOf(earlier.results, later.results, difference);
    const comparison = { before: earlier, after: later, difference, warnings };
    process.stdout.write(
      flags.json ? `${JSON.stringify(asJson(comparison))}\n` : asText(comparison, flags.all ?? false),
    );
    if (flags.gate && difference.changes.every(({ lo }) => lo === null)) {
      process.stderr.write("error: nothing in these runs has an interval in both, so there is nothing to judge by\n");
      return EXIT_USAGE;
    }
    return flags.gate && difference.changes.some(({ kind }) => kind === "worse") ? EXIT_WORSE : 0;
  } catch (error) {
    if (!(error instanceof IncomparableRunsError)) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    return EXIT_USAGE;
  }
}

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});
process.exitCode = await main();
