/** What a command is given, and the one kind of error that is the user's mistake in typing. */
import { ArgumentError, SharedMemoryError } from "../errors.ts";
import { segmentPath } from "../segment-name.ts";
import type { SegmentObserver } from "../segment-observer.ts";
import { observeSegment } from "../segment-observer.ts";
import type { Output } from "./output.ts";

export type OptionValues = Readonly<Record<string, string | boolean | undefined>>;

export interface Context {
  readonly output: Output;
  readonly operands: readonly string[];
  readonly options: OptionValues;
  /** Where segments are, if not in the usual place. */
  readonly directory: string | undefined;
  /** Aborted by Ctrl-C. */
  readonly stop: AbortSignal;
}

/** Resolves with the exit code. */
export type Action = (context: Context) => number | Promise<number>;

export const EXIT_FINE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

/** The command line can't be followed: exit code 2. */
export class UsageError extends Error {}

/** A whole number option. Throws UsageError. */
export function wholeNumber(options: OptionValues, name: string, fallback: number, minimum: number): number {
  const given = options[name];
  if (given === undefined) return fallback;
  const value = Number(given);
  if (!/^\d+$/.test(String(given)) || !Number.isSafeInteger(value) || value < minimum) {
    throw new UsageError(`--${name} must be a whole number of ${minimum} or more, not ${JSON.stringify(given)}`);
  }
  return value;
}

/** The one segment that the command is about, looked at through a read-only mapping. */
export function observed(context: Context): SegmentObserver {
  const [name] = context.operands as [string];
  const where = context.directory === undefined ? {} : { directory: context.directory };
  const path = segmentPath(name, context.directory);
  const observer = observeSegment(name, where);
  if (observer === undefined) {
    throw new SharedMemoryError("ERR_SHM_NOT_FOUND", `there is no segment ${name} (${path})`, { name, path });
  }
  return observer;
}

/** Resolves after `ms`, or at once when Ctrl-C is or was pressed; then with false. */
export function pauseFor(ms: number, stop: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (stop.aborted) {
      resolve(false);
      return;
    }
    const end = (finished: boolean): void => {
      clearTimeout(timer);
      stop.removeEventListener("abort", onAbort);
      resolve(finished);
    };
    const onAbort = (): void => end(false);
    const timer = setTimeout(() => end(true), ms);
    stop.addEventListener("abort", onAbort, { once: true });
  });
}

/** Which exit code an error means. */
export function exitCodeOf(error: unknown): number {
  const isUsage =
    error instanceof UsageError ||
    error instanceof ArgumentError ||
    (error instanceof SharedMemoryError && error.code === "ERR_SHM_NAME") ||
    String((error as { code?: unknown } | undefined)?.code).startsWith("ERR_PARSE_ARGS");
  return isUsage ? EXIT_USAGE : EXIT_FAILED;
}
