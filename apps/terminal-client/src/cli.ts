/**
 * The command line of the terminal client.
 *
 * - Exit codes: 0 left as asked, 1 could not join, lost the connection or could not send every line, 2 a mistake in the
 *   arguments. 130 when a second Ctrl-C cuts leaving short.
 * - Messages (with --json everything that happens, one object a line) go to stdout, everything else to stderr.
 */

import { userInfo } from "node:os";
import { ChatClientError } from "@parley/chat-client";
import { displayText, ErrorCode } from "@parley/chat-protocol";
import { Command, CommanderError } from "commander";
import { chat } from "./chat.ts";
import { JsonOutput } from "./json-output.ts";
import { LineOutput } from "./line-output.ts";

interface CliOptions {
  readonly name?: string;
  readonly json?: true;
  readonly echo?: true;
  readonly stay?: true;
}

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

const EXAMPLES = `
While connected, every line is said in the room; /help shows the commands, /quit or Ctrl-D leaves.
Lines from a pipe are sent, and once the room has them all, the client leaves (--stay: it doesn't).

Examples:
  $ npm run -s chat -- tcp://127.0.0.1:8080 --name ada     a server's room
  $ npm run -s chat -- shm://lobby --name ada              a room in this machine's shared memory, no server needed
  $ printf 'a\\nb\\n' | npm run -s chat -- shm://lobby       say two lines
  $ npm run -s chat -- shm://lobby --json --stay < /dev/null   what happens there, for scripts: one JSON object a line
`;

/** Resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = new Command("chat")
    .description("The chat in a terminal: joins the room at a URL, lines in and lines out.")
    .argument("<url>", "tcp://HOST[:PORT] or shm://SEGMENT")
    .option("-n, --name <name>", "the name to be known by (default: the user's)")
    .option("--echo", "show own messages too, as the room has them")
    .option("--stay", "stay when the lines from a pipe are all said")
    .option("--json", "one JSON object a line on stdout for everything that happens")
    .addHelpText("after", EXAMPLES)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({
      // A mistake is one line; commander puts its guess at what was meant on a second.
      outputError: (text, write) =>
        write(
          `chat: ${text
            .replace(/^error: /, "")
            .trimEnd()
            .replaceAll("\n", " ")}\n`,
        ),
    });
  try {
    command.parse(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : EXIT_USAGE;
  }

  const options = command.opts<CliOptions>();
  const url = command.args[0] as string;
  const name = options.name ?? userName();
  if (name === undefined) return fail("who are you? Give a name with --name", EXIT_USAGE);
  try {
    return await chat({
      url,
      name,
      echo: options.echo === true,
      stay: options.stay === true,
      output: options.json ? new JsonOutput() : new LineOutput(),
      stdin: process.stdin,
    });
  } catch (error) {
    if (!(error instanceof ChatClientError)) throw error;
    const isUsage = error.code === "INVALID_URL" || error.code === "UNSUPPORTED_SCHEME";
    // A refusal speaks of the name or the room only; the others name the URL themselves.
    const text = error.code in ErrorCode ? `cannot join ${url} as ${name}: ${error.message}` : error.message;
    return fail(text, isUsage ? EXIT_USAGE : EXIT_FAILURE);
  }
}

function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    // A user without an entry in the system's list.
    return undefined;
  }
}

function fail(text: string, exitCode: number): number {
  process.stderr.write(`chat: ${displayText(text)}\n`);
  return exitCode;
}
