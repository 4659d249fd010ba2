/** docs/features.md: every row names a test, and that test exists under the title given. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./repository.ts";

/** A row's last cell: `path/of/file.ts` › title of the test, several separated by <br>. */
const TEST_REFERENCE = /^`([^`]+\.ts)` › (.+)$/;

const rows = readFileSync(join(root, "docs/features.md"), "utf8")
  .split("\n")
  .filter((line) => /^\| \S+ \|/.test(line) && !/^\| (#|-+) \|/.test(line))
  .map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

test("there are rows", () => {
  expect(rows.length).toBeGreaterThan(10);
});

test.each(rows.map((cells) => [cells.slice(0, 2).join(" "), cells] as const))(
  "feature %s has its test",
  (_feature, cells) => {
    expect(cells).toHaveLength(4);
    for (const reference of (cells[3] as string).split("<br>")) {
      const match = TEST_REFERENCE.exec(reference.trim());
      expect(match, `not of the form \`file.test.ts\` › title: ${reference}`).not.toBeNull();
      const [, file, title] = match as unknown as [string, string, string];
      expect(existsSync(join(root, file)), file).toBe(true);
      const source = readFileSync(join(root, file), "utf8");
      expect(source.includes(title), `no test titled "${title}" in ${file}`).toBe(true);
    }
  },
);
