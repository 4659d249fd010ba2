/** The ways to start it: the root script, Nx, and a Node that is too old. */

import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { chat, freshSegment } from "./fixtures/processes.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { scripts: { chat: string } };

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(file: string, args: readonly string[], input = ""): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined };
    const child = execFile(file, args, { cwd: root, env }, (error, stdout, stderr) => {
      resolve({ code: (error?.code as number | undefined) ?? 0, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

/** Makes the process believe that it is an older Node. */
function pretend(version: string): string {
  const lie = `Object.defineProperty(process,"versions",{value:{...process.versions,node:"${version}"}})`;
  return `data:text/javascript,${encodeURIComponent(lie)}`;
}

describe("under a Node that is too old", () => {
  test("the root script says so in one line, before it opens any TypeScript", async () => {
    const [node, ...args] = scripts.chat.split(" ");
    expect(node).toBe("node");
    expect(args[0]).toBe("--import");
    for (const version of ["20.20.2", "24.11.0"]) {
      const { code, stdout, stderr } = await run(process.execPath, ["--import", pretend(version), ...args]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(/^Node 24\.12 or newer is needed, this is [^\n]+\n$/);
    }
  });

  test("so does the entry itself, where that Node can read TypeScript", async () => {
    const main = "apps/terminal-client/src/main.ts";
    const { code, stderr } = await run(process.execPath, ["--import", pretend("22.20.0"), main]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^chat: needs Node 24\.12 or newer[^\n]+\n$/);
  });
});

test("a pipe works through the root script", async () => {
  const { code, stdout } = await run(
    "npm",
    ["run", "-s", "chat", "--", freshSegment(), "--name", "ada", "--json"],
    "hi\n",
  );
  expect(code).toBe(0);
  expect(stdout).toMatch(/^\{"event":"connected".*\n/);
  expect(stdout).toContain('"event":"ack","line":1');
});

test("Ctrl-C while the server keeps it waiting ends it with one line", async () => {
  const silent = createServer((socket) => socket.once("data", () => client.child.kill("SIGINT")).on("error", () => {}));
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  onTestFinished(() => void silent.close());
  const { port } = silent.address() as { port: number };
  const client = chat(`tcp://127.0.0.1:${port}`, "ada");
  expect(await client.exit).toBe(1);
  expect(client.stderr).toBe(`chat: connecting to tcp://127.0.0.1:${port} was aborted\n`);
});
