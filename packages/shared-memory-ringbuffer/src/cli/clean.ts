/**
 * `shm clean`: removes what is proven dead, and says why the rest stays.
 *
 * - A segment goes when it has participants and every one of them is dead: `removeSegment` finds that out again under
 *   the segment's lock, so that somebody who joins meanwhile keeps it. What it held is gone with it.
 * - A segment without participants was left behind on purpose (`close({ keep: true })`) and stays, unless `--kept`.
 * - A named pipe goes when nobody has it open, which the kernel knows, and it isn't one just being made.
 * - What can't be judged (damaged, another user's, another container's) stays, with the reason.
 */
import { closeSync, constants, lstatSync, openSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { SharedMemoryError } from "../errors.ts";
import { listSegments, removeSegment, type SegmentListing } from "../segment-files.ts";
import { unlinkIfThere } from "../segment-life.ts";
import { FILE_PREFIX, PIPE_SEPARATOR, segmentDirectory } from "../segment-name.ts";
import { type Action, EXIT_FAILED, EXIT_FINE } from "./context.ts";
import { standing } from "./ls.ts";
import { bytesText, count } from "./output.ts";

/** Longer than between a pipe's making and its opening, by far. */
const YOUNGEST_STALE_PIPE_MS = 10_000;

interface Removed {
  readonly kind: "segment" | "pipe";
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
}

interface Kept {
  readonly name: string;
  readonly reason: string;
}

/** Pipes that nobody has open any more. */
export function stalePipes(directory?: string): string[] {
  const place = segmentDirectory(directory);
  return readdirSync(place)
    .filter((file) => file.startsWith(FILE_PREFIX) && file.includes(PIPE_SEPARATOR))
    .map((file) => join(place, file))
    .filter(isStalePipe);
}

function isStalePipe(path: string): boolean {
  try {
    const stat = lstatSync(path);
    if (!stat.isFIFO() || stat.uid !== process.geteuid?.()) return false;
    if (Date.now() - stat.mtimeMs < YOUNGEST_STALE_PIPE_MS) return false;
    closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW));
    return false;
  } catch (error) {
    // Its reader keeps it open as long as it lives; without one the kernel refuses a writer.
    return (error as NodeJS.ErrnoException).code === "ENXIO";
  }
}

export const clean: Action = ({ output, options, directory, operands }) => {
  const dryRun = options["dry-run"] === true;
  const removed: Removed[] = [];
  const kept: Kept[] = [];
  let failed = false;
  const listings = listSegments(directory).filter(({ name }) => operands.length === 0 || operands.includes(name));
  for (const name of operands) {
    if (listings.some((listing) => listing.name === name)) continue;
    throw new SharedMemoryError("ERR_SHM_NOT_FOUND", `there is no segment ${name} in ${segmentDirectory(directory)}`);
  }
  for (const listing of listings) {
    const { name, path, sizeBytes } = listing;
    const reason = whyKept(listing, options.kept === true);
    if (reason !== undefined) {
      kept.push({ name, reason });
      continue;
    }
    try {
      if (!dryRun) removeSegment(name, directory === undefined ? {} : { directory });
      removed.push({ kind: "segment", name, path, sizeBytes });
    } catch (error) {
      // Somebody has joined since: as it should be.
      const inUse = error instanceof SharedMemoryError && error.code === "ERR_SHM_IN_USE";
      failed ||= !inUse;
      kept.push({ name, reason: (error as Error).message });
    }
  }
  const goneAnyway = removed.map(({ path }) => path + PIPE_SEPARATOR);
  for (const path of operands.length === 0 ? stalePipes(directory) : []) {
    // A segment takes its pipes along.
    if (goneAnyway.some((start) => path.startsWith(start))) continue;
    if (!dryRun) unlinkIfThere(path);
    removed.push({ kind: "pipe", name: path.slice(path.lastIndexOf(FILE_PREFIX)), path, sizeBytes: 0 });
  }
  output.value({ dryRun, removed, kept });
  const verb = dryRun ? "would remove" : "removed";
  for (const { kind, path, sizeBytes } of removed) {
    output.line(`${verb} the ${kind} ${path}${kind === "segment" ? ` (${bytesText(sizeBytes)})` : ""}`);
  }
  for (const { name, reason } of kept) output.line({ text: `kept ${name}: ${reason}`, style: "dim" });
  const segments = removed.filter(({ kind }) => kind === "segment").length;
  const pipes = removed.length - segments;
  output.line(
    `${verb} ${count(segments, "segment")} and ${count(pipes, "pipe")}, kept ${count(kept.length, "segment")}`,
  );
  return failed ? EXIT_FAILED : EXIT_FINE;
};

function whyKept(listing: SegmentListing, keptToo: boolean): string | undefined {
  switch (standing(listing)) {
    case "unusable":
      return `it can't be judged: ${listing.problem}`;
    case "in use": {
      const pids = new Set(listing.participants?.filter(({ alive }) => alive).map(({ pid }) => pid));
      return `in use by pid ${[...pids].join(", ")}`;
    }
    case "kept":
      return keptToo ? undefined : "its last user left it for a later one; --kept removes it, too";
    case "abandoned":
      return undefined;
  }
}
