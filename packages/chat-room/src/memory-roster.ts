/** The names that are taken, in one process. A session holds at most one; claiming another gives up the first. */

import type { SessionId } from "@parley/chat-protocol";
import { foldName } from "./names.ts";
import type { ClaimOutcome, NameClaim, Roster, RosterEntry } from "./room-log.ts";

export class MemoryRoster implements Roster {
  readonly #byFoldedName = new Map<string, RosterEntry>();
  readonly #foldedNameOf = new Map<SessionId, string>();

  async claim(claim: NameClaim): Promise<ClaimOutcome> {
    const folded = foldName(claim.name);
    const holder = this.#byFoldedName.get(folded);
    if (holder !== undefined && holder.sessionId !== claim.sessionId) return { claimed: false, reason: "NAME_TAKEN" };
    const held = this.#foldedNameOf.get(claim.sessionId);
    if (held === undefined && claim.maxSessions !== undefined && this.#byFoldedName.size >= claim.maxSessions) {
      return { claimed: false, reason: "SERVER_FULL" };
    }
    if (held !== undefined) this.#byFoldedName.delete(held);
    this.#byFoldedName.set(folded, { name: claim.name, sessionId: claim.sessionId });
    this.#foldedNameOf.set(claim.sessionId, folded);
    return { claimed: true, resumed: held === folded };
  }

  async release(sessionId: SessionId): Promise<void> {
    const held = this.#foldedNameOf.get(sessionId);
    if (held === undefined) return;
    this.#foldedNameOf.delete(sessionId);
    this.#byFoldedName.delete(held);
  }

  async entries(): Promise<readonly RosterEntry[]> {
    return [...this.#byFoldedName.values()];
  }
}
