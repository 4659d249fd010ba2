/** What the kernel says of participants: the name of their program, and whether they run, sleep or are stopped. */
import { readFileSync } from "node:fs";
import type { ParticipantInfo } from "../participants.ts";

export type ProcessState = "running" | "sleeping" | "stopped" | "dead" | "unknown";

export interface ParticipantView extends ParticipantInfo {
  /** The program's name as the kernel has it, at most 15 characters; missing when it is gone. */
  readonly program?: string;
  readonly state: ProcessState;
}

const STATES: Readonly<Record<string, ProcessState>> = {
  R: "running",
  S: "sleeping",
  D: "sleeping",
  I: "sleeping",
  T: "stopped",
  t: "stopped",
};

export function viewOf(participant: ParticipantInfo): ParticipantView {
  if (!participant.alive) return { ...participant, state: "dead" };
  try {
    const stat = readFileSync(`/proc/${participant.tid}/task/${participant.tid}/stat`, "utf8");
    // `TID (program) STATE …`; the program may contain any character.
    const end = stat.lastIndexOf(")");
    return {
      ...participant,
      program: stat.slice(stat.indexOf("(") + 1, end),
      state: STATES[stat.charAt(end + 2)] ?? "unknown",
    };
  } catch {
    return { ...participant, state: "unknown" };
  }
}

/** One word or two for a table. */
export function stateText(view: ParticipantView): string {
  if (view.state === "dead") return "dead, not yet swept";
  return view.phase === "active" ? view.state : `${view.state}, ${view.phase}`;
}
