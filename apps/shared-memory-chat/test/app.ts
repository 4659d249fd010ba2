/** The app as a process of its own, as the root scripts run it. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";

const MAIN: string = fileURLToPath(new URL("../src/main.ts", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function createSegmentName(): string {
  return `chat-test-${process.pid}-${randomUUID().slice(0, 8)}`;
}

const running = new Set<ChildProcessWithoutNullStreams>();
// A test that is given up must not leave its processes behind.
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class App {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";
  readonly #child: ChildProcessWithoutNullStreams;
  #isOver = false;
  #wake: () => void = () => {};

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, NO_COLOR: "1", ...env } });
    this.pid = this.#child.pid ?? 0;
    running.add(this.#child);
    this.#child.stdout.on("data", (data) => {
      this.stdout += data;
      this.#wake();
    });
    this.#child.stderr.on("data", (data) => {
      this.stderr += data;
      this.#wake();
    });
    this.#child.stdin.on("error", () => {});
    this.ended = new Promise((resolve) => {
      this.#child.on("close", (code, signal) => {
        this.#isOver = true;
        running.delete(this.#child);
        this.#wake();
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  type(text: string): this {
    this.#child.stdin.write(text);
    return this;
  }

  /** Ends the input, after `text`. */
  pipe(text = ""): this {
    this.#child.stdin.end(text);
    return this;
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.#isOver) this.#child.kill(signal);
  }

  /** Resolves when its output or messages have `text`; rejects if it ends without. */
  async shows(text: string): Promise<void> {
    while (!this.stdout.includes(text) && !this.stderr.includes(text)) {
      if (this.#isOver) throw new Error(`it ended without ${JSON.stringify(text)}: ${this.stdout}${this.stderr}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
