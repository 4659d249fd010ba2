/**
 * One person in a chat, in a process of its own: says something, waits for the answer, says the next thing; or answers.
 *
 * - Each message carries when it was sent; whoever gets it records how long that took, one way.
 * - Both sides verify sequence numbers and checksums. A person who hears nothing for `stallMs` gives up.
 */
import { type ChatClient, connect } from "@parley/chat-client";
import { IntegrityChecker, type IntegrityCounts } from "../rig/integrity.ts";
import { type Usage, usageBetween, usageNow } from "../rig/usage.ts";
import { LatencyCounts, type RecordedLatencies } from "../stats/latency-counts.ts";
import { composeText, monotonicNs, parseText } from "./chat-text.ts";

export interface ConversationTask {
  readonly forMs: number;
  readonly maxMessages: number;
  readonly stallMs: number;
  /** One way by the shared clock; otherwise half a round trip, and only the initiator records. */
  readonly oneWay: boolean;
}

export interface ConversationReport {
  /** Of the messages that this person got. */
  readonly counts: IntegrityCounts;
  readonly durationMs: number;
  readonly usage: Usage;
  /** Null when nothing was recorded. */
  readonly latencies: RecordedLatencies | null;
  readonly fault: string | null;
}

let client: ChatClient | undefined;
/** Undefined between conversations: the other person may begin the next one before this one is told to. */
let onText: ((text: string, arrivedNs: number) => void) | undefined;
let waiting: { readonly text: string; readonly arrivedNs: number }[] = [];
let onEnd: (why: string) => void = () => {};

export async function join(url: string, name: string): Promise<void> {
  client = await connect(url, { name });
  client.on("message", ({ text }) => {
    const arrivedNs = monotonicNs();
    if (onText === undefined) waiting.push({ text, arrivedNs });
    else onText(text, arrivedNs);
  });
  client.on("gap", () => onEnd("the client was told of a gap"));
  client.on("disconnect", ({ message }) => onEnd(`disconnected: ${message}`));
}

/** For the check that processes agree on the time. */
export function clockNs(): number {
  return monotonicNs();
}

export function converse(side: "initiator" | "responder", task: ConversationTask): Promise<ConversationReport> {
  const heard = new IntegrityChecker();
  const latencies = new LatencyCounts();
  const startMs = performance.now();
  const from = usageNow();
  let said = 0;
  let lastArrivalMs = startMs;
  let saidAtMs = startMs;
  const { promise, resolve } = Promise.withResolvers<ConversationReport>();
  const finish = (fault: string | null): void => {
    onText = undefined;
    onEnd = () => {};
    clearInterval(watch);
    resolve({
      counts: heard.finish(fault === null ? heard.next : said),
      durationMs: performance.now() - startMs,
      usage: usageBetween(from, usageNow()),
      latencies: latencies.count === 0 ? null : latencies.recorded(),
      fault,
    });
  };
  const watch = setInterval(() => {
    if (performance.now() - lastArrivalMs > task.stallMs) finish(`nothing arrived for ${task.stallMs} ms`);
  }, task.stallMs / 4);
  const say = (last: boolean): void => {
    saidAtMs = performance.now();
    const text = composeText({ last, sequence: said++, sentNs: monotonicNs() });
    client?.send(text).catch((error: unknown) => finish(`not sent: ${(error as Error).message}`));
  };
  onEnd = finish;
  const hear = (text: string, arrivedNs: number): void => {
    const nowMs = performance.now();
    const message = parseText(text);
    lastArrivalMs = nowMs;
    if (message === undefined) heard.damaged();
    else {
      const inOrder = message.sequence === heard.next;
      heard.accept(message.sequence);
      if (task.oneWay) latencies.record(arrivedNs - message.sentNs);
      else if (side === "initiator") latencies.record(((nowMs - saidAtMs) / 2) * 1e6);
      // A repeated message must not start a second conversation.
      if (!inOrder && message.sequence < heard.next - 1) return;
    }
    if (side === "responder") {
      say(message?.last ?? false);
      if (message?.last) finish(null);
    } else if (message?.last) finish(null);
    else say(nowMs - startMs >= task.forMs || said >= task.maxMessages);
  };
  onText = hear;
  const early = waiting;
  waiting = [];
  for (const { text, arrivedNs } of early) hear(text, arrivedNs);
  if (side === "initiator") say(false);
  return promise;
}

export async function close(): Promise<void> {
  const leaving = client;
  client = undefined;
  await leaving?.quit();
}
