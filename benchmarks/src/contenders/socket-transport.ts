/**
 * TCP and Unix sockets between two event loops.
 *
 * - noDelay, as any chat would set it; one `write` a publish, of one buffer.
 * - Outgoing frames are written into a circular slab: it is larger than twice the window, so bytes that the other end
 *   hasn't acknowledged are never overwritten, however long the kernel keeps a write pending.
 * - Incoming frames are read where Node put them; only a frame split between two chunks is copied together.
 */
import { rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { MAX_FRAME_BYTES } from "../rig/frame.ts";
import { type Link, type LinkSettings, type OnFrame, StalledError, type Transport } from "./contender.ts";

const WORD_BYTES = 4;

export const transport: Transport = {
  async listen(settings, announce) {
    const server = net.createServer({ noDelay: true });
    const target = settings.family === "unix" ? socketPath(settings) : { port: 0, host: "127.0.0.1" };
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(target, resolve);
    });
    const address = server.address();
    announce(typeof address === "string" ? { path: address } : { port: address?.port, host: "127.0.0.1" });
    const socket = await new Promise<net.Socket>((resolve) => server.once("connection", resolve));
    server.close();
    if (typeof address === "string") rmSync(address, { force: true });
    return new SocketLink(socket, settings.windowBytes);
  },

  async connect(settings, address) {
    const socket = net.connect({ ...(address as net.NetConnectOpts), noDelay: true } as net.NetConnectOpts);
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.once("connect", resolve);
    });
    return new SocketLink(socket, settings.windowBytes);
  },
};

/** Where a Unix socket of this name stands: short, because the kernel allows 107 bytes. */
export function socketPath(settings: Pick<LinkSettings, "name">): string {
  return path.join(tmpdir(), `${settings.name}.sock`);
}

class SocketLink implements Link {
  readonly words: Int32Array;
  readonly #slab: Buffer;
  readonly #socket: net.Socket;
  #start = 0;
  #end = 0;
  #carry: Buffer = Buffer.alloc(0);
  #onFrame: OnFrame = () => {};
  #finish: (error?: Error) => void = () => {};
  #running = false;
  #arrivals = 0;

  constructor(socket: net.Socket, windowBytes: number) {
    this.#socket = socket;
    const slab = new ArrayBuffer(Math.max(4 * windowBytes, 4 * MAX_FRAME_BYTES));
    this.#slab = Buffer.from(slab);
    this.words = new Int32Array(slab);
    socket.pause();
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.pause();
    socket.on("error", (error) => this.#finish(error));
    socket.on("close", () => this.#finish(new Error("the connection was closed")));
  }

  reserve(bytes: number): number {
    if (this.#end + bytes > this.#slab.length) {
      // A publish is one buffer, so what is reserved and not yet published moves to the slab's start.
      this.#slab.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    const at = this.#end / WORD_BYTES;
    this.#end += bytes;
    return at;
  }

  publish(): void {
    if (this.#end === this.#start) return;
    this.#socket.write(this.#slab.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  run(onFrame: OnFrame, stallMs: number): Promise<void> {
    this.#onFrame = onFrame;
    this.#running = true;
    return new Promise<void>((resolve, reject) => {
      let seen = this.#arrivals;
      const watch = setInterval(() => {
        if (this.#arrivals === seen) this.#finish(new StalledError(stallMs));
        seen = this.#arrivals;
      }, stallMs);
      this.#finish = (error) => {
        this.#running = false;
        this.#finish = () => {};
        clearInterval(watch);
        this.#socket.pause();
        if (error === undefined) resolve();
        else reject(error);
      };
      if (this.#socket.destroyed) this.#finish(new Error("the connection was closed"));
      else this.#socket.resume();
    });
  }

  stop(): void {
    this.#finish();
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed) resolve();
      else {
        this.#socket.once("close", () => resolve());
        this.#socket.destroySoon();
        this.#socket.resume();
      }
    });
  }

  #receive(chunk: Buffer): void {
    this.#arrivals++;
    let data = chunk;
    if (this.#carry.length > 0 || data.byteOffset % WORD_BYTES !== 0) {
      data = Buffer.concat([this.#carry, chunk]);
      // Buffer.concat may take from Node's pool, at any multiple of eight: aligned for words.
      this.#carry = Buffer.alloc(0);
    }
    const words = new Int32Array(data.buffer, data.byteOffset, data.length >> 2);
    const endWords = words.length;
    let at = 0;
    while (at < endWords && this.#running) {
      const bytes = words[at] as number;
      if (bytes < WORD_BYTES || bytes > MAX_FRAME_BYTES || bytes % WORD_BYTES !== 0) {
        this.#finish(new Error(`no frame starts with the length ${bytes}`));
        return;
      }
      if (at * WORD_BYTES + bytes > data.length) break;
      try {
        this.#onFrame(words, at, bytes);
      } catch (error) {
        this.#finish(error as Error);
        return;
      }
      at += bytes >> 2;
    }
    if (at * WORD_BYTES < data.length) this.#carry = Buffer.from(data.subarray(at * WORD_BYTES));
  }
}
