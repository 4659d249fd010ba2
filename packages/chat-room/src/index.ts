export type { Connection, Encoding } from "./connection.ts";
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
