import { encode, NOT_YET_LOGGED, randomMessageId, randomSessionId } from "@parley/chat-protocol";
import { MemoryRoomLog } from "@parley/chat-room";
import { describeRoomLog } from "@parley/chat-room/conformance";
import { describe, expect, test } from "vitest";

describeRoomLog("in memory", {
  create: async ({ small }) => {
    let log: MemoryRoomLog | undefined;
    return {
      open: async () => {
        log = log?.openAnother() ?? new MemoryRoomLog(small ? { maxEvents: 100 } : {});
        return log;
      },
    };
  },
});

describe("the in-memory log's retention", () => {
  test("keeps at most so many bytes, whatever the events' sizes", async () => {
    const log = new MemoryRoomLog({ maxBytes: 10_000 });
    for (let index = 0; index < 5000; index++) {
      await log.append(randomSessionId(), message("x".repeat(index % 700)));
    }
    const { events, recovered } = await log.read((await log.bounds()).oldest, 10_000);
    const bytes = events.reduce((sum, event) => sum + event.length, 0);
    expect(recovered).toBe(true);
    expect(bytes).toBeLessThanOrEqual(10_000);
    expect(bytes).toBeGreaterThan(8_000);
    await log.close();
  });
});

function message(text: string): Uint8Array {
  return encode({
    type: "message",
    ...NOT_YET_LOGGED,
    messageId: randomMessageId(),
    room: "lobby",
    name: "ada",
    text,
  });
}
