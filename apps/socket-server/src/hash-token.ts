/**
 * Makes a line for the token file: `npm run -s hash-token -- ada >> tokens`.
 *
 * - The token is the first line of stdin; on a terminal one is made, and told once on stderr.
 */

import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline/promises";
import { normalizeName } from "@parley/chat-room";
import { hashedLine } from "./token-file.ts";

const MADE_TOKEN_BYTES = 24;
const ANY_NAME = "*";
const USAGE = `usage: npm run -s hash-token -- NAME >> FILE
  NAME  who the token is for; '*' for a token that may have any name
The token is read from stdin; at a terminal one is made and shown once.`;

async function main(args: readonly string[]): Promise<number> {
  const [name] = args;
  if (name === "--help") {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  if (name === undefined || args.length > 1) return fail(USAGE);
  const outcome = name === ANY_NAME ? { valid: true as const, name } : normalizeName(name);
  if (!outcome.valid) return fail(`hash-token: ${outcome.message}`);
  const token = process.stdin.isTTY ? makeToken() : await firstLine();
  if (token === "") return fail("hash-token: there is no token on stdin");
  process.stdout.write(`${await hashedLine(outcome.name, token)}\n`);
  return 0;
}

function fail(message: string): number {
  process.stderr.write(`${message}\n`);
  return 2;
}

function makeToken(): string {
  const token = randomBytes(MADE_TOKEN_BYTES).toString("base64url");
  process.stderr.write(`token, shown only now: ${token}\n`);
  return token;
}

async function firstLine(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) return line.trim();
  return "";
}

process.exitCode = await main(process.argv.slice(2));
