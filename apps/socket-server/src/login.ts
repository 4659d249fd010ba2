/**
 * Who may have a name: any store can be asked, however slow or broken it is.
 *
 * - A store is asked for at most MAX_CONCURRENT logins at once; as many as MAX_WAITING wait, more are refused for now.
 * - A login that takes too long, or a store that rejects, is refused for now. Nobody else's chat waits for it.
 * - An address that has failed too often is refused for a minute without asking.
 */

import type { Refusal } from "@parley/chat-room";
import { networkOf } from "./address-gate.ts";
import { Traffic } from "./traffic.ts";

export interface Login {
  /** Normalized. */
  readonly name: string;
  readonly token: string;
}

export interface LoginStore {
  /** True: this token may have this name. May reject; `signal` aborts when nobody waits for the answer any more. */
  check(login: Login, signal: AbortSignal): Promise<boolean>;
}

export interface LoginAttempt {
  readonly name: string;
  readonly token: string | undefined;
  /** Undefined: it came over a Unix socket. */
  readonly address: string | undefined;
}

const MAX_CONCURRENT = 8;
const MAX_WAITING = 1024;
const MAX_FAILURES = 10;
const FAILURES_FORGOTTEN_AFTER_MS = 60_000;

const TOO_BUSY: Refusal = { code: "OVERLOADED", message: "logins take too long now; try again" };

export class LoginGuard {
  readonly #store: LoginStore;
  readonly #timeoutMs: number;
  readonly #traffic: Traffic;
  readonly #onFault: (error: unknown) => void;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #failures = new Map<string, number>();
  #failuresSinceMs = 0;

  constructor(store: LoginStore, timeoutMs: number, traffic: Traffic, onFault: (error: unknown) => void) {
    this.#store = store;
    this.#timeoutMs = timeoutMs;
    this.#traffic = traffic;
    this.#onFault = onFault;
  }

  /** Undefined lets it in. Never rejects, and resolves within the timeout. */
  async admit(attempt: LoginAttempt): Promise<Refusal | undefined> {
    const refusal = await this.#decide(attempt);
    Traffic.count(this.#traffic.logins, refusal === undefined ? "ok" : refusal.code);
    return refusal;
  }

  async #decide({ name, token, address }: LoginAttempt): Promise<Refusal | undefined> {
    if (token === undefined || token === "") return { code: "LOGIN_REQUIRED", message: "a token is needed here" };
    const network = address === undefined ? "" : networkOf(address);
    if (this.#failuresOf(network) >= MAX_FAILURES) {
      return { code: "RATE_LIMITED", message: "too many logins have failed; try again in a minute" };
    }
    const signal = AbortSignal.timeout(this.#timeoutMs);
    if (this.#running >= MAX_CONCURRENT && this.#waiting.length >= MAX_WAITING) return TOO_BUSY;
    const isRight = await Promise.race([this.#ask({ name, token }, signal), aborted(signal)]);
    if (isRight === undefined) return TOO_BUSY;
    if (isRight) return undefined;
    this.#failures.set(network, this.#failuresOf(network) + 1);
    return { code: "LOGIN_FAILED", message: `that token doesn't belong to ${name}` };
  }

  /** Undefined: it can't be said. */
  async #ask(login: Login, signal: AbortSignal): Promise<boolean | undefined> {
    if (this.#running >= MAX_CONCURRENT) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (signal.aborted) {
      this.#waiting.shift()?.();
      return undefined;
    }
    this.#running++;
    try {
      return await this.#store.check(login, signal);
    } catch (error) {
      this.#onFault(error);
      return undefined;
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  #failuresOf(network: string): number {
    const nowMs = performance.now();
    if (nowMs - this.#failuresSinceMs > FAILURES_FORGOTTEN_AFTER_MS) {
      this.#failures = new Map();
      this.#failuresSinceMs = nowMs;
    }
    return this.#failures.get(network) ?? 0;
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}
