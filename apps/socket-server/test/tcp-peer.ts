/** Clients for tests: one that speaks frames, one that speaks lines. Both are real sockets. */

import { once } from "node:events";
import { connect, Socket } from "node:net";
import { decode, encode, FrameDecoder, type Hello, PROTOCOL_VERSION } from "@parley/chat-protocol";
import type { Peer, Received } from "@parley/chat-room/chat-suite";

export interface TcpPeer extends Peer {
  readonly socket: Socket;
}

export async function openSocket(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  return socket;
}

export async function connectPeer(port: number): Promise<TcpPeer> {
  return peerOn(await openSocket(port));
}

/** A client that speaks frames on a socket of any kind: TCP, TLS, Unix. */
export function peerOn(socket: Socket): TcpPeer {
  const received: (Received | undefined)[] = [];
  const decoder = new FrameDecoder();
  let wake: (() => void) | undefined;
  const arrive = (arrived: Received | undefined): void => {
    received.push(arrived);
    wake?.();
  };
  socket.on("data", (chunk: Buffer) =>
    decoder.push(chunk, (frame) => arrive({ message: decode(frame), correlationId: frame.correlationId })),
  );
  socket.on("error", () => {});
  socket.on("close", () => arrive(undefined));
  return {
    socket,
    send: (request, correlationId = 0) => void socket.write(encode(request, correlationId)),
    sendFrame: (frame) => void socket.write(frame),
    async next() {
      while (received.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return received[0] === undefined ? undefined : received.shift();
    },
    // Only TCP itself knows a reset.
    vanish: () =>
      void (socket.constructor === Socket && socket.remotePort ? socket.resetAndDestroy() : socket.destroy()),
  };
}

export function hello(name: string): Hello {
  return {
    type: "hello",
    protocolMin: PROTOCOL_VERSION,
    protocolMax: PROTOCOL_VERSION,
    capabilities: 0,
    client: "test",
    name,
  };
}

/** Everything until the connection ends. */
export async function untilEnd(peer: Peer): Promise<Received[]> {
  const all: Received[] = [];
  for (let next = await peer.next(); next !== undefined; next = await peer.next()) all.push(next);
  return all;
}

export interface TextPeer {
  readonly socket: Socket;
  /** Everything received so far. */
  readonly text: string;
  /** Resolves with all the text once it holds `part`; rejects if the connection ends before. */
  until(part: string): Promise<string>;
  /** Resolves with all the text when the connection has ended. */
  readonly ended: Promise<string>;
}

export async function connectText(port: number, firstBytes: string | Uint8Array = ""): Promise<TextPeer> {
  return textOn(await openSocket(port), firstBytes);
}

/** A client that speaks lines on a socket of any kind. */
export function textOn(socket: Socket, firstBytes: string | Uint8Array = ""): TextPeer {
  let text = "";
  let hasEnded = false;
  const changes = new Set<() => void>();
  const changed = (): void => {
    for (const check of changes) check();
  };
  socket.setEncoding("utf8");
  socket.on("data", (chunk) => {
    text += chunk;
    changed();
  });
  socket.on("error", () => {});
  const ended = new Promise<string>((resolve) => {
    socket.on("close", () => {
      hasEnded = true;
      changed();
      resolve(text);
    });
  });
  if (firstBytes.length > 0) socket.write(firstBytes);
  return {
    socket,
    ended,
    get text() {
      return text;
    },
    until: (part) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (text.includes(part)) resolve(text);
          else if (hasEnded) reject(new Error(`the connection ended before ${JSON.stringify(part)}: ${text}`));
          else return;
          changes.delete(check);
        };
        changes.add(check);
        check();
      }),
  };
}
