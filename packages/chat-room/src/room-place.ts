/** One session's place in one room of this process. */

import type { Position } from "@parley/chat-protocol";
import type { Encoding } from "./connection.ts";
import type { HubRoom } from "./hub-room.ts";
import type { Outflow } from "./outflow.ts";
import type { Member } from "./room-members.ts";

export class RoomPlace implements Member {
  readonly room: HubRoom;
  readonly encoding: Encoding;
  memberIndex = -1;
  /** Where the session's events of this room began. */
  since: Position = { epoch: 0, seq: 0 };
  sinceMs = 0;
  readonly #outflow: Outflow;

  constructor(room: HubRoom, encoding: Encoding, outflow: Outflow) {
    this.room = room;
    this.encoding = encoding;
    this.#outflow = outflow;
  }

  deliver(bytes: Uint8Array): void {
    this.#outflow.deliver(bytes);
  }
}
