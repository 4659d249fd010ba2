/** The part of the chat suite that is about lost connections: going on where one was. */

import {
  Capability,
  DEFAULT_ROOM,
  DisconnectCode,
  type Message,
  type Position,
  type Resume,
  randomMessageId,
  type Welcome,
} from "@parley/chat-protocol";
import { describe, expect, test } from "vitest";
import {
  type ChatHarness,
  error,
  events,
  hello,
  join,
  joinToResume,
  type Peer,
  received,
  reply,
  rest,
  say,
} from "./chat-suite-peer.ts";
import { enter } from "./chat-suite-rooms.ts";

export function describeResume(harness: () => ChatHarness): void {
  describe("resuming", () => {
    test("gives what was missed in each room and in private, once and in order, then what follows", async () => {
      const bo = await join(harness(), "bo");
      await enter(bo, "kitchen");
      const { peer: ada, welcome } = await joinToResume(harness(), "ada");
      const kitchen = await enter(ada, "kitchen");
      bo.send(say("heard"), 3);
      const [heard] = await events(ada, "message", 1);
      ada.vanish();
      bo.send(say("missed 1"), 4);
      bo.send(say("missed 2", "kitchen"), 5);
      await reply(bo, 5);
      if (harness().holdsLost !== false) {
        bo.send({ type: "sendDirect", messageId: randomMessageId(), to: "ada", text: "missed 3" }, 6);
        expect(await reply(bo, 6)).toMatchObject({ type: "ack" });
      }
      const again = await resume(welcome, "ada", [
        { room: DEFAULT_ROOM, position: heard?.position as Position },
        { room: "kitchen", position: kitchen },
        { room: "", position: welcome.position },
      ]);
      expect(again.welcome.sessionId).toBe(welcome.sessionId);
      expect(again.welcome.resumed?.map(({ room, recovered }) => [room, recovered])).toEqual([
        [DEFAULT_ROOM, true],
        ["kitchen", true],
        ["", true],
      ]);
      bo.send(say("after"), 7);
      const texts: string[] = [];
      while (texts.at(-1) !== "after") {
        const { message } = await received(again.peer);
        if (message.type === "message" || message.type === "direct") texts.push(message.text);
      }
      const expected = ["missed 1", "missed 2", "missed 3", "after"];
      expect(texts).toEqual(harness().holdsLost === false ? expected.toSpliced(2, 1) : expected);
    });

    test("within the grace, where there is one, shows nobody that the connection was lost", async () => {
      const bo = await join(harness(), "bo");
      const { peer: ada, welcome } = await joinToResume(harness(), "ada");
      await events(bo, "joined", 1);
      ada.vanish();
      if (harness().holdsLost === false) {
        expect((await received(bo)).message).toMatchObject({ type: "left", name: "ada", reason: "lost" });
        return;
      }
      const taken = await harness().connect();
      taken.send(hello("ADA"), 1);
      expect((await received(taken)).message).toMatchObject(error("NAME_TAKEN"));
      const again = await resume(welcome, "ada", [{ room: DEFAULT_ROOM, position: welcome.position }]);
      again.peer.send(say("back"), 3);
      const heard: Message[] = [];
      while (heard.at(-1)?.type !== "message") heard.push((await received(bo)).message);
      expect(heard.map(({ type }) => type)).toEqual(["message"]);
    });

    test("takes over a connection that still exists, which is told that it was REPLACED", async () => {
      const { peer: old, welcome } = await joinToResume(harness(), "ada");
      const again = await resume(welcome, "ada", [{ room: DEFAULT_ROOM, position: welcome.position }]);
      expect((await rest(old)).at(-1)?.message).toMatchObject({
        type: "disconnect",
        code: DisconnectCode.REPLACED.code,
        temporary: false,
      });
      again.peer.send(say("I go on"), 3);
      expect(await events(again.peer, "message", 1)).toMatchObject([{ name: "ada", text: "I go on" }]);
      const third = await resume(again.welcome, "ada", [{ room: DEFAULT_ROOM, position: again.welcome.position }]);
      expect(await events(third.peer, "message", 1)).toMatchObject([{ text: "I go on" }]);
    });

    test("many times while much is said loses nothing and repeats nothing", async () => {
      const bo = await join(harness(), "bo");
      let { peer, welcome } = await joinToResume(harness(), "ada");
      let position = welcome.position;
      const texts: string[] = [];
      const count = 200;
      for (let index = 0; index < count; index++) {
        bo.send(say(`${index}`), 100 + index);
        if (index % 20 !== 19) continue;
        // Some of it was received, some is under way, some comes while nobody is there.
        for (let taken = 0; taken < index % 7; taken++) {
          const [event] = await events(peer, "message", 1);
          if (event === undefined) break;
          texts.push(event.text);
          position = event.position;
        }
        peer.vanish();
        ({ peer, welcome } = await resume(welcome, "ada", [{ room: DEFAULT_ROOM, position }]));
        expect(welcome.resumed).toMatchObject([{ recovered: true }]);
      }
      while (texts.length < count) {
        const [event] = await events(peer, "message", 1);
        texts.push(event?.text ?? "");
      }
      expect(texts).toEqual(Array.from({ length: count }, (_, index) => `${index}`));
    });

    test("with a token that was given to somebody else is BAD_TOKEN, and the session stays where it is", async () => {
      const { welcome } = await joinToResume(harness(), "ada");
      const { peer: bo, welcome: own } = await joinToResume(harness(), "bo");
      const ownToken = own.resumable?.resumeToken as string;
      const thief = await harness().connect();
      const places = [{ room: DEFAULT_ROOM, position: welcome.position }];
      for (const resumeToken of [ownToken, "", "no token", `${ownToken.slice(0, -4)}AAAA`]) {
        thief.send({ ...hello("ada"), resume: { resumeToken, sessionId: welcome.sessionId, places } }, 1);
        expect(await reply(thief, 1)).toMatchObject(error("BAD_TOKEN"));
      }
      bo.send({ type: "ping" }, 2);
      expect(await reply(bo, 2)).toEqual({ type: "pong" });
    });

    test("with a token of another life of the log begins a new session in the same rooms, nothing recovered", async () => {
      const { peer, welcome } = await joinToResume(harness(), "ada");
      peer.send({ type: "quit" }, 2);
      await rest(peer);
      const outdated = `1.${welcome.resumable?.resumeToken.split(".")[1]}`;
      const places = ["kitchen", DEFAULT_ROOM].map((room) => ({ room, position: { epoch: 1, seq: 5 } }));
      const again = await resume({ ...welcome, resumable: { resumeToken: outdated, graceMs: 0 } }, "ada", places);
      expect(again.welcome.sessionId).not.toBe(welcome.sessionId);
      expect(again.welcome.resumed).toMatchObject([
        { room: "kitchen", recovered: false },
        { room: DEFAULT_ROOM, recovered: false },
      ]);
      again.peer.send(say("hi", "kitchen"), 3);
      expect(await events(again.peer, "message", 1)).toMatchObject([{ room: "kitchen", text: "hi" }]);
    });

    test("works under the new name with the token that NAMED gave", async () => {
      const { peer, welcome } = await joinToResume(harness(), "ada");
      peer.send({ type: "rename", name: "Ada Lovelace" }, 2);
      const named = await reply(peer, 2);
      const resumeToken = named.type === "named" ? named.resumeToken : undefined;
      peer.vanish();
      const resumable = { resumeToken: resumeToken as string, graceMs: 0 };
      const places = [{ room: DEFAULT_ROOM, position: welcome.position }];
      const again = await resume({ ...welcome, resumable }, "Ada Lovelace", places);
      expect(again.welcome).toMatchObject({ name: "Ada Lovelace", sessionId: welcome.sessionId });
    });
  });

  async function resume(
    welcome: Welcome,
    name: string,
    places: Resume["places"],
  ): Promise<{ peer: Peer; welcome: Welcome }> {
    const peer = await harness().connect();
    const resumeToken = welcome.resumable?.resumeToken as string;
    const { sessionId } = welcome;
    peer.send({ ...hello(name), capabilities: Capability.resume, resume: { resumeToken, sessionId, places } }, 1);
    const { message } = await received(peer);
    expect(message).toMatchObject({ type: "welcome" });
    return { peer, welcome: message as Welcome };
  }
}
