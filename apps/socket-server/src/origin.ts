/**
 * Which web pages may reach the chat through their visitor's browser.
 *
 * - Who sends no Origin is no web page: programs and `curl` are let in.
 * - `same-host`: the page came from the host and port that it connects to. On a loopback address that host must be a
 *   name of this machine itself too, or a foreign name that was made to point here would do (DNS rebinding).
 */

import { isLocal } from "./listen-address.ts";

export const SAME_HOST = "same-host";
const ANY = "*";

export interface OriginOfRequest {
  readonly origin: string | undefined;
  /** The Host header. */
  readonly host: string | undefined;
  /** Of this end of the connection. */
  readonly localAddress: string | undefined;
}

export class OriginPolicy {
  readonly #origins: ReadonlySet<string>;

  constructor(allowed: readonly string[]) {
    this.#origins = new Set(allowed);
  }

  allows({ origin, host, localAddress }: OriginOfRequest): boolean {
    if (origin === undefined || this.#origins.has(ANY) || this.#origins.has(origin)) return true;
    if (!this.#origins.has(SAME_HOST) || host === undefined || !URL.canParse(origin)) return false;
    const { host: originHost, hostname } = new URL(origin);
    if (originHost === "" || originHost !== host.toLowerCase()) return false;
    const isOnLoopback = localAddress !== undefined && isLocal({ host: localAddress, port: 0 });
    return !isOnLoopback || isLocal({ host: hostname.replace(/^\[|\]$/g, ""), port: 0 });
  }
}
