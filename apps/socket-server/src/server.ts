/**
 * The server as a whole: a log, a hub on it, a listener, and what is told over HTTP.
 *
 * - `close` is the orderly end: `/readyz` says so first, then no new connections, what the log has is acknowledged and
 *   fanned out, everybody is told, and within `graceMs` it is over, whoever doesn't read.
 */

import type { SecureContext } from "node:tls";
import { DEFAULT_LIMITS, type Limits } from "@parley/chat-protocol";
import { ChatHub, MemoryRoomLog, type RoomLog } from "@parley/chat-room";
import type { ConnectionOptions } from "./accepted-connection.ts";
import { HttpPoster } from "./http-poster.ts";
import { HttpRoutes } from "./http-routes.ts";
import { HttpService } from "./http-service.ts";
import { formatListenAddress, type ListenAddress } from "./listen-address.ts";
import { Listener } from "./listener.ts";
import { LoginGuard, type LoginStore } from "./login.ts";
import { Metrics } from "./metrics.ts";
import { OriginPolicy, SAME_HOST } from "./origin.ts";
import { DEFAULT_QUEUE_LIMITS, type QueueLimits } from "./outgoing-queue.ts";
import type { RateLimits } from "./rate-window.ts";
import { SETTINGS } from "./settings.ts";
import { Traffic } from "./traffic.ts";

export interface ServerOptions {
  readonly host?: string;
  /** 0: any free one. */
  readonly port?: number;
  /** Several addresses instead of `host` and `port`. */
  readonly listen?: readonly ListenAddress[];
  /** Bytes come back, and there is no chat. */
  readonly echo?: boolean;
  /** TLS next to everything else; asked for each connection. */
  readonly secureContext?: () => SecureContext | undefined;
  /** Origins of web pages, `same-host` or `*`. Default: `same-host`. */
  readonly allowedOrigins?: readonly string[];
  /** Default: nobody is asked for a token. */
  readonly loginStore?: LoginStore;
  readonly loginTimeoutMs?: number;
  /** The most people in the chat; in echo mode the most connections. */
  readonly maxClients?: number;
  /** Default: no limit. */
  readonly maxConnections?: number;
  readonly maxConnectionsPerAddress?: number;
  readonly rateLimits?: RateLimits;
  readonly handshakeTimeoutMs?: number;
  /** 0 (the default here): nobody is asked for a heartbeat. */
  readonly heartbeatMs?: number;
  /** For how long `/readyz` says no before anything else ends. */
  readonly drainDelayMs?: number;
  readonly graceMs?: number;
  readonly limits?: Limits;
  readonly queueLimits?: QueueLimits;
  /** Default: one in memory. The server closes it. */
  readonly log?: RoomLog;
  readonly logger?: ServerLogger;
  /** Metrics of the process too: for a process that has one server. */
  readonly processMetrics?: boolean;
}

