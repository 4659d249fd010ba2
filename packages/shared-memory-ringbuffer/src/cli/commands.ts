/** The commands of `shm`: their arguments, options, help and what they do. One table serves parsing and help. */
import { clean } from "./clean.ts";
import type { Action } from "./context.ts";
import { doctor } from "./doctor.ts";
import { inspect } from "./inspect.ts";
import { ls } from "./ls.ts";
import { stat } from "./stat.ts";
import { tail } from "./tail.ts";

export interface Option {
  readonly type: "string" | "boolean";
  readonly short?: string;
  /** How the value is called in the help. */
  readonly value?: string;
  readonly help: string;
}

export interface Command {
  /** As the help shows it: `NAME` is needed, `[NAME...]` any number. */
  readonly operands: "" | "NAME" | "[NAME...]";
  readonly help: string;
  readonly options: Readonly<Record<string, Option>>;
  readonly examples: readonly (readonly [command: string, what: string])[];
  readonly action: Action;
}

export const COMMON_OPTIONS: Readonly<Record<string, Option>> = {
  json: { type: "boolean", help: "print JSON, one value a line" },
  dir: { type: "string", value: "FOLDER", help: "where segments are (default: $SHM_DIR, else /dev/shm)" },
  help: { type: "boolean", short: "h", help: "show this help" },
};

export const COMMANDS: Readonly<Record<string, Command>> = {
  ls: {
    operands: "",
    help: "list all segments: size, participants alive and dead, state",
    options: {},
    examples: [
      ["shm ls", "all segments of this machine"],
      ["shm ls --json", "the same with every participant, for a script"],
    ],
    action: ls,
  },
  inspect: {
    operands: "NAME",
    help: "show one segment: lock, participants, counters, objects",
    options: {},
    examples: [["shm inspect lobby", "everything that one look shows"]],
    action: inspect,
  },
  stat: {
    operands: "NAME",
    help: "measure one segment: depth, rate, waits, wakes, lock holder, participants",
    options: {
      watch: { type: "boolean", short: "w", help: "report again and again, until Ctrl-C" },
      interval: { type: "string", value: "MS", help: "time between two looks (default 1000, at least 10)" },
      count: { type: "string", value: "N", help: "stop after N reports (default 1, with --watch no limit)" },
    },
    examples: [
      ["shm stat lobby", "one report, from two looks a second apart"],
      ["shm stat lobby --watch --interval 200", "five reports a second"],
      ["shm stat lobby --count 3 --json", "three reports, each on a line"],
    ],
    action: stat,
  },
  tail: {
    operands: "NAME",
    help: "print the newest records of a log",
    options: {
      object: { type: "string", value: "ID", help: "which log, if the segment has several" },
      records: { type: "string", short: "n", value: "N", help: "how many (default 10), or `all`" },
      follow: { type: "boolean", short: "f", help: "go on with what is appended, until Ctrl-C" },
      hex: { type: "boolean", help: "print bytes in hexadecimal instead of text" },
      interval: { type: "string", value: "MS", help: "how often to look when following (default 100, at least 10)" },
    },
    examples: [
      ["shm tail lobby", "the last ten records"],
      ["shm tail lobby --object events -n all --hex", "all of the log `events` in hexadecimal"],
      ["shm tail lobby --follow --json", "each record as a JSON value, as it comes"],
    ],
    action: tail,
  },
  doctor: {
    operands: "",
    help: "try out whether shared memory works here, and say what stands in its way",
    options: {},
    examples: [
      ["shm doctor", "exit code 1 when named segments don't work"],
      ["SHM_DIR=/mnt/shm shm doctor", "the same for another folder"],
    ],
    action: doctor,
  },
  clean: {
    operands: "[NAME...]",
    help: "remove what is proven dead: segments with only dead participants, pipes that nobody has open",
    options: {
      "dry-run": { type: "boolean", short: "n", help: "only say what would be removed" },
      kept: { type: "boolean", help: "also segments that their last user kept for a later one" },
    },
    examples: [
      ["shm clean --dry-run", "what would go, and why the rest stays"],
      ["shm clean", "remove it"],
      ["shm clean lobby", "only this one, if it is dead"],
    ],
    action: clean,
  },
};
