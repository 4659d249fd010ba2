/**
 * Shows on stderr what is being measured and how long it will take.
 *
 * - On a terminal one line that is rewritten; elsewhere a line for each scenario of each block.
 */
import { styleText } from "node:util";

export interface ProgressStep {
  readonly scenario: string;
  readonly contender: string;
  /** From 1. */
  readonly block: number;
  readonly blocks: number;
  readonly leftMs: number;
}

export interface Progress {
  step(step: ProgressStep): void;
  /** A line that stays. */
  note(text: string): void;
  done(): void;
}

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const MS_PER_SECOND = 1_000;
const DEFAULT_COLUMNS = 80;

export function createProgress(output: Output): Progress {
  const terminal = output.isTTY === true;
  let lastPlain = "";
  const clear = (): void => {
    if (terminal) output.write("\r\x1b[K");
  };
  return {
    step(step) {
      const left = `about ${Math.max(0, Math.round(step.leftMs / MS_PER_SECOND))} s left`;
      if (terminal) {
        const text = `block ${step.block}/${step.blocks}  ${step.scenario}: ${step.contender}  ${left}`;
        clear();
        output.write(styleText("dim", text.slice(0, (output.columns ?? DEFAULT_COLUMNS) - 1)));
        return;
      }
      const plain = `block ${step.block}/${step.blocks}: ${step.scenario}`;
      if (plain === lastPlain) return;
      lastPlain = plain;
      output.write(`${plain}, first ${step.contender}, ${left}\n`);
    },
    note(text) {
      clear();
      output.write(`${text}\n`);
    },
    done: clear,
  };
}

export const silentProgress: Progress = { step() {}, note() {}, done() {} };
