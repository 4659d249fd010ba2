/**
 * What carries frames: the client knows nothing of sockets or segments, a transport nothing of chat.
 *
 * - Bytes arrive in order, in pieces of any size; `data` is never called before the transport's promise resolved.
 * - `closed` is called once, after the last `data`, whoever ended it, and when nothing is held any more: a process may
 *   exit then. It is not called from within `close`.
 * - Nothing here throws after opening: a send after the end is dropped, and the end is told by `closed`.
 */

export interface TransportHandlers {
  /** The bytes may be used again by the transport when the call returns. */
  data(bytes: Uint8Array): void;
  /** `error` is what broke the connection; without it the other side ended it in order, or `close` was called. */
  closed(error?: Error): void;
}

export interface Transport {
  /** Queues bytes, which must not be changed any more. */
  send(bytes: Uint8Array): void;
  /** Sends what is queued, then ends. */
  close(): void;
}

/**
 * Opens the transport for `target`. Rejects with ChatClientError CANNOT_REACH, or with whatever `signal` was aborted
 * with; nothing is left open then.
 */
export type OpenTransport<Target> = (
  target: Target,
  handlers: TransportHandlers,
  signal: AbortSignal,
) => Promise<Transport>;
