/** The steps of a process's life with a segment, told to whoever wants to watch. */

export type TraceStep = "create" | "attach" | "lock" | "write" | "unlock" | "read" | "detach" | "remove";

/**
 * Told of each step: a few words on it, and when it was (ms of Unix time). Never called while the lock is held, so it may
 * write to a pipe that nobody reads.
 */
export type OnTrace = (step: TraceStep, detail: string, timeMs: number) => void;
