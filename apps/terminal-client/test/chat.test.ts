import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { chat, freshSegment, joined, startServer } from "./fixtures/processes.ts";

const rooms: [string, () => Promise<string>][] = [
  ["over TCP", async () => (await startServer()).url],
  ["over shared memory", async () => freshSegment()],
];

describe.each(rooms)("two people %s", (_, room) => {
  test("see each other come, talk and go", async () => {
    const url = await room();
    const ada = await joined(url, "ada");
    const bo = await joined(url, "bo");
    await ada.shows("*** bo has joined the chat");
    ada.type("hello, bo", "and: again >> /quit");
    await bo.shows("ada: and: again >> /quit");
    bo.type("hi");
    await ada.shows("bo: hi");
    bo.type("/quit");
    expect(await bo.exit).toBe(0);
    await ada.shows("*** bo has left the chat");
    ada.child.stdin.end();
    expect(await ada.exit).toBe(0);
    expect(bo.lines).toEqual(["ada: hello, bo", "ada: and: again >> /quit"]);
    expect(ada.lines).toEqual(["*** bo has joined the chat", "bo: hi", "*** bo has left the chat"]);
    expect(ada.stderr).toMatch(/^connected to \S+ as ada \(\d+ ms\)\nleft the chat\n$/);
  });

  test("lines from a pipe all arrive, in order, before the client leaves with 0", async () => {
    const url = await room();
    const reader = await joined(url, "reader");
    const writer = chat(url, "writer");
    const lines = Array.from({ length: 3000 }, (_, index) => `line ${index}`);
    writer.child.stdin.end(`${lines.join("\n")}\n`);
    expect(await writer.exit).toBe(0);
    await reader.shows("*** writer has left the chat");
    const expected = lines.map((line) => `writer: ${line}`);
    expect(reader.lines).toEqual(["*** writer has joined the chat", ...expected, "*** writer has left the chat"]);
    reader.type("/quit");
    expect(await reader.exit).toBe(0);
  });

  test("the first Ctrl-C leaves in order", async () => {
    const url = await room();
    const ada = await joined(url, "ada");
    const bo = await joined(url, "bo");
    bo.child.kill("SIGINT");
    expect(await bo.exit).toBe(0);
    await ada.shows("*** bo has left the chat");
    expect(ada.stdout).not.toContain("lost");
    ada.child.kill("SIGTERM");
    expect(await ada.exit).toBe(0);
  });

  test("a name that is taken is refused in one line, and the one who has it stays", async () => {
    const url = await room();
    const ada = await joined(url, "ada");
    const second = chat(url, "ADA");
    expect(await second.exit).toBe(1);
    expect(second.stderr).toBe(`chat: cannot join ${url} as ADA: ADA is taken\n`);
    expect(second.stdout).toBe("");
    ada.type("/quit");
    expect(await ada.exit).toBe(0);
  });

  test("who is killed is seen to go, and the room lives on", async () => {
    const url = await room();
    const ada = await joined(url, "ada");
    const bo = await joined(url, "bo");
    bo.child.kill("SIGKILL");
    await ada.shows("*** bo has left the chat");
    const carl = await joined(url, "carl");
    carl.type("is anybody there?", "/quit");
    await ada.shows("carl: is anybody there?");
    expect(await carl.exit).toBe(0);
    ada.child.stdin.end();
    expect(await ada.exit).toBe(0);
  });
});

describe("--json", () => {
  test("has everything that happens, one object a line", async () => {
    const url = freshSegment();
    const watcher = await joined(url, "watcher", "--json", "--stay");
    watcher.child.stdin.end();
    const ada = chat(url, "ada", "--json", "--echo");
    ada.child.stdin.end("one\n\ntwo\n");
    expect(await ada.exit).toBe(0);
    await watcher.shows('"event":"left"');
    watcher.child.kill("SIGTERM");
    expect(await watcher.exit).toBe(0);

    expect(ada.events.map(({ event }) => event).sort()).toEqual(
      ["ack", "ack", "connected", "disconnect", "joined", "left", "message", "message"].sort(),
    );
    const [connected] = ada.events;
    expect(connected).toMatchObject({ event: "connected", url, name: "ada", room: "lobby" });
    expect(ada.events.filter(({ event }) => event === "ack")).toMatchObject([
      { line: 1, duplicate: false, messageId: expect.stringMatching(/^[0-9a-f]{32}$/) },
      { line: 3, duplicate: false },
    ]);
    expect(ada.events.at(-1)).toEqual({
      event: "disconnect",
      by: "client",
      code: "BYE",
      temporary: false,
      message: "goodbye",
    });
    const messages = watcher.events.filter(({ event }) => event === "message");
    expect(messages).toMatchObject([
      { name: "ada", text: "one", own: false, position: { epoch: expect.any(Number), seq: expect.any(Number) } },
      { name: "ada", text: "two", own: false, time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) },
    ]);
  });
});

test("somebody at nc and somebody at a client are in one room", async () => {
  const { url } = await startServer();
  const ada = await joined(url, "ada");
  const { hostname, port } = new URL(url);
  const nc = connect(Number(port), hostname).setEncoding("utf8");
  onTestFinished(() => void nc.destroy());
  let transcript = "";
  nc.on("data", (text) => {
    transcript += text;
  });
  nc.write("al\nhi from nc\n");
  await ada.shows("al: hi from nc");
  ada.type("hi from a client", "/quit");
  expect(await ada.exit).toBe(0);
  nc.end("/quit\n");
  await once(nc, "close");
  expect(ada.lines).toEqual(["*** al has joined the chat", "al: hi from nc"]);
  expect(transcript).toContain("ada: hi from a client\n*** ada has left the chat\n");
  expect(transcript).not.toContain("hi from nc");
});
