/**
 * What Prometheus is told. Every number is read when it is asked for, so that counting costs the chat nothing.
 *
 * - No names, no texts, no addresses. Labels have few values.
 * - docs/operations.md says what each means and when to worry; a test compares the two.
 */

import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { Traffic } from "./traffic.ts";

export interface Measured {
  readonly traffic: Traffic;
  readonly sessions: () => number;
  readonly connections: () => number;
  readonly isDraining: () => boolean;
  /** Events in the log and their bounds. */
  readonly log: () => Promise<{ readonly tailSeq: number; readonly oldestSeq: number }>;
}

export interface MetricsOptions {
  /** Also those of the process: CPU, memory, event loop, garbage collection. */
  readonly process: boolean;
}

type Labelled = Iterable<readonly [label: string, value: number]>;

export class Metrics {
  readonly #registry = new Registry();

  constructor(measured: Measured, options: MetricsOptions) {
    const { traffic } = measured;
    this.#gauge("parley_sessions", "People in the chat through this server, and those on their way in or out.", () =>
      measured.sessions(),
    );
    this.#gauge("parley_connections", "Open connections, whatever they are for.", () => measured.connections());
    this.#gauge("parley_draining", "1 while the server stops, else 0.", () => (measured.isDraining() ? 1 : 0));
    this.#gauge(
      "parley_log_position",
      "Position of the log's latest event. Its rate is how much happens in the chat.",
      async () => (await measured.log()).tailSeq,
    );
    this.#gauge("parley_log_oldest_position", "What the log keeps begins after this position.", async () => {
      return (await measured.log()).oldestSeq;
    });
    this.#counter("parley_connections_total", "Connections by what they turned out to speak.", "protocol", () =>
      Object.entries(traffic.connections),
    );
    this.#counter("parley_tls_connections_total", "Connections that began TLS.", undefined, () => [
      ["", traffic.tlsConnections],
    ]);
    this.#counter(
      "parley_refused_connections_total",
      "Connections closed as they came.",
      "reason",
      () => traffic.refusedConnections,
    );
    this.#counter(
      "parley_disconnects_total",
      "Peers that the server cut off, by code.",
      "code",
      () => traffic.disconnects,
    );
    this.#counter("parley_requests_total", "Frames, lines and HTTP requests taken.", undefined, () => [
      ["", traffic.requests],
    ]);
    this.#counter("parley_rate_limited_total", "Requests refused with RATE_LIMITED.", undefined, () => [
      ["", traffic.rateLimited],
    ]);
    this.#counter(
      "parley_throttled_total",
      "Times a connection wasn't read for the rest of a second.",
      undefined,
      () => [["", traffic.throttled]],
    );
    this.#counter("parley_logins_total", "Logins by outcome.", "outcome", () => traffic.logins);
    this.#counter("parley_received_bytes_total", "Bytes of chat received.", undefined, () => [
      ["", traffic.receivedBytes],
    ]);
    this.#counter("parley_written_bytes_total", "Bytes of chat written.", undefined, () => [
      ["", traffic.writtenBytes],
    ]);
    this.#counter("parley_writes_total", "Writes to sockets: what delivery costs.", undefined, () => [
      ["", traffic.writes],
    ]);
    this.#counter("parley_faults_total", "Faults of the server, each with a line in its log.", undefined, () => [
      ["", traffic.faults],
    ]);
    if (options.process) collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Of the server itself, without those of the process. */
  get names(): readonly string[] {
    return this.#registry.getMetricsAsArray().map(({ name }) => name);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #gauge(name: string, help: string, read: () => number | Promise<number>): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      async collect() {
        this.set(await read());
      },
    });
  }

  #counter(name: string, help: string, label: string | undefined, read: () => Labelled): void {
    new Counter({
      name,
      help,
      labelNames: label === undefined ? [] : [label],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [value, count] of read()) this.inc(label === undefined ? {} : { [label]: value }, count);
      },
    });
  }
}
