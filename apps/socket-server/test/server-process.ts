/** The server as users start it: a process of its own. */

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));

export interface Finished {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ServerProcess {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
}

export function startProcess(args: readonly string[]): ServerProcess {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const finished = new Promise<Finished>((resolve) => {
    child.on("close", (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
  });
  return { child, finished };
}

/** Runs to its end. */
export function run(args: readonly string[]): Promise<Finished> {
  return startProcess(args).finished;
}

/** Starts a server with `--json` on a free port and waits until it listens. */
export async function startListening(args: readonly string[] = []): Promise<ServerProcess & { readonly port: number }> {
  const started = startProcess(["--port", "0", "--json", ...args]);
  const port = await new Promise<number>((resolve, reject) => {
    let line = "";
    started.child.stdout?.on("data", (text: string) => {
      line += text;
      if (line.includes("\n")) resolve(JSON.parse(line).port);
    });
    void started.finished.then(({ stderr }) => reject(new Error(`the server ended: ${stderr}`)));
  });
  return { ...started, port };
}
