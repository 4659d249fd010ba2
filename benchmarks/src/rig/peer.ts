/**
 * The program of every child process and worker thread that takes part in a measurement: loads one module and calls its
 * exported functions when the controller asks.
 *
 * - Says `hello` with its thread id, so that the controller can pin it.
 * - Ends by itself when the controller is gone, after calling the module's `close` if it has one. A function that blocks must bound itself.
 */
import { readlinkSync } from "node:fs";
import path from "node:path";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import type { FromPeer, ToPeer } from "./peer-messages.ts";

const LEAVE_MS = 1_000;

const moduleUrl = isMainThread ? process.argv[2] : (workerData as { module: string }).module;
const exported = (await import(String(moduleUrl))) as Record<string, (...args: unknown[]) => unknown>;

function reply(message: FromPeer): void {
  if (parentPort === null) process.send?.(message);
  else parentPort.postMessage(message);
}

async function answer({ id, name, args }: ToPeer): Promise<void> {
  try {
    const called = exported[name];
    if (called === undefined) throw new Error(`no such function: ${name}`);
    reply({ id, result: await called(...args) });
  } catch (error) {
    reply({ id, error: error instanceof Error ? error.message : String(error) });
  }
}

/** The kernel's id of the calling thread; the process's own where /proc is missing. */
function threadId(): number {
  try {
    return Number(path.basename(readlinkSync("/proc/thread-self")));
  } catch {
    return process.pid;
  }
}

/** Leaves as the module would (a segment's last participant removes it), but not for long. */
async function leave(): Promise<void> {
  setTimeout(() => process.exit(0), LEAVE_MS).unref();
  try {
    await exported.close?.();
  } finally {
    process.exit(0);
  }
}

if (parentPort === null) {
  process.on("message", (message: ToPeer) => void answer(message));
  process.on("disconnect", () => void leave());
  // Ctrl-C reaches the whole foreground group: the controller decides when a peer ends.
  process.on("SIGINT", () => {});
} else parentPort.on("message", (message: ToPeer) => void answer(message));

reply({ hello: threadId() });
