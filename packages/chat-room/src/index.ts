export { binaryEncoding } from "./binary-encoding.ts";
export type { Connection, Encoding } from "./connection.ts";
export { ChatHub, type HubObserver, type HubOptions } from "./hub.ts";
export type { Refusal } from "./membership.ts";
export { MemoryRoomLog, type MemoryRoomLogOptions } from "./memory-room-log.ts";
export { MessageIdIndex, type RememberedMessage } from "./message-id-index.ts";
export { foldName, type NameOutcome, normalizeName, normalizeRoomName } from "./names.ts";
export { HISTORY_RETENTION, type HistoryRetention, type Kept, type KeptPage, RoomHistory } from "./room-history.ts";
export {
  type Appended,
  type ClaimOutcome,
  type EnterOutcome,
  type Follower,
  HISTORY_PAGE_BYTES,
  type HistoryPage,
  type Lease,
  type LogListener,
  MESSAGE_ID_MEMORY,
  type Missed,
  type NameClaim,
  type Page,
  type RenameOutcome,
  type RoomLog,
  RoomLogError,
  type RoomLogErrorCode,
  type Roster,
  type RosterEntry,
} from "./room-log.ts";
export { type Admit, Session, type SessionState } from "./session.ts";
