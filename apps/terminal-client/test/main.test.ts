/** The ways to start it, and to stop it before it is connected. */

import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { chat, freshSegment } from "./fixtures/processes.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

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
