/** An old Node says what to do in one line, whichever program is started, before it opens any TypeScript. */

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./repository.ts";

const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> };
const programs = Object.entries(scripts).filter(([, command]) => command.startsWith("node "));

/** Makes the process believe that it is an older Node. */
function pretend(version: string): string {
  const lie = `Object.defineProperty(process,"versions",{value:{...process.versions,node:"${version}"}})`;
  return `data:text/javascript,${encodeURIComponent(lie)}`;
}

test.each(programs)("npm run %s refuses a Node that is too old", async (_name, command) => {
  for (const version of ["20.20.2", "24.11.0"]) {
    const args = ["--import", pretend(version), ...command.split(" ").slice(1), "--help"];
    const { code, stdout, stderr } = await new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) =>
      execFile(process.execPath, args, { cwd: root }, (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stdout, stderr }),
      ),
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^Node 24\.12 or newer is needed, this is [^\n]+\n$/);
  }
});
