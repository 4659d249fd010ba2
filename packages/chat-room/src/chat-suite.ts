/**
 * The suite that the chat must pass over every way of being connected: in memory, over a socket, over shared memory.
 *
 * A harness is one chat, seen from its clients' side; it knows how to connect one, and nothing of what is tested.
 */

import { DEFAULT_LIMITS, DEFAULT_ROOM, DisconnectCode, PROTOCOL_VERSION, type Welcome } from "@parley/chat-protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ChatHarness, error, events, hello, join, received, reply, rest, say } from "./chat-suite-peer.ts";
import { describeResume } from "./chat-suite-resume.ts";
import { describeRooms } from "./chat-suite-rooms.ts";

export { type ChatHarness, hello, type Peer, type Received } from "./chat-suite-peer.ts";

/** Registers the suite with vitest under `label`; `start` gives each test a chat of its own. */
export function describeChat(label: string, start: () => Promise<ChatHarness>): void {
  describe(`chat: ${label}`, () => {
    let chat: ChatHarness;
    beforeEach(async () => {
      chat = await start();
    });
    afterEach(() => chat.close());

    test("HELLO is answered by WELCOME with the limits, before any event, then one's own JOINED", async () => {
      const peer = await chat.connect();
      peer.send(hello("ada"), 7);
      const first = await received(peer);
      expect(first.correlationId).toBe(7);
      expect(first.message).toMatchObject({
        type: "welcome",
        protocol: PROTOCOL_VERSION,
        limits: DEFAULT_LIMITS,
        room: DEFAULT_ROOM,
        name: "ada",
      });
      const joined = await received(peer);
      expect(joined.correlationId).toBe(0);
      expect(joined.message).toMatchObject({
        type: "joined",
        name: "ada",
        position: (first.message as Welcome).position,
      });
    });

    test("a name that is taken, in whatever case, is refused; another may be tried on the same connection", async () => {
      await join(chat, "Ada");
      const peer = await chat.connect();
      peer.send(hello("aDA"), 1);
      expect(await received(peer)).toMatchObject({ correlationId: 1, message: error("NAME_TAKEN") });
      peer.send(hello("bo"), 2);
      expect(await received(peer)).toMatchObject({ correlationId: 2, message: { type: "welcome", name: "bo" } });
    });

    test("names that can't be are refused with their codes", async () => {
      const peer = await chat.connect();
      for (const [name, code] of [
        ["", "NAME_INVALID"],
        ["/quit", "NAME_INVALID"],
        ["*** ada", "NAME_INVALID"],
        ["a\u0007da", "NAME_INVALID"],
        ["a\u202eda", "NAME_INVALID"],
        ["x".repeat(DEFAULT_LIMITS.maxNameBytes + 1), "NAME_TOO_LONG"],
      ] as const) {
        peer.send(hello(name), 1);
        expect((await received(peer)).message).toMatchObject(error(code));
      }
    });

    test("a protocol that isn't spoken, and requests before or after HELLO that can't be, get coded errors", async () => {
      const peer = await chat.connect();
      peer.send(say("too early"), 1);
      expect(await received(peer)).toMatchObject({ correlationId: 1, message: error("HELLO_REQUIRED") });
      peer.send({ ...hello("ada"), protocolMin: 200, protocolMax: 255 }, 2);
      expect(await received(peer)).toMatchObject({ correlationId: 2, message: error("UNSUPPORTED_PROTOCOL") });
      peer.send(hello("ada"), 3);
      peer.send(hello("ada"), 4);
      expect(await reply(peer, 4)).toMatchObject(error("ALREADY_WELCOMED"));
    });

    test("everybody gets each message, once and in one order, the sender too", async () => {
      const peers = [await join(chat, "ada"), await join(chat, "bo"), await join(chat, "cy")];
      const count = 40;
      for (let index = 0; index < count; index++) {
        for (const [who, peer] of peers.entries()) peer.send(say(`${who}:${index}`), index + 1);
      }
      const heard = await Promise.all(peers.map((peer) => events(peer, "message", peers.length * count)));
      const texts = heard.map((list) => list.map((event) => (event.type === "message" ? event.text : "")));
      expect(new Set(texts[0]).size).toBe(peers.length * count);
      expect(texts[1]).toEqual(texts[0]);
      expect(texts[2]).toEqual(texts[0]);
      for (const who of peers.keys()) {
        const own = texts[0]?.filter((text) => text.startsWith(`${who}:`));
        expect(own).toEqual(Array.from({ length: count }, (_, index) => `${who}:${index}`));
      }
      const gaps = heard[0]?.slice(1).filter((event, index) => event.prev !== heard[0]?.[index]?.position.seq);
      expect(gaps).toEqual([]);
    });

    test("a message is acknowledged with the position at which everybody sees it", async () => {
      const ada = await join(chat, "ada");
      const bo = await join(chat, "bo");
      ada.send(say("hi"), 99);
      const [event] = await events(bo, "message", 1);
      expect(await reply(ada, 99)).toMatchObject({
        type: "ack",
        position: event?.position,
        timeMs: event?.timeMs,
        duplicate: false,
      });
    });

    test("a message sent again with its id is acknowledged as a duplicate and not said twice", async () => {
      const ada = await join(chat, "ada");
      const bo = await join(chat, "bo");
      const once = say("once");
      ada.send(once, 1);
      ada.send(once, 2);
      ada.send(say("end"), 3);
      const heard = await events(bo, "message", 2);
      expect(heard.map((event) => (event.type === "message" ? event.text : ""))).toEqual(["once", "end"]);
      expect(await reply(ada, 2)).toMatchObject({ type: "ack", duplicate: true, position: heard[0]?.position });
    });

    test("text at the limit passes, one byte more is TEXT_TOO_LONG, and the connection lives", async () => {
      const ada = await join(chat, "ada");
      const longest = "x".repeat(DEFAULT_LIMITS.maxTextBytes);
      ada.send(say(longest), 1);
      expect(await reply(ada, 1)).toMatchObject({ type: "ack" });
      ada.send(say(`${longest}x`), 2);
      expect(await reply(ada, 2)).toMatchObject(error("TEXT_TOO_LONG"));
      ada.send(say(""), 3);
      expect(await reply(ada, 3)).toMatchObject(error("TEXT_EMPTY"));
      ada.send({ ...say("hi"), room: "elsewhere" }, 4);
      expect(await reply(ada, 4)).toMatchObject(error("NOT_IN_ROOM"));
      ada.send(say("still here"), 5);
      expect(await reply(ada, 5)).toMatchObject({ type: "ack" });
    });

    test("an unknown type and a payload that ends early get coded errors, and the connection lives", async () => {
      const ada = await join(chat, "ada");
      ada.sendFrame(new Uint8Array([0, 0, 0, 8, PROTOCOL_VERSION, 0x3f, 0, 0, 0, 0, 0, 5]));
      expect(await reply(ada, 5)).toMatchObject(error("UNKNOWN_TYPE"));
      ada.sendFrame(new Uint8Array([0, 0, 0, 9, PROTOCOL_VERSION, 0x20, 0, 0, 0, 0, 0, 6, 1]));
      expect(await reply(ada, 6)).toMatchObject(error("MALFORMED"));
      ada.send({ type: "ping" }, 7);
      expect(await reply(ada, 7)).toEqual({ type: "pong" });
    });

    test("a name or a text with `>>` or `: ` arrives as it was", async () => {
      const ada = await join(chat, "a: >> b");
      const bo = await join(chat, "bo");
      ada.send(say("x >> y: z"), 1);
      expect(await events(bo, "message", 1)).toMatchObject([{ name: "a: >> b", text: "x >> y: z" }]);
    });

    test("who joins gets nothing from before", async () => {
      const ada = await join(chat, "ada");
      ada.send(say("before"), 1);
      await reply(ada, 1);
      const bo = await chat.connect();
      bo.send(hello("bo"), 1);
      ada.send(say("around"), 2);
      await reply(ada, 2);
      expect((await received(bo)).message).toMatchObject({ type: "welcome" });
      expect((await received(bo)).message).toMatchObject({ type: "joined", name: "bo" });
    });

    test("QUIT is answered by DISCONNECT(BYE) after everything said; the others see LEFT; the name is free", async () => {
      const ada = await join(chat, "ada");
      const bo = await join(chat, "bo");
      ada.send(say("last words"), 1);
      ada.send({ type: "quit" }, 2);
      const heard = await rest(ada);
      expect(heard.filter(({ message }) => message.type === "ack")).toHaveLength(1);
      expect(heard.at(-1)).toMatchObject({
        correlationId: 2,
        message: { type: "disconnect", code: DisconnectCode.BYE.code, temporary: false },
      });
      expect(await events(bo, "message", 1)).toMatchObject([{ text: "last words" }]);
      expect(await events(bo, "left", 1)).toMatchObject([{ name: "ada", reason: "quit" }]);
      await join(chat, "ada");
    });

    test("who vanishes is seen to leave as lost, and the sessions go down to nobody", async () => {
      const ada = await join(chat, "ada");
      const bo = await join(chat, "bo");
      ada.vanish();
      expect(await events(bo, "left", 1)).toMatchObject([{ name: "ada", reason: "lost" }]);
      await join(chat, "ADA").then((again) => again.vanish());
      bo.vanish();
      await expect.poll(() => chat.sessionCount(), { timeout: 30_000 }).toBe(0);
    });

    describeRooms(() => chat);
    describeResume(() => chat);

    test("fifty come and go, and nobody is left over", async () => {
      const watcher = await join(chat, "watcher");
      const peers = await Promise.all(Array.from({ length: 50 }, (_, index) => join(chat, `n${index}`)));
      expect(chat.sessionCount()).toBe(51);
      for (const [index, peer] of peers.entries()) {
        if (index % 2 === 0) peer.vanish();
        else peer.send({ type: "quit" });
      }
      const gone = await events(watcher, "left", 50);
      expect(new Set(gone.map((event) => event.name)).size).toBe(50);
      await expect.poll(() => chat.sessionCount(), { timeout: 30_000 }).toBe(1);
    });
  });
}
