import { spawn, spawnSync } from "node:child_process";
import { DEFAULT_LIMITS, DEFAULT_ROOM, encode, randomMessageId } from "@parley/chat-protocol";
import { type RunningServer, startServer } from "@parley/socket-server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectPeer, connectText, hello } from "./tcp-peer.ts";

let server: RunningServer;

beforeEach(async () => {
  server = await startServer({ port: 0 });
});

afterEach(() => server.close());

async function join(name: string) {
  const peer = await connectText(server.port, `${name}\n`);
  await peer.until("*** welcome");
  return peer;
}

function textAfter(text: string, part: string): string {
  return text.slice(text.indexOf(part) + part.length);
}

describe("text lines", () => {
  test("the first line is the name, then lines are messages, which others see as `name: text`", async () => {
    const bo = await join("bo");
    const al = await connectText(server.port, "al\nhi\n");
    await bo.until("al: hi\n");
    al.socket.end("/quit\n");
    await al.ended;
    expect(textAfter(await bo.until("has left"), "leaves\n")).toBe(
      "*** al has joined the chat\nal: hi\n*** al has left the chat\n",
    );
  });

  test("`USERNAME:x`, CR LF and telnet's negotiation work, however the bytes arrive", async () => {
    const bo = await join("bo");
    const al = await connectText(server.port);
    const negotiation = [255, 251, 31, 255, 250, 31, 0, 80, 255, 255, 0, 24, 255, 240, 255, 253, 3];
    const bytes = Buffer.concat([
      Buffer.from(negotiation),
      Buffer.from("USERNAME:al\r\n"),
      Buffer.from([255, 241]),
      Buffer.from("grüß \u{1f642} euch\r\n"),
    ]);
    for (const byte of bytes) {
      al.socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await bo.until("al: ")).toContain("*** al has joined the chat\n");
    expect(await bo.until("euch\n")).toContain("al: grüß \u{1f642} euch\n");
  });

  test("one's own words are not sent back, and two speakers get each other's", async () => {
    const al = await join("al");
    const bo = await join("bo");
    al.socket.write("from al\n");
    bo.socket.write("from bo\n");
    expect(await al.until("bo: from bo\n")).not.toContain("from al");
    expect(await bo.until("al: from al\n")).not.toContain("from bo");
  });

  test.each(["/quit", "quit"])("`%s` alone on a line leaves and is never said", async (word) => {
    const bo = await join("bo");
    const al = await join("al");
    al.socket.write(`${word}\r\n`);
    expect(await al.ended).toContain("*** goodbye\n");
    expect(textAfter(await bo.until("al has left"), "al has joined the chat\n")).toBe("*** al has left the chat\n");
    await expect.poll(() => server.sessionCount).toBe(1);
  });

  test("text that merely contains /quit is a message", async () => {
    const bo = await join("bo");
    const al = await join("al");
    al.socket.write("please /quit now\nquit it\n");
    expect(await bo.until("al: quit it\n")).toContain("al: please /quit now\n");
    expect(server.sessionCount).toBe(2);
  });

  test("a refused name gets a line that says why, and another may be tried", async () => {
    await join("ada");
    const second = await connectText(server.port, "ADA\n");
    expect(await second.until("\n")).toBe("*** ADA is taken; try another name\n");
    second.socket.write("/bad\n");
    await second.until("can't begin with /; try another name\n");
    second.socket.write(`${"x".repeat(40)}\n`);
    await second.until("at most 32 are allowed; try another name\n");
    second.socket.write("bo\n");
    await second.until("*** welcome, bo");
  });

  test("a line at the limit passes, a longer one gets an error line, and the connection lives", async () => {
    const bo = await join("bo");
    const al = await join("al");
    const limit = DEFAULT_LIMITS.maxTextBytes;
    al.socket.write(`${"a".repeat(limit)}\r\n`);
    await bo.until(`al: ${"a".repeat(limit)}\n`);
    al.socket.write(`${"b".repeat(limit + 1)}\n`);
    await al.until(`longer than ${limit} bytes and was not sent\n`);
    al.socket.write(`${"c".repeat(1_000_000)}\nstill here\n`);
    expect(await bo.until("al: still here\n")).not.toMatch(/b{9}|c{9}/);
  });

  test("what others wrote reaches a terminal without control characters", async () => {
    const bo = await join("bo");
    const peer = await connectPeer(server.port);
    peer.send(hello("al"));
    peer.send({
      type: "send",
      messageId: randomMessageId(),
      room: DEFAULT_ROOM,
      text: "\u001b[2Jcl\u0007ear\n*** bo has left",
    });
    await bo.until("al: clear*** bo has left\n");
    peer.vanish();
  });

  test("half lines of two clients stay apart", async () => {
    const watcher = await join("watcher");
    const al = await join("al");
    const bo = await join("bo");
    al.socket.write("one ");
    await new Promise((resolve) => setImmediate(resolve));
    bo.socket.write("two ");
    await new Promise((resolve) => setImmediate(resolve));
    al.socket.write("from al\n");
    bo.socket.write("from bo\n");
    expect(await watcher.until("al: one from al\n")).not.toContain("two from al");
    await watcher.until("bo: two from bo\n");
  });

  test("after the peer's FIN what it said is still taken and answered, a last line without an end too", async () => {
    const bo = await join("bo");
    const al = await connectText(server.port);
    al.socket.end("al\nhi\nno end");
    expect(await al.ended).toContain("*** welcome, al");
    expect(await bo.until("has left")).toContain("al: hi\nal: no end\n*** al has left the chat\n");
  });

  test("one who speaks frames and one who speaks lines are in one chat", async () => {
    const al = await join("al");
    const peer = await connectPeer(server.port);
    peer.send(hello("bo"));
    await al.until("bo has joined");
    al.socket.write("hi bo\n");
    for (;;) {
      const next = await peer.next();
      if (next?.message.type === "message") {
        expect(next.message).toMatchObject({ name: "al", text: "hi bo" });
        break;
      }
    }
    peer.socket.end(encode({ type: "quit" }));
    await al.until("*** bo has left the chat\n");
  });

  test("an HTTP request gets a short answer in HTTP; a name in capitals is a name", async () => {
    const http = await connectText(server.port, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect(await http.ended).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    await (await connectText(server.port, "GET\n")).until("*** welcome, GET");
  });
});

const hasNetcat = spawnSync("nc", ["-h"]).error === undefined;

describe.skipIf(!hasNetcat)(`nc${hasNetcat ? "" : " (skipped: install netcat-openbsd)"}`, () => {
  function netcat(args: readonly string[]): { child: ReturnType<typeof spawn>; output: Promise<string> } {
    const child = spawn("nc", [...args, "127.0.0.1", `${server.port}`], { stdio: ["pipe", "pipe", "inherit"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part) => {
      text += part;
    });
    return { child, output: new Promise((resolve) => child.on("close", () => resolve(text))) };
  }

  test("two people at nc talk to each other", async () => {
    const watcher = await join("watcher");
    const bo = netcat([]);
    bo.child.stdin?.write("bo\n");
    await watcher.until("bo has joined");
    const al = netcat(["-q1"]);
    al.child.stdin?.end("al\nhi\n/quit\n");
    expect(await al.output).toBe("*** welcome, al: you are in lobby; /quit leaves\n*** goodbye\n");
    await watcher.until("al has left");
    bo.child.stdin?.end("/quit\n");
    expect(await bo.output).toBe(
      "*** welcome, bo: you are in lobby; /quit leaves\n" +
        "*** al has joined the chat\nal: hi\n*** al has left the chat\n*** goodbye\n",
    );
  });

  test("in echo mode every byte comes back", async () => {
    await server.close();
    server = await startServer({ port: 0, echo: true });
    const { child, output } = netcat(["-q1"]);
    child.stdin?.end("hi\n");
    expect(await output).toBe("hi\n");
  });
});
