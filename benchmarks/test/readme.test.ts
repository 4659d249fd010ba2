import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { REPOSITORY_ROOT } from "../src/env.ts";
import { withResults } from "../src/readme.ts";
import type { Results } from "../src/results/types.ts";
import { validateResults } from "../src/results/validate.ts";

const readme = readFileSync(path.join(REPOSITORY_ROOT, "README.md"), "utf8");
const example = JSON.parse(readFileSync(path.join(REPOSITORY_ROOT, "reports/example/results.json"), "utf8")) as Results;

test("README's results are those of the committed example (npm run readme)", () => {
  expect(withResults(readme, example)).toBe(readme);
});

test("the committed example is a measured one that matches the schema and lost nothing", () => {
  expect(() => validateResults(example)).not.toThrow();
  expect(example.run.synthetic).toBe(false);
  for (const scenario of example.scenarios) {
    for (const cell of scenario.cells) expect(cell.summary.lost, `${scenario.id} ${cell.contender}`).toBe(0);
  }
});

test("a README without the markers is refused rather than guessed at", () => {
  expect(() => withResults("# Parley", example)).toThrow(/markers/);
});
