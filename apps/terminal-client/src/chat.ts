/**
 * One stay in the room: lines of the input are said, what happens there goes to the output.
 *
 * - Input that ends (a pipe's end, Ctrl-D) means leaving, once the room has every line; with `stay` it means nothing.
 * - The first Ctrl-C (or TERM, or HUP) leaves in order, the second ends the process.
 * - Whoever read our output has gone (`chat … | head -1`): a reason to leave, not a failure.
 */

import { type ChatClient, connect, type DisconnectEvent } from "@parley/chat-client";
import type { Output } from "./output.ts";
import { type Said, sayLines } from "./say-lines.ts";

export interface ChatOptions {
  readonly url: string;
  readonly name: string;
  /** Own messages are shown too. */
  readonly echo: boolean;
  readonly stay: boolean;
  readonly output: Output;
  readonly stdin: NodeJS.ReadStream;
}

const CLIENT = "parley-terminal/0.1.0";
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const EXIT_INTERRUPTED = 130;

/** Resolves with the exit code: 0, or 1 if a line was not said or the connection was lost. Rejects when it can't join. */
export async function chat({ url, name, echo, stay, output, stdin }: ChatOptions): Promise<number> {
  const leaving = new AbortController();
  const onSignal = (): void => {
    if (leaving.signal.aborted) process.exit(EXIT_INTERRUPTED);
    leaving.abort();
  };
  const onBrokenPipe = (): void => leaving.abort();
  for (const signal of SIGNALS) process.on(signal, onSignal);
  process.stdout.on("error", onBrokenPipe);
  try {
    const startMs = performance.now();
    const client = await connect(url, { name, echo, client: CLIENT, signal: leaving.signal });
    output.connected(client, performance.now() - startMs);
    showEvents(client, output);

    // What ends the stay: being asked to, or the end of the connection.
    const ended = new AbortController();
    const closed = client.closed.finally(() => ended.abort());
    const said = await sayLines(client, stdin, output, AbortSignal.any([leaving.signal, ended.signal]));
    if (stay && !said.quit) await Promise.race([closed, aborted(leaving.signal)]);
    return exitCodeOf(await client.quit(), said, output);
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
    // A terminal's or an open pipe's stdin would keep the process alive.
    stdin.destroy();
  }
}

function showEvents(client: ChatClient, output: Output): void {
  for (const type of ["message", "joined", "left", "gap", "error", "disconnect"] as const) {
    client.on(type, (event) => output.event(event));
  }
}

function exitCodeOf(end: DisconnectEvent, said: Said, output: Output): number {
  if (end.by === "client" && end.code === "BYE") return said.refused > 0 ? 1 : 0;
  const code = end.code === undefined ? "" : ` (${end.code})`;
  const again = end.temporary ? "; connecting again may help" : "";
  const lines = said.unknown === 0 ? "" : `; ${said.unknown} of the lines may have arrived or not`;
  output.problem(`connection lost: ${end.message}${code}${again}${lines}`);
  return 1;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });
}
