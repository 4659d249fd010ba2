/** The shared-memory contenders: the same rings, by how a waiting side waits. */
import { CONTENDERS } from "../results/ids.ts";
import type { Contender } from "../results/types.ts";
import type { Machine } from "../rig/machine.ts";
import type { TransportContender } from "./contender.ts";

const MODULE = new URL("ring-transport.ts", import.meta.url).href;

/** Between two processes; between two threads where there are no named segments. */
export function ringContenders(machine: Machine): readonly TransportContender[] {
  return [
    ringContender(CONTENDERS.shmSpin, 2, machine),
    ringContender(CONTENDERS.shmAdaptive, 0, machine),
    ringContender(CONTENDERS.shmPark, 0, machine),
    ringContender(CONTENDERS.shmEventLoop, 0, machine),
  ];
}

function ringContender(info: Contender, spinningThreads: number, machine: Machine): TransportContender {
  const boundary = machine.sharedMemoryBoundary;
  // What two threads share is another thing than what two processes do: it gets another name.
  const label = boundary === "thread" ? info.label.replace("Shared memory", "SharedArrayBuffer") : info.label;
  return {
    kind: "transport",
    info: { ...info, label, boundary },
    module: MODULE,
    settings: { wait: info.wait },
    acknowledgement: "the receiver's own frame, after it has verified the message",
    copies: { user: 0, kernel: 0 },
    spinningThreads,
    available: () => undefined,
  };
}
