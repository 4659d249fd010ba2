/**
 * The input's lines, said in the room.
 *
 * - Many are under way at once, in order; reading waits while there are too many.
 * - It is done when the input has ended (or /quit, or the signal) and the fate of every line is known.
 */

import { createInterface } from "node:readline";
import { type ChatClient, ChatClientError } from "@parley/chat-client";
import { HELP, parseLine } from "./commands.ts";
import type { Output } from "./output.ts";

export interface Said {
  /** The input asked to leave, by /quit. */
  readonly quit: boolean;
  /** Lines that the room refused, or that are no command. */
  readonly refused: number;
  /** Lines that may have arrived or not, because the connection was lost. */
  readonly unknown: number;
}

/** Enough to keep a connection busy, few enough that their fate is known soon. */
const MAX_UNDER_WAY = 256;

/** `until` ends it before the input does. Never rejects. */
export async function sayLines(
  client: ChatClient,
  stdin: NodeJS.ReadStream,
  output: Output,
  until: AbortSignal,
): Promise<Said> {
  const sender = new LineSender(client, output);
  const lines = createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY });
  const stop = (): void => lines.close();
  until.addEventListener("abort", stop);
  if (until.aborted) stop();
  let quit = false;
  let lineNumber = 0;
  try {
    for await (const text of lines) {
      if (until.aborted) break;
      lineNumber++;
      const line = parseLine(text);
      quit = line.kind === "quit";
      if (quit) break;
      if (line.kind === "help") output.note(HELP);
      else if (line.kind === "unknown") {
        sender.refuse(lineNumber, `${line.command} is no command; /help shows them, //… says a text with a slash`);
      } else if (line.kind === "say") await sender.say(lineNumber, line.text);
    }
  } catch (error) {
    sender.refuse(lineNumber + 1, `the input can't be read: ${(error as Error).message}`);
  } finally {
    until.removeEventListener("abort", stop);
    lines.close();
  }
  await sender.settled();
  return { quit, refused: sender.refused, unknown: sender.unknown };
}

class LineSender {
  refused = 0;
  unknown = 0;
  readonly #client: ChatClient;
  readonly #output: Output;
  #underWay = 0;
  /** Called whenever a line's fate is known. */
  #onFate: () => void = () => {};

  constructor(client: ChatClient, output: Output) {
    this.#client = client;
    this.#output = output;
  }

  /** Resolves when there is room for another. */
  async say(lineNumber: number, text: string): Promise<void> {
    this.#underWay++;
    this.#client
      .send(text)
      .then(
        (sent) => this.#output.sent(lineNumber, sent),
        (error: unknown) => this.#failed(lineNumber, error),
      )
      .finally(() => {
        this.#underWay--;
        this.#onFate();
      });
    await this.#until(MAX_UNDER_WAY - 1);
  }

  refuse(lineNumber: number, reason: string): void {
    this.refused++;
    this.#output.problem(`line ${lineNumber} was not said: ${reason}`);
  }

  async settled(): Promise<void> {
    await this.#until(0);
  }

  async #until(underWay: number): Promise<void> {
    while (this.#underWay > underWay) {
      await new Promise<void>((resolve) => {
        this.#onFate = resolve;
      });
    }
  }

  #failed(lineNumber: number, error: unknown): void {
    // That the connection is lost is said once, for all of them.
    if (error instanceof ChatClientError && error.code === "CONNECTION_LOST") this.unknown++;
    else if (error instanceof ChatClientError && error.code === "CLOSED") this.refused++;
    else this.refuse(lineNumber, (error as Error).message);
  }
}
