/**
 * The names that runner and report share: contenders, scenarios, metrics.
 *
 * - An id is written here once and imported everywhere else.
 * - A results file describes itself: whatever isn't known here is still rendered, under its own id and label.
 */
import type { Contender, Level, Metric, Params, Placement, Scenario } from "./types.ts";

type ContenderName =
  | "tcp"
  | "tcpAgain"
  | "unixSocket"
  | "shmSpin"
  | "shmAdaptive"
  | "shmPark"
  | "shmEventLoop"
  | "chatTcp"
  | "chatShm"
  | "gatewayNull"
  | "gatewayTcp"
  | "gatewayShm";

export const CONTENDERS: Readonly<Record<ContenderName, Contender>> = {
  tcp: contender("tcp", "TCP", "transport", "event-loop", "socket"),
  tcpAgain: { ...contender("tcp-again", "TCP again (A/A)", "transport", "event-loop", "socket"), repeats: "tcp" },
  unixSocket: contender("unix-socket", "Unix socket", "transport", "event-loop", "socket"),
  shmSpin: contender("shm-spin", "Shared memory, spin", "transport", "spin", "shared-memory"),
  shmAdaptive: contender("shm-adaptive", "Shared memory, adaptive", "transport", "adaptive", "shared-memory"),
  shmPark: contender("shm-park", "Shared memory, park", "transport", "park", "shared-memory"),
  shmEventLoop: contender("shm-event-loop", "Shared memory, event loop", "transport", "event-loop", "shared-memory"),
  chatTcp: contender("chat-tcp", "TCP chat server", "chat", "event-loop", "socket"),
  chatShm: contender("chat-shm", "Shared-memory chat room", "chat", "event-loop", "shared-memory"),
  gatewayNull: contender("gateway-null", "HTTP, no backend", "http", null, "none"),
  gatewayTcp: contender("gateway-tcp", "HTTP over TCP", "http", "event-loop", "socket"),
  gatewayShm: contender("gateway-shm", "HTTP over shared memory", "http", "event-loop", "shared-memory"),
};

function contender(
  id: string,
  label: string,
  level: Level,
  wait: Contender["wait"],
  design: Contender["design"],
): Contender {
  return { id, label, level, wait, boundary: "process", design, repeats: null };
}

/** Metrics that every results file defines; a scenario may add its own. */
export const METRICS: Readonly<Record<"p50" | "p90" | "p99" | "rate" | "cpuUsPerMessage", Metric>> = {
  p50: { id: "p50", label: "p50", unit: "µs", better: "lower" },
  p90: { id: "p90", label: "p90", unit: "µs", better: "lower" },
  p99: { id: "p99", label: "p99", unit: "µs", better: "lower" },
  rate: { id: "rate", label: "rate received", unit: "a second", better: "higher" },
  cpuUsPerMessage: { id: "cpuUsPerMessage", label: "CPU a message", unit: "µs", better: "lower" },
};

/** What the runner says about a scenario before it has cells; see `buildResults`. */
export type ScenarioPlan = Omit<Scenario, "cells" | "comparisons"> & {
  /** Contenders that the others are compared with. */
  readonly bases: readonly string[];
  /** Metric ids to compare. */
  readonly compared: readonly string[];
};

export type ScenarioKind = Omit<ScenarioPlan, "params" | "placement">;

export const SCENARIOS: Readonly<Record<"roundTrip" | "throughput" | "chatDelivery" | "httpGateway", ScenarioKind>> = {
  roundTrip: {
    id: "round-trip",
    title: "Round trip",
    question: "How long until the other process has answered, with one message under way?",
    level: "transport",
    loop: "closed",
    primaryMetric: METRICS.p50.id,
    bases: [CONTENDERS.tcp.id],
    compared: [METRICS.p50.id, METRICS.p99.id, METRICS.cpuUsPerMessage.id],
  },
  throughput: {
    id: "throughput",
    title: "Throughput at equal batches",
    question: "How many messages a second arrive when both sides are kept busy?",
    level: "transport",
    loop: "windowed",
    primaryMetric: METRICS.rate.id,
    bases: [CONTENDERS.tcp.id],
    compared: [METRICS.rate.id, METRICS.cpuUsPerMessage.id],
  },
  chatDelivery: {
    id: "chat-delivery",
    title: "One chat message delivered",
    question: "How long from one person's message until another person has it, as the apps are really run?",
    level: "chat",
    loop: "closed",
    primaryMetric: METRICS.p50.id,
    bases: [CONTENDERS.chatTcp.id],
    compared: [METRICS.p50.id, METRICS.p99.id, METRICS.cpuUsPerMessage.id],
  },
  httpGateway: {
    id: "http-gateway",
    title: "Through an HTTP gateway",
    question: "What does a web user notice of the transport behind the web server?",
    level: "http",
    loop: "closed",
    primaryMetric: METRICS.rate.id,
    bases: [CONTENDERS.gatewayTcp.id],
    compared: [METRICS.rate.id, METRICS.p50.id],
  },
};

/** The scenario that kills lock holders; it is described beside its code because nothing else compares with it. */
export const CRASH_RECOVERY_ID = "crash-recovery";

/** The names of parameters that the report explains; others are shown as they are. */
export const PARAMS: Readonly<Record<"payloadBytes" | "batch" | "connections", string>> = {
  payloadBytes: "payloadBytes",
  batch: "batch",
  connections: "connections",
};

/** A plan from the catalogue, at a placement and with parameters. */
export function planScenario(kind: ScenarioKind, placement: Placement, params: Params): ScenarioPlan {
  return { ...kind, placement, params };
}

/** One line that is the same for the same {id, placement, params}. */
export function scenarioKey(scenario: Pick<Scenario, "id" | "placement" | "params">): string {
  const params = Object.entries(scenario.params)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`);
  return [scenario.id, scenario.placement, ...params].join(" ");
}
