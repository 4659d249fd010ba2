/**
 * What this side spent: CPU time and context switches, between two moments.
 *
 * - In a process of its own everything counts, helper threads too; a worker thread counts itself alone.
 */
import { isMainThread } from "node:worker_threads";

export interface Usage {
  /** User and system time, microseconds; null where it can't be told apart from other threads'. */
  readonly cpuUs: number | null;
  /** Voluntary and involuntary; null in a worker thread. */
  readonly contextSwitches: number | null;
}

export function usageNow(): Usage {
  if (isMainThread) {
    const { user, system } = process.cpuUsage();
    const { voluntaryContextSwitches, involuntaryContextSwitches } = process.resourceUsage();
    return { cpuUs: user + system, contextSwitches: voluntaryContextSwitches + involuntaryContextSwitches };
  }
  // Node 23.9 and later.
  const own = process.threadCpuUsage?.();
  return { cpuUs: own === undefined ? null : own.user + own.system, contextSwitches: null };
}

export function usageBetween(from: Usage, to: Usage): Usage {
  return {
    cpuUs: minus(to.cpuUs, from.cpuUs),
    contextSwitches: minus(to.contextSwitches, from.contextSwitches),
  };
}

/** The sum over several sides; unknown when one is. */
export function addUsage(a: Usage, b: Usage): Usage {
  const add = (x: number | null, y: number | null): number | null => (x === null || y === null ? null : x + y);
  return { cpuUs: add(a.cpuUs, b.cpuUs), contextSwitches: add(a.contextSwitches, b.contextSwitches) };
}

function minus(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a - b;
}
