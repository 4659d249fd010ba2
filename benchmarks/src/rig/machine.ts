/**
 * What this machine lets a measurement do: CPUs, pinning, named segments.
 *
 * - Looked up once at the start; contenders and scenarios decide by it what can run.
 */
import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { allowedCpus, readText } from "../env.ts";
import type { Boundary, Placement } from "../results/types.ts";
import { whyNoNamedSegments } from "./named-segments.ts";

export interface Machine {
  /** CPUs that this process may use, one per physical core first. */
  readonly cpus: readonly number[];
  /** Why threads can't be pinned; null when they can. */
  readonly cannotPin: string | null;
  /** Why named segments can't be used; null when they can. */
  readonly cannotName: string | null;
  /** Where shared-memory contenders run: worker threads when there are no named segments. */
  readonly sharedMemoryBoundary: Boundary;
}

/** What the measurement needs of /dev/shm at once, with room for what else is there. */
const NEEDED_SHARED_BYTES: number = 32 * 2 ** 20;

export function inspectMachine(): Machine {
  const cpus = coresFirst(allowedCpus() ?? [...Array(availableParallelism()).keys()]);
  const cannotName = whyNoNamedSegments(`parley-bench-probe-${process.pid}`, NEEDED_SHARED_BYTES);
  return {
    cpus,
    cannotPin: whyNotPinned(cpus),
    cannotName,
    sharedMemoryBoundary: cannotName === null ? "process" : "thread",
  };
}

/** The placements that make sense here, the two-core one first. */
export function placementsOf({ cpus, cannotPin }: Machine): Placement[] {
  if (cannotPin !== null) return ["unpinned"];
  return cpus.length > 1 ? ["across-cpus", "same-cpu"] : ["same-cpu"];
}

/** CPUs for `sides` threads; null when they are left to the kernel. Sides past the number of CPUs share the last. */
export function cpusFor(machine: Machine, placement: Placement, sides: number): number[] | null {
  if (placement === "unpinned") return null;
  const { cpus } = machine;
  const last = cpus.length - 1;
  return Array.from({ length: sides }, (_, side) =>
    placement === "same-cpu" ? (cpus[0] as number) : (cpus[Math.min(side, last)] as number),
  );
}

/** Two hardware threads of one core share its caches and its time: a second core comes before a second thread. */
function coresFirst(cpus: readonly number[]): number[] {
  const seen = new Set<string>();
  const first: number[] = [];
  const second: number[] = [];
  for (const cpu of cpus) {
    const core = readText(`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`) ?? String(cpu);
    (seen.has(core) ? second : first).push(cpu);
    seen.add(core);
  }
  return [...first, ...second];
}

function whyNotPinned(cpus: readonly number[]): string | null {
  if (process.platform !== "linux") return `pinning needs Linux (this is ${process.platform})`;
  try {
    execFileSync("taskset", ["-cp", cpus.join(","), String(process.pid)], { stdio: "ignore" });
    return null;
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    return missing ? "taskset is not installed (Debian: util-linux)" : "taskset may not pin here";
  }
}
