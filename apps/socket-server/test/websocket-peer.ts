/** A client for tests that speaks frames in WebSocket messages, through `ws`. */

import { once } from "node:events";
import { decode, encode, FrameDecoder } from "@parley/chat-protocol";
import type { Peer, Received } from "@parley/chat-room/chat-suite";
import { type ClientOptions, WebSocket } from "ws";

export interface WebSocketPeer extends Peer {
  readonly websocket: WebSocket;
  /** How many frames came in each message. */
  readonly framesPerMessage: readonly number[];
  /** The code of the Close, once there was one. */
  readonly closed: Promise<number>;
}

export async function connectWebSocket(url: string, options: ClientOptions = {}): Promise<WebSocketPeer> {
  const websocket = new WebSocket(url, { perMessageDeflate: false, ...options });
  const received: (Received | undefined)[] = [];
  const framesPerMessage: number[] = [];
  let wake: (() => void) | undefined;
  const arrive = (arrived: Received | undefined): void => {
    received.push(arrived);
    wake?.();
  };
  websocket.on("message", (data: Buffer) => {
    const decoder = new FrameDecoder();
    let frames = 0;
    decoder.push(data, (frame) => {
      frames++;
      arrive({ message: decode(frame), correlationId: frame.correlationId });
    });
    if (decoder.pendingBytes > 0) throw new Error("a message ended within a frame");
    framesPerMessage.push(frames);
  });
  const closed = new Promise<number>((resolve) => {
    websocket.on("close", (code) => {
      arrive(undefined);
      resolve(code);
    });
  });
  await once(websocket, "open");
  websocket.on("error", () => {});
  return {
    websocket,
    framesPerMessage,
    closed,
    send: (request, correlationId = 0) => websocket.send(encode(request, correlationId)),
    sendFrame: (frame) => websocket.send(frame),
    async next() {
      while (received.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return received[0] === undefined ? undefined : received.shift();
    },
    vanish: () => websocket.terminate(),
  };
}
