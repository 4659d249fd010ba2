/**
 * What the server answers over HTTP, apart from sockets.
 *
 * - `/healthz` says that the process answers, `/readyz` whether it wants new people, `/status` and `/metrics` how it is:
 *   counts and sizes, no names and no texts.
 * - `POST /rooms/ROOM/messages` is answered once the log has the message. Text (the body; the name in X-Parley-Name) or
 *   JSON (`{"name", "text", "messageId"?}`); Idempotency-Key and Authorization: Bearer are understood.
 * - Whatever is refused is JSON: `{"error": {"code", "number", "temporary", "message"}}`.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { ErrorCode, type ErrorCodeName, type MessageId } from "@parley/chat-protocol";
import type { HttpPoster } from "./http-poster.ts";
import type { Metrics } from "./metrics.ts";
import type { OriginPolicy } from "./origin.ts";

export interface HttpRoutesOptions {
  readonly poster: HttpPoster;
  readonly origins: OriginPolicy;
  readonly metrics: Metrics;
  readonly maxTextBytes: number;
  readonly isDraining: () => boolean;
  /** What `/status` shows. */
  readonly status: () => Promise<object>;
}

const ROOM_MESSAGES = /^\/rooms\/([^/]+)\/messages$/;
const MESSAGE_ID = /^[0-9a-f]{32}$/;
const BEARER = /^Bearer +(.+)$/i;
/** JSON may take six bytes for one (`\u0000`), and has a name and an id around the text. */
const JSON_BYTES_PER_TEXT_BYTE = 6;
const JSON_EXTRA_BYTES = 4096;
const RETRY_AFTER_SECONDS = "1";

/** Codes not listed: 400 if the request is at fault for good, 503 if it may succeed later. */
const STATUS_OF_CODE: Partial<Record<ErrorCodeName, number>> = {
  LOGIN_REQUIRED: 401,
  LOGIN_FAILED: 403,
  NOT_IN_ROOM: 404,
  NAME_TAKEN: 409,
  TEXT_TOO_LONG: 413,
  RATE_LIMITED: 429,
  INTERNAL: 500,
};

const WELCOME =
  "This is a Parley chat server. It speaks binary frames, WebSocket, text lines and HTTP on one port.\n" +
  "From a terminal: nc HOST PORT\n";

interface Failure {
  readonly status: number;
  readonly code: string;
  readonly number?: number;
  readonly temporary: boolean;
  readonly message: string;
}

export class HttpRoutes {
  readonly #options: HttpRoutesOptions;

  constructor(options: HttpRoutesOptions) {
    this.#options = options;
  }

  /** Answers one request. `isLimited`: it is one too many in this second. Rejects only by a defect. */
  async answer(request: IncomingMessage, response: ServerResponse, isLimited: boolean): Promise<void> {
    const path = pathOf(request);
    const room = ROOM_MESSAGES.exec(path)?.[1];
    if (isLimited) {
      fail(response, failureOf("RATE_LIMITED", "too many requests in this second"));
    } else if (room !== undefined) {
      if (allowsMethods(request, response, ["POST"])) await this.#post(request, response, room);
    } else if (isRead(path)) {
      if (allowsMethods(request, response, ["GET", "HEAD"])) await this.#read(path, response);
    } else {
      fail(response, { status: 404, code: "NOT_FOUND", temporary: false, message: `there is nothing at ${path}` });
    }
  }

  async #read(path: string, response: ServerResponse): Promise<void> {
    const { isDraining, metrics, status } = this.#options;
    switch (path) {
      case "/healthz":
        return send(response, 200, TEXT, "ok\n");
      case "/readyz":
        return isDraining() ? send(response, 503, TEXT, "draining\n") : send(response, 200, TEXT, "ready\n");
      case "/status":
        return send(response, 200, JSON_TYPE, `${JSON.stringify(await status(), undefined, 2)}\n`);
      case "/metrics":
        return send(response, 200, metrics.contentType, await metrics.text());
      default:
        return send(response, 200, TEXT, WELCOME);
    }
  }

  async #post(request: IncomingMessage, response: ServerResponse, encodedRoom: string): Promise<void> {
    const { maxTextBytes, origins, poster, isDraining } = this.#options;
    const { headers, socket } = request;
    if (!origins.allows({ origin: headers.origin, host: headers.host, localAddress: socket.localAddress })) {
      return fail(response, { status: 403, code: "ORIGIN_REFUSED", temporary: false, message: "not from that page" });
    }
    if (isDraining()) {
      return fail(response, { status: 503, code: "SHUTTING_DOWN", temporary: true, message: "the server stops" });
    }
    const body = await bodyOf(request, JSON_BYTES_PER_TEXT_BYTE * maxTextBytes + JSON_EXTRA_BYTES);
    if (body === undefined) {
      response.setHeader("Connection", "close");
      return fail(response, failureOf("TEXT_TOO_LONG", `at most ${maxTextBytes} bytes of text are allowed`));
    }
    const said = saidIn(request, body);
    if ("status" in said) return fail(response, said);
    const room = decoded(encodedRoom);
    const token = BEARER.exec(headers.authorization ?? "")?.[1];
    const outcome = await poster.post({ ...said, room, token, address: socket.remoteAddress });
    if ("refusal" in outcome) {
      return fail(response, failureOf(outcome.refusal.code, outcome.refusal.message));
    }
    const { position, timeMs, duplicate } = outcome.appended;
    const answer = { room, name: outcome.name, position, timeMs, duplicate };
    send(response, duplicate ? 200 : 201, JSON_TYPE, `${JSON.stringify(answer)}\n`);
  }
}

