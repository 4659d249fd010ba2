/** The other process of `room-process.ts`. */

import { encode, NOT_YET_LOGGED, randomMessageId, randomSessionId } from "@parley/chat-protocol";
import { armFailpoint } from "shared-memory-ringbuffer";
import { openSharedMemoryRoomLog } from "../src/index.ts";
import type { Command } from "./room-process.ts";

const sessionId = randomSessionId();
/** A session for each name that is claimed. */
const sessions = new Map<string, string>();
let name = `process-${process.pid}`;
let recovered = false;

const log = openSharedMemoryRoomLog(process.argv[2] as string, {
  onTrace: (step, detail) => {
    if (step === "lock" && detail.includes("recovered")) recovered = true;
  },
});

async function carryOut(command: Command): Promise<object> {
  switch (command.do) {
    case "claim": {
      const session = randomSessionId();
      const outcome = await log.roster.claim({ name: command.name, sessionId: session });
      if (outcome.claimed) sessions.set(command.name, session);
      if (outcome.claimed && command.join) {
        name = command.name;
        const messageId = randomMessageId();
        await log.append(sessionId, encode({ type: "joined", ...NOT_YET_LOGGED, messageId, room: "lobby", name }));
      }
      return outcome;
    }
    case "release":
      await log.roster.release(sessions.get(command.name) as string);
      return {};
    case "append": {
      const appends = command.texts.map((text, index) => {
        const messageId = command.messageIds?.[index] ?? randomMessageId();
        return log.append(
          sessionId,
          encode({ type: "message", ...NOT_YET_LOGGED, messageId, room: "lobby", name, text }),
        );
      });
      return { appended: await Promise.all(appends) };
    }
    case "arm":
      armFailpoint(command.failpoint, command.action);
      return {};
    case "recovered":
      return { recovered };
    case "close":
      await log.close();
      setImmediate(() => process.disconnect?.());
      return {};
  }
}

let last: Promise<void> = Promise.resolve();
process.on("message", (command: Command) => {
  last = last
    .then(() => carryOut(command))
    .then(
      (answer) => void process.send?.(answer),
      (error: Error) => void process.send?.({ error: `${error.name}: ${error.message}` }),
    );
});
// The starter has gone: nobody needs this process any more.
process.on("disconnect", () => void log.close());
process.send?.({});
