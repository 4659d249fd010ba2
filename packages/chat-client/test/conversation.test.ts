/** One suite for every transport: what a client may rely on, in a real room. */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ChatClient, type ChatClientEvent, type ConnectOptions, connect } from "../src/node.ts";
import { type Room, serverRoom, sharedMemoryRoom } from "./fixtures/rooms.ts";

const transports: [string, () => Promise<Room>][] = [
  ["tcp://", serverRoom],
  ["shm://", sharedMemoryRoom],
];

interface Person {
  readonly client: ChatClient;
  readonly events: ChatClientEvent[];
  /** Resolves when an event meets the condition. */
  until(condition: (event: ChatClientEvent) => boolean): Promise<ChatClientEvent>;
}

describe.each(transports)("over %s", (_, makeRoom) => {
  let room: Room;
  const people: Person[] = [];

  beforeEach(async () => {
    room = await makeRoom();
  });

  afterEach(async () => {
    await Promise.all(people.map(({ client }) => client.quit()));
    people.length = 0;
    await room.close();
  });

  async function join(name: string, options: Partial<ConnectOptions> = {}): Promise<Person> {
    const client = await connect(room.url, { name, ...options });
    const events: ChatClientEvent[] = [];
    const checks = new Set<() => void>();
    for (const type of ["message", "joined", "left", "renamed", "direct", "gap", "error", "disconnect"] as const) {
      client.on(type, (event) => {
        events.push(event);
        for (const check of checks) check();
      });
    }
    const until = (condition: (event: ChatClientEvent) => boolean): Promise<ChatClientEvent> =>
      new Promise((resolve) => {
        const check = (): void => {
          const found = events.find(condition);
          if (found === undefined) return;
          checks.delete(check);
          resolve(found);
        };
        checks.add(check);
        check();
      });
    const person = { client, events, until };
    people.push(person);
    return person;
  }

  const textIs = (text: string) => (event: ChatClientEvent) => event.type === "message" && event.text === text;

  test("other rooms, direct messages, names, who is here and what was said", async () => {
    const ada = await join("ada");
    const bo = await join("bo");
    await ada.client.join("kitchen");
    await bo.client.join("kitchen");
    const sent = await ada.client.send("soup", { room: "kitchen" });
    expect(await bo.until(textIs("soup"))).toMatchObject({ room: "kitchen", position: sent.position, own: false });
    await bo.client.sendDirect("ADA", "psst");
    expect(await ada.until((event) => event.type === "direct")).toMatchObject({ name: "bo", text: "psst", own: false });
    await expect(bo.client.sendDirect("nobody", "psst")).rejects.toMatchObject({ code: "NO_SUCH_NAME" });
    await bo.client.rename("Bob");
    expect(bo.client.name).toBe("Bob");
    expect(await ada.until((event) => event.type === "renamed")).toMatchObject({ name: "bo", newName: "Bob" });
    await expect(bo.client.rename("ada")).rejects.toMatchObject({ code: "NAME_TAKEN" });
    expect([...(await ada.client.who("kitchen")).names].sort()).toEqual(["Bob", "ada"]);
    for (const text of ["1", "2", "3"]) await ada.client.send(text);
    const latest = await bo.client.history({ maxEvents: 2 });
    expect(latest.messages.map(({ text }) => text)).toEqual(["2", "3"]);
    const earlier = await bo.client.history({ before: latest.position });
    expect(earlier).toMatchObject({ messages: [{ text: "1" }], hasMore: false });
    await bo.client.leave("kitchen");
    expect(bo.client.rooms).toEqual(["lobby"]);
    await expect(bo.client.send("too late", { room: "kitchen" })).rejects.toMatchObject({ code: "NOT_IN_ROOM" });
    expect([...ada.events, ...bo.events].filter(({ type }) => type === "gap")).toEqual([]);
  });

  test("the first event is one's own joining, at the position that joining told", async () => {
    const ada = await join("ada");
    const { position } = ada.client;
    await ada.until(({ type }) => type === "joined");
    expect(ada.events).toMatchObject([{ type: "joined", name: "ada", own: true, position }]);
  });

  test("everybody reads the same events in the same order, without a gap, whoever speaks", async () => {
    const all = await Promise.all(["ada", "bo", "carl", "dee"].map((name) => join(name, { echo: true })));
    await Promise.all(all.map((each) => each.until((event) => event.type === "joined" && event.own)));
    await Promise.all(
      all.flatMap(({ client }) => Array.from({ length: 250 }, (_, index) => client.send(`${client.name} ${index}`))),
    );
    await all[0]?.client.send("the end");
    await Promise.all(all.map((each) => each.until(textIs("the end"))));

    const texts = all.map(({ events }) =>
      events.flatMap((event) =>
        event.type === "message" ? [`${event.position.seq} ${event.name}: ${event.text}`] : [],
      ),
    );
    expect(texts[0]).toHaveLength(1001);
    for (const each of texts) expect(each).toEqual(texts[0]);
    for (const { client, events } of all) {
      expect(events.some(({ type }) => type === "gap")).toBe(false);
      const own = events.flatMap((event) => (event.type === "message" && event.own ? [event.text] : []));
      const said = own.filter((text) => text !== "the end");
      expect(said).toEqual(Array.from({ length: 250 }, (_, index) => `${client.name} ${index}`));
    }
  });

  test("a message has the position that its sender was told; without `echo` the sender isn't shown it", async () => {
    const ada = await join("ada");
    const bo = await join("bo");
    const sent = await ada.client.send("hello");
    const { messageId, position, timeMs } = sent;
    expect(await bo.until(textIs("hello"))).toMatchObject({ messageId, position, timeMs, name: "ada", own: false });
    await bo.client.send("bye");
    await ada.until(textIs("bye"));
    expect(ada.events.some(textIs("hello"))).toBe(false);
  });

  test("a message repeated with its id is said once, by whichever connection it is repeated", async () => {
    const ada = await join("ada");
    const bo = await join("bo");
    const first = await ada.client.send("once");
    const again = await ada.client.send("once", { messageId: first.messageId });
    expect(again).toEqual({ ...first, duplicate: true });
    await ada.client.quit();
    const back = await join("ada");
    expect(await back.client.send("once", { messageId: first.messageId })).toEqual({ ...first, duplicate: true });
    await back.client.send("end");
    await bo.until(textIs("end"));
    expect(bo.events.filter(textIs("once"))).toHaveLength(1);
  });

  test("names and texts come through as they are, up to the limit", async () => {
    const zoe = await join("Zoë >> 🙂: x");
    const bo = await join("bo");
    const texts = ["bo: >> /quit", "日本語\u0000\u001b[31m", "é".repeat(2048), " ", "line\r\nline"];
    for (const text of texts) await zoe.client.send(text);
    await bo.until(textIs("line\r\nline"));
    expect(bo.events.flatMap((event) => (event.type === "message" ? [event.text] : []))).toEqual(texts);
    expect(await bo.until(textIs(" "))).toMatchObject({ name: "Zoë >> 🙂: x" });
    await expect(zoe.client.send("x".repeat(4097))).rejects.toMatchObject({ code: "TEXT_TOO_LONG" });
    expect(await zoe.client.ping()).toBeGreaterThan(0);
  });

  test("refused names have their code, and nobody hears of them", async () => {
    const ada = await join("ada");
    for (const [name, code] of [
      ["ADA", "NAME_TAKEN"],
      ["", "NAME_INVALID"],
      ["/quit", "NAME_INVALID"],
      ["x".repeat(33), "NAME_TOO_LONG"],
    ] as const) {
      await expect(connect(room.url, { name })).rejects.toMatchObject({ code, temporary: false });
    }
    await ada.client.send("end");
    expect(ada.events.filter(({ type }) => type === "joined")).toHaveLength(1);
  });

  test("quitting is seen by the others as such, and frees the name", async () => {
    const ada = await join("ada");
    const bo = await join("bo");
    const last = bo.client.send("last words");
    expect(await bo.client.quit()).toMatchObject({ by: "client", code: "BYE", temporary: false });
    await last;
    await ada.until(({ type }) => type === "left");
    expect(ada.events.slice(-2)).toMatchObject([
      { type: "message", text: "last words" },
      { type: "left", name: "bo", reason: "quit", own: false },
    ]);
    await join("bo");
  });

  test("closing without a word is seen as lost", async () => {
    const ada = await join("ada");
    const bo = await join("bo");
    bo.client.close();
    expect(await ada.until(({ type }) => type === "left")).toMatchObject({ name: "bo", reason: "lost" });
    expect(await bo.client.closed).toMatchObject({ by: "client", temporary: false });
  });
});

test("a segment that can't be opened is one clear message", async () => {
  await expect(connect("shm://x", { name: "ada", signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: "ABORTED",
  });
});
