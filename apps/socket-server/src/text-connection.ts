/**
 * A person at nc or telnet: the first line is the name (`USERNAME:ada` too), then each line is a message.
 *
 * - Where a token is asked for, the line `TOKEN:…` comes before the name.
 * - `/quit` or `quit`, alone on a line, leaves; it is never said. Text that merely contains it is a message.
 * - A refused name gets a line that says why, and the next line is taken for another.
 * - It is in one room at a time: `/join` leaves the room before. The other commands are those of `text-commands.ts`.
 * - A line above the limit gets an error line, and the connection lives. Empty lines are ignored.
 */

import { PROTOCOL_VERSION, randomMessageId } from "@parley/chat-protocol";
import { ChatConnection } from "./chat-connection.ts";
import type { ChatContext } from "./handler.ts";
import { LineReader } from "./line-reader.ts";
import { parseCommand, sayableText } from "./text-commands.ts";
import { textEncoding } from "./text-encoding.ts";

const QUIT = /^\s*(?:\/quit|quit)\s*$/;
const NAME_PREFIX = /^USERNAME:/;
const TOKEN_PREFIX = /^TOKEN:/;

export class TextConnection extends ChatConnection {
  readonly #reader: LineReader;
  #room: string;
  /** A `/join` whose outcome is not known yet. */
  #isMoving = false;
  readonly #maxLineBytes: number;
  /** Lines that wait: for the answer to the name before them, or for the next turn. At most what one read gave. */
  #kept: (string | undefined)[] = [];
  /** Those before it are done. */
  #nextKept = 0;
  #hasFinished = false;
  #token: string | undefined;
  readonly #onLine = (line: string | undefined): void => {
    this.#kept.push(line);
  };

  constructor(context: ChatContext) {
    super(context, textEncoding);
    this.#maxLineBytes = context.hub.limits.maxTextBytes;
    this.#room = context.hub.room;
    this.#reader = new LineReader(this.#maxLineBytes);
  }

  protected override take(chunk: Buffer): void {
    this.#reader.push(chunk, this.#onLine);
    this.takeKept();
  }

  protected override takeKept(): boolean {
    if (this.#isMoving && !this.session.busy) this.#move();
    while (this.#nextKept < this.#kept.length) {
      if (this.session.busy || this.turnIsFull) return false;
      this.#line(this.#kept[this.#nextKept++]);
    }
    this.#kept = [];
    this.#nextKept = 0;
    if (this.#hasFinished) super.finished();
    return true;
  }

  override finished(): void {
    this.#reader.end(this.#onLine);
    this.#hasFinished = true;
    this.takeKept();
  }

  #line(line: string | undefined): void {
    const { session } = this;
    if (!this.admitRequest(0)) return;
    if (line === undefined) {
      session.refuse("TEXT_TOO_LONG", `that line is longer than ${this.#maxLineBytes} bytes and was not sent`, 0);
    } else if (QUIT.test(line)) {
      session.receive({ type: "quit" }, 0);
    } else if (session.state === "greeting" && TOKEN_PREFIX.test(line)) {
      this.#token = line.replace(TOKEN_PREFIX, "").trim();
    } else if (session.state === "greeting") {
      const token = this.#token;
      session.receive(
        {
          type: "hello",
          protocolMin: PROTOCOL_VERSION,
          protocolMax: PROTOCOL_VERSION,
          capabilities: 0,
          client: "text",
          name: line.replace(NAME_PREFIX, "").trim(),
          ...(token === undefined ? {} : { token }),
        },
        0,
      );
    } else if (line.trim() !== "") {
      const command = parseCommand(line, this.#room);
      if (command === undefined) {
        const text = sayableText(line);
        session.receive({ type: "send", messageId: randomMessageId(), room: this.#room, text }, 0);
      } else if ("problem" in command) session.refuse("UNKNOWN_TYPE", command.problem, 0);
      else {
        session.receive(command, 0);
        this.#isMoving = command.type === "join";
        if (this.#isMoving && !session.busy) this.#move();
      }
    }
  }

  /** The answer to `/join` is known: out of the room before, if there is another one now. */
  #move(): void {
    this.#isMoving = false;
    const { session } = this;
    const before = this.#room;
    const now = session.rooms.find((room) => room !== before);
    if (now === undefined) return;
    this.#room = now;
    session.receive({ type: "leave", room: before }, 0);
    session.receive({ type: "who", room: now }, 0);
  }
}
