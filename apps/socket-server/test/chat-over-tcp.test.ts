import { describeChat } from "@parley/chat-room/chat-suite";
import { startServer } from "@parley/socket-server";
import { connectPeer } from "./tcp-peer.ts";

describeChat("binary frames over TCP", async () => {
  const server = await startServer({ port: 0 });
  return {
    connect: () => connectPeer(server.port),
    sessionCount: () => server.sessionCount,
    close: () => server.close(),
  };
});
