/**
 * Files as memory: makes, opens, publishes and unmaps the file behind a named segment.
 *
 * - A new file has no name until {@link publishFile}, so nobody ever sees a half-made one.
 * - Its pages are reserved when it is made: a full tmpfs is ERR_SHM_NO_SPACE there, never a SIGBUS later.
 * - A file is opened without following links, must be a plain one, and must belong to this user (or, if asked for, group).
 * - `release` detaches every view before it unmaps: a stale view throws instead of crashing the process.
 */
import { closeSync, constants, fchmodSync, fstatSync, openSync, readSync, statfsSync } from "node:fs";
import { SharedMemoryError } from "./errors.ts";
import { HEADER_BYTES, IDENTITY_BYTES, MAX_CAPACITY_BYTES } from "./layout.ts";
import { type SharedMemory, sharedMemoryOver } from "./memory.ts";
import { MAP_SHARED, native, O_TMPFILE, PROT_READ, PROT_READ_WRITE, systemError } from "./native.ts";
import { overlayFile } from "./overlay.ts";

export type MappingKind = "koffi-view" | "shared-array-buffer" | "anonymous";

export interface Mapping {
  readonly kind: MappingKind;
  readonly memory: SharedMemory;
  /** Where the segment begins in this process; 0 for an anonymous one. */
  readonly baseAddress: number;
  /** Identity of the file: its path may come to mean another one. */
  readonly inode: bigint;
  release(): void;
}

export interface OpenedFile {
  readonly fd: number;
  readonly sizeBytes: number;
  readonly inode: bigint;
}

