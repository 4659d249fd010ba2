/**
 * The one contract behind every room: an ordered log of events, and a roster of names.
 *
 * A log
 * - holds all rooms: the room is a field of the event;
 * - gives each event a position whose `seq` strictly increases within the log's epoch but may skip, and names the
 *   room's previous MESSAGE in `prev` (0 if none is kept; in a DIRECT always);
 * - takes one session's appends, its LEFT included, in call order, whoever else appends in between;
 * - resolves an append only once it has the event; a repeated message id resolves to the first position, whichever
 *   process asks (remembered for MESSAGE_ID_MEMORY);
 * - may reject an append that has landed nevertheless: retry it with the same message id before anything later of that session;
 * - gives every reader the same events in the same order, the bytes as they were appended with position, prev and time
 *   filled in; a reader at a position that is no longer retained is told so, never given a gap silently;
 * - keeps each room's latest MESSAGEs and each person's DIRECTs (see `HISTORY_RETENTION`) to page back in and to resume from;
 *   other events are ordered, but neither counted nor replayed.
 *
 * A roster
 * - claims a name for a session atomically across every process that shares the log; names are compared folded;
 * - gives the name and the places of a session to whoever claims for the same session later: each claim has a higher lease,
 *   and what is asked for under an older one changes nothing;
 * - knows who is in which room, and lets no more in than may be;
 * - outlives the process that claimed: a survivor releases a dead one's names, appending their LEFT, when the claim's grace
 *   is over.
 *
 * Everything is asynchronous, so that a log on another machine can meet the contract. `conformance.ts` verifies it.
 */

import type { Position, SessionId } from "@parley/chat-protocol";

/** For how long a message id is remembered: two minutes or this many messages, whichever is less. */
export const MESSAGE_ID_MEMORY = { milliseconds: 120_000, messages: 65_536 } as const;

/** No page of history is longer, unless its only event is. */
export const HISTORY_PAGE_BYTES: number = 256 * 1024;

/** What an append resolves with. `duplicate`: the message id was known; position and time are those of the first time. */
export interface Appended {
  readonly position: Position;
  readonly timeMs: number;
  readonly duplicate: boolean;
}

/** MESSAGEs of a room, oldest first. */
export interface HistoryPage {
  readonly events: readonly Uint8Array[];
  readonly hasMore: boolean;
}

/** What a reader of a stream missed, in log order. */
export interface Missed {
  readonly events: readonly Uint8Array[];
  /** False: some of it is forgotten, or the log is another one; `events` is what there is of it. */
  readonly recovered: boolean;
}

/** Events in log order, each one whole frame. A frame's bytes belong to whoever gets them and never change. */
export interface Page {
  readonly events: readonly Uint8Array[];
  /** Read on after this. Equals the position asked for when there was nothing. */
  readonly next: Position;
  /** False: what follows the position asked for is not retained (or the epoch is another); `events` start later. */
  readonly recovered: boolean;
}

/** Hears of events. Calls come in log order, at most one a turn of the event loop, none after `stop`. */
export interface LogListener {
  events(events: readonly Uint8Array[], last: Position): void;
  /** This reader was overtaken: events are lost to it. It goes on after `from`. */
  lost(from: Position): void;
  /** The log can't be followed any more (closed by another, corrupt). The last call. */
  failed(error: Error): void;
}

export interface Follower {
  /** Position of the last event given out, or where following began. */
  readonly position: Position;
  stop(): void;
}

export interface NameClaim {
  /** As it will be shown: normalized by `normalizeName`. */
  readonly name: string;
  readonly sessionId: SessionId;
  /** The claim is refused when this many sessions hold names. */
  readonly maxSessions?: number;
  /** So long the name is held after the process that claimed it has died. Default 0. */
  readonly graceMs?: number;
}

/** One claim's hold on a session's name and places. */
export interface Lease {
  readonly sessionId: SessionId;
  readonly lease: number;
}

export type ClaimOutcome =
  /** `resumed`: this same session held the name already. */
  | { readonly claimed: true; readonly resumed: boolean; readonly lease: number }
  | { readonly claimed: false; readonly reason: "NAME_TAKEN" | "SERVER_FULL" };

export type RenameOutcome = "RENAMED" | "NAME_TAKEN" | "NOT_HELD";

export type EnterOutcome =
  /** `people`: in the room now. `wasIn`: the session was in it already. */
  | { readonly entered: true; readonly wasIn: boolean; readonly people: number }
  | { readonly entered: false; readonly reason: "ROOM_FULL" | "SERVER_FULL" | "NOT_HELD" };

export interface RosterEntry {
  readonly name: string;
  readonly sessionId: SessionId;
}

export interface Roster {
  /** Rejects with RoomLogError only; a refusal is an outcome. */
  claim(claim: NameClaim): Promise<ClaimOutcome>;
  /** Gives the session another name in one step: nobody can have the old one before the new one is taken. */
  rename(held: Lease, name: string): Promise<RenameOutcome>;
  /** Into the room, if at most `maxPeople` are in it then. */
  enter(held: Lease, room: string, maxPeople?: number): Promise<EnterOutcome>;
  /** Out of the room; not being in it is fine. */
  exit(held: Lease, room: string): Promise<void>;
  /** Whether nobody has claimed for the session since. */
  holds(held: Lease): Promise<boolean>;
  /** Frees the session's name and places; nothing to free is fine. `lease`: only if it is the latest. */
  release(sessionId: SessionId, lease?: number): Promise<void>;
  /** Who is called so. */
  find(name: string): Promise<RosterEntry | undefined>;
  /** How many people are in the room. */
  count(room: string): Promise<number>;
  /** Everybody, or everybody in the room. */
  entries(room?: string): Promise<readonly RosterEntry[]>;
}

export interface RoomLog {
  /** For people: `memory`, `shm://lobby`. */
  readonly label: string;
  readonly epoch: number;
  readonly roster: Roster;
  /** The secret under which resume tokens are made: the same in every process that shares the log, gone with it. */
  readonly resumeKey: Uint8Array;
  /**
   * Appends one encoded event frame of a session. The log may keep and change `frame`: it belongs to the log.
   * Rejects with RoomLogError, or with ProtocolError MALFORMED for bytes that are no event frame.
   */
  append(sessionId: SessionId, frame: Uint8Array): Promise<Appended>;
  /** Reading after `oldest` gives everything that is retained, reading after `tail` what is appended from now on. */
  bounds(): Promise<{ readonly oldest: Position; readonly tail: Position }>;
  /** At most `maxEvents` events after `after`. */
  read(after: Position, maxEvents: number): Promise<Page>;
  /**
   * The latest `maxEvents` MESSAGEs of `room` before `before` (default: the latest there are), fewer if they are above
   * HISTORY_PAGE_BYTES. Of another epoch there are none.
   */
  history(room: string, maxEvents: number, before?: Position): Promise<HistoryPage>;
  /** What `stream` (see `streamOf`) has after `after`. */
  missed(stream: string, after: Position): Promise<Missed>;
  /** Gives the listener every event after `after`, the first call in a later turn. */
  follow(after: Position, listener: LogListener): Follower;
  /** Stops followers, releases what this process holds. Appends that wait are rejected. */
  close(): Promise<void>;
}

export type RoomLogErrorCode = "OVERLOADED" | "LOG_UNAVAILABLE" | "CLOSED";

/** The log can't do it now; all of these may succeed later except CLOSED. */
export class RoomLogError extends Error {
  override readonly name = "RoomLogError";
  readonly code: RoomLogErrorCode;

  constructor(code: RoomLogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
