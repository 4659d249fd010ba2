import {
  type ChatEvent,
  DEFAULT_ROOM,
  DisconnectCode,
  decode,
  ErrorCode,
  encode,
  frameFrom,
  NOT_YET_LOGGED,
  type Request,
  randomMessageId,
  randomSessionId,
} from "@parley/chat-protocol";
import { type Appended, ChatHub, type Encoding, MemoryRoomLog, RoomLogError } from "@parley/chat-room";
import { hello } from "@parley/chat-room/chat-suite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectInMemory, type MemoryPeer } from "./memory-peer.ts";

/** A log that can be told to refuse appends. */
class FlakyLog extends MemoryRoomLog {
  /** How many appends are rejected next; with `hasLanded` they are in the log nevertheless. */
  rejections = 0;
  hasLanded = false;

  override async append(sessionId: string, frame: Uint8Array): Promise<Appended> {
    if (this.rejections === 0) return super.append(sessionId, frame);
    this.rejections--;
    if (this.hasLanded) await super.append(sessionId, frame);
    throw new RoomLogError("OVERLOADED", "the queue is full");
  }
}

let log: FlakyLog;
let hub: ChatHub;

beforeEach(async () => {
  log = new FlakyLog();
  hub = await ChatHub.start(log);
});

afterEach(async () => {
  await hub.drain();
  await log.close();
});

function say(text: string): Request {
  return { type: "send", messageId: randomMessageId(), room: DEFAULT_ROOM, text };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Long enough for anything that happens inside the process in a known number of turns. */
async function turns(): Promise<void> {
  for (let count = 0; count < 10; count++) await turn();
}

async function join(name: string, encoding?: Encoding): Promise<MemoryPeer> {
  const peer = connectInMemory(hub, encoding);
  peer.send(hello(name), 1);
  await turns();
  expect(peer.session.state).toBe("welcomed");
  return peer;
}

/** The rest of what the peer was sent, until its end. */
async function untilEnd(peer: MemoryPeer) {
  const messages = [];
  for (let next = await peer.next(); next !== undefined; next = await peer.next()) messages.push(next.message);
  return messages;
}

const lineEncoding: Encoding = {
  label: "lines",
  hidesOwnMessages: true,
  reply: (message) => new TextEncoder().encode(`<${message.type}>`),
  events: (frames) =>
    new TextEncoder().encode(
      frames
        .map((frame) => decode(frameFrom(frame)) as ChatEvent)
        .map((event) =>
          event.type === "message"
            ? `${event.name}:${event.text};`
            : `${event.type} ${"name" in event ? event.name : ""};`,
        )
        .join(""),
    ),
};

function linesOf(peer: MemoryPeer): string {
  return peer.buffers.map((bytes) => new TextDecoder().decode(bytes)).join("");
}

describe("fan-out", () => {
  test("one turn's events are one buffer, the same for every connection of an encoding", async () => {
    const peers = [await join("ada"), await join("bo"), await join("cy")];
    const before = peers.map((peer) => peer.buffers.length);
    for (let index = 0; index < 20; index++) {
      void log.append(
        "elsewhere",
        encode({
          type: "message",
          ...NOT_YET_LOGGED,
          messageId: randomMessageId(),
          room: "lobby",
          name: "x",
          text: "y",
        }),
      );
    }
    await turns();
    const fresh = peers.map((peer, index) => peer.buffers.slice(before[index]));
    expect(fresh[0]).toHaveLength(1);
    expect(fresh[1]?.[0]).toBe(fresh[0]?.[0]);
    expect(fresh[2]?.[0]).toBe(fresh[0]?.[0]);
  });

  test("who joins in mid-turn gets what comes from its own JOINED on; the others get all", async () => {
    const ada = await join("ada", lineEncoding);
    const bo = connectInMemory(hub, lineEncoding);
    const cy = connectInMemory(hub);
    const heardBefore = linesOf(ada);
    const said = (text: string) =>
      log.append(
        "elsewhere",
        encode({ type: "message", ...NOT_YET_LOGGED, messageId: randomMessageId(), room: "lobby", name: "x", text }),
      );
    // All within one turn: claims and appends of the in-memory log resolve in microtasks.
    await said("1");
    bo.session.receive(hello("bo"), 1);
    cy.session.receive(hello("cy"), 1);
    for (let count = 0; count < 10; count++) await Promise.resolve();
    await said("2");
    await turns();
    expect(linesOf(ada).slice(heardBefore.length)).toBe("x:1;joined bo;joined cy;x:2;");
    expect(linesOf(bo)).toBe("<welcome>joined cy;x:2;");
    const heard = [await cy.next(), await cy.next(), await cy.next()].map((next) => next?.message);
    expect(heard).toMatchObject([{ type: "welcome" }, { type: "joined", name: "cy" }, { text: "2" }]);
  });

  test("an encoding that hides one's own events gives a speaker the others' only", async () => {
    const ada = await join("ada", lineEncoding);
    const bo = await join("bo", lineEncoding);
    const cy = await join("cy", lineEncoding);
    const before = [ada, bo, cy].map((peer) => linesOf(peer).length);
    ada.send(say("a1"));
    bo.send(say("b1"));
    ada.send(say("a2"));
    await turns();
    const heard = [ada, bo, cy].map((peer, index) => linesOf(peer).slice(before[index]).replaceAll("<ack>", ""));
    expect(heard).toEqual(["bo:b1;", "ada:a1;ada:a2;", "ada:a1;bo:b1;ada:a2;"]);
  });

  test("events of other rooms in the log are not given to this one's members", async () => {
    const ada = await join("ada", lineEncoding);
    const before = linesOf(ada);
    await log.append(
      "elsewhere",
      encode({ type: "message", ...NOT_YET_LOGGED, messageId: randomMessageId(), room: "attic", name: "x", text: "y" }),
    );
    await turns();
    expect(linesOf(ada)).toBe(before);
  });
});

describe("a session", () => {
  test("takes up what was sent behind HELLO in order, and asks for a pause meanwhile", async () => {
    const peer = connectInMemory(hub);
    peer.session.receive(hello("ada"), 1);
    expect(peer.session.busy).toBe(true);
    peer.session.receive(say("first"), 2);
    peer.session.receive({ type: "quit" }, 3);
    peer.session.peerFinished();
    expect((await untilEnd(peer)).map((message) => message.type)).toEqual([
      "welcome",
      "joined",
      "ack",
      "message",
      "left",
      "disconnect",
    ]);
  });

  test("a rejected append is a temporary ERROR, and sending again succeeds", async () => {
    const ada = await join("ada", lineEncoding);
    const bo = await join("bo");
    log.rejections = 1;
    const message = say("once");
    bo.send(message, 2);
    await turns();
    bo.send(message, 3);
    await turns();
    bo.send({ type: "quit" });
    expect(await untilEnd(bo)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ type: "error", code: ErrorCode.OVERLOADED.code, temporary: true }),
        expect.objectContaining({ type: "ack", duplicate: false }),
      ]),
    );
    expect(linesOf(ada).match(/bo:once;/g)).toHaveLength(1);
  });

  test("JOINED and LEFT that were rejected, landed or not, are logged once each", async () => {
    const ada = await join("ada", lineEncoding);
    for (const hasLanded of [false, true]) {
      log.hasLanded = hasLanded;
      log.rejections = 1;
      const name = `bo ${hasLanded}`;
      const bo = connectInMemory(hub);
      bo.send(hello(name), 1);
      expect((await bo.next())?.message).toMatchObject({ type: "welcome", name });
      log.rejections = 1;
      bo.send({ type: "quit" });
      await untilEnd(bo);
      await turns();
      expect(linesOf(ada)).toContain(`joined ${name};left ${name};`);
    }
  });

  test("that vanishes while it joins leaves nothing behind", async () => {
    const peer = connectInMemory(hub);
    peer.session.receive(hello("ada"), 1);
    peer.session.closed();
    await turns();
    expect(hub.sessionCount).toBe(0);
    expect(await log.roster.entries()).toEqual([]);
    const { events } = await log.read((await log.bounds()).oldest, 10);
    expect(events.map((event) => (decode(frameFrom(event)) as ChatEvent).type)).toEqual([]);
  });

  test("above maxSessions it is told SERVER_FULL until somebody leaves", async () => {
    const small = await ChatHub.start(log, { maxSessions: 1 });
    const ada = connectInMemory(small);
    const bo = connectInMemory(small);
    ada.send(hello("ada"), 1);
    await turns();
    bo.send(hello("bo"), 1);
    expect((await bo.next())?.message).toMatchObject({ type: "error", code: ErrorCode.SERVER_FULL.code });
    ada.vanish();
    await turns();
    bo.send(hello("bo"), 2);
    expect((await bo.next())?.message).toMatchObject({ type: "welcome" });
    await small.drain();
  });
});

