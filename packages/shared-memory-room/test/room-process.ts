/** Another process in the room, told by its starter what to do: `RoomProcess` here, `room-process-main.ts` there. */

import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const MAIN: string = fileURLToPath(new URL("./room-process-main.ts", import.meta.url));
const LOOK_MS = 5;

export type Command =
  | { readonly do: "claim"; readonly name: string; readonly join?: boolean }
  | { readonly do: "release"; readonly name: string }
  | { readonly do: "append"; readonly texts: readonly string[]; readonly messageIds?: readonly string[] }
  | { readonly do: "arm"; readonly failpoint: string; readonly action: "kill" | "stop" }
  | { readonly do: "recovered" }
  | { readonly do: "close" };

export class RoomProcess {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #waiting: { resolve(answer: unknown): void; reject(error: Error): void }[] = [];
  readonly ended: Promise<void>;

  /** Resolves when the process has opened the room. */
  static async start(segment: string, env: NodeJS.ProcessEnv = {}): Promise<RoomProcess> {
    const room = new RoomProcess(segment, env);
    await room.#answer();
    return room;
  }

  private constructor(segment: string, env: NodeJS.ProcessEnv) {
    this.#child = fork(MAIN, [segment], { env: { ...process.env, ...env } });
    this.pid = this.#child.pid ?? 0;
    this.#child.on("message", (answer: { error?: string }) => {
      const waiting = this.#waiting.shift();
      if (answer.error === undefined) waiting?.resolve(answer);
      else waiting?.reject(new Error(answer.error));
    });
    this.ended = new Promise((resolve) => {
      this.#child.on("exit", () => {
        for (const waiting of this.#waiting.splice(0)) waiting.reject(new Error(`process ${this.pid} has ended`));
        resolve();
      });
    });
  }

  /** Commands are carried out one after the other. Rejects if the process dies over it. */
  ask<Answer>(command: Command): Promise<Answer> {
    const answer = this.#answer() as Promise<Answer>;
    this.#child.send(command);
    return answer;
  }

  /** Resolves when the process stands still (SIGSTOP). */
  async stopped(): Promise<void> {
    for (;;) {
      const stat = readFileSync(`/proc/${this.pid}/stat`, "latin1");
      if (stat.slice(stat.lastIndexOf(")") + 2).startsWith("T")) return;
      await delay(LOOK_MS);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }
}
