/** `shm inspect NAME`: everything that one look at a segment shows. */
import { type Action, EXIT_FAILED, EXIT_FINE, observed } from "./context.ts";
import { createdText } from "./ls.ts";
import { lockText, type ObjectView, viewObjects } from "./objects.ts";
import { bytesText, type Cell, type Output } from "./output.ts";
import { type ParticipantView, stateText, viewOf } from "./processes.ts";

export const inspect: Action = (context) => {
  const { output } = context;
  const observer = observed(context);
  try {
    const { name, path, epoch, capacityBytes, header } = observer;
    const lock = observer.lock();
    const participants = observer.participants().map(viewOf);
    const objects = viewObjects(observer);
    const counters = observer.counts();
    const created = createdText(epoch);
    output.value({
      ...{ name, path, epoch, created, capacityBytes, participantSlots: header.slotCount },
      ...{ lock, participants, objects, counters },
    });
    output.line({ text: name, style: "bold" }, `  ${path}`);
    output.line(`  size          ${bytesText(capacityBytes)}`);
    output.line(`  created       ${created}`);
    output.line(`  lock          ${lockText(lock)}`);
    const totals = Object.entries(counters).map(([counter, total]) => `${counter} ${total}`);
    output.line(`  counters      ${totals.join("  ")}`);
    output.line(`  participants  ${participants.length} of ${header.slotCount} slots`);
    if (participants.length > 0) printParticipants(output, participants);
    output.line("");
    printObjects(output, objects);
    return objects.some(({ problem }) => problem !== undefined) ? EXIT_FAILED : EXIT_FINE;
  } finally {
    observer.close();
  }
};

function printParticipants(output: Output, participants: readonly ParticipantView[]): void {
  output.line("");
  output.table(
    ["SLOT", "PID", "TID", "PROGRAM", "STATE", "WAITS", "CURSOR"],
    participants.map((each): Cell[] => [
      each.slot,
      each.pid,
      each.tid,
      each.program ?? "-",
      { text: stateText(each), style: each.state === "dead" ? "red" : each.state === "stopped" ? "yellow" : "green" },
      each.sleeping ? "for news" : "-",
      each.isReader ? String(each.cursor) : "-",
    ]),
  );
}

function printObjects(output: Output, objects: readonly ObjectView[]): void {
  output.table(
    ["OBJECT", "KIND", "OFFSET", "SIZE", "USED", "MORE"],
    objects.map((object): Cell[] => [
      object.id,
      object.kind,
      object.offsetBytes,
      object.sizeBytes,
      object.usedBytes === undefined ? "-" : `${object.usedBytes} of ${object.capacityBytes}`,
      object.problem === undefined ? detailText(object) : { text: object.problem, style: "red" },
    ]),
  );
}

function detailText({ detail = {} }: ObjectView): string {
  return Object.entries(detail)
    .filter(([, value]) => value !== false)
    .map(([key, value]) =>
      value === true ? key : `${key} ${typeof value === "object" ? JSON.stringify(value) : value}`,
    )
    .join("  ");
}
