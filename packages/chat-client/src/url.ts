/**
 * Where to connect to, out of a URL: `tcp://HOST[:PORT]`, `shm://SEGMENT`.
 *
 * - Everything that can't be used is refused with the reason and an example, nothing is ignored.
 */

import { ChatClientError } from "./errors.ts";

export const DEFAULT_TCP_PORT = 8080;

export interface TcpTarget {
  readonly scheme: "tcp";
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
  /** As it is shown to people: with the port, without anything else. */
  readonly href: string;
}

export interface SharedMemoryTarget {
  readonly scheme: "shm";
  readonly segment: string;
  readonly href: string;
}

export type ChatTarget = TcpTarget | SharedMemoryTarget;

const EXAMPLES = "tcp://127.0.0.1:8080 or shm://lobby";
/** What shared-memory-ringbuffer takes as a segment's name; here already, so that the URL is what's said to be wrong. */
const SEGMENT_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/;

/** Throws ChatClientError INVALID_URL or UNSUPPORTED_SCHEME. */
export function parseChatUrl(url: string): ChatTarget {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase();
  if (scheme === "tcp") return parseTcp(url);
  if (scheme === "shm") return parseSharedMemory(url);
  if (scheme !== undefined) {
    throw new ChatClientError("UNSUPPORTED_SCHEME", `${scheme}:// is not supported in ${show(url)}: use ${EXAMPLES}`);
  }
  const hint = /^[^\s/]+:\d+$/.test(url) ? `did you mean tcp://${url}?` : `use ${EXAMPLES}`;
  throw invalid(url, hint);
}

function parseTcp(url: string): TcpTarget {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw invalid(url, "write tcp://HOST:PORT, with a port from 1 to 65535", cause);
  }
  if (parsed.hostname === "") throw invalid(url, "a host is missing; write tcp://HOST:PORT");
  if (parsed.username !== "" || parsed.password !== "") throw invalid(url, "user and password don't belong into it");
  if ((parsed.pathname !== "" && parsed.pathname !== "/") || parsed.search !== "" || parsed.hash !== "") {
    throw invalid(url, "nothing may follow the port; write tcp://HOST:PORT");
  }
  const port = parsed.port === "" ? DEFAULT_TCP_PORT : Number(parsed.port);
  if (port === 0) throw invalid(url, "a port is from 1 to 65535");
  const host = parsed.hostname.replace(/^\[(.*)\]$/, "$1");
  return { scheme: "tcp", host, port, href: `tcp://${parsed.hostname}:${port}` };
}

function parseSharedMemory(url: string): SharedMemoryTarget {
  const segment = url.slice("shm://".length).replace(/\/$/, "");
  if (!SEGMENT_NAME.test(segment)) {
    throw invalid(url, "a segment's name has letters, digits, '.', '_' and '-'; write shm://lobby");
  }
  return { scheme: "shm", segment, href: `shm://${segment}` };
}

function invalid(url: string, hint: string, cause?: unknown): ChatClientError {
  return new ChatClientError("INVALID_URL", `${show(url)} is no chat URL: ${hint}`, { cause });
}

function show(url: string): string {
  return JSON.stringify(url);
}
