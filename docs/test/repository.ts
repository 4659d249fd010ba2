/** Where the repository lies and which of its files git would publish. */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const root: string = fileURLToPath(new URL("../..", import.meta.url));

/** Tracked and not-ignored files whose path ends with `ending`, relative to the root, that exist. */
export function filesEndingWith(ending: string): string[] {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  return [...new Set(listed.split("\n"))].filter((path) => path.endsWith(ending) && existsSync(`${root}/${path}`));
}
