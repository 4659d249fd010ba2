/** Writers of one shared log, one of which dies while it holds the lock. */
import type { Contender } from "../results/types.ts";
import type { RecoveryContender } from "./contender.ts";

const INFO: Contender = {
  id: "shm-log",
  label: "Shared log, park",
  level: "transport",
  wait: "park",
  boundary: "process",
  design: "shared-memory",
  repeats: null,
};

export const recoveryContenders: readonly RecoveryContender[] = [
  {
    kind: "recovery",
    info: INFO,
    acknowledgement: "the log has the record",
    spinningThreads: 0,
    available: ({ cannotName }) => (cannotName === null ? undefined : cannotName),
  },
];
