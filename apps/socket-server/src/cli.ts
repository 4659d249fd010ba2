/**
 * The command line of the server.
 *
 * - Exit codes: 0 stopped as asked, 1 could not run, 2 a mistake in the settings.
 * - SIGTERM or SIGINT stops in order; a second one exits at once, with 1. SIGHUP reads certificate and tokens again.
 * - stdout has where it listens (with --json as one line of JSON), stderr the log.
 */

import { Command, CommanderError, Option } from "commander";
import { CONFIG_FLAG, CONFIG_VARIABLE, SettingError, settingsFrom } from "./configuration.ts";
import { formatListenAddress, isLocal, type ListenAddress } from "./listen-address.ts";
import { createLogger } from "./logging.ts";
import { type Resources, readResources } from "./resources.ts";
import { type RunningServer, startServer } from "./server.ts";
import { serverOptionsFrom } from "./server-options.ts";
import { defaultOf, flagOf, rangeOf, SETTING_KEYS, SETTINGS, type Settings } from "./settings.ts";

const EXAMPLES = `
Every setting can also be given in the environment (--max-clients is PARLEY_MAX_CLIENTS) and in a JSON file
(maxClients), see --config. Flags win over the environment, the environment over the file.

Examples:
  $ npm run serve                                  the chat on 127.0.0.1:8080
  $ npm run serve -- --port 0 --json               any free port, told as one line of JSON
  $ npm run serve -- --host 0.0.0.0 --port 9000    for other machines too
  $ npm run serve -- --listen 127.0.0.1:8080 --listen unix:/run/parley/chat.sock
  $ npm run serve -- --tls-self-signed             TLS next to everything else, for development
  $ npm run serve -- --config /etc/parley.json --log-level warn
  $ npm run serve -- --echo                        every byte comes back

Join it:
  $ nc 127.0.0.1 8080                              your name first, then what you say; /quit leaves
  $ npm run -s chat -- tcp://127.0.0.1:8080 --name ada
  $ curl -H 'X-Parley-Name: ada' -H 'Content-Type: text/plain' -d hi http://127.0.0.1:8080/rooms/lobby/messages

Signals: TERM and INT stop in order, a second one at once; HUP reads certificate and tokens again.
Exit codes: 0 stopped as asked, 1 could not run, 2 a mistake in the settings.
`;

export async function main(argv: readonly string[]): Promise<void> {
  const command = commandFromSettings();
  let settings: Settings;
  try {
    command.parse(argv);
    const { config, ...flags } = command.opts<Record<string, unknown>>();
    settings = settingsFrom({
      flags,
      ...(config === undefined ? {} : { configPath: config as string }),
      environment: process.env,
    });
  } catch (error) {
    if (error instanceof SettingError) complain(error.message);
    else if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error instanceof CommanderError && error.exitCode === 0 ? 0 : 2;
    return;
  }
  // Where it listens is told once; that nobody can be told isn't a reason to fall.
  process.stdout.on("error", (error: Error) => complain(`stdout: ${error.message}`));
  await run(settings);
}

function commandFromSettings(): Command {
  const command = new Command("socket-server")
    .description("The chat server: binary frames, text lines, TLS, WebSocket and HTTP on one port.")
    .addOption(new Option(`${CONFIG_FLAG} <file>`, `settings as a JSON object (${CONFIG_VARIABLE} in the environment)`))
    .addHelpText("after", EXAMPLES)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) =>
        write(
          `socket-server: ${text
            .replace(/^error: /, "")
            .trimEnd()
            .replaceAll("\n", " ")}\n`,
        ),
    });
  for (const key of SETTING_KEYS) {
    const setting = SETTINGS[key];
    const about = `${setting.description} (default: ${defaultOf(setting)})`;
    switch (setting.type) {
      case "yes or no":
        command.addOption(new Option(flagOf(key), about));
        command.addOption(new Option(flagOf(key).replace("--", "--no-")).default(undefined).hideHelp());
        break;
      case "list":
        command.addOption(
          new Option(`${flagOf(key)} <${setting.placeholder ?? "text"}>`, `${about}; may be repeated`).argParser(
            (item: string, items: readonly string[] | undefined) => [...(items ?? []), item],
          ),
        );
        break;
      case "text":
        command.addOption(new Option(`${flagOf(key)} <${setting.placeholder ?? "text"}>`, about));
        break;
      case "choice":
        command.addOption(new Option(`${flagOf(key)} <choice>`, `${about}; one of ${rangeOf(setting)}`));
        break;
      case "whole number":
        command.addOption(new Option(`${flagOf(key)} <number>`, about));
    }
  }
  return command;
}

