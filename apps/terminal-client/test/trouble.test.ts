/** What can go wrong: hostile text, lines that can't be said, connections and segments that fail, mistakes in the arguments. */

import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { AppProcess, chat, freshSegment, joined, startServer } from "./fixtures/processes.ts";

describe("what others send can't act on the terminal", () => {
  const hostile = "\u001b]0;title\u0007\u001b[2Jred\u009b31m \u202etxt.exe";

  test("neither as lines nor as JSON, which keeps it all the same", async () => {
    const url = freshSegment();
    const lines = await joined(url, "lines");
    const json = await joined(url, "json", "--json");
    lines.type("ready");
    await json.shows("ready");
    const sender = chat(url, "sender");
    sender.child.stdin.end(`${hostile}\n`);
    expect(await sender.exit).toBe(0);
    await lines.shows("*** sender has left");
    await json.shows('"event":"left"');
    for (const each of [lines, json]) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
      expect(each.stdout.replaceAll("\n", "")).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
      each.type("/quit");
      expect(await each.exit).toBe(0);
    }
    expect(lines.lines).toContain("sender: red txt.exe");
    expect(json.events.find(({ event, name }) => event === "message" && name === "sender")).toMatchObject({
      text: hostile,
    });
  });
});

describe("commands and lines that can't be said", () => {
  test("are told by their line, the others are said, and the exit code is 1", async () => {
    const url = freshSegment();
    const reader = await joined(url, "reader");
    const writer = chat(url, "writer");
    writer.child.stdin.end(`one\n/nope\n${"x".repeat(5000)}\n\n//slash\n/help\nlast\n`);
    expect(await writer.exit).toBe(1);
    expect(writer.stderr).toContain("chat: line 2 was not said: /nope is no command");
    expect(writer.stderr).toContain("chat: line 3 was not said: the text has 5000 bytes; at most 4096 are allowed");
    expect(writer.stderr).toContain("/quit   leave");
    await reader.shows("*** writer has left");
    expect(reader.lines.slice(1, -1)).toEqual(["writer: one", "writer: /slash", "writer: last"]);
    reader.type("/quit");
    expect(await reader.exit).toBe(0);
  });

  test("/quit within a pipe leaves there, even with --stay", async () => {
    const url = freshSegment();
    const writer = chat(url, "writer", "--json", "--stay");
    writer.type("one", "/quit", "never");
    expect(await writer.exit).toBe(0);
    expect(writer.events.filter(({ event }) => event === "ack")).toHaveLength(1);
  });
});

describe("the connection", () => {
  test("that is lost is told in one line, with exit code 1, though the input goes on", async () => {
    const { url, process: server } = await startServer();
    const ada = await joined(url, "ada");
    server.child.kill("SIGKILL");
    expect(await ada.exit).toBe(1);
    expect(ada.stderr).toMatch(/\nchat: connection lost: [^\n]+; connecting again may help\n$/);
  });

  test("that the server ends says why", async () => {
    const { url, process: server } = await startServer();
    const ada = await joined(url, "ada");
    server.child.kill("SIGTERM");
    expect(await ada.exit).toBe(1);
    expect(await server.exit).toBe(0);
    expect(ada.stderr).toContain("chat: connection lost: ");
    expect(ada.stderr).toContain("(SHUTTING_DOWN); connecting again may help");
  });

  test("to nobody, and to something else", async () => {
    const other = createServer((socket) => socket.resume().end("220 mail.example ESMTP\r\n")).listen(0, "127.0.0.1");
    await once(other, "listening");
    onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    const wrong = chat(`tcp://127.0.0.1:${port}`, "ada");
    expect(await wrong.exit).toBe(1);
    expect(wrong.stderr).toMatch(/^chat: no chat server answers at tcp:\/\/127\.0\.0\.1:\d+: [^\n]+\n$/);

    other.close();
    await once(other, "close");
    const nobody = chat(`tcp://127.0.0.1:${port}`, "ada");
    expect(await nobody.exit).toBe(1);
    expect(nobody.stderr).toBe(`chat: cannot reach tcp://127.0.0.1:${port}: connection refused\n`);
  });
});

describe("shared memory that can't be used", () => {
  test("a file that is no segment is refused in one line, and left as it was", async () => {
    const url = freshSegment();
    const path = `/dev/shm/shm-ring.${url.slice("shm://".length)}`;
    const garbage = Buffer.alloc(65_536, "not ours ");
    writeFileSync(path, garbage, { mode: 0o600 });
    try {
      const client = chat(url, "ada");
      expect(await client.exit).toBe(1);
      expect(client.stderr).toMatch(/^chat: cannot open shm:\/\/[^\n]+\n$/);
      expect(readFileSync(path).equals(garbage)).toBe(true);
    } finally {
      rmSync(path);
    }
  });

  test("where named segments aren't supported, that is said in one line", async () => {
    const client = new AppProcess("apps/terminal-client/src/main.ts", [freshSegment(), "--name", "ada"], {
      env: { SHM_DISABLE_NAMED: "1" },
    });
    expect(await client.exit).toBe(1);
    expect(client.stderr).toMatch(/^chat: cannot open shm:\/\/[^\n]+\n$/);
  });
});

describe("the command line", () => {
  const run = (...args: string[]): AppProcess => new AppProcess("apps/terminal-client/src/main.ts", args);

  test.each([
    [["nonsense"], 'chat: "nonsense" is no chat URL: use tcp://127.0.0.1:8080 or shm://lobby\n'],
    [["http://x"], 'chat: http:// is not supported in "http://x": use tcp://127.0.0.1:8080 or shm://lobby\n'],
    [["tcp://x:1", "--nope"], "chat: unknown option '--nope' (Did you mean --name?)\n"],
    [["tcp://x:1", "extra"], "chat: too many arguments. Expected 1 argument but got 2: tcp://x:1, extra.\n"],
    [[], "chat: missing required argument 'url'\n"],
  ])("%j is a mistake: one line, exit code 2", async (args, text) => {
    const process = run(...args);
    expect(await process.exit).toBe(2);
    expect(process.stderr).toBe(text);
    expect(process.stdout).toBe("");
  });

  test("--help shows examples that run", async () => {
    const help = run("--help");
    expect(await help.exit).toBe(0);
    expect(help.stdout).toContain("npm run -s chat -- tcp://127.0.0.1:8080 --name ada");
    expect(help.stderr).toBe("");
  });

  test("output that nobody reads any more is a reason to leave, not a failure", async () => {
    const url = freshSegment();
    const ada = await joined(url, "ada");
    ada.child.stdout.destroy();
    const bo = chat(url, "bo");
    bo.child.stdin.end("hello\nhello again\n");
    expect(await bo.exit).toBe(0);
    expect(await ada.exit).toBe(0);
    expect(ada.stderr).not.toContain("EPIPE");
  });
});
