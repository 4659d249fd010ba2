/**
 * Every setting of the server, once: the flags, the environment variables, the keys of the configuration file, `--help`
 * and the table in docs/operations.md are all made from this.
 *
 * - `handshakeTimeoutMs` in the file is `PARLEY_HANDSHAKE_TIMEOUT_MS` in the environment and `--handshake-timeout-ms` as
 *   a flag. Flags win over the environment, the environment over the file.
 */

import { MAX_PORT } from "./listen-address.ts";
import { LOG_LEVELS, type LogLevel } from "./logging.ts";

export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly listen: readonly string[];
  readonly echo: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsSelfSigned: boolean;
  readonly allowedOrigins: readonly string[];
  readonly tokenFile?: string;
  readonly loginTimeoutMs: number;
  readonly maxClients?: number;
  readonly maxConnections?: number;
  readonly maxConnectionsPerAddress?: number;
  readonly maxRequestsPerSecond?: number;
  readonly maxBytesPerSecond?: number;
  readonly maxQueueBytes: number;
  readonly stallTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly drainDelayMs: number;
  readonly graceMs: number;
  readonly logLevel: LogLevel;
  readonly json: boolean;
}

export type SettingValue = string | number | boolean | readonly string[];

interface Described {
  readonly description: string;
  /** Undefined: none. */
  readonly default?: SettingValue;
  /** Where the default isn't one value: how it is said. */
  readonly defaultText?: string;
}

export interface NumberSetting extends Described {
  readonly type: "whole number";
  readonly min: number;
  /** Undefined: no upper limit. */
  readonly max?: number;
}

export interface OtherSetting extends Described {
  readonly type: "text" | "list" | "yes or no";
  /** How a value is called in `--help`. */
  readonly placeholder?: string;
}

export interface ChoiceSetting extends Described {
  readonly type: "choice";
  readonly choices: readonly string[];
}

export type Setting = NumberSetting | OtherSetting | ChoiceSetting;

/** The longest that a Node timer can wait. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** A turn that brings more than this to a peer is written nevertheless, see outgoing-queue.ts. */
const MIN_QUEUE_BYTES = 64 * 1024;

/** Limits that hold where strangers can connect, unless they are set. A server on loopback only has none of them. */
export const EXPOSED_LIMITS: Readonly<
  Record<"maxConnectionsPerAddress" | "maxRequestsPerSecond" | "maxBytesPerSecond", number>
> = {
  maxConnectionsPerAddress: 256,
  maxRequestsPerSecond: 150,
  maxBytesPerSecond: 1024 * 1024,
};

function whereExposed(key: keyof typeof EXPOSED_LIMITS): string {
  return `${EXPOSED_LIMITS[key]}; no limit if it listens on loopback and Unix sockets only`;
}

