/** One person in the room of a segment: joins under a name, says things, leaves. The client is the one of every URL. */

import { ChatClient, type OpenTransport, type Sent } from "@parley/chat-client";
import { type SharedMemoryRoomLog, transportOver } from "@parley/shared-memory-room";

const CLIENT = "shared-memory-chat";

export interface Membership {
  /** As it was claimed. */
  readonly name: string;
  /** Aborted, with an Error as its reason, when the room is lost without having been left. */
  readonly gone: AbortSignal;
  /** Resolves once the segment has the message. Rejects with the reason if it is refused. */
  say(text: string): Promise<Sent>;
  /** Resolves once everybody can see that this one has left, and the name is free. */
  leave(): Promise<void>;
}

/** Rejects, with a message for people, when the name is taken or none. The log stays open. */
export async function joinRoom(log: SharedMemoryRoomLog, name: string): Promise<Membership> {
  let closing: Promise<void> = Promise.resolve();
  // The session works on the log that is open already: the segment is mapped once.
  const openTransport: OpenTransport<{ readonly href: string }> = async (_target, handlers) => {
    let isClosed = false;
    const close = (): void => {
      if (isClosed) return;
      isClosed = true;
      closing = transport.close().then(() => handlers.closed());
    };
    const transport = await transportOver(log, { receive: (bytes) => handlers.data(bytes), closed: close });
    return { send: transport.send, close };
  };
  let client: ChatClient;
  try {
    client = await ChatClient.open(openTransport, { href: log.label }, { name, client: CLIENT });
  } catch (error) {
    await closing;
    throw error;
  }
  const gone = new AbortController();
  let isLeaving = false;
  void client.closed.then(({ message }) => {
    if (!isLeaving) gone.abort(new Error(`the room is lost: ${message}`));
  });
  return {
    name: client.name,
    gone: gone.signal,
    say: (text) => client.send(text),
    leave: async () => {
      isLeaving = true;
      await client.quit();
      await closing;
    },
  };
}