describe("a hub", () => {
  test("that drains acknowledges and fans out what the log took, then says SHUTTING_DOWN to all", async () => {
    const ada = await join("ada");
    const bo = await join("bo");
    for (let index = 0; index < 100; index++) ada.session.receive(say(`${index}`), index + 10);
    const drained = hub.drain("maintenance");
    ada.session.receive(say("too late"), 999);
    await drained;
    const [toAda, toBo] = [await untilEnd(ada), await untilEnd(bo)];
    expect(toAda.filter((message) => message.type === "ack")).toHaveLength(100);
    expect(toBo.filter((message) => message.type === "message")).toHaveLength(100);
    for (const messages of [toAda, toBo]) {
      expect(messages.at(-1)).toMatchObject({
        type: "disconnect",
        code: DisconnectCode.SHUTTING_DOWN.code,
        temporary: true,
        message: "maintenance",
      });
    }
    expect(hub.sessionCount).toBe(0);
    expect(await log.roster.entries()).toEqual([]);
    expect((await untilEnd(connectInMemory(hub))).map((message) => message.type)).toEqual(["disconnect"]);
  });

  test("that was overtaken by its log disconnects the people in the room with LOG_LOST and goes on", async () => {
    const tiny = new MemoryRoomLog({ maxEvents: 5 });
    const overtaken = await ChatHub.start(tiny);
    const ada = connectInMemory(overtaken);
    ada.send(hello("ada"), 1);
    await turns();
    const sessionId = randomSessionId();
    for (let index = 0; index < 20; index++) {
      void tiny.append(
        sessionId,
        encode({
          type: "message",
          ...NOT_YET_LOGGED,
          messageId: randomMessageId(),
          room: "lobby",
          name: "x",
          text: "y",
        }),
      );
    }
    expect((await untilEnd(ada)).at(-1)).toMatchObject({
      type: "disconnect",
      code: DisconnectCode.LOG_LOST.code,
      temporary: true,
    });
    await turns();
    const again = connectInMemory(overtaken);
    again.send(hello("ada"), 1);
    expect((await again.next())?.message).toMatchObject({ type: "welcome" });
    await overtaken.drain();
  });
});
