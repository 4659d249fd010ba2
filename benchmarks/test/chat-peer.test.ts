/** Two people in one room, in two processes: the answerer may be told of the conversation after it began. */
import { expect, test } from "vitest";
import { Peer } from "../src/rig/peer-host.ts";
import type { ConversationReport, ConversationTask } from "../src/scenarios/chat-peer.ts";
import { startServer } from "../src/scenarios/server-process.ts";
import { trialContext } from "./fixtures/contexts.ts";

const TASK: ConversationTask = { forMs: 20, maxMessages: 1_000, stallMs: 5_000, oneWay: true };
const TIMEOUT_MS = 30_000;

test("a message that comes before its receiver has been told to listen is not lost", async () => {
  const { cleanup } = trialContext();
  const module = new URL("../src/scenarios/chat-peer.ts", import.meta.url).href;
  const server = await startServer(cleanup);
  const [ada, grace] = await Promise.all(
    ["ada", "grace"].map((label) => Peer.start({ boundary: "process", module, label, cleanup })),
  );
  try {
    if (ada === undefined || grace === undefined) throw new Error("two peers were started");
    await ada.call("join", [server.url, "ada"], TIMEOUT_MS);
    await grace.call("join", [server.url, "grace"], TIMEOUT_MS);
    const asking = ada.call<ConversationReport>("converse", ["initiator", TASK], TIMEOUT_MS);
    // By the time that this comes back, the first message has long been on its way.
    for (let i = 0; i < 20; i++) await grace.call("clockNs", [], TIMEOUT_MS);
    const answering = grace.call<ConversationReport>("converse", ["responder", TASK], TIMEOUT_MS);
    for (const { fault, counts } of await Promise.all([asking, answering])) {
      expect(fault).toBeNull();
      expect(counts).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, corrupted: 0 });
      expect(counts.received).toBeGreaterThan(0);
    }
  } finally {
    await Promise.all([ada?.close(), grace?.close(), server.stop()]);
  }
});
