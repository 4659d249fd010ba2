/**
 * `advise`: which transport to use, from six answers and the latest report of this machine.
 *
 * - On a terminal it asks for what no flag says; elsewhere every flag is needed, so that a script never hangs.
 * - Reads reports/latest, else reports/example, and says which; measures nothing.
 * - Exit codes: 0 advised; 1 no report can be read; 2 a usage mistake; 130 interrupted.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { REPOSITORY_ROOT } from "../env.ts";
import { type Needs, QUESTIONS, type Question } from "./needs.ts";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

const HELP = `
Examples:
  npm run -s advise                       asks six questions
  npm run -s advise -- --same-machine yes --size 64 --rate 10k --spare-cores 1 --trust yes --survive-kill no
  npm run -s advise -- ... --json         one JSON object on stdout

It answers from reports/latest, which \`npm run compare\` writes, and else from the committed reports/example.`;

type Flags = Partial<Needs> & { readonly json?: boolean; readonly reports: string };

function parse(): Flags | number {
  const program = new Command("advise")
    .description("Which transport should I use? Answered from what compare measured.")
    .option("--json", "print one JSON object instead of text")
    .option("--reports <folder>", "where the reports are", path.join(REPOSITORY_ROOT, "reports"))
    .addHelpText("after", HELP)
    .allowExcessArguments(false)
    .exitOverride();
  for (const { flag, text, read } of QUESTIONS) {
    program.addOption(
      new Option(flag, text).argParser((value) => {
        try {
          return read(value);
        } catch (error) {
          throw new InvalidArgumentError((error as Error).message);
        }
      }),
    );
  }
  try {
    program.parse();
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    throw error;
  }
  const given = program.opts<Record<string, unknown>>();
  // Commander names options after their flags, needs are named after what they are.
  const needs = QUESTIONS.map(({ name, flag }) => [name, given[attributeOf(flag)]]);
  return { ...Object.fromEntries(needs), json: given.json === true, reports: String(given.reports) };
}

function attributeOf(flag: string): string {
  return new Option(flag).attributeName();
}

/** Undefined when the terminal ends, or Ctrl-C, before the last answer. */
async function ask(open: readonly Question[]): Promise<Partial<Needs> | undefined> {
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  // One iterator for all questions: `question()` drops what was typed ahead of it.
  const lines = reader[Symbol.asyncIterator]();
  reader.once("SIGINT", () => reader.close());
  const answers: Record<string, unknown> = {};
  try {
    for (const { name, text, usual, read } of open) {
      while (answers[name] === undefined) {
        reader.setPrompt(`${text} [${usual}] `);
        reader.prompt();
        const line = await lines.next();
        if (line.done) {
          process.stderr.write("\n");
          return undefined;
        }
        try {
          answers[name] = read(line.value.trim() || usual);
        } catch (error) {
          process.stderr.write(`${(error as Error).message}\n`);
        }
      }
    }
  } finally {
    reader.close();
  }
  return answers;
}

async function main(): Promise<number> {
  const flags = parse();
  if (typeof flags === "number") return flags;
  const open = QUESTIONS.filter(({ name }) => flags[name] === undefined);
  if (open.length > 0 && !process.stdin.isTTY) {
    const missing = open.map(({ flag }) => flag.split(" ")[0]).join(", ");
    process.stderr.write(`error: ${missing} must be given where there is no terminal to ask on\n`);
    return EXIT_USAGE;
  }
  // Nx and npm run this in different folders; people mean the one they typed it in.
  const reports = path.resolve(process.env.INIT_CWD ?? process.cwd(), flags.reports);
  const kind = ["latest", "example"].find((each) => existsSync(path.join(reports, each, "results.json")));
  if (kind === undefined) {
    process.stderr.write(`error: there is no report in ${reports}: run \`npm run compare\` first\n`);
    return EXIT_FAILED;
  }
  const answers = open.length === 0 ? {} : await ask(open);
  if (answers === undefined) return EXIT_INTERRUPTED;
  const needs = { ...flags, ...answers } as Needs;
  const { parseResults } = await import("../results/validate.ts");
  const { View } = await import("../report/view.ts");
  const { recommend } = await import("./recommend.ts");
  const { asJson, asText } = await import("./print.ts");
  const file = path.join(reports, kind, "results.json");
  try {
    const results = parseResults(readFileSync(file, "utf8"));
    const source = { path: file, isExample: kind === "example", results };
    const advice = recommend(new View(results), needs);
    process.stdout.write(flags.json ? `${JSON.stringify(asJson(source, needs, advice))}\n` : asText(source, advice));
    return 0;
  } catch (error) {
    process.stderr.write(`error: ${file}: ${(error as Error).message}\n`);
    return EXIT_FAILED;
  }
}

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});
process.exitCode = await main();
