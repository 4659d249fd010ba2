import { encode } from "@parley/chat-protocol";
import { expect, test } from "vitest";
import { sniff } from "../src/sniff.ts";
import { hello } from "./tcp-peer.ts";

test.each([
  ["a frame", Buffer.from(encode(hello("ada"))), "binary"],
  ["the first byte of a frame", Buffer.from([0]), "binary"],
  ["a frame length that can't be", Buffer.from([0xff, 0xff]), "binary"],
  ["telnet's negotiation", Buffer.from([0xff, 0xfb, 1]), "text"],
  ["half of telnet's negotiation", Buffer.from([0xff]), undefined],
  ["a name", Buffer.from("ada\n"), "text"],
  ["a name in capitals", Buffer.from("ADA\n"), "text"],
  ["the beginning of a name in capitals", Buffer.from("AD"), undefined],
  ["a request line", Buffer.from("GET /chat HTTP/1.1\r\nHost: x\r\n"), "http"],
  ["half a request line", Buffer.from("GET /chat HT"), undefined],
  ["what only looks like a request", Buffer.from("GET me some HTTP/1.1 tea\n"), "text"],
  ["capitals without end", Buffer.from("A".repeat(5000)), "text"],
])("%s", (_, first, expected) => {
  expect(sniff(first)).toBe(expected);
});
