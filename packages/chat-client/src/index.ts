export { ChatClient } from "./client.ts";
export type { Connect } from "./connect.ts";
export { ChatClientError, type ChatClientErrorCode, type ClientErrorCode } from "./errors.ts";
export type {
  ChatClientEvent,
  ChatClientEvents,
  DisconnectEvent,
  ErrorEvent,
  GapEvent,
  Own,
} from "./events.ts";
export type { ConnectOptions, HistoryOptions, HistoryPage, SendOptions, Sent } from "./options.ts";
export type { OpenTransport, Transport, TransportHandlers } from "./transport.ts";
export { type ChatTarget, DEFAULT_TCP_PORT, parseChatUrl, type SharedMemoryTarget, type TcpTarget } from "./url.ts";
