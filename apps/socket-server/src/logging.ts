/** The server's own log, on stderr: JSON for programs, a readable line on a terminal. It never holds what people say. */

import { styleText } from "node:util";
import { displayText } from "@parley/chat-protocol";
import { type Logger, pino } from "pino";

export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const WARN_LEVEL = 40;

export interface LoggingOptions {
  readonly level: LogLevel;
  /** False: JSON even on a terminal. */
  readonly readable: boolean;
}

export function createLogger({ level, readable }: LoggingOptions): Logger {
  if (!readable) return pino({ level }, pino.destination({ dest: 2, sync: true }));
  return pino({ level, base: null }, { write: (line: string) => process.stderr.write(readableLine(line)) });
}

/** `12:34:56 joined name=ada peer=127.0.0.1:51234`. */
export function readableLine(json: string): string {
  const { level, time, msg, err, ...fields } = JSON.parse(json);
  const clock = new Date(time).toISOString().slice(11, 19);
  const shown = Object.entries(fields).map(([key, value]) => `${key}=${displayText(String(value))}`);
  if (err !== undefined) shown.push(displayText(err.message ?? String(err)));
  const line = [msg, ...shown].join(" ");
  const styled = level >= WARN_LEVEL ? styleText("red", line, { stream: process.stderr }) : line;
  return `${styleText("dim", clock, { stream: process.stderr })} ${styled}\n`;
}
