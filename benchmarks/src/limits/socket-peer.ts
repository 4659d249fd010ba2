/**
 * One side of the same measurements over a TCP or Unix socket, written as fast as Node's own calls allow.
 *
 * - TCP with noDelay. A publish is one `write` of one buffer of `batch` messages; the sender goes on until the stream asks
 *   it to wait for `drain`.
 * - The receiver of a stream reads into one buffer (`onread`), which is cheaper than a buffer for each chunk.
 */
import { createServer, connect as dial, type NetConnectOpts, type Server, type Socket } from "node:net";
import {
  ECHO_BYTES,
  type EchoPlan,
  type Latencies,
  Parts,
  percentile,
  perSecond,
  type Rate,
  type StreamPlan,
  socketParts,
  type Verified,
} from "./figures.ts";
import { allIsRight, fillMessage, stampMessage, WORD_BYTES } from "./message.ts";

const READ_BYTES = 65_536;
/** A sender turns to its event loop after so many writes even if the socket takes them all. */
const WRITES_A_TURN = 1_000;

type OnBytes = (bytes: Buffer, length: number) => void;

let server: Server | undefined;
let socket: Socket;
let arrived: Promise<void>;
let onBytes: OnBytes = () => {};

/** Where the other side connects to: a path for a Unix socket, a port for TCP. */
export function listen(path: string | undefined): Promise<string | number> {
  const created = createServer({ noDelay: true });
  server = created;
  arrived = new Promise((resolve) => {
    created.once("connection", (accepted: Socket) => {
      socket = accepted;
      socket.on("data", (chunk: Buffer) => onBytes(chunk, chunk.length));
      resolve();
    });
  });
  return new Promise((resolve, reject) => {
    created.once("error", reject);
    created.listen(path ?? { port: 0, host: "127.0.0.1" }, () => {
      const address = created.address();
      resolve(typeof address === "object" && address !== null ? address.port : String(address));
    });
  });
}

export function connect(where: string | number): Promise<void> {
  const target: NetConnectOpts =
    typeof where === "string" ? { path: where } : { port: where, host: "127.0.0.1", noDelay: true };
  return new Promise((resolve, reject) => {
    socket = dial({
      ...target,
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BYTES),
        callback: (length, bytes) => {
          onBytes(bytes as Buffer, length);
          return true;
        },
      },
    });
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
}

export const connected = (): Promise<void> => arrived;

/** Hands over whole messages of `bytes` each, gathered from the chunks that they come in. */
function wholeMessages(bytes: number, onMessage: (words: Int32Array) => void): OnBytes {
  const message = Buffer.alloc(bytes);
  const words = new Int32Array(message.buffer, message.byteOffset, bytes / WORD_BYTES);
  let have = 0;
  return (chunk, length) => {
    for (let at = 0; at < length; ) {
      const taken = chunk.copy(message, have, at, Math.min(length, at + bytes - have));
      at += taken;
      have += taken;
      if (have < bytes) return;
      have = 0;
      onMessage(words);
    }
  };
}

const ECHO_WORDS: number = ECHO_BYTES / WORD_BYTES;

export function echoAsk({ warm, timed }: EchoPlan): Promise<Latencies> {
  const message = new Int32Array(ECHO_WORDS);
  const buffer = Buffer.from(message.buffer);
  const tripsNs = new Float64Array(timed);
  const total = warm + timed;
  let sequence = 0;
  let corrupt = 0;
  let sentMs = 0;
  const send = (): void => {
    fillMessage(message, 0, ECHO_WORDS, sequence);
    sentMs = performance.now();
    socket.write(buffer);
  };
  return new Promise((resolve) => {
    onBytes = wholeMessages(ECHO_BYTES, (words) => {
      if (sequence >= warm) tripsNs[sequence - warm] = (performance.now() - sentMs) * 1e6;
      if (!allIsRight(words, 0, ECHO_WORDS, sequence, sequence)) corrupt++;
      sequence++;
      if (sequence < total) send();
      else {
        const meanNs = tripsNs.reduce((sum, each) => sum + each, 0) / timed;
        tripsNs.sort();
        resolve({
          meanNs,
          p50Ns: percentile(tripsNs, 0.5),
          p99Ns: percentile(tripsNs, 0.99),
          verified: sequence,
          corrupt,
        });
      }
    });
    send();
  });
}

