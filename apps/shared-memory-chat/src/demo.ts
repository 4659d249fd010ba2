/**
 * The guided tour: what happens between a writer and a reader, with and without the lock, and after kill -9.
 *
 * - Real processes (or, with `--threads`, worker threads), nothing staged: what is said is what was seen, and the exit code
 *   is 1 when an expectation failed.
 * - Bounded in time, and nothing is left behind, whichever way it ends.
 */

import { unsupportedReason } from "shared-memory-ringbuffer";
import { Story } from "./demo/story.ts";
import { demoWithProcesses } from "./demo/with-processes.ts";
import { demoWithThreads } from "./demo/with-threads.ts";
import { Ending, note } from "./terminal.ts";

export interface DemoOptions {
  readonly threads?: boolean;
  /** The story goes to stderr and its results, as one object, to stdout. */
  readonly json?: boolean;
}

const TIMEOUT_MS = 60_000;
const EXIT_FAILED = 1;

/** Resolves with the exit code. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const ending = new Ending();
  const story = new Story(options.json ? process.stderr : process.stdout);
  const reason = unsupportedReason();
  const withThreads = options.threads || reason !== undefined;
  if (reason !== undefined && !options.threads) {
    note(
      `named shared memory is not supported here (${reason}): threads of one process instead; left out: separate processes, kill -9`,
      "yellow",
    );
  }
  const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  try {
    const result = await (withThreads ? demoWithThreads(story, signal) : demoWithProcesses(story, signal));
    const ok = story.failed.length === 0;
    if (options.json) {
      const mode = withThreads ? "threads" : "processes";
      process.stdout.write(`${JSON.stringify({ mode, ok, failed: story.failed, ...result })}\n`);
    }
    story.end(ok ? "All as expected." : `Not as expected: ${story.failed.join("; ")}`);
    return ok ? 0 : EXIT_FAILED;
  } catch (error) {
    if (ending.signal.aborted) return ending.exitCode;
    if (signal.aborted) throw new Error(`the demo did not end within ${TIMEOUT_MS / 1000} s`, { cause: error });
    throw error;
  } finally {
    ending.dispose();
  }
}
