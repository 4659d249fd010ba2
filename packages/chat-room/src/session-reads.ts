/** Answers that only read: who is here, what was said. */

import { answeringFrame, type HistoryRequest, logFieldsOf, MAX_HISTORY_PAGE, type Reply } from "@parley/chat-protocol";
import type { RoomLog } from "./room-log.ts";

/** So many names are told; the total says how many there are. */
const MAX_NAMES = 1000;

export interface Answer {
  readonly events: readonly Uint8Array[];
  readonly reply: Reply;
}

export async function answerWho(log: RoomLog, room: string): Promise<Answer> {
  const entries = await log.roster.entries(room);
  const names = entries.slice(0, MAX_NAMES).map(({ name }) => name);
  return { events: [], reply: { type: "people", room, total: entries.length, names } };
}

export async function answerHistory(
  log: RoomLog,
  request: HistoryRequest,
  room: string,
  correlationId: number,
): Promise<Answer> {
  const { before } = request;
  const maxEvents = Math.min(request.maxEvents, MAX_HISTORY_PAGE);
  const { events, hasMore } = await log.history(room, maxEvents, before.epoch === 0 ? undefined : before);
  const oldest = events[0];
  return {
    events: events.map((event) => answeringFrame(event, correlationId)),
    reply: {
      type: "end",
      room,
      position: oldest === undefined ? before : logFieldsOf(oldest).position,
      more: hasMore,
    },
  };
}
