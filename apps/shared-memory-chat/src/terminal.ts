/** What writer, reader and demo share at the edge of the process: notes, trace lines, signals, a closed pipe. */

import { styleText } from "node:util";
import { displayText } from "@parley/chat-protocol";
import type { TraceStep } from "@parley/shared-memory-room";

const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
const SIGNAL_EXIT_BASE = 128;

type Style = Parameters<typeof styleText>[0];

/** A line for the person at the terminal, on stderr. `text` may quote others: it is made safe to show. */
export function note(text: string, style: Style = "dim"): void {
  process.stderr.write(`${styleText(style, displayText(text), { stream: process.stderr })}\n`);
}

/** `13:05:59.123`, local time. */
export function clock(timeMs: number = Date.now()): string {
  const date = new Date(timeMs);
  const two = (value: number): string => String(value).padStart(2, "0");
  const milliseconds = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${milliseconds}`;
}

/** Prints one step as `trace 13:05:59.123 pid 4711 lock    recovered`. */
export function printTrace(step: TraceStep, detail: string, timeMs: number): void {
  note(`trace ${clock(timeMs)} pid ${process.pid} ${step.padEnd(6)} ${detail}`.trimEnd(), "cyan");
}

/** Tells of the first signal that asks this process to end; a second one ends it at once. */
export class Ending {
  readonly #controller = new AbortController();
  readonly #listeners = new Map<NodeJS.Signals, () => void>();
  #exitCode = 0;

  constructor() {
    for (const [signal, number] of Object.entries(SIGNAL_NUMBERS)) {
      const listener = (): void => {
        const exitCode = SIGNAL_EXIT_BASE + number;
        if (this.#controller.signal.aborted) process.exit(exitCode);
        this.#exitCode = exitCode;
        this.#controller.abort();
      };
      this.#listeners.set(signal as NodeJS.Signals, listener);
      process.on(signal, listener);
    }
    process.stdout.on("error", this.#onStdoutError);
  }

  /** Aborted when this process should end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** 0, or 128 + the signal's number. */
  get exitCode(): number {
    return this.#exitCode;
  }

  /** Gives the signals back to Node's defaults. */
  dispose(): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }

  // Whoever read our output has gone (`reader | head -1`): a reason to end, not a failure.
  readonly #onStdoutError = (): void => this.#controller.abort();
}
