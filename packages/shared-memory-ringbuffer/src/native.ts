/**
 * The C library's calls that Node has none of its own for, through koffi.
 *
 * - Loaded at the first call of {@link native}: who shares memory between threads only never needs koffi.
 * - Where it can't be had (not Linux, koffi missing, `SHM_DISABLE_NAMED=1`) it throws ERR_SHM_UNSUPPORTED with the
 *   reason, each time it is asked.
 * - Addresses are JS numbers: user addresses stay below 2^47 on x64 and 2^48 on arm64.
 */
import { constants } from "node:fs";
import { createRequire } from "node:module";
import { getSystemErrorName } from "node:util";
import { SharedMemoryError } from "./errors.ts";

export const PROT_READ = 1;
export const PROT_READ_WRITE = 3;
export const MAP_SHARED = 0x01;
export const MAP_PRIVATE = 0x02;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
/** O_TMPFILE is __O_TMPFILE with O_DIRECTORY, whose value depends on the architecture. */
export const O_TMPFILE: number = 0o20000000 | (constants.O_DIRECTORY ?? 0);
const AT_FDCWD = -100;
const AT_SYMLINK_FOLLOW = 0x400;
/** Number of the futex system call, where named segments are supported. */
const FUTEX_SYSCALL: Readonly<Record<string, number>> = { x64: 202, arm64: 98 };

export interface Native {
  /** Returns the address, or -1. */
  mmap(address: number, length: number, protection: number, flags: number, fd: number, offset: number): number;
  munmap(address: number, length: number): number;
  /** Returns an error number, 0 for success. */
  posixFallocate(fd: number, offset: number, length: number): number;
  /** Gives the unnamed file behind `fd` the name `path`. 0, or an error number. */
  linkUnnamed(fd: number, path: string): number;
  /** 0, or an error number. */
  mkfifo(path: string, mode: number): number;
  /** Bytes written, or -1. */
  write(fd: number, bytes: Uint8Array, length: number): number;
  futex(address: number, operation: number, value: number, timeout: BigInt64Array | null): number;
  /** Error number of this thread's last call. */
  errno(): number;
  /** Bytes at an address as an ArrayBuffer, without a copy. */
  view(address: number, length: number): ArrayBuffer;
  /** Address of a buffer's bytes. */
  addressOf(buffer: ArrayBuffer | SharedArrayBuffer): number;
  readonly ETIMEDOUT: number;
  readonly EINTR: number;
  readonly EEXIST: number;
  readonly ENOSPC: number;
  readonly EAGAIN: number;
  readonly EPIPE: number;
}

let loaded: Native | undefined;

/** The calls. Throws ERR_SHM_UNSUPPORTED with the reason where there are none. */
export function native(): Native {
  const reason = unsupportedReason();
  if (reason !== undefined) {
    throw new SharedMemoryError("ERR_SHM_UNSUPPORTED", `named segments are not supported here: ${reason}`, {
      reason,
      platform: process.platform,
      arch: process.arch,
    });
  }
  loaded ??= load();
  return loaded;
}

/** Why named segments can't be used here; `undefined` when they can (koffi permitting). */
export function unsupportedReason(): string | undefined {
  if (process.env.SHM_DISABLE_NAMED === "1") return "switched off by SHM_DISABLE_NAMED=1";
  if (process.platform !== "linux") return `the platform is ${process.platform}, not linux`;
  if (FUTEX_SYSCALL[process.arch] === undefined) return `the processor is ${process.arch}, not x64 or arm64`;
  return undefined;
}

/** An error for a failed call: `what` says what was tried. */
export function systemError(what: string, errorNumber: number, details: Record<string, unknown> = {}): Error {
  const errorName = getSystemErrorName(-errorNumber);
  return new SharedMemoryError("ERR_SHM_SYSTEM", `${what}: ${errorName}`, { ...details, errorNumber, errorName });
}

function load(): Native {
  let koffi: typeof import("koffi");
  try {
    koffi = createRequire(import.meta.url)("koffi");
  } catch (cause) {
    throw new SharedMemoryError(
      "ERR_SHM_UNSUPPORTED",
      "named segments are not supported here: the package koffi could not be loaded",
      { reason: "koffi could not be loaded" },
      { cause },
    );
  }
  const libc = koffi.load(null);
  const linkat = libc.func("int linkat(int fromFd, const char *from, int toFd, const char *to, int flags)");
  const mkfifo = libc.func("int mkfifo(const char *path, uint32_t mode)");
  // syscall(2) is variadic in C; with integers alone the calling convention is the same on x64 and arm64 Linux.
  const syscall = libc.func("long syscall(long number, uintptr_t word, long operation, uint32_t value, void *timeout)");
  const number = FUTEX_SYSCALL[process.arch] as number;
  const { EEXIST = 17, ETIMEDOUT = 110, EINTR = 4, ENOSPC = 28, EAGAIN = 11, EPIPE = 32 } = koffi.os.errno;
  return {
    mmap: libc.func("intptr_t mmap(uintptr_t address, size_t length, int protection, int flags, int fd, int64_t at)"),
    munmap: libc.func("int munmap(uintptr_t address, size_t length)"),
    posixFallocate: libc.func("int posix_fallocate(int fd, int64_t offset, int64_t length)"),
    write: libc.func("intptr_t write(int fd, const void *bytes, size_t length)"),
    futex: (address, operation, value, timeout) => syscall(number, address, operation, value, timeout),
    linkUnnamed: (fd, path) =>
      linkat(AT_FDCWD, `/proc/self/fd/${fd}`, AT_FDCWD, path, AT_SYMLINK_FOLLOW) === 0 ? 0 : koffi.errno(),
    mkfifo: (path, mode) => (mkfifo(path, mode) === 0 ? 0 : koffi.errno()),
    errno: () => koffi.errno(),
    view: (address, length) => koffi.view(address, length),
    addressOf: (buffer) => Number(koffi.address(new Uint8Array(buffer))),
    EEXIST,
    ETIMEDOUT,
    EINTR,
    ENOSPC,
    EAGAIN,
    EPIPE,
  };
}
