/** Frames as they are: how programs are spoken to, over a socket or inside the process. */

import { encode, encodeAck } from "@parley/chat-protocol";
import type { Encoding } from "./connection.ts";

/** The bytes of all `parts`, one after the other. A single part is given back as it is. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0] as Uint8Array;
  let sizeBytes = 0;
  for (const part of parts) sizeBytes += part.length;
  const whole = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

export const binaryEncoding: Encoding = {
  label: "binary",
  reply: (message, correlationId) =>
    message.type === "ack" ? encodeAck(message, correlationId) : encode(message, correlationId),
  events: concatenate,
  hidesOwnMessages: false,
};
