/** One person in the room of a segment: joins under a name, says things, leaves. Over the same protocol as a socket. */

import {
  DEFAULT_ROOM,
  decode,
  encode,
  FrameDecoder,
  type Message,
  type Position,
  PROTOCOL_VERSION,
  type Reply,
  type Request,
  randomMessageId,
} from "@parley/chat-protocol";
import { type SharedMemoryRoomLog, type SharedMemoryTransport, transportOver } from "@parley/shared-memory-room";

const CLIENT = "shared-memory-chat";

export interface Said {
  readonly position: Position;
  readonly timeMs: number;
}

export interface Membership {
  /** As it was claimed. */
  readonly name: string;
  /** Resolves once the segment has the message. Rejects with the reason if it is refused. */
  say(text: string): Promise<Said>;
  /** Resolves once everybody can see that this one has left, and the name is free. */
  leave(): Promise<void>;
}

/** Rejects, with a message for people, when the name is taken or none. The log stays open. */
export async function joinRoom(log: SharedMemoryRoomLog, name: string): Promise<Membership> {
  const waiting = new Map<number, (reply: Reply) => void>();
  const decoder = new FrameDecoder();
  let lastCorrelationId = 0;
  let disconnected: string | undefined;
  const settle = (correlationId: number, message: Message): void => {
    if (message.type === "disconnect") {
      disconnected = message.message;
      for (const resolve of waiting.values()) resolve(message);
      waiting.clear();
      return;
    }
    const resolve = waiting.get(correlationId);
    waiting.delete(correlationId);
    resolve?.(message as Reply);
  };
  const transport: SharedMemoryTransport = await transportOver(log, {
    receive: (bytes) => decoder.push(bytes, (frame) => settle(frame.correlationId, decode(frame))),
    closed: () => {},
  });
  const ask = async (request: Request): Promise<Reply> => {
    if (disconnected !== undefined) throw new Error(disconnected);
    const correlationId = ++lastCorrelationId;
    const reply = await new Promise<Reply>((resolve) => {
      waiting.set(correlationId, resolve);
      transport.send(encode(request, correlationId));
    });
    const isRefusal = reply.type === "error" || (reply.type === "disconnect" && request.type !== "quit");
    if (isRefusal) throw new Error(reply.message);
    return reply;
  };

  let welcome: Reply;
  try {
    const protocol = { protocolMin: PROTOCOL_VERSION, protocolMax: PROTOCOL_VERSION };
    welcome = await ask({ type: "hello", ...protocol, capabilities: 0, client: CLIENT, name });
  } catch (error) {
    await transport.close();
    throw error;
  }
  return {
    name: welcome.type === "welcome" ? welcome.name : name,
    say: async (text) => {
      const ack = await ask({ type: "send", messageId: randomMessageId(), room: DEFAULT_ROOM, text });
      if (ack.type !== "ack") throw new Error(`the room answered ${ack.type}`);
      return { position: ack.position, timeMs: ack.timeMs };
    },
    leave: async () => {
      if (disconnected === undefined) await ask({ type: "quit" });
      await transport.close();
    },
  };
}
