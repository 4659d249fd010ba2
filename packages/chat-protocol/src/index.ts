export { decode, encode, type Frame, frameTypeName } from "./codec.ts";
export { displayText } from "./display.ts";
export {
  type CodeEntry,
  DisconnectCode,
  type DisconnectCodeName,
  ErrorCode,
  type ErrorCodeName,
  nameOfCode,
  ProtocolError,
} from "./errors.ts";
export {
  assertEventFrame,
  isEventFrame,
  isEventType,
  type LogFields,
  logFieldsOf,
  messageIdOf,
  messageIdWordsOf,
  NOT_YET_LOGGED,
  patchEvent,
  roomOf,
  splitFrames,
} from "./event-frame.ts";
export { FrameDecoder, frameFrom } from "./frame-decoder.ts";
export { randomMessageId, randomSessionId } from "./ids.ts";
export { FrameType, type FrameTypeName } from "./layout.ts";
export { DEFAULT_LIMITS, DEFAULT_ROOM, FRAME_BYTES_CEILING, type Limits, PROTOCOL_VERSION } from "./limits.ts";
export * from "./messages.ts";
export { encodeAck, isOfRoom, messageFromSend, stringField } from "./transcode.ts";
export { utf8Length } from "./wire.ts";
