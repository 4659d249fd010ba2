/** `shm doctor`: whether shared memory works here, tried out for real, and what stands in its way. */
import { type Action, EXIT_FAILED, EXIT_FINE } from "./context.ts";
import { CHECKS, type Check } from "./doctor-checks.ts";
import { count } from "./output.ts";

const MARKS = { ok: "ok    ", note: "note  ", warning: "warn  ", failure: "FAIL  " } as const;
const STYLES = { ok: "green", note: "dim", warning: "yellow", failure: "red" } as const;

export const doctor: Action = ({ output, directory }) => {
  const checks: Check[] = [];
  for (const [name, check] of Object.entries(CHECKS)) {
    let results: readonly Omit<Check, "check">[];
    try {
      results = check(directory);
    } catch (error) {
      results = [{ status: "failure", detail: (error as Error).message }];
    }
    for (const result of results) {
      const entry = { check: name, ...result };
      checks.push(entry);
      output.line({ text: MARKS[entry.status], style: STYLES[entry.status] }, `${name.padEnd(12)}  ${entry.detail}`);
      if (entry.advice !== undefined) output.line(`${" ".repeat(MARKS.ok.length)}${" ".repeat(12)}  → ${entry.advice}`);
    }
  }
  const failures = checks.filter(({ status }) => status === "failure").length;
  const warnings = checks.filter(({ status }) => status === "warning").length;
  output.value({ ok: failures === 0, failures, warnings, checks });
  output.line(
    failures === 0
      ? `Shared memory works here${warnings > 0 ? `, with ${count(warnings, "warning")}` : ""}.`
      : `Named segments don't work here as they should: ${count(failures, "failure")}. Threads can still use anonymous ones.`,
  );
  return failures === 0 ? EXIT_FINE : EXIT_FAILED;
};
