/**
 * Who this thread is, and whether another one still lives.
 *
 * - A participant is a thread: {tid, start time}. A tid alone proves nothing, because the kernel uses it again; the
 *   start time (clock ticks since boot) tells two users of one tid apart. Boot and pid namespace are the segment's.
 * - Dead means: no such thread, another start time, or state Z (zombie) or X in `/proc/<tid>/task/<tid>/stat`.
 * - A stopped thread is alive. A test that can't decide says alive: a lock taken from the living is worse than waiting.
 * - Without `/proc` (macOS, Windows) identities are made up from the worker's number and always count as alive.
 */
import { closeSync, openSync, readFileSync, readlinkSync, readSync } from "node:fs";
import { threadId } from "node:worker_threads";
import { START_TICKS_BITS } from "./layout.ts";

export interface ThreadIdentity {
  readonly pid: number;
  readonly tid: number;
  /** Clock ticks from boot to the thread's start; 0 where `/proc` can't tell. */
  readonly startTicks: number;
}

const STAT_BYTES = 1024;
/** Fields of `stat` after the command: state is the 3rd of all, start time the 22nd. See proc(5). */
const STATE_FIELD = 0;
const START_TIME_FIELD = 19;

const statBuffer = Buffer.alloc(STAT_BYTES);
let thisThread: ThreadIdentity | undefined;

/** Identity of the calling thread. */
export function currentThread(): ThreadIdentity {
  thisThread ??= readCurrentThread();
  return thisThread;
}

/** True only when it is certain that the thread no longer runs. Costs about 15 µs. */
export function isThreadDead(tid: number, startTicks: number): boolean {
  if (startTicks === 0 || currentThread().startTicks === 0) return false;
  let stat: ThreadStat | undefined;
  try {
    stat = readStat(tid);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return (code === "ENOENT" || code === "ESRCH") && isUnknownToKernel(tid);
  }
  if (stat === undefined) return false;
  return stat.state === "Z" || stat.state === "X" || stat.startTicks !== startTicks;
}

/**
 * Whether the kernel, too, knows no such thread. A `/proc` mounted with hidepid shows nothing of other users' threads, and
 * in a segment that a group shares those would else be taken for dead.
 */
function isUnknownToKernel(tid: number): boolean {
  try {
    // 0 sends nothing. A thread's number is accepted as a process's is.
    process.kill(tid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

/** First and last 8 bytes of the boot's random id, xor-ed; 0 when unknown. */
export function bootIdHash(): bigint {
  try {
    const hex = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").replaceAll("-", "").trim();
    return BigInt.asIntN(64, BigInt(`0x${hex.slice(0, 16)}`) ^ BigInt(`0x${hex.slice(16, 32)}`));
  } catch {
    return 0n;
  }
}

/** Inode of this process's pid namespace; 0 when unknown. */
export function pidNamespace(): bigint {
  try {
    return BigInt(/\[(\d+)\]/.exec(readlinkSync("/proc/self/ns/pid"))?.[1] ?? 0);
  } catch {
    return 0n;
  }
}

interface ThreadStat {
  readonly state: string;
  readonly startTicks: number;
}

function readCurrentThread(): ThreadIdentity {
  try {
    // `/proc/thread-self` reads as `PID/task/TID`: the thread's number without a native call.
    const [pid, , tid] = readlinkSync("/proc/thread-self").split("/").map(Number);
    const stat = readStat(tid ?? 0);
    if (pid && tid && stat) return { pid, tid, startTicks: stat.startTicks };
  } catch {
    // No /proc here: fall through to the made-up identity.
  }
  return { pid: process.pid, tid: threadId + 1, startTicks: 0 };
}

/** `undefined`: the text isn't what proc(5) says. Throws what `open` and `read` throw. */
function readStat(tid: number): ThreadStat | undefined {
  // A thread that isn't its process's leader has an unlisted /proc/TID too, so the pid isn't needed.
  const fd = openSync(`/proc/${tid}/task/${tid}/stat`, "r");
  let text: string;
  try {
    text = statBuffer.toString("latin1", 0, readSync(fd, statBuffer, 0, STAT_BYTES, 0));
  } finally {
    closeSync(fd);
  }
  // The command stands in parentheses and may hold any character, so count from the last one.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const state = fields[STATE_FIELD];
  const startTicks = Number(fields[START_TIME_FIELD]);
  if (!state || !Number.isSafeInteger(startTicks)) return undefined;
  return { state, startTicks: startTicks % 2 ** START_TICKS_BITS };
}
