/**
 * The server as a whole: a log, a hub on it, a listener.
 *
 * - `close` is the orderly end: no new connections, what the log has is acknowledged and fanned out, everybody is told,
 *   and within `graceMs` it is over, whoever doesn't read.
 */

import type { Limits } from "@parley/chat-protocol";
import { ChatHub, MemoryRoomLog, type RoomLog } from "@parley/chat-room";
import { Listener } from "./listener.ts";
import { DEFAULT_QUEUE_LIMITS, type QueueLimits } from "./outgoing-queue.ts";

export interface ServerOptions {
  readonly host?: string;
  /** 0: any free one. */
  readonly port?: number;
  /** Bytes come back, and there is no chat. */
  readonly echo?: boolean;
  /** The most people in the chat; in echo mode the most connections. */
  readonly maxClients?: number;
  readonly handshakeTimeoutMs?: number;
  readonly graceMs?: number;
  readonly limits?: Limits;
  readonly queueLimits?: QueueLimits;
  /** Default: one in memory. The server closes it. */
  readonly log?: RoomLog;
  readonly logger?: ServerLogger;
}

/** The part of pino that is used. */
export interface ServerLogger {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface RunningServer {
  readonly host: string;
  readonly port: number;
  /** Sessions that are not over. */
  readonly sessionCount: number;
  readonly connectionCount: number;
  close(): Promise<void>;
}

export const DEFAULT_HOST = "127.0.0.1";
export const DEFAULT_PORT = 8080;
export const DEFAULT_GRACE_MS = 5_000;
export const DEFAULT_HANDSHAKE_TIMEOUT_MS = 10_000;

const NO_LOGGER: ServerLogger = { info: () => {}, error: () => {} };

/** Resolves when it listens. Rejects with the operating system's error if it can't. */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const logger = options.logger ?? NO_LOGGER;
  const log = options.echo ? undefined : (options.log ?? new MemoryRoomLog());
  const hub = log === undefined ? undefined : await startHub(log, options, logger);
  const listener = new Listener({
    hub,
    handshakeTimeoutMs: options.handshakeTimeoutMs ?? DEFAULT_HANDSHAKE_TIMEOUT_MS,
    queueLimits: options.queueLimits ?? DEFAULT_QUEUE_LIMITS,
    maxConnections: options.echo ? (options.maxClients ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY,
    onFault: (err, peer) => logger.error({ err, peer }, "a connection failed by a fault of this server"),
  });
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const closed = listener.close();
    const ended = Promise.all([hub?.drain(), closed]);
    listener.closeSilent();
    await withinMs(ended, options.graceMs ?? DEFAULT_GRACE_MS);
    listener.destroyAll();
    await closed;
    await log?.close();
  };
  try {
    const { host, port } = await listener.listen(options.port ?? DEFAULT_PORT, options.host ?? DEFAULT_HOST);
    return {
      host,
      port,
      get sessionCount() {
        return hub?.sessionCount ?? 0;
      },
      get connectionCount() {
        return listener.connectionCount;
      },
      close: () => {
        closing ??= close();
        return closing;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function startHub(log: RoomLog, options: ServerOptions, logger: ServerLogger): Promise<ChatHub> {
  return ChatHub.start(log, {
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.maxClients === undefined ? {} : { maxSessions: options.maxClients }),
    observer: {
      joined: ({ name, client, connection }) => logger.info({ name, client, peer: connection.peer }, "joined"),
      left: ({ name, connection }, reason) => logger.info({ name, reason, peer: connection.peer }, "left"),
      fault: (err) => logger.error({ err }, "the chat met a fault"),
    },
  });
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
