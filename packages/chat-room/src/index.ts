export { binaryEncoding } from "./binary-encoding.ts";
export type { Connection, Encoding } from "./connection.ts";
export { ChatHub, type HubObserver, type HubOptions } from "./hub.ts";
export type { Refusal } from "./membership.ts";
export { MemoryRoomLog, type MemoryRoomLogOptions } from "./memory-room-log.ts";
export { MessageIdIndex, type RememberedMessage } from "./message-id-index.ts";
export { foldName, type NameOutcome, normalizeName } from "./names.ts";
export {
  type Appended,
  type ClaimOutcome,
  type Follower,
  type LogListener,
  MESSAGE_ID_MEMORY,
  type NameClaim,
  type Page,
  type RoomLog,
  RoomLogError,
  type RoomLogErrorCode,
  type Roster,
  type RosterEntry,
} from "./room-log.ts";
export { type Admit, Session, type SessionState } from "./session.ts";
