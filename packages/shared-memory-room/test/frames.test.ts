import { readFileSync } from "node:fs";
import {
  encode,
  logFieldsOf,
  NOT_YET_LOGGED,
  patchEvent,
  randomMessageId,
  randomSessionId,
} from "@parley/chat-protocol";
import { openSegment } from "shared-memory-ringbuffer";
import { afterEach, expect, test } from "vitest";
import { openSharedMemoryRoomLog, type SharedMemoryRoomLog } from "../src/index.ts";
import { createSegmentName } from "./segment-names.ts";

let log: SharedMemoryRoomLog | undefined;
afterEach(() => log?.close());

test("a record in the segment's file is the very frame that goes over a socket, byte for byte", async () => {
  log = openSharedMemoryRoomLog(createSegmentName());
  const event = { messageId: randomMessageId(), room: "lobby", name: "ada", text: "äöü 🙂 >> : \u0000" } as const;
  const { position, timeMs } = await log.append(
    randomSessionId(),
    encode({ type: "message", ...NOT_YET_LOGGED, ...event }),
  );
  const onTheSocket = encode({ type: "message", position, prev: 0, timeMs, ...event });

  const file = readFileSync(log.path as string);
  const at = file.indexOf(onTheSocket);
  expect(at).toBeGreaterThan(0);
  expect(file.indexOf(onTheSocket, at + 1)).toBe(-1);
  const [read] = (await log.read({ epoch: log.epoch, seq: 0 }, 1)).events;
  expect(Buffer.from(read as Uint8Array)).toEqual(Buffer.from(onTheSocket));
  expect(logFieldsOf(file.subarray(at)).position).toEqual(position);
});

test("an event in the segment that was changed to something else is an error, not a message", async () => {
  log = openSharedMemoryRoomLog(createSegmentName(), { overlay: true });
  const { position } = await log.append(
    randomSessionId(),
    encode({ type: "message", ...NOT_YET_LOGGED, messageId: randomMessageId(), room: "lobby", name: "a", text: "b" }),
  );
  const memory = Buffer.from(log.buffer as ArrayBuffer);
  const frame = memory.indexOf("lobby") - 62;
  patchEvent(memory, frame, { position: { ...position, seq: position.seq + 16 }, prev: 0, timeMs: 1 });
  await expect(log.read({ epoch: log.epoch, seq: 0 }, 1)).rejects.toMatchObject({ code: "ERR_SHM_CORRUPT" });
  const failed = new Promise<Error>((resolve) => {
    log?.follow({ epoch: log.epoch, seq: 0 }, { events: () => {}, lost: () => {}, failed: resolve });
  });
  expect(await failed).toMatchObject({ name: "RoomLogError", code: "LOG_UNAVAILABLE" });
});

test("a log whose words are overwritten fails its followers and its appends, and crashes nobody", async () => {
  const name = createSegmentName();
  log = openSharedMemoryRoomLog(name);
  const segment = openSegment(name);
  try {
    const failed = new Promise<Error>((resolve) => {
      log?.follow({ epoch: log.epoch, seq: 0 }, { events: () => {}, lost: () => {}, failed: resolve });
    });
    const { memory, offsetBytes } = segment.region("log");
    memory.bytes.fill(0xff, offsetBytes, offsetBytes + 4096);
    expect(await failed).toMatchObject({ name: "RoomLogError", code: "LOG_UNAVAILABLE" });
    const frame = encode({
      type: "left",
      ...NOT_YET_LOGGED,
      messageId: randomMessageId(),
      room: "r",
      name: "a",
      reason: "quit",
    });
    await expect(log.append(randomSessionId(), frame)).rejects.toMatchObject({ code: "LOG_UNAVAILABLE" });
  } finally {
    segment.close();
  }
});
