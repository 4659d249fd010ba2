/** From settings, as people give them, to the options of a server. */

import { isLocal, type ListenAddress, parseListenAddress } from "./listen-address.ts";
import { DEFAULT_QUEUE_LIMITS } from "./outgoing-queue.ts";
import type { Resources } from "./resources.ts";
import type { ServerOptions } from "./server.ts";
import { EXPOSED_LIMITS, type Settings } from "./settings.ts";

export function serverOptionsFrom(settings: Settings, resources: Resources): ServerOptions {
  const { host, port, maxQueueBytes, stallTimeoutMs } = settings;
  const listen: ListenAddress[] = settings.listen.flatMap((text) => parseListenAddress(text) ?? []);
  const isExposed = (listen.length > 0 ? listen : [{ host, port }]).some((address) => !isLocal(address));
  const limit = (key: keyof typeof EXPOSED_LIMITS): number => {
    const value = settings[key] ?? (isExposed && !settings.echo ? EXPOSED_LIMITS[key] : 0);
    return value === 0 ? Number.POSITIVE_INFINITY : value;
  };
  const rateLimits = {
    maxRequestsPerSecond: limit("maxRequestsPerSecond"),
    maxBytesPerSecond: limit("maxBytesPerSecond"),
  };
  const isRated = Object.values(rateLimits).some(Number.isFinite);
  return {
    host,
    port,
    listen,
    echo: settings.echo,
    secureContext: resources.secureContext,
    allowedOrigins: settings.allowedOrigins,
    ...(resources.loginStore === undefined ? {} : { loginStore: resources.loginStore }),
    loginTimeoutMs: settings.loginTimeoutMs,
    ...(settings.maxClients === undefined ? {} : { maxClients: settings.maxClients }),
    ...(settings.maxConnections === undefined ? {} : { maxConnections: settings.maxConnections }),
    maxConnectionsPerAddress: limit("maxConnectionsPerAddress"),
    ...(isRated ? { rateLimits } : {}),
    handshakeTimeoutMs: settings.handshakeTimeoutMs,
    heartbeatMs: settings.heartbeatMs,
    drainDelayMs: settings.drainDelayMs,
    graceMs: settings.graceMs,
    queueLimits: { ...DEFAULT_QUEUE_LIMITS, maxBytes: maxQueueBytes, stallTimeoutMs },
  };
}
