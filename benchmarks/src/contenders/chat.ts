/** The chat as the apps run it: through the real socket server, and in a shared-memory room without any server. */
import { CONTENDERS } from "../results/ids.ts";
import type { ChatContender } from "./contender.ts";

export const chatContenders: readonly ChatContender[] = [
  {
    kind: "chat",
    info: CONTENDERS.chatTcp,
    scheme: "tcp",
    acknowledgement: "the server's log has the message",
    spinningThreads: 0,
    available: () => undefined,
  },
  {
    kind: "chat",
    info: CONTENDERS.chatShm,
    scheme: "shm",
    acknowledgement: "the segment's log has the message",
    spinningThreads: 0,
    available: ({ cannotName }) => (cannotName === null ? undefined : cannotName),
  },
];
