import { ChatHub, MemoryRoomLog } from "@parley/chat-room";
import { describeChat } from "@parley/chat-room/chat-suite";
import { connectInMemory } from "./memory-peer.ts";

describeChat("in memory", async () => {
  const log = new MemoryRoomLog();
  const hub = await ChatHub.start(log);
  return {
    connect: async () => connectInMemory(hub),
    sessionCount: () => hub.sessionCount,
    close: async () => {
      await hub.drain();
      await log.close();
    },
  };
});

describeChat("in memory, two hubs on one log", async () => {
  const logs = [new MemoryRoomLog()];
  logs.push((logs[0] as MemoryRoomLog).openAnother());
  const hubs = await Promise.all(logs.map((log) => ChatHub.start(log)));
  let connected = 0;
  return {
    connect: async () => connectInMemory(hubs[connected++ % hubs.length] as ChatHub),
    sessionCount: () => hubs.reduce((sum, hub) => sum + hub.sessionCount, 0),
    close: async () => {
      await Promise.all(hubs.map((hub) => hub.drain()));
      await Promise.all(logs.map((log) => log.close()));
    },
  };
});
