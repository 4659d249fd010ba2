/**
 * Chat frames inside WebSocket messages: a server's frames are not masked, so that one buffer serves every connection.
 *
 * - A turn's events are one binary message, with one header. A reply is one message.
 */

import { binaryEncoding, type Encoding } from "@parley/chat-room";

/** FIN and the opcode for binary, RFC 6455 section 5.2. */
const FINAL_BINARY = 0x82;
const SHORT_MAX = 125;
const LENGTH_U16 = 126;
const LENGTH_U64 = 127;
const SHORT_HEADER_BYTES = 2;
const U16_HEADER_BYTES = 4;
const U64_HEADER_BYTES = 10;

/** One whole unmasked binary message with `payload`; empty for no payload. */
export function websocketMessage(payload: Uint8Array): Uint8Array {
  const { length } = payload;
  if (length === 0) return payload;
  const headerBytes = length <= SHORT_MAX ? SHORT_HEADER_BYTES : length <= 0xffff ? U16_HEADER_BYTES : U64_HEADER_BYTES;
  const message = Buffer.allocUnsafe(headerBytes + length);
  message[0] = FINAL_BINARY;
  if (headerBytes === SHORT_HEADER_BYTES) message[1] = length;
  else if (headerBytes === U16_HEADER_BYTES) {
    message[1] = LENGTH_U16;
    message.writeUInt16BE(length, 2);
  } else {
    message[1] = LENGTH_U64;
    message.writeBigUInt64BE(BigInt(length), 2);
  }
  message.set(payload, headerBytes);
  return message;
}

export const websocketEncoding: Encoding = {
  label: "websocket",
  reply: (message, correlationId) => websocketMessage(binaryEncoding.reply(message, correlationId)),
  events: (frames) => websocketMessage(binaryEncoding.events(frames)),
  hidesOwnMessages: binaryEncoding.hidesOwnMessages,
};
