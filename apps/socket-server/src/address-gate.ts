/**
 * How many connections there may be, in all and from one address.
 *
 * - IPv6 is counted by /64, which is what one household or machine is given; IPv4 in IPv6's clothes as IPv4.
 * - Unix sockets have no address: only the limit for all holds there.
 */

import { isIPv6 } from "node:net";

export interface GateLimits {
  /** Infinity: no limit. */
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
}

export type Refused = "too many connections" | "too many connections from one address";

export class AddressGate {
  readonly #limits: GateLimits;
  readonly #perAddress = new Map<string, number>();
  #connections = 0;

  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  /** Lets a connection in, to be given back by `leave` with the same address, or says why not. */
  enter(address: string | undefined): Refused | undefined {
    if (this.#connections >= this.#limits.maxConnections) return "too many connections";
    if (address !== undefined) {
      const network = networkOf(address);
      const here = this.#perAddress.get(network) ?? 0;
      if (here >= this.#limits.maxConnectionsPerAddress) return "too many connections from one address";
      this.#perAddress.set(network, here + 1);
    }
    this.#connections++;
    return undefined;
  }

  leave(address: string | undefined): void {
    this.#connections--;
    if (address === undefined) return;
    const network = networkOf(address);
    const here = (this.#perAddress.get(network) ?? 0) - 1;
    if (here > 0) this.#perAddress.set(network, here);
    else this.#perAddress.delete(network);
  }
}

const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const GROUPS_IN_IPV6 = 8;
const GROUPS_IN_NETWORK = 4;

/** What an address is counted as. */
export function networkOf(address: string): string {
  const mapped = MAPPED_IPV4.exec(address);
  if (mapped !== null) return mapped[1] as string;
  if (!isIPv6(address)) return address;
  const [head = "", tail = ""] = (address.split("%")[0] as string).split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === "" ? [] : tail.split(":");
  const zeros = new Array<string>(Math.max(0, GROUPS_IN_IPV6 - before.length - after.length)).fill("0");
  const groups = address.includes("::") ? [...before, ...zeros, ...after] : before;
  return `${groups.slice(0, GROUPS_IN_NETWORK).join(":")}::/64`;
}
