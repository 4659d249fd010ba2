/** Counts of what goes through a server: plain numbers, so that counting costs nothing; metrics.ts shows them. */

import type { SpokenProtocol } from "./sniff.ts";

/** What a connection turned out to be for. */
export type ConnectionKind = Exclude<SpokenProtocol, "tls"> | "websocket" | "echo";

export class Traffic {
  /** Connections by what they speak, since the start. */
  readonly connections: Record<ConnectionKind, number> = { binary: 0, text: 0, http: 0, websocket: 0, echo: 0 };
  tlsConnections = 0;
  /** Closed as they came, by why. */
  readonly refusedConnections: Map<string, number> = new Map();
  /** DISCONNECTs that this server's transport decided on, by code. */
  readonly disconnects: Map<string, number> = new Map();
  /** Frames and lines that were taken. */
  requests = 0;
  rateLimited = 0;
  /** Times that reading a connection was put off to the next second. */
  throttled = 0;
  receivedBytes = 0;
  writtenBytes = 0;
  writes = 0;
  logins: Map<string, number> = new Map();
  faults = 0;

  static count(counts: Map<string, number>, key: string): void {
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
}