/** Who may use a segment: its user alone, or its group, too. */
export type SegmentMode = 0o600 | 0o660;
export const DEFAULT_MODE: SegmentMode = 0o600;
const GROUP_MODE = 0o660;
const OTHERS_BITS = 0o007n;
const { O_RDONLY, O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants;

/** Makes a file without a name, all its pages reserved and zero. Throws ERR_SHM_NO_SPACE, ERR_SHM_PERMISSION. */
export function makeUnnamedFile(directory: string, sizeBytes: number, mode: SegmentMode = DEFAULT_MODE): OpenedFile {
  const { posixFallocate, ENOSPC } = native();
  let fd: number;
  try {
    fd = openSync(directory, O_TMPFILE | O_RDWR, mode);
    // The umask would take the group's bits away.
    if (mode !== DEFAULT_MODE) fchmodSync(fd, mode);
  } catch (cause) {
    throw fileError("make a segment in", directory, cause);
  }
  const error = posixFallocate(fd, 0, sizeBytes);
  if (error !== 0) {
    closeSync(fd);
    if (error !== ENOSPC) throw systemError(`can't reserve ${sizeBytes} bytes in ${directory}`, error, { directory });
    const { bavail, bsize } = statfsSync(directory);
    const availableBytes = bavail * bsize;
    throw new SharedMemoryError(
      "ERR_SHM_NO_SPACE",
      `no space for a segment in ${directory}: ${sizeBytes} bytes wanted, ${availableBytes} available`,
      { directory, wantedBytes: sizeBytes, availableBytes },
    );
  }
  return { fd, sizeBytes, inode: fstatSync(fd, { bigint: true }).ino };
}

/** Gives the file its name. False: the name is taken. */
export function publishFile(fd: number, path: string): boolean {
  const { linkUnnamed, EEXIST } = native();
  const error = linkUnnamed(fd, path);
  if (error !== 0 && error !== EEXIST) throw systemError(`can't publish the segment ${path}`, error, { path });
  return error === 0;
}

export interface OpenFileOptions {
  /** For {@link mapFileReadOnly} alone. */
  readonly readOnly?: boolean;
  /** 0660: another user's will do, if a group of ours owns it and it is closed to all others. */
  readonly mode?: SegmentMode | undefined;
}

/** Opens an existing file. `undefined`: there is none. */
export function openFile(path: string, options: OpenFileOptions = {}): OpenedFile | undefined {
  native();
  let fd: number;
  try {
    // Non-blocking, so that a device or pipe put there can't hang the opener.
    fd = openSync(path, (options.readOnly ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_NONBLOCK);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw fileError("open", path, cause);
  }
  try {
    const stat = fstatSync(fd, { bigint: true });
    if (!stat.isFile()) throw notOurs(path, "it is not a plain file");
    const user = process.geteuid?.();
    const shared = options.mode === GROUP_MODE && isInOurGroup(stat.gid) && (stat.mode & OTHERS_BITS) === 0n;
    if (user !== undefined && stat.uid !== BigInt(user) && !shared) {
      throw new SharedMemoryError("ERR_SHM_PERMISSION", `${path} belongs to user ${stat.uid}, not to ${user}`, {
        path,
        owner: Number(stat.uid),
        user,
      });
    }
    if (stat.size < HEADER_BYTES || stat.size > MAX_CAPACITY_BYTES) throw notOurs(path, `its size is ${stat.size}`);
    return { fd, sizeBytes: Number(stat.size), inode: stat.ino };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function isInOurGroup(group: bigint): boolean {
  return [process.getegid?.(), ...(process.getgroups?.() ?? [])].some(
    (own) => own !== undefined && BigInt(own) === group,
  );
}

/** The first bytes of a file, read without mapping it: enough for readHeader. */
export function readIdentity(file: OpenedFile): SharedMemory {
  const identity = sharedMemoryOver(new ArrayBuffer(IDENTITY_BYTES));
  readSync(file.fd, identity.bytes, 0, IDENTITY_BYTES, 0);
  return identity;
}

/** Maps the whole file. With `overlay` as a SharedArrayBuffer if the self-test allows, else as koffi's view. */
export function mapFile(file: OpenedFile, overlay: boolean): Mapping {
  const overlaid = overlay ? overlayFile(file.fd, file.sizeBytes) : undefined;
  if (overlaid !== undefined) {
    return {
      kind: "shared-array-buffer",
      memory: sharedMemoryOver(overlaid.buffer),
      baseAddress: overlaid.address,
      inode: file.inode,
      release: overlaid.release,
    };
  }
  return mapView(file, PROT_READ_WRITE);
}

/** Maps the whole file so that nobody can change it through this mapping: a store is a SIGSEGV. */
export function mapFileReadOnly(file: OpenedFile): Mapping {
  return mapView(file, PROT_READ);
}

function mapView(file: OpenedFile, protection: number): Mapping {
  const { mmap, munmap, view, errno } = native();
  const address = mmap(0, file.sizeBytes, protection, MAP_SHARED, file.fd, 0);
  if (address === -1) throw systemError(`can't map ${file.sizeBytes} bytes`, errno(), { sizeBytes: file.sizeBytes });
  const buffer = view(address, file.sizeBytes);
  return {
    kind: "koffi-view",
    memory: sharedMemoryOver(buffer),
    baseAddress: address,
    inode: file.inode,
    release: () => {
      // Detaches the buffer and with it every view, in no time; touching unmapped memory would be a SIGSEGV.
      buffer.transfer();
      munmap(address, file.sizeBytes);
    },
  };
}

function fileError(verb: string, path: string, cause: unknown): SharedMemoryError {
  const code = (cause as NodeJS.ErrnoException).code ?? "unknown error";
  if (code === "ELOOP" || code === "EISDIR" || code === "ENXIO") return notOurs(path, "it is not a plain file", cause);
  const denied = code === "EACCES" || code === "EPERM" || code === "EROFS";
  return new SharedMemoryError(
    denied ? "ERR_SHM_PERMISSION" : "ERR_SHM_SYSTEM",
    `can't ${verb} ${path}: ${code}`,
    { path, errorName: code },
    { cause },
  );
}

function notOurs(path: string, why: string, cause?: unknown): SharedMemoryError {
  return new SharedMemoryError(
    "ERR_SHM_INCOMPATIBLE",
    `${path} is not a segment that this program can use: ${why}`,
    { path },
    cause === undefined ? undefined : { cause },
  );
}
