/** What the controller and a peer say to each other: calls and their answers. Plain data only. */

export interface ToPeer {
  readonly id: number;
  /** An export of the peer's module. */
  readonly name: string;
  readonly args: readonly unknown[];
}

export type FromPeer =
  /** The first message: the kernel's id of the peer's thread. */
  | { readonly hello: number }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string };
