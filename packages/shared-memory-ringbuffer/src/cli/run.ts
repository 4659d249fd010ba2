/**
 * Runs one command line of `shm` and resolves with its exit code: 0 done, 1 failed, 2 wrong usage.
 *
 * Arguments are parsed with node:util's parseArgs, so that the package depends on nothing but koffi: who installs a ring
 * buffer shouldn't have to audit a command-line framework. An error is one line on stderr.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { COMMANDS, COMMON_OPTIONS } from "./commands.ts";
import { EXIT_FINE, EXIT_USAGE, exitCodeOf, type OptionValues, UsageError } from "./context.ts";
import { helpOf, overview } from "./help.ts";
import { Output, type Streams } from "./output.ts";
import { printable } from "./printable.ts";

export interface RunOptions {
  /** Aborted by Ctrl-C: a command that watches ends. */
  readonly stop?: AbortSignal;
  readonly streams?: Streams;
}

export async function run(argv: readonly string[], options: RunOptions = {}): Promise<number> {
  const streams = options.streams ?? process;
  try {
    return await dispatch(argv, streams, options.stop ?? new AbortController().signal);
  } catch (error) {
    streams.stderr.write(`shm: ${printable(firstLine(error))}\n`);
    return exitCodeOf(error);
  }
}

async function dispatch(argv: readonly string[], streams: Streams, stop: AbortSignal): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined) {
    streams.stderr.write(`${overview()}\n`);
    return EXIT_USAGE;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    streams.stdout.write(`${overview()}\n`);
    return EXIT_FINE;
  }
  if (name === "--version") {
    streams.stdout.write(`${ownVersion()}\n`);
    return EXIT_FINE;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw new UsageError(`there is no command ${JSON.stringify(name)}: see shm --help`);
  const parsed = parseArgs({
    args: rest,
    options: { ...COMMON_OPTIONS, ...command.options },
    allowPositionals: true,
  });
  const values = parsed.values as OptionValues;
  if (values.help) {
    streams.stdout.write(`${helpOf(name, command)}\n`);
    return EXIT_FINE;
  }
  const operands = parsed.positionals;
  if (command.operands === "NAME" && operands.length !== 1) {
    throw new UsageError(`shm ${name} needs the name of one segment, not ${operands.length}: see shm ls`);
  }
  if (command.operands === "" && operands.length > 0) {
    throw new UsageError(`shm ${name} takes no argument ${JSON.stringify(operands[0])}`);
  }
  const output = new Output(values.json === true, streams);
  return command.action({ output, operands, options: values, directory: values.dir as string | undefined, stop });
}

function ownVersion(): string {
  // Two folders up in the sources as in the published package.
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n", 1)[0] as string;
}
