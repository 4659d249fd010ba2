/**
 * Finds and reads the two runs to compare.
 *
 * - A run is a folder with results.json in it, a results.json, or the name of a run in the reports' history.
 * - Another schema version than the other's, or than ours, is refused: the same name might mean something else in it.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { RESULTS_FILE } from "../report/write.ts";
import type { Results } from "../results/types.ts";
import { parseResults } from "../results/validate.ts";

/** The runs can't be read or can't be compared with each other. */
export class IncomparableRunsError extends Error {
  override readonly name = "IncomparableRunsError";
  readonly code = "INCOMPARABLE_RUNS";
}

export interface LoadedRun {
  readonly path: string;
  readonly results: Results;
}

/** @throws IncomparableRunsError */
export function loadRuns(before: string, after: string): readonly [LoadedRun, LoadedRun] {
  const texts = [before, after].map((file) => read(file));
  const [a, b] = texts.map((text, i) => versionOf(text, [before, after][i] as string));
  if (a !== b) {
    throw new IncomparableRunsError(`schema version ${a} in ${before}, ${b} in ${after}: these can't be compared`);
  }
  const [first, second] = [before, after].map((file, i): LoadedRun => {
    try {
      return { path: file, results: parseResults(texts[i] as string) };
    } catch (cause) {
      throw new IncomparableRunsError(`${file}: ${(cause as Error).message}`, { cause });
    }
  });
  return [first as LoadedRun, second as LoadedRun];
}

/**
 * The results.json that someone means by `name`: a path as seen from `folder`, or a run in `history`.
 *
 * @throws IncomparableRunsError when there is none
 */
export function resultsPath(name: string, folder: string, history: string): string {
  for (const candidate of [path.resolve(folder, name), path.join(history, name)]) {
    if (!existsSync(candidate)) continue;
    if (!statSync(candidate).isDirectory()) return candidate;
    const inside = path.join(candidate, RESULTS_FILE);
    if (existsSync(inside)) return inside;
    throw new IncomparableRunsError(`there is no ${RESULTS_FILE} in ${candidate}`);
  }
  throw new IncomparableRunsError(`there is no run "${name}": no such path, and not in ${history}`);
}

/** The two newest runs, the older one first; their names begin with their time. @throws IncomparableRunsError */
export function newestTwo(history: string): [string, string] {
  const names = existsSync(history)
    ? readdirSync(history).filter((name) => existsSync(path.join(history, name, RESULTS_FILE)))
    : [];
  const [before, after] = names.sort().slice(-2);
  if (before === undefined || after === undefined) {
    throw new IncomparableRunsError(
      `${history} has ${names.length} of the two runs needed: run \`npm run compare\`, or name two folders`,
    );
  }
  return [path.join(history, before, RESULTS_FILE), path.join(history, after, RESULTS_FILE)];
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new IncomparableRunsError(`cannot read ${file}: ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
}

function versionOf(text: string, file: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new IncomparableRunsError(`${file} isn't JSON`, { cause });
  }
  return (value as { schemaVersion?: unknown } | null)?.schemaVersion;
}
