/** The help of `shm` and of each command, made from the table of commands. */
import { COMMANDS, COMMON_OPTIONS, type Command, type Option } from "./commands.ts";

export function overview(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length + 2 + operandsOf(name).length));
  const commands = Object.entries(COMMANDS).map(
    ([name, { help }]) => `  ${`${name} ${operandsOf(name)}`.trimEnd().padEnd(width)}${help}`,
  );
  return [
    "Usage: shm COMMAND [OPTIONS]",
    "",
    "Look at shared memory segments, which changes nothing, and clean up what the dead have left.",
    "",
    "Commands:",
    ...commands,
    "",
    "Options of every command:",
    ...optionLines(COMMON_OPTIONS),
    "      --version          show the version",
    "",
    "Examples:",
    ...exampleLines(Object.values(COMMANDS).map(({ examples }) => examples[0] as readonly [string, string])),
    "",
    "Exit codes: 0 done, 1 failed, 2 wrong usage. `shm COMMAND --help` says more.",
  ].join("\n");
}

export function helpOf(name: string, command: Command): string {
  return [
    ["Usage: shm", name, command.operands, "[OPTIONS]"].filter((part) => part !== "").join(" "),
    "",
    `${command.help[0]?.toUpperCase()}${command.help.slice(1)}.`,
    "",
    "Options:",
    ...optionLines({ ...command.options, ...COMMON_OPTIONS }),
    "",
    "Examples:",
    ...exampleLines(command.examples),
  ].join("\n");
}

function operandsOf(name: string): string {
  return COMMANDS[name]?.operands ?? "";
}

function optionLines(options: Readonly<Record<string, Option>>): string[] {
  return Object.entries(options).map(([name, { short, value, help }]) => {
    const flags = `${short === undefined ? "    " : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`;
    return `  ${flags.padEnd(23)}${help}`;
  });
}

function exampleLines(examples: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...examples.map(([command]) => command.length)) + 2;
  return examples.map(([command, what]) => `  ${command.padEnd(width)}# ${what}`);
}
