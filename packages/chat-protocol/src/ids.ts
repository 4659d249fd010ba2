/** Random ids: 16 bytes as 32 hexadecimal digits. */

import { MESSAGE_ID_BYTES } from "./layout.ts";
import type { MessageId, SessionId } from "./messages.ts";
import { hexAt } from "./wire.ts";

function randomHex(): string {
  return hexAt(crypto.getRandomValues(new Uint8Array(MESSAGE_ID_BYTES)), 0, MESSAGE_ID_BYTES);
}

export function randomMessageId(): MessageId {
  return randomHex();
}

export function randomSessionId(): SessionId {
  return randomHex();
}
