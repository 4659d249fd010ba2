/**
 * Web users: autocannon, posting to the gateway over a few connections, one request at a time on each.
 *
 * - Latencies are the float milliseconds of each `response` event: autocannon's own histogram cuts them to whole ones.
 * - The rate is requests.total over the time between its start and finish. Its rate mode is never used.
 */
import autocannon from "autocannon";
import { LatencyCounts, type RecordedLatencies } from "../stats/latency-counts.ts";

export interface LoadReport {
  readonly requests: number;
  readonly durationMs: number;
  readonly latencies: RecordedLatencies | null;
  /** Connection errors, timeouts and answers that aren't 2xx, in words; null when there was none. */
  readonly fault: string | null;
}

const MS_PER_SECOND = 1_000;
const NS_PER_MS = 1e6;
const TIMEOUT_SECONDS = 5;
const SAMPLE_MS = 20;

export async function post(port: number, connections: number, forMs: number): Promise<LoadReport> {
  const latencies = new LatencyCounts();
  const running = autocannon({
    url: `http://127.0.0.1:${port}/messages`,
    method: "POST",
    body: '{"text":"A message as a web user would post it to the room."}',
    headers: { "content-type": "application/json" },
    connections,
    duration: forMs / MS_PER_SECOND,
    timeout: TIMEOUT_SECONDS,
    sampleInt: SAMPLE_MS,
  });
  running.on("response", (_client, _statusCode, _bytes, responseTimeMs) =>
    latencies.record(responseTimeMs * NS_PER_MS),
  );
  const { requests, errors, timeouts, non2xx, resets, start, finish } = await running;
  const faults = Object.entries({ errors, timeouts, "answers that aren't 2xx": non2xx, resets })
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what}`);
  return {
    requests: requests.total,
    durationMs: finish.getTime() - start.getTime(),
    latencies: latencies.count === 0 ? null : latencies.recorded(),
    fault: faults.length === 0 ? null : faults.join(", "),
  };
}
