/**
 * What somebody says through HTTP: a message in the room's log from a name that isn't in the room.
 *
 * - The name is claimed while the log takes the message, so that nobody can speak as somebody who is there; it neither
 *   joins nor leaves. Posts of one name at the same time share the claim.
 * - Resolves once the log has the message. The message id is the idempotency key, as for everybody else.
 */

import {
  type ErrorCodeName,
  encode,
  type MessageId,
  NOT_YET_LOGGED,
  randomMessageId,
  randomSessionId,
  type SessionId,
  utf8Length,
} from "@parley/chat-protocol";
import { type Appended, type ChatHub, foldName, normalizeName, type Refusal, RoomLogError } from "@parley/chat-room";
import type { LoginGuard } from "./login.ts";

export interface Post {
  readonly room: string;
  readonly name: string;
  readonly text: string;
  readonly messageId?: MessageId;
  readonly token: string | undefined;
  readonly address: string | undefined;
}

export type PostOutcome = { readonly appended: Appended; readonly name: string } | { readonly refusal: Refusal };

interface Author {
  readonly sessionId: SessionId;
  posts: number;
  readonly claim: Promise<Refusal | undefined>;
}

export class HttpPoster {
  readonly #hub: ChatHub;
  readonly #logins: LoginGuard | undefined;
  readonly #onFault: (error: unknown) => void;
  /** By folded name. */
  readonly #authors = new Map<string, Author>();

  constructor(hub: ChatHub, logins: LoginGuard | undefined, onFault: (error: unknown) => void) {
    this.#hub = hub;
    this.#logins = logins;
    this.#onFault = onFault;
  }

  /** Never rejects. */
  async post(post: Post): Promise<PostOutcome> {
    const { limits, room } = this.#hub;
    const normalized = normalizeName(post.name, limits.maxNameBytes);
    if (!normalized.valid) return refused(normalized.code, normalized.message);
    const { name } = normalized;
    if (post.room !== room) return refused("NOT_IN_ROOM", `there is no room ${JSON.stringify(post.room.slice(0, 64))}`);
    if (post.text === "") return refused("TEXT_EMPTY", "there is no text");
    const bytes = utf8Length(post.text);
    if (bytes > limits.maxTextBytes) {
      return refused("TEXT_TOO_LONG", `the text has ${bytes} bytes; at most ${limits.maxTextBytes} are allowed`);
    }
    const refusal = await this.#logins?.admit({ name, token: post.token, address: post.address });
    if (refusal !== undefined) return { refusal };
    return this.#append(name, post);
  }

  async #append(name: string, { room, text, messageId = randomMessageId() }: Post): Promise<PostOutcome> {
    const author = this.#authorOf(name);
    try {
      const refusal = await author.claim;
      if (refusal !== undefined) return { refusal };
      const frame = encode({ type: "message", ...NOT_YET_LOGGED, messageId, room, name, text });
      return { appended: await this.#hub.log.append(author.sessionId, frame), name };
    } catch (error) {
      return { refusal: this.#refusalOf(error) };
    } finally {
      await this.#leave(name, author);
    }
  }

  #authorOf(name: string): Author {
    const key = foldName(name);
    let author = this.#authors.get(key);
    if (author === undefined) {
      const sessionId = randomSessionId();
      author = { sessionId, posts: 0, claim: this.#claim(name, sessionId) };
      this.#authors.set(key, author);
    }
    author.posts++;
    return author;
  }

  async #claim(name: string, sessionId: SessionId): Promise<Refusal | undefined> {
    const { maxSessions, log } = this.#hub;
    try {
      const claim = { name, sessionId };
      const outcome = await log.roster.claim(maxSessions === undefined ? claim : { ...claim, maxSessions });
      if (outcome.claimed) return undefined;
      const isTaken = outcome.reason === "NAME_TAKEN";
      return { code: outcome.reason, message: isTaken ? `${name} is taken` : "too many people are here" };
    } catch (error) {
      return this.#refusalOf(error);
    }
  }

  async #leave(name: string, author: Author): Promise<void> {
    if (--author.posts > 0) return;
    this.#authors.delete(foldName(name));
    try {
      await this.#hub.log.roster.release(author.sessionId);
    } catch (error) {
      if (!(error instanceof RoomLogError)) this.#onFault(error);
    }
  }

  #refusalOf(error: unknown): Refusal {
    if (error instanceof RoomLogError) {
      const code = error.code === "OVERLOADED" ? "OVERLOADED" : "LOG_UNAVAILABLE";
      return { code, message: "the log can't take the message now; send it again" };
    }
    this.#onFault(error);
    return { code: "INTERNAL", message: "a fault of this server" };
  }
}

function refused(code: ErrorCodeName, message: string): { readonly refusal: Refusal } {
  return { refusal: { code, message } };
}
