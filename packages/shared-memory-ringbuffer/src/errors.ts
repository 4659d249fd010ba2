/**
 * What this package throws. Expected conditions (full, empty, closed, lapped, timed out) are return values; misuse,
 * corruption and the platform's refusals are one of these, each with a stable `code` and the offending values.
 */

export type SharedMemoryErrorCode =
  | "ERR_SHM_UNSUPPORTED"
  | "ERR_SHM_NAME"
  | "ERR_SHM_EXISTS"
  | "ERR_SHM_NOT_FOUND"
  | "ERR_SHM_CLOSED"
  | "ERR_SHM_CORRUPT"
  | "ERR_SHM_INCOMPATIBLE"
  | "ERR_SHM_NO_SPACE"
  | "ERR_SHM_NO_SLOT"
  | "ERR_SHM_IN_USE"
  | "ERR_SHM_PERMISSION"
  | "ERR_SHM_SYSTEM"
  | "ERR_SHM_ARGUMENT";

export class SharedMemoryError extends Error {
  override readonly name: string = "SharedMemoryError";
  readonly code: SharedMemoryErrorCode;
  /** The values that the message names, for a program to read. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: SharedMemoryErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}

/** A caller's mistake: a capacity that is no power of two, a record longer than the ring, a lock not held. */
export class ArgumentError extends SharedMemoryError {
  override readonly name = "ArgumentError";
  constructor(message: string, details?: Readonly<Record<string, unknown>>) {
    super("ERR_SHM_ARGUMENT", message, details);
  }
}

/** Shared memory holds what no correct participant could have written. */
export class CorruptSegmentError extends SharedMemoryError {
  override readonly name = "CorruptSegmentError";
  constructor(message: string, details?: Readonly<Record<string, unknown>>) {
    super("ERR_SHM_CORRUPT", message, details);
  }
}
