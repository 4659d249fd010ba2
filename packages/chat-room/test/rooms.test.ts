/** What a server can be told about rooms, and what only shows within one process. */

import {
  Capability,
  DEFAULT_ROOM,
  DisconnectCode,
  type Message,
  type Request,
  randomMessageId,
} from "@parley/chat-protocol";
import { ChatHub, type HubOptions, MemoryRoomLog } from "@parley/chat-room";
import { hello } from "@parley/chat-room/chat-suite";
import { afterEach, expect, test, vi } from "vitest";
import { connectInMemory, type MemoryPeer } from "./memory-peer.ts";

let log: MemoryRoomLog;
let hub: ChatHub;

async function start(options: HubOptions): Promise<void> {
  log = new MemoryRoomLog();
  hub = await ChatHub.start(log, options);
}

afterEach(async () => {
  vi.useRealTimers();
  await hub.drain();
  await log.close();
});

async function answer(peer: MemoryPeer, request: Request, correlationId: number): Promise<Message> {
  peer.send(request, correlationId);
  for (;;) {
    const next = await peer.next();
    if (next === undefined) throw new Error("the connection has ended");
    if (next.correlationId === correlationId) return next.message;
  }
}

async function join(name: string, capabilities = 0): Promise<MemoryPeer> {
  const peer = connectInMemory(hub);
  expect(await answer(peer, { ...hello(name), capabilities }, 1)).toMatchObject({ type: "welcome" });
  return peer;
}

async function until(peer: MemoryPeer, type: Message["type"]): Promise<Message> {
  for (;;) {
    const next = await peer.next();
    if (next === undefined) throw new Error("the connection has ended");
    if (next.message.type === type) return next.message;
  }
}

test("a room of 4: the fifth gets ROOM_FULL; one leaves, the next enters", async () => {
  await start({ maxPeopleInRoom: 4 });
  const peers = await Promise.all(["a", "b", "c", "d"].map((name) => join(name)));
  const fifth = connectInMemory(hub);
  expect(await answer(fifth, hello("e"), 1)).toMatchObject({ type: "error", code: 20, temporary: true });
  await answer(peers[0] as MemoryPeer, { type: "leave", room: DEFAULT_ROOM }, 2);
  expect(await answer(fifth, hello("e"), 3)).toMatchObject({ type: "welcome" });
  expect(await answer(peers[0] as MemoryPeer, { type: "join", room: DEFAULT_ROOM }, 4)).toMatchObject({ code: 20 });
});

test("more rooms than a session may be in are TOO_MANY_ROOMS; an empty room is forgotten", async () => {
  await start({ maxRooms: 2 });
  const ada = await join("ada");
  expect(await answer(ada, { type: "join", room: "red" }, 2)).toMatchObject({ type: "ack" });
  expect(await answer(ada, { type: "join", room: "blue" }, 3)).toMatchObject({ type: "error", code: 21 });
  await answer(ada, { type: "leave", room: "red" }, 4);
  expect(await answer(ada, { type: "join", room: "blue" }, 5)).toMatchObject({ type: "ack" });
  expect(hub.roomCount).toBe(2);
});

test("above the threshold who comes and goes is counted: one event for all of them, one's own come all the same", async () => {
  await start({ presenceThreshold: 3 });
  const watcher = await join("watcher");
  const before = watcher.buffers.length;
  const peers: MemoryPeer[] = [];
  for (let index = 0; index < 20; index++) peers.push(await join(`n${index}`));
  expect(await until(peers.at(-1) as MemoryPeer, "joined")).toMatchObject({ name: "n19" });
  (peers[0] as MemoryPeer).send({ type: "quit" }, 9);
  expect(await until(peers[0] as MemoryPeer, "left")).toMatchObject({ name: "n0" });
  expect(await until(watcher, "presence")).toMatchObject({ room: DEFAULT_ROOM, people: 20, left: 1 });
  // The few that came while there were few, and the one that sums up the others.
  expect(watcher.buffers.length - before).toBeLessThanOrEqual(4);
});

test("TYPING is passed on to the others in the room, not too often, and is not logged", async () => {
  await start({});
  const ada = await join("ada");
  const bo = await join("bo");
  const { tail } = await log.bounds();
  bo.send({ type: "typing", room: DEFAULT_ROOM });
  bo.send({ type: "typing", room: DEFAULT_ROOM });
  expect(await until(ada, "isTyping")).toEqual({ type: "isTyping", room: DEFAULT_ROOM, name: "bo" });
  expect((await log.bounds()).tail).toEqual(tail);
  await answer(bo, { type: "send", messageId: randomMessageId(), room: DEFAULT_ROOM, text: "hi" }, 3);
  const next = await ada.next();
  expect(next?.message).toMatchObject({ type: "message", text: "hi" });
});

test("who doesn't resume within the grace leaves as lost, and the name is free", async () => {
  await start({ resumeGraceMs: 50 });
  const ada = await join("ada", Capability.resume);
  const bo = await join("bo");
  ada.vanish();
  await vi.waitFor(() => expect(hub.heldCount).toBe(1));
  expect(hub.sessionCount).toBe(1);
  expect(await until(bo, "left")).toMatchObject({ name: "ada", reason: "lost" });
  await vi.waitFor(() => expect(hub.heldCount).toBe(0));
  await join("ada");
});

test("draining doesn't wait for those who might resume", async () => {
  await start({});
  const ada = await join("ada", Capability.resume);
  const bo = await join("bo");
  ada.vanish();
  await vi.waitFor(() => expect(hub.heldCount).toBe(1));
  hub.announceGoingAway(5000);
  expect(await until(bo, "goingAway")).toMatchObject({ withinMs: 5000 });
  await hub.drain();
  expect(await until(bo, "disconnect")).toMatchObject({ code: DisconnectCode.SHUTTING_DOWN.code });
  expect(await log.roster.entries()).toEqual([]);
});
