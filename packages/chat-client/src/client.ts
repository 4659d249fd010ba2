/**
 * One person in one room, over any transport.
 *
 * - `send` resolves when the room's log has the message: by its ACK or by its own event, whichever comes first.
 * - Events come in the room's order, none twice; a place where some are missing is told by `gap` before the next one.
 * - Own messages are dropped unless `echo` is set, and are then marked `own`.
 * - Events wait until the code behind `await connect(…)` had its turn, so that listeners added there miss none.
 */

import {
  type Ack,
  type ChatEvent,
  type End,
  type Hello,
  type Limits,
  type LogFields,
  type Message,
  type MessageEvent,
  type People,
  type Position,
  PROTOCOL_VERSION,
  type Reply,
  randomMessageId,
  type SessionId,
  utf8Length,
  type Welcome,
} from "@parley/chat-protocol";
import { Channel, type RequestOptions } from "./channel.ts";
import { ChatClientError } from "./errors.ts";
import { type ChatClientEvent, type ChatClientEvents, type DisconnectEvent, Listeners } from "./events.ts";
import {
  type ConnectOptions,
  DEFAULT_CONNECT_TIMEOUT_MS,
  DEFAULT_MAX_PENDING,
  DEFAULT_REQUEST_TIMEOUT_MS,
  type HistoryOptions,
  type HistoryPage,
  QUIT_TIMEOUT_MS,
  type SendOptions,
  type Sent,
} from "./options.ts";
import { OwnMessages, RoomOrder, SETTLED_BY_ACK } from "./room-order.ts";
import type { OpenTransport, Transport } from "./transport.ts";

const LATEST: Position = { epoch: 0, seq: 0 };
const DEFAULT_HISTORY_EVENTS = 50;
/** An idle client lets itself be heard this often in each period that the server asks for. */
const HEARTBEATS_PER_PERIOD = 2;

export class ChatClient {
  /** Where it is connected to: `tcp://127.0.0.1:8080`, `shm://lobby`. */
  readonly url: string;
  readonly #channel: Channel;
  readonly #options: ConnectOptions;
  readonly #listeners = new Listeners();
  readonly #closed: Promise<DisconnectEvent>;
  #resolveClosed: (reason: DisconnectEvent) => void = () => {};
  #welcome: Welcome | undefined;
  /** By room; one begins with each own JOINED. */
  readonly #orders = new Map<string, RoomOrder>();
  #name = "";
  readonly #own = new OwnMessages();
  /** Events that wait for the first listeners; `undefined` once these had their chance. */
  #held: ChatClientEvent[] | undefined = [];
  #isOver = false;
  #heartbeat: ReturnType<typeof setInterval> | undefined;

  /** Use `connect`. Rejects with ChatClientError. */
  static async open<Target extends { readonly href: string }>(
    openTransport: OpenTransport<Target>,
    target: Target,
    options: ConnectOptions,
  ): Promise<ChatClient> {
    const client = new ChatClient(target.href, options);
    await client.#connect((signal) => openTransport(target, client.#channel, signal));
    return client;
  }

