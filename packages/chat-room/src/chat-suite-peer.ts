/** What the chat suites work with: peers, and what is asked of them. */

import {
  Capability,
  type ChatEvent,
  DEFAULT_ROOM,
  ErrorCode,
  type Hello,
  type Message,
  PROTOCOL_VERSION,
  type Request,
  randomMessageId,
  type Welcome,
} from "@parley/chat-protocol";
import { expect } from "vitest";

export interface Received {
  readonly message: Message;
  readonly correlationId: number;
}

/** One client: frames in, frames out. */
export interface Peer {
  send(request: Request, correlationId?: number): void;
  /** Bytes as they are: one whole frame, perhaps of a type that doesn't exist. */
  sendFrame(frame: Uint8Array): void;
  /** The next message, in order; undefined once the connection has ended and everything was given. */
  next(): Promise<Received | undefined>;
  /** Ends the connection without a word, as a client that crashed would. */
  vanish(): void;
}

export interface ChatHarness {
  connect(): Promise<Peer>;
  /** Sessions that are not over, here. */
  sessionCount(): number;
  close(): Promise<void>;
  /** False: there is no server that goes on when a connection is lost, so that nobody is held. Default true. */
  readonly holdsLost?: boolean;
}

export function hello(name: string): Hello {
  return {
    type: "hello",
    protocolMin: PROTOCOL_VERSION,
    protocolMax: PROTOCOL_VERSION,
    capabilities: 0,
    client: "chat-suite",
    name,
  };
}

export function say(text: string, room: string = DEFAULT_ROOM): Request & { type: "send" } {
  return { type: "send", messageId: randomMessageId(), room, text };
}

export function error(code: keyof typeof ErrorCode): { type: "error"; code: number; temporary: boolean } {
  return { type: "error", code: ErrorCode[code].code, temporary: ErrorCode[code].temporary };
}

/** A peer that has been welcomed and has seen its own JOINED. */
export async function join(chat: ChatHarness, name: string): Promise<Peer> {
  const peer = await chat.connect();
  peer.send(hello(name), 1);
  const { message } = await received(peer);
  expect(message).toMatchObject({ type: "welcome" });
  for (;;) {
    const { message } = await received(peer);
    if (message.type === "joined" && message.name === name) return peer;
  }
}

export async function received(peer: Peer): Promise<Received> {
  const next = await peer.next();
  if (next === undefined) throw new Error("the connection ended before the message that was expected");
  return next;
}

/** Skips what is in between. */
export async function reply(peer: Peer, correlationId: number): Promise<Message> {
  for (;;) {
    const next = await received(peer);
    if (next.correlationId === correlationId) return next.message;
  }
}

/** The next `count` events of that type, skipping all else. */
export async function events<Type extends ChatEvent["type"]>(
  peer: Peer,
  type: Type,
  count: number,
): Promise<Extract<ChatEvent, { type: Type }>[]> {
  const found: Extract<ChatEvent, { type: Type }>[] = [];
  while (found.length < count) {
    const { message } = await received(peer);
    if (message.type === type) found.push(message as Extract<ChatEvent, { type: Type }>);
  }
  return found;
}

export async function rest(peer: Peer): Promise<Received[]> {
  const all: Received[] = [];
  for (let next = await peer.next(); next !== undefined; next = await peer.next()) all.push(next);
  return all;
}

/** A peer that may resume, and its WELCOME. */
export async function joinToResume(chat: ChatHarness, name: string): Promise<{ peer: Peer; welcome: Welcome }> {
  const peer = await chat.connect();
  peer.send({ ...hello(name), capabilities: Capability.resume }, 1);
  const { message } = await received(peer);
  expect(message).toMatchObject({ type: "welcome", capabilities: Capability.resume });
  await events(peer, "joined", 1);
  return { peer, welcome: message as Welcome };
}
