/** The rig against transports with planted faults, in real processes: none of them may pass. */
import { expect, test } from "vitest";
import type { EchoTask, StreamTask } from "../src/rig/tasks.ts";
import { type Phase, runTransportTrial } from "../src/rig/trial.ts";
import { summarizeHistogram } from "../src/stats/histogram.ts";
import { trialContext } from "./fixtures/contexts.ts";
import { faultyContender } from "./fixtures/faulty-contender.ts";

const BOUNDS = { bytes: 64, warmupMs: 5, warmupMessages: 20, measureMs: 20, maxMessages: 2_000, stallMs: 400 };
const STREAM: StreamTask = { ...BOUNDS, kind: "stream", batch: 4, windowBytes: 16_384 };
const ECHO: EchoTask = { ...BOUNDS, kind: "echo" };
const phase = (task: Phase["task"]): Phase => ({ placement: "unpinned", task });

test("the same transport without a fault passes", async () => {
  const [stream, echo] = await runTransportTrial(faultyContender("none"), [phase(STREAM), phase(ECHO)], trialContext());
  expect(stream).toMatchObject({ invalidReason: null, lost: 0, duplicated: 0, reordered: 0, corrupted: 0 });
  expect(echo).toMatchObject({ invalidReason: null, lost: 0, duplicated: 0, reordered: 0, corrupted: 0 });
  expect(stream?.n).toBeGreaterThan(0);
  expect(echo?.n).toBeGreaterThan(0);
  expect(echo?.cpuUs).toBeGreaterThan(0);
});

test.each([
  ["lose", "lost"],
  ["duplicate", "duplicated"],
  ["reorder", "reordered"],
  ["corrupt", "corrupted"],
] as const)("a stream that should %s messages is found to have %s", async (fault, count) => {
  const [measured] = await runTransportTrial(faultyContender(fault, 50), [phase(STREAM)], trialContext());
  expect(measured?.[count]).toBeGreaterThan(0);
});

test("a lost request ends a ping-pong as a loss, and the phases after it aren't run", async () => {
  const [first, second] = await runTransportTrial(
    faultyContender("lose", 60),
    [phase(ECHO), phase(ECHO)],
    trialContext(),
  );
  expect(first?.lost).toBeGreaterThan(0);
  expect(first?.invalidReason).toContain("nothing arrived");
  expect(second?.invalidReason).toContain("earlier phase");
});

test("a damaged request is found by the responder", async () => {
  const [measured] = await runTransportTrial(faultyContender("corrupt", 30), [phase(ECHO)], trialContext());
  expect(measured?.corrupted).toBeGreaterThan(0);
});

test("a transport that was slowed by a millisecond a message shows it", async () => {
  const [measured] = await runTransportTrial(faultyContender("slow"), [phase(ECHO)], trialContext());
  const { p50 } = summarizeHistogram(measured?.histogram as NonNullable<typeof measured>["histogram"] & {});
  expect(p50).toBeGreaterThan(1_000);
});

test("a contender whose module can't be loaded makes an invalid trial that says why", async () => {
  const broken = { ...faultyContender("none"), module: "file:///nowhere/transport.ts" };
  const [measured] = await runTransportTrial(broken, [phase(ECHO)], trialContext());
  expect(measured?.invalidReason).toContain("/nowhere/transport.ts");
});
