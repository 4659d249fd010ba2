/** The socket contenders: TCP, the same TCP again as the A/A control, and Unix sockets. */
import { CONTENDERS } from "../results/ids.ts";
import type { Contender } from "../results/types.ts";
import type { TransportContender } from "./contender.ts";

const MODULE = new URL("socket-transport.ts", import.meta.url).href;

export const socketContenders: readonly TransportContender[] = [
  socketContender(CONTENDERS.tcp, "tcp"),
  socketContender(CONTENDERS.tcpAgain, "tcp"),
  socketContender(CONTENDERS.unixSocket, "unix"),
];

function socketContender(info: Contender, family: "tcp" | "unix"): TransportContender {
  return {
    kind: "transport",
    info,
    module: MODULE,
    settings: { family },
    acknowledgement: "the receiver's own frame, after it has verified the message",
    copies: { user: 0, kernel: 2 },
    spinningThreads: 0,
    available: () =>
      family === "unix" && process.platform === "win32" ? "Windows has no Unix sockets here" : undefined,
  };
}
