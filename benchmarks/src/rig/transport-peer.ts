/**
 * One end of a link, as the controller drives it in a fresh process: make the link, run tasks, close.
 */
import type { Link, LinkSettings, Transport } from "../contenders/contender.ts";
import type { RecordedLatencies } from "../stats/latency-counts.ts";
import { runTask, type SideReport, type Task } from "./tasks.ts";

/** A {@link SideReport} as it crosses a process boundary. */
export type SideResult = Omit<SideReport, "latencies"> & {
  readonly latencies: RecordedLatencies | null;
};

let link: Promise<Link> | undefined;

async function load(module: string): Promise<Transport> {
  return ((await import(module)) as { transport: Transport }).transport;
}

/** Resolves with the address as soon as the other end can connect. */
export async function listen(module: string, settings: LinkSettings): Promise<unknown> {
  const transport = await load(module);
  return new Promise((resolve, reject) => {
    link = transport.listen(settings, resolve);
    link.catch(reject);
  });
}

export async function connect(module: string, settings: LinkSettings, address: unknown): Promise<void> {
  link = (await load(module)).connect(settings, address);
  await link;
}

/** Resolves once the listening end has its peer. */
export async function connected(): Promise<void> {
  await theLink();
}

export async function run(side: "initiator" | "responder", task: Task): Promise<SideResult> {
  const { latencies, ...report } = await runTask(await theLink(), side, task);
  return { ...report, latencies: latencies === null || latencies.count === 0 ? null : latencies.recorded() };
}

export async function close(): Promise<void> {
  const closing = link;
  link = undefined;
  await (await closing)?.close();
}

async function theLink(): Promise<Link> {
  if (link === undefined) throw new Error("not connected");
  return link;
}
