/** Prints the totals of a vitest JSON report on one line; exits 1 when a test failed, was skipped, or none ran. */

import { readFileSync } from "node:fs";

interface Assertion {
  readonly status: "passed" | "failed" | "pending" | "skipped" | "todo" | "disabled";
  readonly fullName: string;
}
interface Report {
  readonly numFailedTestSuites: number;
  readonly testResults: readonly { readonly name: string; readonly assertionResults: readonly Assertion[] }[];
}

const report = JSON.parse(readFileSync(process.argv[2] as string, "utf8")) as Report;
const tests = report.testResults.flatMap((file) => file.assertionResults);
const passed = tests.filter((test) => test.status === "passed").length;
const failed = tests.filter((test) => test.status === "failed").length;
const skipped = tests.filter((test) => test.status !== "passed" && test.status !== "failed");
for (const test of skipped) console.log(`skipped, which counts as a failure here: ${test.fullName}`);
console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
if (passed === 0 || failed > 0 || skipped.length > 0 || report.numFailedTestSuites > 0) process.exitCode = 1;
