/** Every contender: one line a family. */
import type { Machine } from "../rig/machine.ts";
import { chatContenders } from "./chat.ts";
import type { AnyContender } from "./contender.ts";
import { gatewayContenders } from "./gateways.ts";
import { recoveryContenders } from "./recovery.ts";
import { ringContenders } from "./rings.ts";
import { socketContenders } from "./sockets.ts";

export function allContenders(machine: Machine): readonly AnyContender[] {
  return [
    ...socketContenders,
    ...ringContenders(machine),
    ...chatContenders,
    ...gatewayContenders,
    ...recoveryContenders,
  ];
}
