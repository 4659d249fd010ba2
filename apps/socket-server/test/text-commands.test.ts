import { type RunningServer, startServer } from "@parley/socket-server";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connectText } from "./tcp-peer.ts";

let server: RunningServer;

beforeEach(async () => {
  server = await startServer({ port: 0 });
});
afterEach(() => server.close());

test("/join goes to another room, whose people alone hear what is said there", async () => {
  const ada = await connectText(server.port, "ada\n");
  await ada.until("welcome, ada");
  const bo = await connectText(server.port, "bo\n");
  await ada.until("*** bo has joined");
  bo.socket.write("/join kitchen\nsoup is ready\n/who\n");
  await bo.until("*** in kitchen (1): bo");
  await ada.until("*** bo has left the chat");
  ada.socket.write("/join kitchen\n");
  const text = await ada.until("*** in kitchen (2)");
  expect(text).toContain("bo: soup is ready");
  bo.socket.write("hello ada\n");
  await ada.until("bo: hello ada");
});

test("/msg reaches one person, /nick renames, /me and // are said", async () => {
  const ada = await connectText(server.port, "ada\n");
  await ada.until("welcome, ada");
  const bo = await connectText(server.port, "bo\n");
  await bo.until("welcome, bo");
  const cy = await connectText(server.port, "cy\n");
  await cy.until("welcome, cy");
  bo.socket.write("/msg ada psst\n/msg nobody psst\n/nick Bob\n/me waves\n//slash\n/frobnicate\n");
  const text = await ada.until("/slash");
  expect(text).toContain("bo (to you): psst\n");
  expect(text).toContain("*** bo is Bob now\n");
  expect(text).toContain("Bob: * waves\n");
  expect(await cy.until("/slash")).not.toContain("psst");
  const told = await bo.until("no command");
  expect(told).toContain("nobody here is called");
  expect(told).toContain("*** you are Bob now");
});

test("who comes late is shown the latest 50 messages, and /history shows more", async () => {
  const ada = await connectText(server.port, "ada\n");
  await ada.until("welcome, ada");
  ada.socket.write(Array.from({ length: 60 }, (_, index) => `line ${index};\n`).join(""));
  const watcher = await connectText(server.port, "watcher\n");
  await watcher.until("line 59;");
  const bo = await connectText(server.port, "bo\n");
  const shown = await bo.until("line 59;");
  expect(shown).toContain("ada: line 10;");
  expect(shown).not.toContain("line 9;");
  bo.socket.write("/history 60\n");
  await bo.until("ada: line 0;");
});
