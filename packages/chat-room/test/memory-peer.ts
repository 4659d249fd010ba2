/** A client of a hub in the same process, with no transport in between but a turn of the event loop each way. */

import { decode, encode, FrameDecoder, frameFrom } from "@parley/chat-protocol";
import { binaryEncoding, type ChatHub, type Connection, type Encoding, type Session } from "@parley/chat-room";
import type { Peer, Received } from "@parley/chat-room/chat-suite";

export interface MemoryPeer extends Peer {
  readonly session: Session;
  /** What was sent to this client, buffer by buffer. */
  readonly buffers: readonly Uint8Array[];
  readonly ended: boolean;
}

export function connectInMemory(hub: ChatHub, encoding: Encoding = binaryEncoding): MemoryPeer {
  const received: (Received | undefined)[] = [];
  const buffers: Uint8Array[] = [];
  const decoder = new FrameDecoder();
  let wake: (() => void) | undefined;
  let ended = false;
  let gone = false;
  const arrive = (arrived: Received | undefined): void => {
    received.push(arrived);
    wake?.();
  };
  const connection: Connection = {
    encoding,
    peer: "memory",
    send(bytes) {
      if (gone) return;
      buffers.push(bytes);
      if (encoding !== binaryEncoding) return;
      decoder.push(bytes, (frame) => arrive({ message: decode(frame), correlationId: frame.correlationId }));
    },
    end() {
      ended = true;
      arrive(undefined);
      setImmediate(() => session.closed());
    },
  };
  const session = hub.connect(connection);
  return {
    session,
    buffers,
    get ended() {
      return ended;
    },
    send(request, correlationId = 0) {
      const frame = encode(request, correlationId);
      setImmediate(() => session.receiveFrame(frameFrom(frame)));
    },
    sendFrame(frame) {
      setImmediate(() => session.receiveFrame(frameFrom(frame)));
    },
    async next() {
      while (received.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return received[0] === undefined ? undefined : received.shift();
    },
    vanish() {
      gone = true;
      setImmediate(() => session.closed());
    },
  };
}
