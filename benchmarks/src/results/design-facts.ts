/**
 * What is counted rather than timed: lines of code behind each design, system calls and copies a message.
 *
 * - Lines are neither blank nor comment, in `.ts` files below the named folders, tests left out.
 * - System calls and copies are read from the path a message takes; the runner may replace them by traced counts.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { CONTENDERS } from "./ids.ts";
import type { CodeCount, DesignFacts, PerMessageCount } from "./types.ts";

/** What each design needs beyond the chat logic and codec that both share. */
const DESIGN_FOLDERS: readonly (readonly [CodeCount["design"], string])[] = [
  ["socket", "apps/socket-server/src"],
  ["shared-memory", "packages/shared-memory-ringbuffer/src"],
  ["shared-memory", "packages/shared-memory-room/src"],
  ["shared-memory", "apps/shared-memory-chat/src"],
];

/** One message one way, one message a publish, the receiver asleep on its event loop where it can sleep. */
const PER_MESSAGE: readonly PerMessageCount[] = [
  {
    contender: CONTENDERS.tcp.id,
    systemCalls: 3,
    copies: 2,
    how: "read from the path: write, epoll_wait, read; into the kernel's buffer and out of it",
  },
  {
    contender: CONTENDERS.unixSocket.id,
    systemCalls: 3,
    copies: 2,
    how: "read from the path: write, epoll_wait, read; into the kernel's buffer and out of it",
  },
  {
    contender: CONTENDERS.shmSpin.id,
    systemCalls: 0,
    copies: 2,
    how: "read from the path: none while both spin; into the ring and out of it (none when read in place)",
  },
  {
    contender: CONTENDERS.shmPark.id,
    systemCalls: 2,
    copies: 2,
    how: "read from the path: one futex wake, one futex wait; into the ring and out of it (none when read in place)",
  },
  {
    contender: CONTENDERS.shmEventLoop.id,
    systemCalls: 3,
    copies: 2,
    how: "read from the path: one byte written to the doorbell pipe, epoll_wait, read; none while the reader is busy",
  },
];

/** @param root the repository's root */
export function readDesignFacts(root: string): DesignFacts {
  const linesOfCode = DESIGN_FOLDERS.map(([design, folder]) => ({
    design,
    folder,
    ...countLines(path.join(root, folder)),
  }));
  return { linesOfCode, perMessage: PER_MESSAGE };
}

/** Files and lines of code below a folder; zero for one that isn't there. */
export function countLines(folder: string): { files: number; lines: number } {
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  } catch {
    return { files: 0, lines: 0 };
  }
  const lines = names.map((name) => codeLines(readFileSync(path.join(folder, name), "utf8")));
  return { files: names.length, lines: lines.reduce((sum, n) => sum + n, 0) };
}

/** Lines that hold code: block comments are recognised where they begin a line, which is where ours stand. */
export function codeLines(source: string): number {
  let inComment = false;
  let count = 0;
  for (const raw of source.split("\n")) {
    const line = raw.trim();
    if (inComment) {
      inComment = !line.includes("*/");
      continue;
    }
    if (line === "" || line.startsWith("//")) continue;
    if (line.startsWith("/*")) {
      inComment = !line.includes("*/");
      continue;
    }
    count++;
  }
  return count;
}