/** The part of pino that is used. */
export interface ServerLogger {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface RunningServer {
  /** Of the first address that isn't a Unix socket; empty and 0 if there is none. */
  readonly host: string;
  readonly port: number;
  readonly addresses: readonly ListenAddress[];
  /** Sessions that are not over. */
  readonly sessionCount: number;
  readonly connectionCount: number;
  close(): Promise<void>;
}

export const DEFAULT_HOST: string = SETTINGS.host.default as string;
export const DEFAULT_PORT: number = SETTINGS.port.default as number;
export const DEFAULT_GRACE_MS: number = SETTINGS.graceMs.default as number;
export const DEFAULT_HANDSHAKE_TIMEOUT_MS: number = SETTINGS.handshakeTimeoutMs.default as number;
const DEFAULT_LOGIN_TIMEOUT_MS: number = SETTINGS.loginTimeoutMs.default as number;

const NO_LOGGER: ServerLogger = { info: () => {}, error: () => {} };

/** Resolves when it listens everywhere. Rejects with the operating system's error if it can't. */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const log = options.echo ? undefined : (options.log ?? new MemoryRoomLog());
  const server = new ChatServer(options, log, log === undefined ? undefined : await startHub(log, options));
  try {
    await server.listen();
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

interface HubParts {
  readonly hub: ChatHub;
  readonly traffic: Traffic;
  readonly logins: LoginGuard | undefined;
}

class ChatServer implements RunningServer {
  readonly #options: ServerOptions;
  readonly #log: RoomLog | undefined;
  readonly #hub: ChatHub | undefined;
  readonly #traffic: Traffic;
  readonly #logger: ServerLogger;
  readonly #listener: Listener;
  readonly #startedAtMs = performance.now();
  #addresses: readonly ListenAddress[] = [];
  #isDraining = false;
  #closing: Promise<void> | undefined;

  constructor(options: ServerOptions, log: RoomLog | undefined, parts: HubParts | undefined) {
    this.#options = options;
    this.#log = log;
    this.#hub = parts?.hub;
    this.#traffic = parts?.traffic ?? new Traffic();
    this.#logger = options.logger ?? NO_LOGGER;
    const unlimited = Number.POSITIVE_INFINITY;
    const { queueLimits = DEFAULT_QUEUE_LIMITS, handshakeTimeoutMs = DEFAULT_HANDSHAKE_TIMEOUT_MS } = options;
    const connectionOptions: Omit<ConnectionOptions, "chat"> = {
      handshakeTimeoutMs,
      queueLimits,
      rateLimits: options.rateLimits,
      traffic: this.#traffic,
      secureContext: options.secureContext ?? (() => undefined),
      onFault: (err, peer) => this.#fault({ err, peer }, "a connection failed by a fault of this server"),
    };
    const maxConnections = options.maxConnections ?? unlimited;
    this.#listener = new Listener({
      ...connectionOptions,
      chat: parts === undefined ? undefined : { hub: parts.hub, http: this.#httpService(parts, connectionOptions) },
      gate: {
        maxConnections: options.echo ? Math.min(maxConnections, options.maxClients ?? unlimited) : maxConnections,
        maxConnectionsPerAddress: options.maxConnectionsPerAddress ?? unlimited,
      },
      shortestTimeoutMs: Math.min(
        queueLimits.stallTimeoutMs,
        handshakeTimeoutMs,
        options.heartbeatMs || Number.POSITIVE_INFINITY,
      ),
    });
  }

  get host(): string {
    return this.#addresses.find(({ host }) => host !== undefined)?.host ?? "";
  }

  get port(): number {
    return this.#addresses.find(({ port }) => port !== undefined)?.port ?? 0;
  }

  get addresses(): readonly ListenAddress[] {
    return this.#addresses;
  }

  get sessionCount(): number {
    return this.#hub?.sessionCount ?? 0;
  }

  get connectionCount(): number {
    return this.#listener.connectionCount;
  }

  async listen(): Promise<void> {
    const { host = DEFAULT_HOST, port = DEFAULT_PORT, listen } = this.#options;
    const wanted = listen === undefined || listen.length === 0 ? [{ host, port }] : listen;
    const bound: ListenAddress[] = [];
    for (const address of wanted) bound.push(await this.#listener.listen(address));
    this.#addresses = bound;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { drainDelayMs = 0, graceMs = DEFAULT_GRACE_MS } = this.#options;
    this.#isDraining = true;
    if (drainDelayMs > 0) await new Promise((resolve) => setTimeout(resolve, drainDelayMs));
    const closed = this.#listener.close();
    const ended = Promise.all([this.#hub?.drain(), closed]);
    this.#listener.draining();
    await withinMs(ended, graceMs);
    this.#listener.destroyAll();
    await closed;
    await this.#log?.close();
  }

  #httpService(
    { hub, logins }: HubParts,
    { handshakeTimeoutMs, onFault }: Omit<ConnectionOptions, "chat">,
  ): HttpService {
    const origins = new OriginPolicy(this.#options.allowedOrigins ?? [SAME_HOST]);
    const isDraining = (): boolean => this.#isDraining;
    const metrics = new Metrics(
      {
        traffic: this.#traffic,
        sessions: () => this.sessionCount,
        connections: () => this.connectionCount,
        isDraining,
        log: async () => {
          const { oldest, tail } = await hub.log.bounds();
          return { tailSeq: tail.seq, oldestSeq: oldest.seq };
        },
      },
      { process: this.#options.processMetrics === true },
    );
    const poster = new HttpPoster(hub, logins, (err) => this.#fault({ err }, "a message by HTTP met a fault"));
    const routes = new HttpRoutes({
      poster,
      origins,
      metrics,
      maxTextBytes: hub.limits.maxTextBytes,
      isDraining,
      status: () => this.#status(hub),
    });
    return new HttpService({
      routes,
      origins,
      requestTimeoutMs: handshakeTimeoutMs,
      maxFrameBytes: hub.limits.maxFrameBytes,
      onFault,
    });
  }

  async #status(hub: ChatHub): Promise<object> {
    const { oldest, tail } = await hub.log.bounds();
    const { connections, disconnects, refusedConnections, rateLimited, faults } = this.#traffic;
    return {
      state: this.#isDraining ? "draining" : "ready",
      pid: process.pid,
      uptimeSeconds: Math.floor((performance.now() - this.#startedAtMs) / 1000),
      listens: this.#addresses.map(formatListenAddress),
      sessions: this.sessionCount,
      maxClients: this.#options.maxClients ?? null,
      connections: this.connectionCount,
      connectionsSinceStart: connections,
      refusedConnections: Object.fromEntries(refusedConnections),
      disconnects: Object.fromEntries(disconnects),
      rateLimited,
      faults,
      log: { label: hub.log.label, epoch: tail.epoch, oldestSeq: oldest.seq, tailSeq: tail.seq },
      residentBytes: process.memoryUsage.rss(),
    };
  }

  #fault(fields: object, message: string): void {
    this.#traffic.faults++;
    this.#logger.error(fields, message);
  }
}

async function startHub(log: RoomLog, options: ServerOptions): Promise<HubParts> {
  const logger = options.logger ?? NO_LOGGER;
  const traffic = new Traffic();
  const fault = (err: unknown): void => {
    traffic.faults++;
    logger.error({ err }, "the chat met a fault");
  };
  const { loginStore, loginTimeoutMs = DEFAULT_LOGIN_TIMEOUT_MS } = options;
  const logins = loginStore === undefined ? undefined : new LoginGuard(loginStore, loginTimeoutMs, traffic, fault);
  const hub = await ChatHub.start(log, {
    limits: options.limits ?? DEFAULT_LIMITS,
    ...(options.maxClients === undefined ? {} : { maxSessions: options.maxClients }),
    heartbeatMs: options.heartbeatMs ?? 0,
    ...(logins === undefined
      ? {}
      : {
          admit: ({ name, token }, { peer }) => logins.admit({ name, token, address: addressOf(peer) }),
        }),
    observer: {
      joined: ({ name, client, connection }) => logger.info({ name, client, peer: connection.peer }, "joined"),
      left: ({ name, connection }, reason) => logger.info({ name, reason, peer: connection.peer }, "left"),
      fault,
    },
  });
  return { hub, traffic, logins };
}

/** Of a connection's `peer`; undefined for a Unix socket. */
function addressOf(peer: string): string | undefined {
  return peer.startsWith("unix:") ? undefined : peer.slice(0, peer.lastIndexOf(":"));
}

/** Waits for `work`, but not longer than `timeoutMs`. */
async function withinMs(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}