async function run(settings: Settings): Promise<void> {
  const readable = process.stderr.isTTY === true && !settings.json;
  const logger = createLogger({ level: settings.logLevel, readable });
  let resources: Resources;
  let server: RunningServer;
  try {
    resources = await readResources(settings);
    server = await startServer({ ...serverOptionsFrom(settings, resources), processMetrics: true, logger });
  } catch (error) {
    complain(reasonOf(error as NodeJS.ErrnoException));
    process.exitCode = 1;
    return;
  }
  const { fingerprint, secureContext } = resources;
  if (fingerprint !== undefined)
    logger.info({ fingerprint }, "TLS with a self-signed certificate, for development only");
  const exposed = server.addresses.filter((address) => !isLocal(address)).map(formatListenAddress);
  if (exposed.length > 0 && secureContext() === undefined) {
    logger.warn(
      { listens: exposed },
      "other machines can connect, and without TLS what is said can be read on the way",
    );
  }
  stopOnSignals(server, (signal) =>
    logger.info({ signal, sessions: server.sessionCount }, "stopping; a second signal exits at once"),
  );
  process.on("SIGHUP", () => {
    try {
      resources.reload();
      logger.info({}, "certificate and tokens were read again");
    } catch (err) {
      logger.error({ err }, "certificate and tokens stay as they were");
    }
  });
  if (settings.json) {
    const { host, port, addresses } = server;
    const listens = addresses.map(formatListenAddress);
    process.stdout.write(`${JSON.stringify({ event: "listening", host, port, pid: process.pid, listens })}\n`);
  } else {
    process.stdout.write(greeting(server.addresses, settings));
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
          complain(`could not stop in order: ${error.message}`);
          process.exit(1);
        },
      );
    });
  }
}

function greeting(addresses: readonly ListenAddress[], settings: Settings): string {
  const lines = addresses.map((address) => {
    const where = address.path === undefined ? `${address.host} port ${address.port}` : formatListenAddress(address);
    return `socket-server (pid ${process.pid}) listens on ${where}; Ctrl-C stops it`;
  });
  lines.push("");
  const [first] = addresses;
  if (first === undefined) return "";
  const [netcat, url] = waysIn(first);
  if (settings.echo) lines.push("Every byte comes back:", `  ${netcat}`);
  else {
    lines.push(
      "Join from another terminal:",
      `  ${netcat}`,
      `  npm run -s chat -- ${url} --name ada`,
      `With nc, type your name first (within ${settings.handshakeTimeoutMs / 1000} s), then what you say; /quit leaves.`,
    );
  }
  return `${lines.join("\n")}\n\n`;
}

/** A command line for nc, and a URL for clients. */
function waysIn(address: ListenAddress): readonly [netcat: string, url: string] {
  if (address.path !== undefined) return [`nc -U ${address.path}`, `unix://${address.path}`];
  const { host, port } = address;
  const reachable = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  return [`nc ${reachable} ${port}`, `tcp://${formatListenAddress({ host: reachable, port })}`];
}

/** What can't be read, or where it can't listen. */
function reasonOf(error: NodeJS.ErrnoException & { address?: string; port?: number; path?: string }): string {
  if (error.syscall !== "listen" && error.syscall !== "getaddrinfo" && error.syscall !== "bind") return error.message;
  const host = error.address ?? (error as { hostname?: string }).hostname;
  const isPath = error.port === undefined || error.port < 0;
  switch (error.code) {
    case "EADDRINUSE":
      if (isPath) return `another server listens on ${error.address}`;
      return `port ${error.port} on ${host} is in use; choose another with --port, or 0 for any free one`;
    case "EACCES":
      if (isPath) return `listening on ${error.address} is not allowed to this user`;
      return `listening on port ${error.port} is not allowed to this user; choose one above 1023`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${host} is not an address of this machine`;
    default:
      return `can't listen on ${host}${isPath ? "" : ` port ${error.port}`}: ${error.message}`;
  }
}

function complain(message: string): void {
  process.stderr.write(`socket-server: ${message}\n`);
}
