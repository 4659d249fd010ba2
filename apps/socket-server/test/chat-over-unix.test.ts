import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeChat } from "@parley/chat-room/chat-suite";
import { startServer } from "@parley/socket-server";
import { peerOn } from "./tcp-peer.ts";

describeChat("binary frames over a Unix socket", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-"));
  const path = join(folder, "chat.sock");
  const server = await startServer({ listen: [{ path }] });
  return {
    async connect() {
      const socket = connect({ path });
      await once(socket, "connect");
      return peerOn(socket);
    },
    sessionCount: () => server.sessionCount,
    async close() {
      await server.close();
      rmSync(folder, { recursive: true });
    },
  };
});
