/** Starts the demo's helpers, as processes or as worker threads, hears their reports, and never leaves one behind. */

import { type ChildProcess, fork } from "node:child_process";
import { Worker } from "node:worker_threads";
import type { Job, Place, Report } from "./role.ts";

const ROLE_MODULE: URL = new URL("./role.ts", import.meta.url);

export interface Hand {
  /** `pid 4711`, `thread 3`. */
  readonly label: string;
  /** Resolves with the next report of that type. Rejects when the hand ends before. */
  report<Type extends Report["type"]>(type: Type): Promise<Extract<Report, { type: Type }>>;
  /** Resolves when it has ended, however. */
  readonly ended: Promise<void>;
  /** kill -9, or termination of the thread. */
  kill(): Promise<void>;
}

export class Crew {
  readonly #hands = new Set<Hand>();
  readonly #onReport: (label: string, report: Report) => void;

  constructor(onReport: (label: string, report: Report) => void) {
    this.#onReport = onReport;
  }

  startProcess(job: Job, place: Place): Hand {
    const child: ChildProcess = fork(ROLE_MODULE, [JSON.stringify({ job, place })], { stdio: "inherit" });
    const kill = (): void => {
      child.kill("SIGKILL");
    };
    return this.#watch(`pid ${child.pid}`, child, kill);
  }

  startThread(job: Job, place: Place): Hand {
    const worker = new Worker(ROLE_MODULE, { workerData: { job, place } });
    return this.#watch(`thread ${worker.threadId}`, worker, () => void worker.terminate());
  }

  /** Ends whoever is still at work. */
  async dismiss(): Promise<void> {
    await Promise.all([...this.#hands].map((hand) => hand.kill()));
  }

  #watch(label: string, source: ChildProcess | Worker, kill: () => void): Hand {
    const heard: Report[] = [];
    let wake: () => void = () => {};
    let isOver = false;
    let failure: Error | undefined;
    source.on("message", (report: Report) => {
      heard.push(report);
      this.#onReport(label, report);
      wake();
    });
    source.on("error", (error: Error) => {
      failure = error;
    });
    const ended = new Promise<void>((resolve) => {
      source.on("exit", () => {
        isOver = true;
        this.#hands.delete(hand);
        wake();
        resolve();
      });
    });
    const hand: Hand = {
      label,
      ended,
      report: async <Type extends Report["type"]>(type: Type) => {
        for (;;) {
          const index = heard.findIndex((report) => report.type === type);
          if (index >= 0) return heard.splice(index, 1)[0] as Extract<Report, { type: Type }>;
          if (isOver) throw failure ?? new Error(`${label} ended before it was ${type}`);
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      },
      kill: async () => {
        if (!isOver) kill();
        await ended;
      },
    };
    this.#hands.add(hand);
    return hand;
  }
}