  private constructor(url: string, options: ConnectOptions) {
    this.url = url;
    this.#options = options;
    this.#closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#channel = new Channel(url, {
      event: (event) => this.#event(event),
      push: (message) => this.#emit(message),
      unknownEvent: (fields, room) => void this.#isNew(fields, room),
      fault: (error) => this.#emit({ type: "error", error }),
      ended: (reason) => this.#ended(reason),
    });
  }

  /** The name as it was claimed. */
  get name(): string {
    return this.#name;
  }

  get sessionId(): SessionId {
    return this.#welcomed.sessionId;
  }

  get limits(): Limits {
    return this.#welcomed.limits;
  }

  get room(): string {
    return this.#welcomed.room;
  }

  /** The rooms it is in. */
  get rooms(): readonly string[] {
    return [...this.#orders.keys()];
  }

  /** The last event received of the room that `connect` joined; at first that of having joined. */
  get position(): Position {
    return this.#orders.get(this.room)?.last ?? this.#welcomed.position;
  }

  /** Requests that were sent and not answered. */
  get pendingCount(): number {
    return this.#channel.pendingCount;
  }

  /** Resolves at the end of the connection, whoever ended it, after the last event; never rejects. */
  get closed(): Promise<DisconnectEvent> {
    return this.#closed;
  }

  /** Calls `listener` at every such event from now on. Returns what takes it off again. */
  on<Type extends keyof ChatClientEvents>(type: Type, listener: (event: ChatClientEvents[Type]) => void): () => void {
    return this.#listeners.on(type, listener);
  }

  /** Every event from now on, the last being `disconnect`. Rejects with READER_TOO_SLOW when too many wait. */
  [Symbol.asyncIterator](): AsyncIterableIterator<ChatClientEvent> {
    return this.#listeners.iterate(this.#isOver && this.#held === undefined);
  }

  /**
   * Says `text` in the room. Messages enter the room in the order of the calls.
   * Rejects with ChatClientError: refused by the room (TEXT_EMPTY, TEXT_TOO_LONG, OVERLOADED, …), TOO_MANY_PENDING, CLOSED,
   * or with `messageId` set when nobody knows whether it arrived (CONNECTION_LOST, REQUEST_TIMEOUT, ABORTED).
   */
  async send(text: string, options: SendOptions = {}): Promise<Sent> {
    const { maxTextBytes } = this.limits;
    if (text === "") throw new ChatClientError("TEXT_EMPTY", "there is no text");
    const bytes = utf8Length(text);
    if (bytes > maxTextBytes) {
      throw new ChatClientError("TEXT_TOO_LONG", `the text has ${bytes} bytes; at most ${maxTextBytes} are allowed`);
    }
    const messageId = options.messageId ?? randomMessageId();
    // Whether a repeated message was there before, only its ACK says.
    const isRepeated = options.messageId !== undefined;
    const onSent = (correlationId: number): void =>
      this.#own.sent(messageId, isRepeated ? SETTLED_BY_ACK : correlationId);
    const room = options.room ?? this.room;
    const request = { type: "send", messageId, room, text } as const;
    const ack = (await this.#request(request, { messageId, signal: options.signal, onSent })) as Ack;
    this.#own.acknowledged(messageId, this.#orders.get(room)?.isAhead(ack.position) ?? false);
    return { messageId, position: ack.position, timeMs: ack.timeMs, duplicate: ack.duplicate };
  }

  /** Enters `room`, too. Rejects with ChatClientError (ROOM_FULL, ROOM_INVALID, …). */
  async join(room: string): Promise<void> {
    await this.#request({ type: "join", room }, {});
  }

  /** Leaves `room`. Rejects with ChatClientError (NOT_IN_ROOM, …). */
  async leave(room: string): Promise<void> {
    await this.#request({ type: "leave", room }, {});
    this.#orders.delete(room.normalize("NFC"));
  }

  /** Says `text` to the person called `to` alone. Rejects like `send`, and with NO_SUCH_NAME. */
  async sendDirect(to: string, text: string, options: Omit<SendOptions, "room"> = {}): Promise<Sent> {
    const messageId = options.messageId ?? randomMessageId();
    const request = { type: "sendDirect", messageId, to, text } as const;
    const ack = (await this.#request(request, { messageId, signal: options.signal })) as Ack;
    return { messageId, position: ack.position, timeMs: ack.timeMs, duplicate: ack.duplicate };
  }

  /** Takes another name. Rejects with ChatClientError (NAME_TAKEN, NAME_INVALID, …), and the old one stays. */
  async rename(name: string): Promise<void> {
    await this.#request(
      { type: "rename", name },
      {
        onReply: (reply) => {
          if (reply.type === "named") this.#name = reply.name;
        },
      },
    );
  }

  /** The people in `room`, by default the one that `connect` joined; `total` may be more than `names`. */
  async who(room: string = this.room): Promise<{ readonly names: readonly string[]; readonly total: number }> {
    const { names, total } = (await this.#request({ type: "who", room }, {})) as People;
    return { names, total };
  }

  /** A page of what was said in a room, without those who came and went. */
  async history(options: HistoryOptions = {}): Promise<HistoryPage> {
    const { room = this.room, before = LATEST, maxEvents = DEFAULT_HISTORY_EVENTS } = options;
    const messages: MessageEvent[] = [];
    const request = { type: "history", room, before, maxEvents } as const;
    const end = (await this.#request(request, {
      onEvent: (event) => {
        if (event.type === "message") messages.push(event);
      },
    })) as End;
    return { messages, position: end.position, hasMore: end.more };
  }

  /** Tells the people in `room` that somebody is typing here; nobody answers. */
  typing(room: string = this.room): void {
    this.#channel.tell({ type: "typing", room });
  }

  /** Round-trip time in ms. Rejects with ChatClientError. */
  async ping(): Promise<number> {
    const startMs = performance.now();
    await this.#request({ type: "ping" }, {});
    return performance.now() - startMs;
  }

  /** Leaves in order: everything sent before is answered first. Resolves with the end of the connection, never rejects. */
  async quit(): Promise<DisconnectEvent> {
    const { requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS } = this.#options;
    const timeoutMs = Math.min(requestTimeoutMs, QUIT_TIMEOUT_MS);
    this.#channel.request({ type: "quit" }, { timeoutMs }).catch(() => {
      // Either the end came, which is what was asked for, or it doesn't come.
      this.close();
    });
    return this.#closed;
  }

  /** Ends the connection at once. The room sees the person as lost; `quit` is the polite way. */
  close(): void {
    this.#channel.close({
      type: "disconnect",
      by: "client",
      code: undefined,
      temporary: false,
      message: "closed by this side",
    });
  }

  async #connect(openTransport: (signal: AbortSignal) => Promise<Transport>): Promise<void> {
    const { connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS, signal } = this.#options;
    const giveUp = new AbortController();
    const onAbort = (): void =>
      giveUp.abort(new ChatClientError("ABORTED", `connecting to ${this.url} was aborted`, { cause: signal?.reason }));
    const timer = setTimeout(() => {
      const text = `cannot reach ${this.url}: no answer within ${connectTimeoutMs} ms`;
      giveUp.abort(new ChatClientError("CONNECT_TIMEOUT", text, { temporary: true }));
    }, connectTimeoutMs);
    signal?.addEventListener("abort", onAbort);
    try {
      if (signal?.aborted) onAbort();
      giveUp.signal.throwIfAborted();
      this.#channel.attach(await openTransport(giveUp.signal));
      giveUp.signal.throwIfAborted();
      await this.#hello(giveUp.signal);
    } catch (error) {
      this.close();
      this.#releaseHeld();
      await this.#closed;
      // An aborted request says only that; why is known here.
      throw giveUp.signal.aborted ? giveUp.signal.reason : this.#whyNotJoined(error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
    setTimeout(() => this.#releaseHeld(), 0);
  }

  async #hello(signal: AbortSignal): Promise<void> {
    const { client = "parley-chat-client", name, token } = this.#options;
    const hello: Hello = {
      type: "hello",
      protocolMin: PROTOCOL_VERSION,
      protocolMax: PROTOCOL_VERSION,
      capabilities: 0,
      client,
      name,
    };
    const reply = await this.#channel.request(token === undefined ? hello : { ...hello, token }, {
      timeoutMs: 0,
      signal,
      onReply: (first) => {
        if (first.type === "welcome") this.#welcomeIs(first);
      },
    });
    if (reply.type !== "welcome") {
      throw new ChatClientError("NOT_A_CHAT_SERVER", `${this.url} answered ${reply.type} to HELLO`);
    }
  }

  /** Events may lie right behind WELCOME in the same bytes: they have to find this done. */
  #welcomeIs(welcome: Welcome): void {
    this.#welcome = welcome;
    this.#name = welcome.name;
    this.#orders.set(welcome.room, new RoomOrder(welcome.position));
    this.#channel.allowFrames(welcome.limits.maxFrameBytes);
    if (welcome.heartbeatMs > 0) this.#beginHeartbeat(welcome.heartbeatMs / HEARTBEATS_PER_PERIOD);
  }

  /** What ended the connection before WELCOME, said of this URL. */
  #whyNotJoined(error: unknown): unknown {
    const end = this.#channel.end;
    if (!(error instanceof ChatClientError) || error.code !== "CONNECTION_LOST" || end === undefined) return error;
    if (end.by === "client" && end.code !== undefined) {
      return new ChatClientError("NOT_A_CHAT_SERVER", `no chat server answers at ${this.url}: ${end.message}`);
    }
    const { message, temporary } = end;
    const code = end.code ?? "CONNECTION_LOST";
    return new ChatClientError(code, `cannot join at ${this.url}: ${message}`, { temporary });
  }

  get #welcomed(): Welcome {
    // `open` gives the client out only once it is welcomed.
    return this.#welcome as Welcome;
  }

  #request(message: Message, options: Omit<RequestOptions, "timeoutMs">): Promise<Reply> {
    const { maxPending = DEFAULT_MAX_PENDING, requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS } = this.#options;
    if (this.#channel.pendingCount >= maxPending) {
      const text = `${maxPending} requests are under way; wait for one of them`;
      return Promise.reject(new ChatClientError("TOO_MANY_PENDING", text, { temporary: true }));
    }
    return this.#channel.request(message, { timeoutMs: requestTimeoutMs, ...options });
  }

  #event(event: ChatEvent): void {
    if (this.#welcome === undefined) return;
    // Neither has a place in a room's order.
    if (event.type === "presence") {
      this.#emit(event);
      return;
    }
    if (event.type === "direct") {
      const own = event.senderId === this.sessionId;
      if (!own || this.#options.echo || event.addresseeId === this.sessionId) this.#emit({ ...event, own });
      return;
    }
    if (event.type === "joined" && event.name === this.name && !this.#orders.has(event.room)) {
      this.#orders.set(event.room, new RoomOrder(event.position));
    }
    if (!this.#isNew(event, event.room)) return;
    if (event.type !== "message") {
      const own = event.name === this.name || (event.type === "renamed" && event.newName === this.name);
      this.#emit({ ...event, own });
      return;
    }
    const correlationId = this.#own.arrived(event.messageId);
    const own = correlationId !== undefined;
    if (own) {
      const { position, timeMs } = event;
      this.#channel.settle(correlationId, { type: "ack", position, timeMs, duplicate: false });
    }
    if (!own || this.#options.echo) this.#emit({ ...event, own });
  }

  /** False: it was received before. Tells of the gap in front of it, if there is one. */
  #isNew(fields: LogFields, room: string): boolean {
    const order = this.#orders.get(room);
    if (order === undefined) return false;
    const after = order.last;
    const place = order.place(fields);
    if (place === "after a gap") this.#emit({ type: "gap", after, before: fields.position });
    return place !== "seen";
  }

  #emit(event: ChatClientEvent): void {
    if (this.#held === undefined) this.#listeners.emit(event);
    else this.#held.push(event);
  }

  #releaseHeld(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const event of held) {
      this.#listeners.emit(event);
      if (event.type === "disconnect") this.#resolveClosed(event);
    }
  }

  #beginHeartbeat(intervalMs: number): void {
    let framesSent = this.#channel.framesSent;
    this.#heartbeat = setInterval(() => {
      if (this.#channel.framesSent === framesSent) {
        // Unanswered in time, the connection is dead, whatever the operating system still believes of it.
        this.#channel.request({ type: "ping" }, { timeoutMs: 2 * HEARTBEATS_PER_PERIOD * intervalMs }).catch(() => {
          this.#channel.lost("no answer to a heartbeat");
        });
      }
      framesSent = this.#channel.framesSent;
    }, intervalMs);
  }

  #ended(reason: DisconnectEvent): void {
    if (this.#heartbeat !== undefined) clearInterval(this.#heartbeat);
    this.#isOver = true;
    this.#emit(reason);
    if (this.#held === undefined) this.#resolveClosed(reason);
  }
}