const TEXT = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json";
const READABLE: ReadonlySet<string> = new Set(["/", "/healthz", "/readyz", "/status", "/metrics"]);

function isRead(path: string): boolean {
  return READABLE.has(path);
}

/** Without the query. What can be in a target is limited by the sniffer and by node:http. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?")[0] as string;
}

function allowsMethods(request: IncomingMessage, response: ServerResponse, methods: readonly string[]): boolean {
  if (methods.includes(request.method ?? "")) return true;
  response.setHeader("Allow", methods.join(", "));
  fail(response, { status: 405, code: "METHOD_NOT_ALLOWED", temporary: false, message: `only ${methods.join(", ")}` });
  return false;
}

/** Undefined: longer than `maxBytes`; the rest is not read. */
async function bodyOf(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request.iterator({ destroyOnReturn: false })) {
    bytes += (part as Buffer).length;
    if (bytes > maxBytes) return undefined;
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
}

interface Said {
  readonly name: string;
  readonly text: string;
  readonly messageId?: MessageId;
}

function saidIn(request: IncomingMessage, body: Buffer): Said | Failure {
  const malformed = (message: string): Failure => failureOf("MALFORMED", message);
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase() ?? "text/plain";
  const key = request.headers["idempotency-key"];
  const text = decodedText(body);
  if (text === undefined) return malformed("the body is no UTF-8");
  let said: { name?: unknown; text?: unknown; messageId?: unknown };
  if (type === "text/plain") {
    const name = request.headers["x-parley-name"];
    // A header's bytes are given as latin1, which some send; curl and others send UTF-8.
    said = { name: typeof name === "string" ? (decodedText(Buffer.from(name, "latin1")) ?? name) : undefined, text };
    if (said.name === undefined) return malformed("the header X-Parley-Name must say who speaks");
  } else if (type === JSON_TYPE) {
    const parsed = parsedObject(text);
    if (parsed === undefined) return malformed("the body is no JSON object");
    said = parsed;
  } else {
    return {
      status: 415,
      code: "UNSUPPORTED_MEDIA_TYPE",
      temporary: false,
      message: `${type} is neither text/plain nor ${JSON_TYPE}`,
    };
  }
  if (typeof said.name !== "string") return malformed("name must be text");
  if (typeof said.text !== "string") return malformed("text must be text");
  const givenId = said.messageId ?? (typeof key === "string" ? key.toLowerCase().replaceAll("-", "") : undefined);
  if (givenId === undefined) return { name: said.name, text: said.text };
  if (typeof givenId !== "string" || !MESSAGE_ID.test(givenId)) {
    return malformed("a message id (messageId, Idempotency-Key) has 32 lower-case hexadecimal digits");
  }
  return { name: said.name, text: said.text, messageId: givenId };
}

function decodedText(body: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    return undefined;
  }
}

function parsedObject(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** A path's part as it was meant; as it is, where its escapes make no sense. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function failureOf(code: ErrorCodeName, message: string): Failure {
  const { code: number, temporary } = ErrorCode[code];
  return { status: STATUS_OF_CODE[code] ?? (temporary ? 503 : 400), code, number, temporary, message };
}

function fail(response: ServerResponse, { status, ...error }: Failure): void {
  if (error.temporary) response.setHeader("Retry-After", RETRY_AFTER_SECONDS);
  if (status === 401) response.setHeader("WWW-Authenticate", "Bearer");
  send(response, status, JSON_TYPE, `${JSON.stringify({ error })}\n`);
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    "Content-Type": type,
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
  });
  response.end(body);
}
