/** An HTTP gateway before each kind of room, and before none. */
import { CONTENDERS } from "../results/ids.ts";
import type { Contender } from "../results/types.ts";
import type { GatewayContender } from "./contender.ts";

export const gatewayContenders: readonly GatewayContender[] = [
  gateway(CONTENDERS.gatewayNull, "null", "none: the gateway answers by itself"),
  gateway(CONTENDERS.gatewayTcp, "tcp", "the server's log has the message"),
  gateway(CONTENDERS.gatewayShm, "shm", "the segment's log has the message"),
];

function gateway(info: Contender, backend: GatewayContender["backend"], acknowledgement: string): GatewayContender {
  return {
    kind: "gateway",
    info,
    backend,
    acknowledgement,
    spinningThreads: 0,
    available: ({ cannotName }) => (backend === "shm" && cannotName !== null ? cannotName : undefined),
  };
}
