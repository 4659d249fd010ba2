/**
 * Names of segments and the files behind them.
 *
 * - A segment NAME is the file `/dev/shm/shm-ring.NAME`; `SHM_DIR` (or the option `directory`) names another place.
 * - A sleeping reader's named pipe is `shm-ring.NAME~EPOCH.SLOT.GENERATION` beside it: `~` can't be part of a name.
 */
import { join } from "node:path";
import { SharedMemoryError } from "./errors.ts";

export const DEFAULT_DIRECTORY = "/dev/shm";
export const FILE_PREFIX = "shm-ring.";
export const PIPE_SEPARATOR = "~";
const MAX_NAME_LENGTH = 200;
const NAME: RegExp = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

export function segmentDirectory(directory?: string): string {
  return directory ?? (process.env.SHM_DIR || DEFAULT_DIRECTORY);
}

/** Path of a segment's file. Throws ERR_SHM_NAME for a name that isn't one. */
export function segmentPath(name: string, directory?: string): string {
  if (typeof name !== "string" || name.length > MAX_NAME_LENGTH || !NAME.test(name)) {
    throw new SharedMemoryError(
      "ERR_SHM_NAME",
      `a segment's name is 1 to ${MAX_NAME_LENGTH} of A-Z a-z 0-9 . _ - and has no leading dot, ` +
        `name=${JSON.stringify(name)}`,
      { name },
    );
  }
  return join(segmentDirectory(directory), FILE_PREFIX + name);
}

/** Path of one participant's named pipe. */
export function pipePath(path: string, epoch: number, slot: number, generation: number): string {
  return `${path}${PIPE_SEPARATOR}${epoch.toString(36)}.${slot}.${generation >>> 0}`;
}
