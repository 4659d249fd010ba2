/**
 * A program on the other side: bytes to frames, frames to the session.
 *
 * - A program that is silent for a heartbeat is sent PING, and disconnected after another: its machine may have gone
 *   without a word, and TCP alone would take hours to notice.
 */

import { type DisconnectCodeName, encode, type Frame, FrameDecoder, ProtocolError } from "@parley/chat-protocol";
import { binaryEncoding, type Encoding } from "@parley/chat-room";
import { ChatConnection } from "./chat-connection.ts";
import type { ChatContext } from "./handler.ts";

const PING: Uint8Array = encode({ type: "ping" }, 0);

export class BinaryConnection extends ChatConnection {
  readonly #decoder: FrameDecoder;
  readonly #heartbeatMs: number;
  /** Something has arrived since the last look. */
  #wasHeard = true;
  #lastHeardMs = 0;
  #isPinged = false;
  readonly #onFrame = (frame: Frame): void => {
    if (this.admitRequest(frame.correlationId)) this.session.receiveFrame(frame);
  };

  constructor(context: ChatContext, encoding: Encoding = binaryEncoding) {
    super(context, encoding);
    this.#decoder = new FrameDecoder(context.hub.limits.maxFrameBytes);
    this.#heartbeatMs = context.hub.heartbeatMs;
  }

  protected override take(chunk: Buffer): void {
    this.#wasHeard = true;
    try {
      this.#decoder.push(chunk, this.#onFrame);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.disconnect(error.code as DisconnectCodeName, error.message);
    }
  }

  /** Bytes of a frame whose end has not arrived. */
  protected get incompleteBytes(): number {
    return this.#decoder.pendingBytes;
  }

  protected override takeKept(): boolean {
    return true;
  }

  /** How PING is put on the wire. */
  protected get ping(): Uint8Array {
    return PING;
  }

  override checkStall(nowMs: number): void {
    super.checkStall(nowMs);
    if (this.#heartbeatMs > 0 && !this.hasEnded && this.session.state === "welcomed") this.#checkHeartbeat(nowMs);
  }

  #checkHeartbeat(nowMs: number): void {
    if (this.#wasHeard) {
      this.#wasHeard = false;
      this.#isPinged = false;
      this.#lastHeardMs = nowMs;
      return;
    }
    const silentMs = nowMs - this.#lastHeardMs;
    if (silentMs >= 2 * this.#heartbeatMs) this.disconnect("HEARTBEAT_TIMEOUT", "nothing was heard for too long");
    else if (silentMs >= this.#heartbeatMs && !this.#isPinged) {
      this.#isPinged = true;
      this.send(this.ping);
    }
  }
}
