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
  answeringFrame,
  assertEventFrame,
  directPartiesOf,
  directStream,
  isEventFrame,
  isEventType,
  isMessageFrame,
  type LogFields,
  logFieldsOf,
  messageIdOf,
  messageIdWordsOf,
  NOT_YET_LOGGED,
  patchEvent,
  roomOf,
  splitFrames,
  streamOf,
} from "./event-frame.ts";
export { FrameDecoder, frameFrom } from "./frame-decoder.ts";
export { randomMessageId, randomSessionId } from "./ids.ts";
export { FrameType, type FrameTypeName } from "./layout.ts";
export {
  Capability,
  DEFAULT_LIMITS,
  DEFAULT_ROOM,
  FRAME_BYTES_CEILING,
  type Limits,
  MAX_HISTORY_PAGE,
  PROTOCOL_VERSION,
} from "./limits.ts";
export * from "./messages.ts";
export { encodeAck, isOfRoom, messageFromSend, stringField } from "./transcode.ts";
export { utf8Length } from "./wire.ts";
