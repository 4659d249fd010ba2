/** Every scenario, the headline first: one line each. */
import type { AnyContender } from "../contenders/contender.ts";
import { chatDelivery } from "./chat-delivery.ts";
import { crashRecovery } from "./crash-recovery.ts";
import { httpGateway } from "./http-gateway.ts";
import { roundTrip } from "./round-trip.ts";
import type { Scenario } from "./scenario.ts";
import { throughput } from "./throughput.ts";

export function allScenarios(contenders: readonly AnyContender[]): readonly Scenario[] {
  const of = (kind: AnyContender["kind"]): AnyContender[] => contenders.filter((contender) => contender.kind === kind);
  return [
    roundTrip(of("transport")),
    chatDelivery(of("chat")),
    throughput(of("transport")),
    httpGateway(of("gateway")),
    crashRecovery(of("recovery")),
  ];
}