export function echoAnswer({ warm, timed }: EchoPlan): Promise<Verified> {
  const message = new Int32Array(ECHO_WORDS);
  const buffer = Buffer.from(message.buffer);
  const total = warm + timed;
  let sequence = 0;
  let corrupt = 0;
  return new Promise((resolve) => {
    onBytes = wholeMessages(ECHO_BYTES, (words) => {
      if (!allIsRight(words, 0, ECHO_WORDS, sequence, sequence)) corrupt++;
      fillMessage(message, 0, ECHO_WORDS, sequence);
      socket.write(buffer);
      sequence++;
      if (sequence === total) resolve({ verified: sequence, corrupt });
    });
  });
}

export function streamSend({ bytes, batch, warm, count }: StreamPlan): Promise<void> {
  const wordCount = bytes / WORD_BYTES;
  const writeBytes = batch * bytes;
  // A slot is written again only when what a stream may hold back has gone by since.
  const slots = 2 * Math.ceil(socket.writableHighWaterMark / writeBytes) + 2;
  const pool = Array.from({ length: slots }, () => {
    const words = new Int32Array(batch * wordCount);
    for (let i = 0; i < batch; i++) fillMessage(words, i * wordCount, wordCount, 0);
    return { words, buffer: Buffer.from(words.buffer) };
  });
  const total = warm + count;
  let sequence = 0;
  let slot = 0;
  return new Promise((resolve) => {
    const turn = (): void => {
      for (let writes = 0; writes < WRITES_A_TURN; writes++) {
        const { words, buffer } = pool[slot] as (typeof pool)[number];
        slot = (slot + 1) % slots;
        for (let i = 0; i < batch; i++) stampMessage(words, i * wordCount, wordCount, sequence++);
        const goOn = socket.write(buffer);
        if (sequence === total) {
          resolve();
          return;
        }
        if (!goOn) {
          socket.once("drain", turn);
          return;
        }
      }
      setImmediate(turn);
    };
    turn();
  });
}

/** Verifies the first and last word of each message where they lie, without gathering it: a copy would slow TCP down. */
export function streamReceive({ bytes, warm, count }: StreamPlan): Promise<Rate> {
  const total = warm + count;
  let sequence = 0;
  let corrupt = 0;
  const parts = new Parts(warm, count, socketParts(count * bytes));
  /** Where the word that is looked for next starts, counted from the start of the coming chunk. */
  let next = 0;
  let isFirst = true;
  /** A word that two chunks share, least significant byte first. */
  let part = 0;
  let partBytes = 0;
  return new Promise((resolve) => {
    onBytes = (chunk, length) => {
      while (next < length) {
        let word: number;
        if (partBytes === 0 && next + WORD_BYTES <= length) {
          word = chunk.readInt32LE(next);
          next += WORD_BYTES;
        } else {
          part |= (chunk[next] as number) << (8 * partBytes);
          next++;
          partBytes++;
          if (partBytes < WORD_BYTES) continue;
          word = part;
          part = 0;
          partBytes = 0;
        }
        if (isFirst) {
          if (sequence === parts.next) parts.mark();
          if (word !== (sequence | 0)) corrupt++;
          next += bytes - 2 * WORD_BYTES;
          isFirst = false;
          continue;
        }
        if (word !== ~sequence) corrupt++;
        isFirst = true;
        sequence++;
        if (sequence < total) continue;
        parts.mark();
        resolve({ messagesPerSecond: perSecond(parts.medianNs()), verified: sequence, corrupt });
        return;
      }
      next -= length;
    };
  });
}

export function close(): void {
  socket?.destroy();
  server?.close();
}
