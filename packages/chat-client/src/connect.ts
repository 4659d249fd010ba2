/** `connect` for a platform, out of the transports it has. */

import { ChatClient } from "./client.ts";
import { ChatClientError } from "./errors.ts";
import type { ConnectOptions } from "./options.ts";
import type { OpenTransport } from "./transport.ts";
import { type ChatTarget, parseChatUrl, type SharedMemoryTarget, type TcpTarget } from "./url.ts";

export interface Transports {
  readonly tcp?: OpenTransport<TcpTarget>;
  readonly shm?: OpenTransport<SharedMemoryTarget>;
}

/**
 * Connects to the chat at `url` and joins its room under `options.name`.
 * Rejects with ChatClientError: INVALID_URL, UNSUPPORTED_SCHEME, CANNOT_REACH, CONNECT_TIMEOUT, NOT_A_CHAT_SERVER, ABORTED,
 * or the server's refusal (NAME_TAKEN, NAME_INVALID, SERVER_FULL, …).
 */
export type Connect = (url: string, options: ConnectOptions) => Promise<ChatClient>;

/** `platform` is named when a URL is understood, but there is no transport for it. */
export function connectWith(transports: Transports, platform: string): Connect {
  return async (url, options) => {
    const target = parseChatUrl(url);
    const open = transports[target.scheme] as OpenTransport<ChatTarget> | undefined;
    if (open === undefined) {
      throw new ChatClientError("UNSUPPORTED_SCHEME", `${target.scheme}:// can't be reached from ${platform}: ${url}`);
    }
    return ChatClient.open(open, target, options);
  };
}
