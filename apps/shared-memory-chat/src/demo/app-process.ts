/** One writer or reader of this app as a process of its own, with its output line by line. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const MAIN: string = fileURLToPath(new URL("../main.ts", import.meta.url));
const STOPPED_CHECK_MS = 10;

export class AppProcess {
  readonly pid: number;
  /** Exit code, or `null` after a signal. */
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcessWithoutNullStreams;
  #isOver = false;
  readonly #lines: string[] = [];
  #wake: () => void = () => {};

  constructor(args: readonly string[], onLine: (line: string) => void, env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, NO_COLOR: "1", ...env } });
    this.pid = this.#child.pid ?? 0;
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        this.#lines.push(line);
        onLine(line);
        this.#wake();
      });
    }
    // Somebody that was killed doesn't read its input any more.
    this.#child.stdin.on("error", () => {});
    this.ended = new Promise((resolve) => {
      this.#child.on("close", (code) => {
        this.#isOver = true;
        this.#wake();
        resolve(code);
      });
    });
  }

  type(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  /** Resolves with the first line, past or to come, that has `text` in it. Rejects if the process ends without. */
  async line(text: string): Promise<string> {
    for (;;) {
      const found = this.#lines.find((line) => line.includes(text));
      if (found !== undefined) return found;
      if (this.#isOver) throw new Error(`pid ${this.pid} ended without ${JSON.stringify(text)}: ${this.#lines.at(-1)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Resolves when the process has been stopped (state T), as by SIGSTOP. */
  async stopped(): Promise<void> {
    for (;;) {
      if (this.#isOver) throw new Error(`pid ${this.pid} ended before it was stopped: ${this.#lines.at(-1)}`);
      const stat = readFileSync(`/proc/${this.pid}/stat`, "latin1");
      if (stat.slice(stat.lastIndexOf(")") + 2).startsWith("T")) return;
      await delay(STOPPED_CHECK_MS);
    }
  }

  kill(): void {
    if (!this.#isOver) this.#child.kill("SIGKILL");
  }
}
