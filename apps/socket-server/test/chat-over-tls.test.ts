import { describeChat } from "@parley/chat-room/chat-suite";
import { startServer } from "@parley/socket-server";
import { peerOn } from "./tcp-peer.ts";
import { openTls, secureContext } from "./tls-peer.ts";

describeChat("binary frames over TLS", async () => {
  const server = await startServer({ port: 0, secureContext });
  return {
    connect: async () => peerOn(await openTls(server.port)),
    sessionCount: () => server.sessionCount,
    close: () => server.close(),
  };
});
