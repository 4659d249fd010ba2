/** The demo's telling: headings, steps, and expectations that decide the exit code. */

import { setTimeout as delay } from "node:timers/promises";
import { styleText } from "node:util";
import { displayText } from "@parley/chat-protocol";

/** Long enough for a person to read a step before the next one comes. */
const READING_PAUSE_MS = 1500;

export class Story {
  readonly #stream: NodeJS.WriteStream;
  readonly #failed: string[] = [];
  #chapter = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  /** What was expected and didn't happen. */
  get failed(): readonly string[] {
    return this.#failed;
  }

  async chapter(title: string): Promise<void> {
    if (this.#chapter > 0 && this.#stream.isTTY) await delay(READING_PAUSE_MS);
    this.#chapter++;
    this.#write(`\n${styleText("bold", `${this.#chapter}. ${title}`, { stream: this.#stream })}`);
  }

  say(text: string): void {
    this.#write(`   ${displayText(text)}`);
  }

  /** A line of a process or thread that takes part. */
  quote(text: string): void {
    this.#write(styleText("dim", `     ${displayText(text)}`, { stream: this.#stream }));
  }

  expect(holds: boolean, text: string): void {
    if (!holds) this.#failed.push(text);
    const mark = holds
      ? styleText("green", "ok", { stream: this.#stream })
      : styleText("red", "NOT SO", { stream: this.#stream });
    this.#write(`   ${mark}: ${displayText(text)}`);
  }

  end(text: string): void {
    this.#write(`\n${styleText("bold", displayText(text), { stream: this.#stream })}`);
  }

  #write(line: string): void {
    this.#stream.write(`${line}\n`);
  }
}
