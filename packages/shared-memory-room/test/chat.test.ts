import { decode, encode, FrameDecoder } from "@parley/chat-protocol";
import { describeChat, type Peer, type Received } from "@parley/chat-room/chat-suite";
import { openSharedMemoryTransport, removeSharedMemoryRoom } from "../src/index.ts";
import { createSegmentName } from "./segment-names.ts";

// Every peer has a handle, a hub and a doorbell of its own, as if it were a process of its own.
describeChat("over shared memory", async () => {
  const segment = createSegmentName();
  const closing: Promise<void>[] = [];
  const open = new Set<() => Promise<void>>();

  const connect = async (): Promise<Peer> => {
    const received: (Received | undefined)[] = [];
    const decoder = new FrameDecoder();
    let wake: () => void = () => {};
    let isClosed = false;
    const transport = await openSharedMemoryTransport(segment, {
      receive: (bytes) => {
        decoder.push(bytes, (frame) => received.push({ message: decode(frame), correlationId: frame.correlationId }));
        wake();
      },
      closed: () => void close(),
    });
    const close = async (): Promise<void> => {
      if (isClosed) return;
      isClosed = true;
      const closed = transport.close();
      closing.push(closed);
      await closed;
      open.delete(close);
      received.push(undefined);
      wake();
    };
    open.add(close);
    return {
      send: (request, correlationId = 0) => transport.send(encode(request, correlationId)),
      sendFrame: (frame) => transport.send(frame),
      next: async () => {
        while (received.length === 0) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        return received[0] === undefined ? undefined : received.shift();
      },
      vanish: () => void close(),
    };
  };
  return {
    connect,
    holdsLost: false,
    sessionCount: () => open.size,
    close: async () => {
      await Promise.all([...open].map((close) => close()));
      await Promise.all(closing);
      removeSharedMemoryRoom(segment);
    },
  };
});
