/** What someone needs of a transport: six answers, as flags or asked for, and how each is read from text. */

export interface Needs {
  readonly sameMachine: boolean;
  readonly messageBytes: number;
  readonly messagesPerSecond: number;
  /** Cores that nothing else uses: 0: both sides share one, 1: each side has one, 2: each may also burn it. */
  readonly spareCores: number;
  /** May every peer be trusted not to forge or damage what the others read? */
  readonly trust: boolean;
  /** Must the others go on, with the data, when one is killed with -9? */
  readonly surviveKill: boolean;
}

export interface Question<Name extends keyof Needs = keyof Needs> {
  readonly name: Name;
  /** With its value, as commander wants it. */
  readonly flag: string;
  readonly text: string;
  /** What an empty answer on a terminal means. */
  readonly usual: string;
  /** @throws RangeError that says what is needed instead */
  readonly read: (text: string) => Needs[Name];
}

export const QUESTIONS: readonly Question[] = [
  question("sameMachine", "--same-machine <yes|no>", "Are both sides always on the same machine?", "yes", yesOrNo),
  question("messageBytes", "--size <bytes>", "How large is a message, in bytes (1k is 1024)?", "64", bytes),
  question("messagesPerSecond", "--rate <number>", "How many messages a second (10k is 10,000)?", "1000", perSecond),
  question(
    "spareCores",
    "--spare-cores <number>",
    "Cores to spare (0: the sides share one, 1: one for each side, 2: they may burn them too)?",
    "1",
    cores,
  ),
  question("trust", "--trust <yes|no>", "Do the peers trust each other (one user, your own programs)?", "yes", yesOrNo),
  question(
    "surviveKill",
    "--survive-kill <yes|no>",
    "Must the others go on, with the data, when one is killed with -9?",
    "no",
    yesOrNo,
  ),
];

function question<Name extends keyof Needs>(
  name: Name,
  flag: string,
  text: string,
  usual: string,
  read: (text: string) => Needs[Name],
): Question<Name> {
  return { name, flag, text, usual, read };
}

function yesOrNo(text: string): boolean {
  if (/^(y|yes|true|1)$/i.test(text.trim())) return true;
  if (/^(n|no|false|0)$/i.test(text.trim())) return false;
  throw new RangeError(`"${text}" is neither yes nor no`);
}

const KIBI = 1024;
const KILO = 1_000;

function bytes(text: string): number {
  const size = scaled(text, /^(\d+(?:\.\d+)?)\s*(k|m)?i?b?$/i, KIBI);
  if (size === undefined || size < 1) throw new RangeError(`"${text}" is no size: bytes are needed, such as 64 or 4k`);
  return Math.round(size);
}

function perSecond(text: string): number {
  const rate = scaled(text, /^(\d+(?:\.\d+)?)\s*(k|m)?$/i, KILO);
  if (rate === undefined || rate <= 0) {
    throw new RangeError(`"${text}" is no rate: messages a second are needed, such as 50 or 10k`);
  }
  return rate;
}

function cores(text: string): number {
  if (!/^\d{1,4}$/.test(text.trim())) throw new RangeError(`"${text}" is no number of cores`);
  return Number(text);
}

function scaled(text: string, form: RegExp, step: number): number | undefined {
  const match = form.exec(text.trim().replaceAll(",", "").replaceAll("_", ""));
  if (match === null) return undefined;
  const powers: Readonly<Record<string, number>> = { k: step, m: step * step };
  return Number(match[1]) * (powers[match[2]?.toLowerCase() ?? ""] ?? 1);
}
