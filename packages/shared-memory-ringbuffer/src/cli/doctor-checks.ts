/**
 * The checks of `shm doctor`. Each looks at one thing that named segments need; the last ones try them out.
 *
 * A failure means that named segments don't work, a warning that something may surprise, a note is for information.
 */
import { randomBytes } from "node:crypto";
import { accessSync, constants, readFileSync, statfsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { release } from "node:os";
import { currentThread } from "../liveness.ts";
import { native, unsupportedReason } from "../native.ts";
import { createSegment, openSegment } from "../open-segment.ts";
import { listSegments } from "../segment-files.ts";
import { segmentDirectory } from "../segment-name.ts";
import { formatLog, logRegionSizeBytes, SharedLog } from "../shared-log.ts";
import { stalePipes } from "./clean.ts";
import { standing } from "./ls.ts";
import { bytesText, count } from "./output.ts";

export interface Check {
  readonly check: string;
  readonly status: "ok" | "note" | "warning" | "failure";
  readonly detail: string;
  readonly advice?: string;
}

type Results = readonly Omit<Check, "check">[];

const TMPFS_MAGIC = 0x01021994;
const RAMFS_MAGIC = 0x858458f6;
/** Docker's usual /dev/shm: a warning below, as one large segment fills it. */
const SMALL_BYTES = 64 * 2 ** 20;
const TRIAL_LOG_BYTES = 4096;
const LOCK_TIMEOUT_MS = 1000;
const FIRST_USER_ID_OF_PEOPLE = 1000;
const OCTAL = 8;
const PERMISSION_BITS = 0o7777;
const USUAL_MODE = 0o1777;

export const CHECKS: Readonly<Record<string, (directory: string | undefined) => Results>> = {
  platform: () => {
    const detail = `${process.platform} ${process.arch}, kernel ${release()}, Node ${process.version}`;
    const reason = unsupportedReason();
    return reason === undefined
      ? [{ status: "ok", detail }]
      : [{ status: "failure", detail: `${detail}: ${reason}`, advice: "named segments need Linux on x64 or arm64" }];
  },

  koffi: () => {
    native();
    const { version } = createRequire(import.meta.url)("koffi") as { version: string };
    return [{ status: "ok", detail: `koffi ${version} is loaded` }];
  },

  proc: () => {
    const { startTicks } = currentThread();
    return startTicks > 0
      ? [{ status: "ok", detail: "/proc tells the living from the dead" }]
      : [{ status: "failure", detail: "/proc can't be read", advice: "mount it: participants are judged by it" }];
  },

  directory: (directory) => {
    const place = segmentDirectory(directory);
    const { type } = statfsSync(place);
    const { mode, uid } = statSync(place);
    const bits = mode & PERMISSION_BITS;
    accessSync(place, constants.W_OK | constants.X_OK);
    const inMemory = type === TMPFS_MAGIC || type === RAMFS_MAGIC;
    const results: Omit<Check, "check">[] = [
      inMemory
        ? { status: "ok", detail: `${place} is kept in memory` }
        : {
            status: "warning",
            detail: `${place} is on a file system of type 0x${type.toString(16)}, not in memory`,
            advice: "it works, but pages are written to a disk; use a tmpfs",
          },
    ];
    const text = `${place} has mode ${bits.toString(OCTAL)}`;
    const isOwn = uid === process.geteuid?.() && (bits & 0o022) === 0;
    results.push(
      bits === USUAL_MODE || isOwn
        ? { status: "ok", detail: `${text}: writable, and others can't remove what is yours` }
        : { status: "warning", detail: text, advice: "others may be able to remove your segments: 1777 is usual" },
    );
    return results;
  },

  space: (directory) => {
    const place = segmentDirectory(directory);
    const { blocks, bavail, bsize } = statfsSync(place);
    const free = bavail * bsize;
    const detail = `${bytesText(free)} free of ${bytesText(blocks * bsize)} in ${place}`;
    if (free >= SMALL_BYTES) return [{ status: "ok", detail }];
    return [
      {
        status: "warning",
        detail,
        advice: "a segment that doesn't fit is refused when it is made; in a container: --shm-size=256m",
      },
    ];
  },

  limits: () => {
    const limits = [limit("Max file size"), limit("Max address space"), limit("Max open files")].filter((text) => text);
    const cgroup = read("/sys/fs/cgroup/memory.max")?.trim();
    const memory = cgroup === undefined || cgroup === "max" ? "none" : bytesText(Number(cgroup));
    return [{ status: "note", detail: `${limits.join(", ")}; memory limit of the control group: ${memory}` }];
  },

  logout: () => {
    const isPerson = (process.getuid?.() ?? 0) >= FIRST_USER_ID_OF_PEOPLE;
    const configuration = read("/etc/systemd/logind.conf") ?? "";
    const removes = !/^\s*RemoveIPC\s*=\s*(no|false|0|off)\s*$/im.test(configuration);
    const hasSystemd = isFolder("/run/systemd/system");
    if (!isPerson || !hasSystemd || !removes) {
      return [{ status: "ok", detail: "segments outlive a logout" }];
    }
    return [
      {
        status: "note",
        detail: "systemd removes this user's segments when their last session ends",
        advice: "RemoveIPC=no in /etc/systemd/logind.conf, or a system user, for services that must survive that",
      },
    ];
  },

  "self-test": (directory) => [trySegment(directory, false)],
  overlay: (directory) => [trySegment(directory, true)],

  leftovers: (directory) => {
    const listings = listSegments(directory);
    const abandoned = listings.filter((listing) => standing(listing) === "abandoned");
    const unusable = listings.filter(({ problem }) => problem !== undefined);
    const pipes = stalePipes(directory);
    const results: Omit<Check, "check">[] = unusable.map(({ problem }) => ({
      status: "warning",
      detail: problem as string,
    }));
    if (abandoned.length === 0 && pipes.length === 0) {
      results.push({ status: "ok", detail: `${count(listings.length, "segment")}, none left by the dead` });
    } else {
      const bytes = abandoned.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      results.push({
        status: "warning",
        detail: `left by the dead: ${count(abandoned.length, "segment")} (${bytesText(bytes)}), ${count(pipes.length, "pipe")}`,
        advice: "shm clean --dry-run shows them, shm clean removes them",
      });
    }
    return results;
  },
};

/** Makes a segment, takes part twice, writes under the lock, reads back and removes it. */
function trySegment(directory: string | undefined, overlay: boolean): Omit<Check, "check"> {
  const where = { overlay, ...(directory === undefined ? {} : { directory }) };
  const name = `doctor-${process.pid}-${randomBytes(4).toString("hex")}`;
  const log = { kind: "log", sizeBytes: logRegionSizeBytes(TRIAL_LOG_BYTES), format: formatLog } as const;
  const maker = createSegment(name, { objects: { log } }, where);
  try {
    if (overlay && maker.mapping !== "shared-array-buffer") {
      return {
        status: "warning",
        detail: "a segment can't be mapped as a SharedArrayBuffer here",
        advice: "worker threads open a segment by its name instead of being sent its memory",
      };
    }
    const guest = openSegment(name, where);
    try {
      const written = new SharedLog(maker.region("log"), { mutex: maker.mutex });
      const sent = randomBytes(16);
      const appended = written.append(sent, { timeoutMs: LOCK_TIMEOUT_MS });
      if (!appended.ok) return { status: "failure", detail: "the lock of a new segment could not be had" };
      const found: Buffer[] = [];
      const read = new SharedLog(guest.region("log"), { mutex: guest.mutex }).reader("oldest");
      read.read((bytes) => found.push(Buffer.from(bytes)));
      if (found.length !== 1 || !found[0]?.equals(sent)) {
        return { status: "failure", detail: "what one mapping writes another doesn't read" };
      }
    } finally {
      guest.close();
    }
  } finally {
    maker.close();
  }
  return overlay
    ? { status: "ok", detail: "a segment can be mapped as a SharedArrayBuffer, which workers can be sent" }
    : { status: "ok", detail: "made, opened, locked, written, read and removed a segment" };
}

function limit(name: string): string | undefined {
  const soft = new RegExp(`^${name}\\s+(\\S+)`, "m").exec(read("/proc/self/limits") ?? "")?.[1];
  return soft === undefined ? undefined : `${name.toLowerCase()} ${soft}`;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
