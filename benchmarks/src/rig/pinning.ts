/** Pins threads to CPUs with taskset, as a reader could by hand. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const TASKSET_TIMEOUT_MS = 5_000;

/** `threads[i]` (a kernel thread id) runs on `cpus[i]` from now on. @throws Error naming what taskset said */
export async function pinThreads(threads: readonly number[], cpus: readonly number[]): Promise<void> {
  await Promise.all(
    threads.map(async (thread, i) => {
      try {
        await run("taskset", ["-cp", String(cpus[i]), String(thread)], { timeout: TASKSET_TIMEOUT_MS });
      } catch (cause) {
        throw new Error(`thread ${thread} can't be pinned to CPU ${cpus[i]}`, { cause });
      }
    }),
  );
}
