/**
 * Holds results to the published schema, on writing and on reading back.
 *
 * - What passes is a `Results`; what doesn't throws `InvalidResultsError`, which names the first few offending places.
 */
import { readFileSync } from "node:fs";
import { Ajv, type ValidateFunction } from "ajv";
import type { Results } from "./types.ts";

const SHOWN_ERRORS = 3;

/** The results don't have the shape that schema.json describes. */
export class InvalidResultsError extends Error {
  override readonly name = "InvalidResultsError";
  readonly code = "INVALID_RESULTS";
  /** Each offending place with what is wrong there. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    const more = problems.length > SHOWN_ERRORS ? ` (and ${problems.length - SHOWN_ERRORS} more)` : "";
    super(`not a results file of schema version 1: ${problems.slice(0, SHOWN_ERRORS).join("; ")}${more}`);
    this.problems = problems;
  }
}

let validator: ValidateFunction<Results> | undefined;

/** @throws InvalidResultsError */
export function validateResults(value: unknown): Results {
  validator ??= new Ajv({ allErrors: true, strict: true, allowUnionTypes: true, strictTypes: false }).compile<Results>(
    JSON.parse(readFileSync(new URL("schema.json", import.meta.url), "utf8")),
  );
  if (validator(value)) return value;
  throw new InvalidResultsError(
    (validator.errors ?? []).map((error) => `${error.instancePath || "the file"} ${error.message ?? error.keyword}`),
  );
}

/** @throws InvalidResultsError for text that isn't JSON or doesn't match. */
export function parseResults(text: string): Results {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InvalidResultsError([`not JSON (${(cause as Error).message})`]);
  }
  return validateResults(value);
}
