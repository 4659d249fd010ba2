/** The part of the chat suite that is about rooms, direct messages, names, who is here and what was said. */

import {
  type ChatEvent,
  DEFAULT_ROOM,
  type Message,
  type MessageEvent,
  type People,
  type Position,
  randomMessageId,
} from "@parley/chat-protocol";
import { describe, expect, test } from "vitest";
import { type ChatHarness, error, events, join, type Peer, received, reply, say } from "./chat-suite-peer.ts";

const LATEST: Position = { epoch: 0, seq: 0 };

export function describeRooms(harness: () => ChatHarness): void {
  describe("rooms", () => {
    test("JOIN is acknowledged with the position of the own JOINED, and only people in the room hear what is said there", async () => {
      const [ada, bo, cy] = await people("ada", "bo", "cy");
      await enter(ada, "kitchen");
      await enter(bo, "kitchen");
      expect(await events(ada, "joined", 1)).toMatchObject([{ name: "bo", room: "kitchen" }]);
      ada.send(say("soup", "kitchen"), 5);
      ada.send(say("hall", DEFAULT_ROOM), 6);
      const [soup] = await events(bo, "message", 1);
      expect(soup).toMatchObject({ room: "kitchen", text: "soup" });
      expect(await reply(ada, 5)).toMatchObject({ type: "ack", position: soup?.position });
      expect(await events(cy, "message", 1)).toMatchObject([{ room: DEFAULT_ROOM, text: "hall" }]);
    });

    test("a message in a room names the room's message before it in prev, whatever else happened", async () => {
      const [ada, bo] = await people("ada", "bo");
      await enter(ada, "kitchen");
      await enter(bo, "kitchen");
      for (const [index, room] of ["kitchen", DEFAULT_ROOM, "kitchen", DEFAULT_ROOM].entries()) {
        ada.send(say(`${index}`, room), 10 + index);
        // Others come and go in between.
        if (index === 1) await join(harness(), "cy").then((cy) => cy.vanish());
      }
      const heard = await events(bo, "message", 4);
      for (const room of ["kitchen", DEFAULT_ROOM]) {
        const [first, second] = heard.filter((event) => event.room === room);
        expect(first?.prev).toBe(0);
        expect(second?.prev).toBe(first?.position.seq);
      }
    });

    test("entering again is acknowledged as a duplicate; what can't be a room is ROOM_INVALID", async () => {
      const [ada] = await people("ada");
      const first = await enter(ada, "kitchen");
      ada.send({ type: "join", room: "kitchen" }, 3);
      expect(await reply(ada, 3)).toMatchObject({ type: "ack", duplicate: true, position: first });
      for (const room of ["", " kitchen", "/kitchen", "kit\u0000chen", "x".repeat(65)]) {
        ada.send({ type: "join", room }, 4);
        expect(await reply(ada, 4)).toMatchObject(error("ROOM_INVALID"));
      }
    });

    test("who leaves a room hears its own LEFT, the ACK and nothing more of it; the others see LEFT", async () => {
      const [ada, bo] = await people("ada", "bo");
      await enter(ada, "kitchen");
      await enter(bo, "kitchen");
      bo.send({ type: "leave", room: "kitchen" }, 7);
      bo.send(say("too late", "kitchen"), 8);
      expect(await events(ada, "left", 1)).toMatchObject([{ name: "bo", room: "kitchen", reason: "quit" }]);
      const heard: Message[] = [];
      while (heard.at(-1)?.type !== "ack") heard.push((await received(bo)).message);
      expect(heard.at(-2)).toMatchObject({ type: "left", name: "bo", room: "kitchen" });
      expect(await reply(bo, 8)).toMatchObject(error("NOT_IN_ROOM"));
      ada.send(say("alone", "kitchen"), 9);
      ada.send(say("hall"), 10);
      expect(await events(bo, "message", 1)).toMatchObject([{ text: "hall" }]);
    });

    test("QUIT leaves every room", async () => {
      const [ada, bo] = await people("ada", "bo");
      await enter(ada, "kitchen");
      await enter(bo, "kitchen");
      bo.send({ type: "quit" }, 3);
      const gone = await events(ada, "left", 2);
      expect(new Set(gone.map(({ room }) => room))).toEqual(new Set([DEFAULT_ROOM, "kitchen"]));
    });
  });

  describe("direct messages", () => {
    test("reach the addressee, in whatever case the name is written, and their sender, and nobody else", async () => {
      const [ada, bo, cy] = await people("ada", "bo", "cy");
      const messageId = randomMessageId();
      ada.send({ type: "sendDirect", messageId, to: "BO", text: "psst" }, 3);
      const [heard] = await events(bo, "direct", 1);
      expect(heard).toMatchObject({ name: "ada", to: "bo", text: "psst", messageId, room: "", prev: 0 });
      const own: Message[] = [];
      while (!own.some(({ type }) => type === "ack") || !own.some(({ type }) => type === "direct")) {
        own.push((await received(ada)).message);
      }
      expect(own.find(({ type }) => type === "ack")).toMatchObject({ position: heard?.position });
      ada.send(say("for all"), 4);
      const first: Message[] = [];
      while (first.at(-1)?.type !== "message") first.push((await received(cy)).message);
      expect(first.filter(({ type }) => type === "direct")).toEqual([]);
    });

    test("to nobody are NO_SUCH_NAME; sent again with the same id they are said once", async () => {
      const [ada, bo] = await people("ada", "bo");
      ada.send({ type: "sendDirect", messageId: randomMessageId(), to: "nobody", text: "psst" }, 3);
      expect(await reply(ada, 3)).toMatchObject(error("NO_SUCH_NAME"));
      const once = { type: "sendDirect", messageId: randomMessageId(), to: "bo", text: "once" } as const;
      ada.send(once, 4);
      ada.send(once, 5);
      expect(await reply(ada, 5)).toMatchObject({ type: "ack", duplicate: true });
      ada.send({ ...once, messageId: randomMessageId(), text: "end" }, 6);
      expect((await events(bo, "direct", 2)).map(({ text }) => text)).toEqual(["once", "end"]);
    });
  });

  describe("renaming", () => {
    test("is told in each of the person's rooms, in order with what is said, and the old name is free", async () => {
      const [ada, bo] = await people("ada", "bo");
      await enter(ada, "kitchen");
      await enter(bo, "kitchen");
      bo.send(say("before"), 3);
      bo.send({ type: "rename", name: "Bob" }, 4);
      bo.send(say("after"), 5);
      expect(await reply(bo, 4)).toEqual({ type: "named", name: "Bob" });
      const heard: ChatEvent[] = [];
      while (heard.length < 4) {
        const { message } = await received(ada);
        if (message.type === "message" || message.type === "renamed") heard.push(message);
      }
      const inLobby = heard.filter(({ room }) => room === DEFAULT_ROOM);
      expect(inLobby).toMatchObject([
        { text: "before", name: "bo" },
        { newName: "Bob" },
        { text: "after", name: "Bob" },
      ]);
      const renamed = heard.filter(({ type }) => type === "renamed");
      expect(renamed).toMatchObject([
        { name: "bo", newName: "Bob" },
        { name: "bo", newName: "Bob" },
      ]);
      expect(new Set(renamed.map(({ room }) => room))).toEqual(new Set([DEFAULT_ROOM, "kitchen"]));
      await join(harness(), "bo");
    });

    test("to a name that is taken or can't be is refused, and everything stays; to another spelling of one's own it isn't", async () => {
      const [ada, bo] = await people("ada", "bo");
      bo.send({ type: "rename", name: "ADA" }, 3);
      expect(await reply(bo, 3)).toMatchObject(error("NAME_TAKEN"));
      bo.send({ type: "rename", name: "/bo" }, 4);
      expect(await reply(bo, 4)).toMatchObject(error("NAME_INVALID"));
      bo.send({ type: "rename", name: "BO" }, 5);
      expect(await reply(bo, 5)).toEqual({ type: "named", name: "BO" });
      bo.send(say("hi"), 6);
      expect(await events(ada, "message", 1)).toMatchObject([{ name: "BO" }]);
    });
  });

  describe("who", () => {
    test("lists the people of a room, and is refused for a room that one isn't in", async () => {
      const [ada, bo] = await people("ada", "bo", "cy");
      await enter(ada, "kitchen");
      await enter(bo, "kitchen");
      expect([...(await who(ada, DEFAULT_ROOM)).names].sort()).toEqual(["ada", "bo", "cy"]);
      const inKitchen = await who(ada, "kitchen");
      expect(inKitchen.total).toBe(2);
      expect([...inKitchen.names].sort()).toEqual(["ada", "bo"]);
      bo.send({ type: "leave", room: "kitchen" }, 3);
      await reply(bo, 3);
      await expect.poll(async () => (await who(ada, "kitchen")).names).toEqual(["ada"]);
      bo.send({ type: "who", room: "kitchen" }, 4);
      expect(await reply(bo, 4)).toMatchObject(error("NOT_IN_ROOM"));
    });
  });

  describe("history", () => {
    test("is paged backwards, each message once, without those who came and went", async () => {
      const [ada] = await people("ada");
      const count = 25;
      for (let index = 0; index < count; index++) {
        ada.send(say(`${index}`), 100 + index);
        if (index === 10) await join(harness(), "passer-by").then((peer) => peer.vanish());
      }
      await reply(ada, 100 + count - 1);
      const texts: string[] = [];
      let before = LATEST;
      for (let isMore = true; isMore; ) {
        const page = await history(ada, DEFAULT_ROOM, before, 10);
        expect(page.events.length).toBeLessThanOrEqual(10);
        texts.unshift(...page.events.map(({ text }) => text));
        before = page.position;
        isMore = page.more;
      }
      expect(texts).toEqual(Array.from({ length: count }, (_, index) => `${index}`));
    });

    test("before one's own JOINED is what was said before one came; of an empty room it is empty", async () => {
      const [ada] = await people("ada");
      for (let index = 0; index < 60; index++) ada.send(say(`${index}`), 100 + index);
      await reply(ada, 159);
      const [bo] = await people("bo");
      const page = await history(bo, DEFAULT_ROOM, LATEST, 50);
      expect(page.events.map(({ text }) => text)).toEqual(Array.from({ length: 50 }, (_, index) => `${index + 10}`));
      expect(page.more).toBe(true);
      await enter(bo, "kitchen");
      expect(await history(bo, "kitchen", LATEST, 50)).toMatchObject({ events: [], more: false });
      bo.send({ type: "history", room: "elsewhere", before: LATEST, maxEvents: 1 }, 3);
      expect(await reply(bo, 3)).toMatchObject(error("NOT_IN_ROOM"));
    });
  });

  async function people(...names: string[]): Promise<[Peer, Peer, Peer]> {
    const peers: Peer[] = [];
    for (const name of names) peers.push(await join(harness(), name));
    return peers as [Peer, Peer, Peer];
  }
}

/** Resolves with the position of the peer's JOINED. */
export async function enter(peer: Peer, room: string): Promise<Position> {
  peer.send({ type: "join", room }, 77);
  const ack = await reply(peer, 77);
  expect(ack).toMatchObject({ type: "ack", duplicate: false });
  for (;;) {
    const { message } = await received(peer);
    if (!("room" in message) || message.room !== room) continue;
    expect(message).toMatchObject({ type: "joined", room, position: (ack as { position: Position }).position });
    break;
  }
  return (ack as { position: Position }).position;
}

async function who(peer: Peer, room: string): Promise<People> {
  peer.send({ type: "who", room }, 78);
  const people = await reply(peer, 78);
  expect(people).toMatchObject({ type: "people", room });
  return people as People;
}

async function history(
  peer: Peer,
  room: string,
  before: Position,
  maxEvents: number,
): Promise<{ events: MessageEvent[]; position: Position; more: boolean }> {
  peer.send({ type: "history", room, before, maxEvents }, 79);
  const found: MessageEvent[] = [];
  for (;;) {
    const message = await reply(peer, 79);
    if (message.type === "end") return { events: found, position: message.position, more: message.more };
    expect(message).toMatchObject({ type: "message", room });
    found.push(message as MessageEvent);
  }
}
