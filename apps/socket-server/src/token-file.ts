/**
 * A file of who may come in: on each line a hashed token and the name that it is for.
 *
 * ```
 * # comment
 * scrypt$16384$8$1$SALT$HASH ada
 * scrypt$16384$8$1$SALT$HASH *          this token may have any name
 * ```
 *
 * - Only scrypt hashes (RFC 7914; salt and hash in base64url) are kept; a token is never written down or logged.
 * - A token that was right once is remembered as a keyed digest, so that ten thousand who reconnect don't cost ten
 *   thousand hashes. A name that isn't there costs as much time as one that is.
 */

import { createHmac, randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { foldName } from "@parley/chat-room";
import type { Login, LoginStore } from "./login.ts";

const SCHEME = "scrypt";
const COST = 16_384;
const BLOCK_SIZE = 8;
const PARALLELIZATION = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** A file can't ask for more memory than this for one login: 128 × cost × block size. */
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;
const ANY_NAME = "*";
const LINE = /^scrypt\$(\d{1,8})\$(\d{1,3})\$(\d{1,3})\$([\w-]+)\$([\w-]+)\s+(.+)$/;

interface HashedToken {
  readonly cost: number;
  readonly blockSize: number;
  readonly parallelization: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** A line for the file. */
export async function hashedLine(name: string, token: string): Promise<string> {
  const entry = {
    cost: COST,
    blockSize: BLOCK_SIZE,
    parallelization: PARALLELIZATION,
    salt: randomBytes(SALT_BYTES),
    hash: Buffer.alloc(HASH_BYTES),
  };
  const hash = await hashOf(token, entry);
  const numbers = [COST, BLOCK_SIZE, PARALLELIZATION].join("$");
  return `${SCHEME}$${numbers}$${entry.salt.toString("base64url")}$${hash.toString("base64url")} ${name}`;
}

export class TokenFile implements LoginStore {
  readonly #path: string;
  readonly #key = randomBytes(HASH_BYTES);
  #byName = new Map<string, HashedToken[]>();
  /** Keyed digests of logins that were right. */
  #known = new Set<string>();

  /** Throws an Error that names the file, and the line that is wrong. */
  constructor(path: string) {
    this.#path = path;
    this.reload();
  }

  /** Reads the file again. Throws as the constructor does, and then nothing has changed. */
  reload(): void {
    const byName = new Map<string, HashedToken[]>();
    for (const [index, line] of readFileSync(this.#path, "utf8").split("\n").entries()) {
      const text = line.trim();
      if (text === "" || text.startsWith("#")) continue;
      const [name, entry] = parse(text) ?? [];
      // Not what the line says: it may be a token that somebody forgot to hash.
      if (name === undefined || entry === undefined) {
        throw new Error(`${this.#path}: line ${index + 1} is no line of \`npm run -s hash-token -- NAME\``);
      }
      const key = name === ANY_NAME ? name : foldName(name);
      byName.set(key, [...(byName.get(key) ?? []), entry]);
    }
    this.#byName = byName;
    this.#known = new Set();
  }

  async check({ name, token }: Login): Promise<boolean> {
    const folded = foldName(name);
    const digest = createHmac("sha256", this.#key).update(`${folded}\0${token}`).digest("base64");
    if (this.#known.has(digest)) return true;
    const known = this.#known;
    const entries = [...(this.#byName.get(folded) ?? []), ...(this.#byName.get(ANY_NAME) ?? [])];
    for (const entry of entries.length > 0 ? entries : [NOBODY]) {
      const hash = await hashOf(token, entry);
      if (entry === NOBODY || !timingSafeEqual(hash, entry.hash)) continue;
      known.add(digest);
      return true;
    }
    return false;
  }
}

const NOBODY: HashedToken = {
  cost: COST,
  blockSize: BLOCK_SIZE,
  parallelization: PARALLELIZATION,
  salt: Buffer.alloc(SALT_BYTES),
  hash: Buffer.alloc(HASH_BYTES),
};

function parse(line: string): [name: string, entry: HashedToken] | undefined {
  const match = LINE.exec(line);
  if (match === null) return undefined;
  const [, cost, blockSize, parallelization, salt, hash, name] = match as unknown as string[];
  const entry = {
    cost: Number(cost),
    blockSize: Number(blockSize),
    parallelization: Number(parallelization),
    salt: Buffer.from(salt as string, "base64url"),
    hash: Buffer.from(hash as string, "base64url"),
  };
  const isPowerOfTwo = entry.cost > 1 && (entry.cost & (entry.cost - 1)) === 0;
  const isBearable = memoryOf(entry) <= MAX_MEMORY_BYTES && entry.blockSize > 0 && entry.parallelization > 0;
  return isPowerOfTwo && isBearable && entry.hash.length > 0 ? [name as string, entry] : undefined;
}

function memoryOf({ cost, blockSize }: HashedToken): number {
  return 128 * cost * blockSize;
}

function hashOf(token: string, entry: HashedToken): Promise<Buffer> {
  const options: ScryptOptions = {
    cost: entry.cost,
    blockSize: entry.blockSize,
    parallelization: entry.parallelization,
    maxmem: 2 * memoryOf(entry),
  };
  return new Promise((resolve, reject) => {
    scrypt(token, entry.salt, entry.hash.length, options, (error, hash) => (error ? reject(error) : resolve(hash)));
  });
}
