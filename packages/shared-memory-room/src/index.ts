export {
  attachThreadRoomLog,
  createThreadRoomLog,
  type OpenRoomOptions,
  openSharedMemoryRoomLog,
  removeSharedMemoryRoom,
} from "./open-room-log.ts";
export { DEFAULT_LOG_CAPACITY_BYTES, type RoomSegmentOptions } from "./room-segment.ts";
export { SharedMemoryRoomLog, type SharedMemoryRoomLogOptions } from "./shared-memory-room-log.ts";
export type { OnTrace, TraceStep } from "./trace.ts";
export {
  openSharedMemoryTransport,
  type SharedMemoryTransport,
  type TransportHandlers,
  transportOver,
} from "./transport.ts";
