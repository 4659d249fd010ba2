/** The real socket server, started as a child process as people start it. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { REPOSITORY_ROOT } from "../env.ts";
import type { Cleanup } from "../rig/cleanup.ts";

const PROGRAM = path.join(REPOSITORY_ROOT, "apps/socket-server/src/main.ts");
const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 3_000;
const COMPLAINT_KEPT = 4_000;
const NS_PER_US = 1_000;

export interface ServerProcess {
  readonly pid: number;
  /** `tcp://127.0.0.1:PORT` */
  readonly url: string;
  stop(): Promise<void>;
}

/** @throws Error when it doesn't come up */
export async function startServer(cleanup: Cleanup): Promise<ServerProcess> {
  const child = spawn(process.execPath, [PROGRAM, "--port", "0", "--json"], { stdio: ["ignore", "pipe", "pipe"] });
  const forget = cleanup.add(() => void child.kill("SIGKILL"));
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => {
      forget();
      resolve();
    });
  });
  try {
    const { host, port } = await listening(child);
    return {
      pid: child.pid as number,
      url: `tcp://${host}:${port}`,
      stop: async () => {
        child.kill("SIGTERM");
        const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
        await exited;
        clearTimeout(timer);
      },
    };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}

function listening(child: ChildProcess): Promise<{ host: string; port: number }> {
  return new Promise((resolve, reject) => {
    let complaint = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      complaint = (complaint + text).slice(0, COMPLAINT_KEPT);
    });
    const fail = (why: string): void => {
      const lines = complaint.trim().split("\n");
      const told = lines.find((line) => /error|cannot/i.test(line)) ?? lines.at(-1) ?? "";
      reject(new Error(`the socket server ${why}${told === "" ? "" : `: ${told.trim()}`}`));
    };
    const timer = setTimeout(
      () => fail(`did not say within ${START_TIMEOUT_MS} ms where it listens`),
      START_TIMEOUT_MS,
    );
    child.once("error", (error) => fail(`could not be started: ${error.message}`));
    child.once("close", (code) => fail(`ended with exit code ${code}`));
    // The pipe is read to its end: a server that logs must never wait for a reader.
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      const said = parsed(line);
      if (said?.event !== "listening") return;
      clearTimeout(timer);
      resolve({ host: String(said.host), port: Number(said.port) });
    });
  });
}

function parsed(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** CPU time of all threads of another process so far, microseconds; null where the kernel doesn't tell. */
export function cpuUsOf(pid: number): number | null {
  try {
    const tasks = `/proc/${pid}/task`;
    let totalNs = 0;
    for (const thread of readdirSync(tasks)) {
      totalNs += Number(readFileSync(path.join(tasks, thread, "schedstat"), "utf8").split(" ")[0]);
    }
    return totalNs / NS_PER_US;
  } catch {
    return null;
  }
}
