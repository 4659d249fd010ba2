import { createServer } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ChatClientError, connect, parseChatUrl } from "../src/node.ts";

describe("a chat URL", () => {
  test.each([
    ["tcp://127.0.0.1:8080", { scheme: "tcp", host: "127.0.0.1", port: 8080, href: "tcp://127.0.0.1:8080" }],
    ["tcp://localhost", { scheme: "tcp", host: "localhost", port: 8080, href: "tcp://localhost:8080" }],
    ["TCP://chat.example:1/", { scheme: "tcp", host: "chat.example", port: 1, href: "tcp://chat.example:1" }],
    ["tcp://[::1]:9000", { scheme: "tcp", host: "::1", port: 9000, href: "tcp://[::1]:9000" }],
    ["shm://lobby", { scheme: "shm", segment: "lobby", href: "shm://lobby" }],
    ["shm://My_Room-1.x/", { scheme: "shm", segment: "My_Room-1.x", href: "shm://My_Room-1.x" }],
  ])("%s", (url, target) => {
    expect(parseChatUrl(url)).toEqual(target);
  });

  test.each([
    ["", "INVALID_URL", "use tcp://127.0.0.1:8080 or shm://lobby"],
    ["127.0.0.1:8080", "INVALID_URL", "did you mean tcp://127.0.0.1:8080?"],
    ["tcp://", "INVALID_URL", "tcp://HOST:PORT"],
    ["tcp://:8080", "INVALID_URL", "tcp://HOST:PORT"],
    ["tcp://host:99999", "INVALID_URL", "from 1 to 65535"],
    ["tcp://host:0", "INVALID_URL", "from 1 to 65535"],
    ["tcp://host:80/room", "INVALID_URL", "nothing may follow the port"],
    ["tcp://host:80?x=1", "INVALID_URL", "nothing may follow the port"],
    ["tcp://ada:pw@host:80", "INVALID_URL", "user and password"],
    ["shm://", "INVALID_URL", "write shm://lobby"],
    ["shm://../etc", "INVALID_URL", "write shm://lobby"],
    ["shm://a/b", "INVALID_URL", "write shm://lobby"],
    ["shm://.hidden", "INVALID_URL", "write shm://lobby"],
    ["http://host", "UNSUPPORTED_SCHEME", "http:// is not supported"],
    ["ws://host", "UNSUPPORTED_SCHEME", "ws:// is not supported"],
  ])("%j is refused as %s", (url, code, text) => {
    const parse = () => parseChatUrl(url);
    expect(parse).toThrow(expect.objectContaining({ name: "ChatClientError", code }));
    expect(parse).toThrow(text);
    expect(parse).toThrow(JSON.stringify(url));
  });

  test("of any text is understood or refused with ChatClientError", () => {
    const scheme = fc.constantFrom("tcp://", "shm://", "x://", "");
    fc.assert(
      fc.property(scheme, fc.string({ unit: "binary" }), (start, rest) => {
        try {
          parseChatUrl(start + rest);
        } catch (error) {
          expect(error).toBeInstanceOf(ChatClientError);
        }
      }),
    );
  });
});

describe("nobody to connect to", () => {
  test("a refused connection is one clear message", async () => {
    // A port that was free a moment ago.
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    await expect(connect(`tcp://127.0.0.1:${port}`, { name: "ada" })).rejects.toMatchObject({
      code: "CANNOT_REACH",
      temporary: true,
      message: `cannot reach tcp://127.0.0.1:${port}: connection refused`,
      cause: { code: "ECONNREFUSED" },
    });
  });

  test("a host that doesn't exist is one clear message", async () => {
    // RFC 6761: names under .invalid never resolve.
    await expect(connect("tcp://nobody.invalid:1", { name: "ada" })).rejects.toMatchObject({
      code: "CANNOT_REACH",
      message: expect.stringMatching(/^cannot reach tcp:\/\/nobody\.invalid:1: (no such host|the host's name)/),
    });
  });
});