export const SETTINGS: Readonly<Record<keyof Settings, Setting>> = {
  host: {
    type: "text",
    placeholder: "address",
    default: "127.0.0.1",
    description: "address to listen on; 0.0.0.0 or :: for other machines too",
  },
  port: {
    type: "whole number",
    min: 0,
    max: MAX_PORT,
    default: 8080,
    description: "port to listen on; 0 for any free one",
  },
  listen: {
    type: "list",
    placeholder: "address",
    default: [],
    defaultText: "host and port",
    description:
      "where to listen instead of host and port, several at once: 127.0.0.1:8080, [::1]:8080, unix:/run/parley.sock",
  },
  echo: { type: "yes or no", default: false, description: "echo mode: every byte comes back, there is no chat" },
  tlsCert: {
    type: "text",
    placeholder: "file",
    description: "certificate chain in PEM; with it TLS is spoken on every port, next to everything else",
  },
  tlsKey: { type: "text", placeholder: "file", description: "the certificate's private key in PEM" },
  tlsSelfSigned: {
    type: "yes or no",
    default: false,
    description: "TLS with a certificate made at the start, for development: nobody can verify it",
  },
  allowedOrigins: {
    type: "list",
    placeholder: "origin",
    default: ["same-host"],
    description:
      "web pages that may connect or post from a browser: origins such as https://chat.example.org, same-host, or *",
  },
  tokenFile: {
    type: "text",
    placeholder: "file",
    description: "nobody gets in without a token of this file; lines are made by `npm run -s hash-token -- NAME`",
  },
  loginTimeoutMs: {
    type: "whole number",
    min: 1,
    max: MAX_TIMEOUT_MS,
    default: 5000,
    description: "a login that isn't decided by then is refused, to be tried again",
  },
  maxClients: {
    type: "whole number",
    min: 1,
    defaultText: "no limit",
    description: "the most people at once; one more is told SERVER_FULL. In echo mode the most connections",
  },
  maxConnections: {
    type: "whole number",
    min: 1,
    defaultText: "no limit",
    description: "the most connections at once, whatever they are for; more are closed as they come",
  },
  maxConnectionsPerAddress: {
    type: "whole number",
    min: 0,
    defaultText: whereExposed("maxConnectionsPerAddress"),
    description:
      "the most connections at once from one IPv4 address or IPv6 /64; more are closed as they come. 0: no limit",
  },
  maxRequestsPerSecond: {
    type: "whole number",
    min: 0,
    defaultText: whereExposed("maxRequestsPerSecond"),
    description: "what one connection may ask for in a second; the rest is told RATE_LIMITED. 0: no limit",
  },
  maxBytesPerSecond: {
    type: "whole number",
    min: 0,
    defaultText: whereExposed("maxBytesPerSecond"),
    description: "with so many bytes of one connection in a second, the rest is read in the next. 0: no limit",
  },
  maxQueueBytes: {
    type: "whole number",
    min: MIN_QUEUE_BYTES,
    default: 1024 * 1024,
    description: "a peer with more than this unread is cut off as SLOW_CONSUMER",
  },
  stallTimeoutMs: {
    type: "whole number",
    min: 100,
    max: MAX_TIMEOUT_MS,
    default: 10_000,
    description: "a peer that takes nothing for so long is cut off as SLOW_CONSUMER",
  },
  handshakeTimeoutMs: {
    type: "whole number",
    min: 1,
    max: MAX_TIMEOUT_MS,
    default: 30_000,
    description: "a connection that has no name by then is ended; also the time for a whole HTTP request",
  },
  heartbeatMs: {
    type: "whole number",
    min: 0,
    max: MAX_TIMEOUT_MS / 4,
    default: 30_000,
    description: "a program silent for so long is sent PING, and cut off after the same time again. 0: never",
  },
  drainDelayMs: {
    type: "whole number",
    min: 0,
    max: MAX_TIMEOUT_MS,
    default: 0,
    description: "on SIGTERM /readyz answers 503 for so long before anything else ends: for load balancers",
  },
  graceMs: {
    type: "whole number",
    min: 0,
    max: MAX_TIMEOUT_MS,
    default: 5000,
    description: "the most time for giving everybody the rest before the server exits",
  },
  logLevel: { type: "choice", choices: LOG_LEVELS, default: "info", description: "how much is logged" },
  json: {
    type: "yes or no",
    default: false,
    description: "one line of JSON on stdout when ready, and the log as JSON even on a terminal",
  },
};

export const SETTING_KEYS: readonly (keyof Settings)[] = Object.keys(SETTINGS) as (keyof Settings)[];

/** `handshakeTimeoutMs` → `--handshake-timeout-ms`. */
export function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

export const ENVIRONMENT_PREFIX = "PARLEY_";

/** `handshakeTimeoutMs` → `PARLEY_HANDSHAKE_TIMEOUT_MS`. */
export function variableOf(key: string): string {
  return ENVIRONMENT_PREFIX + key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/** What values a setting takes: `1 to 65535`, `at least 1`, `info, warn`. Empty: any text. */
export function rangeOf(setting: Setting): string {
  switch (setting.type) {
    case "whole number":
      return setting.max === undefined ? `at least ${setting.min}` : `${setting.min} to ${Math.floor(setting.max)}`;
    case "choice":
      return setting.choices.join(", ");
    case "yes or no":
      return "true, false";
    default:
      return "";
  }
}

export function defaultOf(setting: Setting): string {
  if (setting.defaultText !== undefined) return setting.defaultText;
  if (setting.default === undefined) return "none";
  return Array.isArray(setting.default) ? setting.default.join(", ") : String(setting.default);
}
