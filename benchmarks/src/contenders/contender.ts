/**
 * What the rig knows of a system under test, and all that it knows.
 *
 * - A transport contender names a module whose `transport` export makes both ends of a link; the module is loaded in the
 *   fresh process (or thread) of each end, and only there.
 * - Every link carries the same frames (rig/frame.ts), written in place by the rig into memory that the link provides:
 *   what a contender copies beyond that is its own cost and is stated in `copies`.
 * - A publish is one `write` of one buffer on a socket, one store of the tail in a ring, however many frames it has.
 */
import type { Contender } from "../results/types.ts";
import type { Machine } from "../rig/machine.ts";

/** A whole frame, in place: `bytes` from word `at` of `words`. It is the link's again when the call returns. */
export type OnFrame = (words: Int32Array, at: number, bytes: number) => void;

/** One end of a connection between two processes or threads. */
export interface Link {
  /** Where frames are written. May be another array after each `reserve`. */
  readonly words: Int32Array;
  /** Room for a frame of `bytes` (a multiple of 16): the index of its first word, or -1 when there is none now. */
  reserve(bytes: number): number;
  /** Sends all frames reserved since the last publish. */
  publish(): void;
  /**
   * Gives each received frame to `onFrame` until `stop`. Rejects with StalledError when none came for `stallMs`, and
   * with the transport's error. What comes between two runs waits.
   */
  run(onFrame: OnFrame, stallMs: number): Promise<void>;
  stop(): void;
  close(): Promise<void>;
}

/** Nothing arrived for too long: a message was lost, or the other end died. */
export class StalledError extends Error {
  override readonly name = "StalledError";
  constructor(stallMs: number) {
    super(`nothing arrived for ${stallMs} ms`);
  }
}

/** What both ends are told. Plain data, sent to the ends' processes. */
export interface LinkSettings {
  /** Unique in the machine; a contender that needs a name (a path, a segment) makes it of this. */
  readonly name: string;
  /** The largest amount of unacknowledged frames, batch included: a link must hold twice that. */
  readonly windowBytes: number;
  readonly [key: string]: unknown;
}

/** The export `transport` of a contender's module. */
export interface Transport {
  /** The first end. Calls `announce` with what the other end connects to (a port, a path, a SharedArrayBuffer). */
  listen(settings: LinkSettings, announce: (address: unknown) => void): Promise<Link>;
  connect(settings: LinkSettings, address: unknown): Promise<Link>;
}

interface ContenderBase {
  /** Id, label, level, wait, boundary and so on, as results.json has them. */
  readonly info: Contender;
  /** When is a message acknowledged to its sender, in words for a reader. */
  readonly acknowledgement: string;
  /** Why it can't run on this machine at all; undefined when it can. */
  available(machine: Machine): string | undefined;
  /** Threads that never sleep while they wait. */
  readonly spinningThreads: number;
}

export interface TransportContender extends ContenderBase {
  readonly kind: "transport";
  /** Times a frame is copied between where the rig writes it and where the rig reads it. */
  readonly copies: { readonly user: number; readonly kernel: number };
  /** URL of the module with the export `transport`. */
  readonly module: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** A chat as the apps run it: two clients, and whatever the URL scheme needs between them. */
export interface ChatContender extends ContenderBase {
  readonly kind: "chat";
  readonly scheme: "tcp" | "shm";
}

/** An HTTP gateway that answers after its backend has acknowledged. */
export interface GatewayContender extends ContenderBase {
  readonly kind: "gateway";
  readonly backend: "null" | "tcp" | "shm";
}

/** Writers of one log under one lock. */
export interface RecoveryContender extends ContenderBase {
  readonly kind: "recovery";
}

export type AnyContender = TransportContender | ChatContender | GatewayContender | RecoveryContender;
