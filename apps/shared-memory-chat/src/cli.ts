/**
 * The command line: writer, reader and demo.
 *
 * - A user's mistake or the machine's refusal is one clear line on stderr, never a stack trace.
 * - Exit codes: 0 fine, 1 failed while running, 2 wrong usage, 128 + n ended by signal n.
 * - stdout carries what was asked for (messages, `--json` objects); all else goes to stderr.
 */

import { styleText } from "node:util";
import { displayText } from "@parley/chat-protocol";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { UsageError } from "./errors.ts";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

const DEFAULT_SEGMENT = "lobby";

const EXAMPLES = `
Examples (two terminals, started in either order):
  $ npm run -s writer                                  type lines, Ctrl-D ends
  $ npm run -s reader                                  shows them at once
  $ printf 'a\\nb\\n' | npm run -s writer                waits until a reader has read both
  $ npm run -s reader -- --count 2 --json              prints two messages and ends
  $ npm run -s reader -- --segment lobby --remove      removes a segment that was left behind
  $ npm run -s demo                                    the guided tour, about ten seconds
  $ npm run -s demo -- --threads                       the same with threads of one process`;

/** Runs one command line (without `node` and the script) and resolves with the exit code once all is cleaned up. */
export async function run(args: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = new Command("shared-memory-chat")
    .description("A chat between operating-system processes through a segment of shared memory, without any server.")
    .addHelpText("after", EXAMPLES)
    .exitOverride()
    .configureOutput({ outputError: () => {} });

  withCommonOptions(program.command("writer").description("sends each line of its input to the segment"))
    .option("--name <name>", "who is writing (default: writer-PID)")
    .option("--no-wait", "at the end of the input leave at once and leave the segment behind, read or not")
    .action(async (options) => {
      const { runWriter } = await import("./writer.ts");
      exitCode = await runWriter(options);
    });

  withCommonOptions(program.command("reader").description("shows what is in the segment and what comes"))
    .option("--name <name>", "join under this name (default: listen without one)")
    .option("--count <n>", "end after this many messages", parseCount)
    .option("--remove", "remove a segment that nobody uses, then end")
    .action(async (options) => {
      const { runReader, runRemove } = await import("./reader.ts");
      exitCode = await (options.remove ? runRemove(options) : runReader(options));
    });

  program
    .command("demo")
    .description(
      "shows in one terminal what happens between two processes, with and without the lock, and after kill -9",
    )
    .option("--threads", "with worker threads on one SharedArrayBuffer instead of processes")
    .option("--json", "one JSON object with the results on stdout")
    .exitOverride()
    .action(async (options) => {
      const { runDemo } = await import("./demo.ts");
      exitCode = await runDemo(options);
    });

  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      // Without a command commander has just shown the help.
      if (error.code !== "commander.help") say(error.message.replace(/^error: /, ""));
      return EXIT_USAGE;
    }
    say(error instanceof Error ? error.message : String(error));
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
  }
}

function withCommonOptions(command: Command): Command {
  return command
    .exitOverride()
    .option("--segment <name>", "which shared-memory segment", DEFAULT_SEGMENT)
    .option("--trace", "show create, attach, lock, write, unlock, read and detach, with times and pids, on stderr")
    .option("--json", "one JSON object a line on stdout");
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(count) || count < 1) {
    throw new InvalidArgumentError("It must be a whole number, 1 or more.");
  }
  return count;
}

function say(message: string): void {
  // Messages quote what users and other processes wrote.
  process.stderr.write(
    `${styleText("red", "error:", { stream: process.stderr })} ${displayText(message.replaceAll("\n", " "))}\n`,
  );
}
