/**
 * Places where a test can have a process die or stop, to prove that the survivors go on.
 *
 * - Free in production: with nothing armed a failpoint is one comparison.
 * - `SHM_FAILPOINT=name` (or `name@3`: the third time) kills this process with SIGKILL on the spot;
 *   `SHM_FAILPOINT_STOP` stops it with SIGSTOP instead. In a worker thread only that thread ends.
 * - A point's name is `area:what was stored last`; the point before a store is the one after the store before it.
 *   Each name stands in exactly one call and in a list that a test walks.
 */
import { isMainThread } from "node:worker_threads";

type Action = "kill" | "stop";

interface Armed {
  readonly name: string;
  readonly action: Action;
  hitsLeft: number;
}

let armed: Armed | undefined =
  parse(process.env.SHM_FAILPOINT, "kill") ?? parse(process.env.SHM_FAILPOINT_STOP, "stop");

/** Dies or stops here if this point is armed. */
export function failpoint(name: string): void {
  if (armed !== undefined) hit(name);
}

/** Arms a point while running: `name` or `name@N`; `undefined` disarms. For tests. */
export function armFailpoint(point: string | undefined, action: Action = "kill"): void {
  armed = parse(point, action);
}

function parse(point: string | undefined, action: Action): Armed | undefined {
  if (point === undefined || point === "") return undefined;
  const [name = "", hits = "1"] = point.split("@");
  return { name, action, hitsLeft: Number(hits) };
}

function hit(name: string): void {
  const target = armed;
  if (target === undefined || target.name !== name) return;
  target.hitsLeft -= 1;
  if (target.hitsLeft > 0) return;
  armed = undefined;
  if (target.action === "stop") {
    process.kill(process.pid, "SIGSTOP");
    return;
  }
  if (isMainThread) process.kill(process.pid, "SIGKILL");
  else (process as unknown as { reallyExit(code: number): void }).reallyExit(1);
  // The signal or the termination arrives a moment later; not one more store may happen until then.
  for (;;);
}

/** Every failpoint of segments, participants, the mutex and doorbells. Rings and logs list their own. */
export const FOUNDATION_FAILPOINTS: readonly string[] = [
  "segment-create:begin",
  "segment-create:sized",
  "segment-create:formatted",
  "segment-create:joined",
  "segment-create:published",
  "segment-open:mapped",
  "segment-open:admitted",
  "segment-close:begin",
  "segment-close:left",
  "segment-close:marked",
  "segment-close:unlinked",
  "segment-close:unlocked",
  "participant-claim:begin",
  "participant-claim:identity",
  "participant-claim:pid",
  "participant-claim:flags",
  "participant-claim:sleeping",
  "participant-claim:sleepers",
  "participant-claim:doorbell",
  "participant-claim:gate",
  "participant-claim:cursor",
  "participant-phase:begin",
  "participant-phase:stored",
  "participant-free:begin",
  "participant-free:generation",
  "participant-free:identity",
  "participant-reap:swept",
  "participant-reap:sleeping",
  "participant-reap:sleepers",
  "participant-reap:generation",
  "participant-reap:identity",
  "participant-cursor:begin",
  "participant-cursor:stored",
  "participant-reader:begin",
  "participant-reader:stored",
  "participant-gate:begin",
  "participant-gate:stored",
  "janitor:claimed",
  "janitor:generation",
  "janitor:locked",
  "mutex-lock:begin",
  "mutex-try:begin",
  "mutex-lock:taken",
  "mutex-lock:waiting",
  "mutex-takeover:taken",
  "mutex-takeover:repair",
  "mutex-unlock:begin",
  "mutex-unlock:repair",
  "mutex-unlock:released",
  "mutex-unlock:woken",
  "doorbell-open:begin",
  "doorbell-open:made",
  "doorbell-open:published",
  "doorbell-close:begin",
  "doorbell-close:withdrawn",
  "doorbell-close:removed",
  "wake-word:begin",
  "wake-word:published",
  "wake-word:withdrawn",
  "sleep:begin",
  "sleep:sleeping",
  "sleep:sleepers",
  "wake-up:sleeping",
  "wake-up:sleepers",
  "ring:begin",
  "ring:word",
  "ring:rung",
  "ring:piped",
];
