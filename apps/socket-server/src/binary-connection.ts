/** A program on the other side: bytes to frames, frames to the session. */

import { type DisconnectCodeName, type Frame, FrameDecoder, ProtocolError } from "@parley/chat-protocol";
import { binaryEncoding } from "@parley/chat-room";
import { ChatConnection } from "./chat-connection.ts";
import type { ChatContext } from "./handler.ts";

export class BinaryConnection extends ChatConnection {
  readonly #decoder: FrameDecoder;
  readonly #onFrame = (frame: Frame): void => this.session.receiveFrame(frame);

  constructor(context: ChatContext) {
    super(context, binaryEncoding);
    this.#decoder = new FrameDecoder(context.hub.limits.maxFrameBytes);
  }

  protected override take(chunk: Buffer): void {
    try {
      this.#decoder.push(chunk, this.#onFrame);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.session.disconnect(error.code as DisconnectCodeName, error.message);
    }
  }

  protected override takeKept(): boolean {
    return true;
  }
}
