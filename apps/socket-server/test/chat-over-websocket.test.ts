import { describeChat } from "@parley/chat-room/chat-suite";
import { startServer } from "@parley/socket-server";
import { connectWebSocket } from "./websocket-peer.ts";

describeChat("WebSocket", async () => {
  const server = await startServer({ port: 0 });
  return {
    connect: () => connectWebSocket(`ws://127.0.0.1:${server.port}`),
    sessionCount: () => server.sessionCount,
    close: () => server.close(),
  };
});
