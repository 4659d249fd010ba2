/**
 * The command line of the server.
 *
 * - Exit codes: 0 stopped as asked, 1 could not run, 2 a mistake in the arguments.
 * - SIGTERM or SIGINT stops in order; a second one exits at once, with 1.
 * - stdout has where it listens (with --json as one line of JSON), stderr the log.
 */

import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { createLogger, LOG_LEVELS, type LogLevel } from "./logging.ts";
import {
  DEFAULT_GRACE_MS,
  DEFAULT_HANDSHAKE_TIMEOUT_MS,
  DEFAULT_HOST,
  DEFAULT_PORT,
  type RunningServer,
  startServer,
} from "./server.ts";

interface CliOptions {
  readonly host: string;
  readonly port: number;
  readonly echo?: true;
  readonly maxClients?: number;
  readonly graceMs: number;
  readonly json?: true;
  readonly logLevel: LogLevel;
}

const MAX_PORT = 65_535;
/** The longest that a Node timer can wait. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

const EXAMPLES = `
Examples:
  $ npm run serve                                  the chat on 127.0.0.1:8080
  $ npm run serve -- --port 0 --json               any free port, told as one line of JSON
  $ npm run serve -- --host 0.0.0.0 --port 9000    for other machines too
  $ npm run serve -- --echo                        every byte comes back

Join it:
  $ nc 127.0.0.1 8080                              your name first, then what you say; /quit leaves
  $ npm run -s chat -- tcp://127.0.0.1:8080 --name ada
`;

export async function main(argv: readonly string[]): Promise<void> {
  const command = new Command("socket-server")
    .description("The TCP chat server: binary frames and text lines on one port.")
    .option("--host <address>", "address to listen on", DEFAULT_HOST)
    .option("--port <number>", "port to listen on; 0 for any free one", wholeNumber(0, MAX_PORT), DEFAULT_PORT)
    .option("--echo", "echo mode: every byte comes back, there is no chat")
    .option("--max-clients <number>", "the most people at once", wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option("--grace-ms <number>", "the most time for stopping", wholeNumber(0, MAX_TIMEOUT_MS), DEFAULT_GRACE_MS)
    .option("--json", "one line of JSON on stdout when ready, and the log as JSON")
    .addOption(new Option("--log-level <level>", "how much is logged").choices(LOG_LEVELS).default("info"))
    .addHelpText("after", EXAMPLES)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(`socket-server: ${text.replace(/^error: /, "")}`),
    });
  try {
    command.parse(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : 2;
    return;
  }
  await run(command.opts<CliOptions>());
}

async function run(options: CliOptions): Promise<void> {
  const readable = process.stderr.isTTY === true && options.json !== true;
  const logger = createLogger({ level: options.logLevel, readable });
  let server: RunningServer;
  try {
    server = await startServer({ ...options, logger });
  } catch (error) {
    process.stderr.write(`socket-server: ${reasonOf(error as NodeJS.ErrnoException, options)}\n`);
    process.exitCode = 1;
    return;
  }
  stopOnSignals(server, (signal) =>
    logger.info({ signal, sessions: server.sessionCount }, "stopping; a second signal exits at once"),
  );
  const { host, port } = server;
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ event: "listening", host, port, pid: process.pid })}\n`);
  } else {
    process.stdout.write(greeting(host, port, options.echo === true));
  }
}

function stopOnSignals(server: RunningServer, onStop: (signal: string) => void): void {
  let isStopping = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (isStopping) process.exit(1);
      isStopping = true;
      onStop(signal);
      server.close().then(
        () => process.exit(0),
        (error: Error) => {
          process.stderr.write(`socket-server: could not stop in order: ${error.message}\n`);
          process.exit(1);
        },
      );
    });
  }
}

function greeting(host: string, port: number, isEcho: boolean): string {
  const reachable = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  const address = reachable.includes(":") ? `[${reachable}]:${port}` : `${reachable}:${port}`;
  const lines = [`socket-server (pid ${process.pid}) listens on ${host} port ${port}; Ctrl-C stops it`, ""];
  if (isEcho) lines.push("Every byte comes back:", `  nc ${reachable} ${port}`);
  else {
    lines.push(
      "Join from another terminal:",
      `  nc ${reachable} ${port}`,
      `  npm run -s chat -- tcp://${address} --name ada`,
      `With nc, type your name first (within ${DEFAULT_HANDSHAKE_TIMEOUT_MS / 1000} s), then what you say; /quit leaves.`,
    );
  }
  return `${lines.join("\n")}\n\n`;
}

function reasonOf(error: NodeJS.ErrnoException, { host, port }: CliOptions): string {
  switch (error.code) {
    case "EADDRINUSE":
      return `port ${port} on ${host} is in use; choose another with --port, or 0 for any free one`;
    case "EACCES":
      return `listening on port ${port} is not allowed to this user; choose one above 1023`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${host} is not an address of this machine`;
    default:
      return `can't listen on ${host} port ${port}: ${error.message}`;
  }
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(
      max === Number.MAX_SAFE_INTEGER ? `It must be a whole number, at least ${min}.` : `It must be ${min} to ${max}.`,
    );
  };
}
