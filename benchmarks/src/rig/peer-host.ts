/**
 * Starts a peer in a fresh process or thread and calls its functions.
 *
 * - Every call has a watchdog: past it the peer is killed and the call rejects.
 * - A peer that ends unasked rejects what is pending, with the end of its stderr.
 */
import { type ChildProcess, fork } from "node:child_process";
import { Worker } from "node:worker_threads";
import type { Boundary } from "../results/types.ts";
import type { Cleanup } from "./cleanup.ts";
import type { FromPeer, ToPeer } from "./peer-messages.ts";

const PROGRAM = new URL("peer.ts", import.meta.url);
const START_TIMEOUT_MS = 15_000;
const CLOSE_TIMEOUT_MS = 3_000;
const STDERR_SHOWN = 600;
/** What a failed peer wrote last may come after its end. */
const STDERR_GRACE_MS = 50;

export interface PeerOptions {
  readonly boundary: Boundary;
  /** URL of the module whose exports are called. */
  readonly module: string;
  /** For messages: "tcp initiator". */
  readonly label: string;
  readonly cleanup: Cleanup;
  readonly env?: Readonly<Record<string, string>>;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

/** A peer's process or worker, seen alike. */
interface Vehicle {
  readonly pid: number | undefined;
  post(message: ToPeer): void;
  kill(): void;
  end(): void;
}

export class Peer {
  readonly label: string;
  readonly #pending = new Map<number, Pending>();
  readonly #vehicle: Vehicle;
  readonly #exited: Promise<void>;
  #nextId = 1;
  #threadId = 0;
  #gone: Error | undefined;
  #hello: { resolve(): void; reject(error: Error): void } | undefined;

  private constructor(options: PeerOptions) {
    this.label = options.label;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    let stderr = "";
    const onExit = (how: string): void => {
      forget();
      const detail = stderr.trim() === "" ? "" : `: ${stderr.trim().slice(-STDERR_SHOWN)}`;
      this.#fail(new Error(`${this.label} ended (${how})${detail}`));
      resolve();
    };
    this.#vehicle =
      options.boundary === "process"
        ? startProcess(
            options,
            (message) => this.#receive(message),
            onExit,
            (text) => {
              stderr = (stderr + text).slice(-STDERR_SHOWN);
            },
          )
        : startThread(options, (message) => this.#receive(message), onExit);
    const forget = options.cleanup.add(() => this.#vehicle.kill());
  }

  /** Resolves once the peer has loaded its module. */
  static async start(options: PeerOptions): Promise<Peer> {
    const peer = new Peer(options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    peer.#hello = { resolve, reject };
    const timer = setTimeout(() => reject(new Error(`${options.label} did not start`)), START_TIMEOUT_MS);
    try {
      await promise;
      return peer;
    } catch (error) {
      peer.kill();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The kernel's id of the thread that is measured. */
  get threadId(): number {
    return this.#threadId;
  }

  get pid(): number {
    return this.#vehicle.pid ?? process.pid;
  }

  /** Calls an export of the peer's module. `timeoutMs` is a watchdog, far above what the call should take. */
  call<T>(name: string, args: readonly unknown[], timeoutMs: number): Promise<T> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fail(new Error(`${this.label} did not answer "${name}" within ${timeoutMs} ms and was killed`));
        this.kill();
      }, timeoutMs);
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject, timer });
      this.#vehicle.post({ id, name, args });
    });
  }

  /** Ends the peer, by force if it doesn't by itself. */
  async close(): Promise<void> {
    this.#vehicle.end();
    const timer = setTimeout(() => this.kill(), CLOSE_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  kill(): void {
    this.#vehicle.kill();
  }

  #receive(message: FromPeer): void {
    if ("hello" in message) {
      this.#threadId = message.hello;
      this.#hello?.resolve();
      return;
    }
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    this.#pending.delete(message.id);
    clearTimeout(pending.timer);
    if ("error" in message) pending.reject(new Error(`${this.label}: ${message.error}`));
    else pending.resolve(message.result);
  }

  #fail(error: Error): void {
    this.#gone ??= error;
    this.#hello?.reject(error);
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#pending.clear();
  }
}

type OnExit = (how: string) => void;

function startProcess(
  { module, env }: PeerOptions,
  onMessage: (message: FromPeer) => void,
  onExit: OnExit,
  onStderr: (text: string) => void,
): Vehicle {
  const child: ChildProcess = fork(PROGRAM, [module], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    execArgv: [],
    serialization: "json",
    env: { ...process.env, ...env },
  });
  child.on("message", (message) => onMessage(message as FromPeer));
  child.stderr?.setEncoding("utf8").on("data", onStderr);
  child.on("error", (error) => onExit(error.message));
  // Not "close": it never comes once this side has disconnected the channel.
  child.on("exit", (code, signal) => {
    const report = (): void => onExit(signal ?? `exit code ${code}`);
    if (code === 0) report();
    else setTimeout(report, STDERR_GRACE_MS);
  });
  return {
    pid: child.pid,
    post: (message) => {
      if (child.connected) child.send(message, () => {});
    },
    kill: () => void child.kill("SIGKILL"),
    end: () => {
      if (child.connected) child.disconnect();
    },
  };
}

function startThread({ module, env }: PeerOptions, onMessage: (message: FromPeer) => void, onExit: OnExit): Vehicle {
  const worker = new Worker(PROGRAM, {
    workerData: { module },
    env: { ...process.env, ...env } as NodeJS.Dict<string>,
  });
  let failure: string | undefined;
  worker.on("message", (message: FromPeer) => onMessage(message));
  worker.on("error", (error) => {
    failure = (error as Error).message;
  });
  worker.on("exit", (code) => onExit(failure ?? `exit code ${code}`));
  const terminate = (): void => void worker.terminate();
  return { pid: undefined, post: (message) => worker.postMessage(message), kill: terminate, end: terminate };
}
