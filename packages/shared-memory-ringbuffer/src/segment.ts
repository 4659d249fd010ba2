/**
 * A segment as one participant has it: memory, lock, wake-ups and the other participants, and how it takes leave.
 *
 * - One Segment belongs to the thread that opened it. Another thread opens the same name, or attaches the same
 *   SharedArrayBuffer, and is a participant of its own.
 * - `close` gives everything back: views made from `memory` are detached and throw when touched.
 * - The last participant to leave marks the segment closed and removes its file. One that dies leaves that to the
 *   next opener, which finds it among the dead and keeps the data.
 */
import type { LockOptions } from "./async-lock.ts";
import { AtomicsFutex } from "./atomics-futex.ts";
import { BellRinger } from "./bell-ringer.ts";
import type { Doorbells, LogGates } from "./contracts.ts";
import { COUNTER, Counters, type CounterTotals } from "./counters.ts";
import { ArgumentError } from "./errors.ts";
import { DoorbellWaits, type EventLoopWaits } from "./event-loop-waits.ts";
import { failpoint } from "./failpoint.ts";
import type { Futex } from "./futex.ts";
import type { SegmentHeader } from "./header.ts";
import { KernelFutex } from "./kernel-futex.ts";
import { PHASE_LEAVING } from "./layout.ts";
import type { Mapping, MappingKind } from "./mapping.ts";
import type { Region, SharedMemory } from "./memory.ts";
import type { Claims } from "./mpsc-words.ts";
import { RobustMutex } from "./mutex.ts";
import type { Participant, ParticipantInfo, ParticipantTable } from "./participants.ts";
import type { WaitStrategy } from "./ring-wait.ts";
import { closeAndUnlink, isMarkedClosed, mayRemove, type ReapHook, reapDead } from "./segment-life.ts";
import { pipePath } from "./segment-name.ts";
import { findRegion, type ObjectInfo, type ObjectKind } from "./segment-spec.ts";
import { SleepState } from "./sleep-state.ts";
import { Waiter } from "./wait-strategy.ts";

/** A leaver waits this long for the lock before it leaves without looking whether it is the last. */
const CLOSE_TIMEOUT_MS = 1000;
const REAP_SPINS = 1000;

/** What the code that opens a segment hands over. */
export interface SegmentParts {
  readonly name: string | undefined;
  readonly path: string | undefined;
  readonly header: SegmentHeader;
  readonly objects: readonly ObjectInfo[];
  readonly mapping: Mapping;
  readonly table: ParticipantTable;
  readonly me: Participant;
}

export class Segment {
  /** `undefined` for an anonymous segment. */
  readonly name: string | undefined;
  readonly path: string | undefined;
  /** Creation time in µs: another epoch under the same name is another segment. */
  readonly epoch: number;
  readonly capacityBytes: number;
  readonly mapping: MappingKind;
  readonly memory: SharedMemory;
  readonly futex: Futex;
  readonly mutex: RobustMutex;
  readonly doorbells: Doorbells;
  readonly counters: Counters;
  readonly me: Participant;
  readonly objects: readonly ObjectInfo[];
  /** How this participant signs its claims in an MPSC ring, and whose claims are dead. */
  readonly claims: Claims;
  /** Readers of a log that its writers must not overtake. */
  readonly gates: LogGates;
  /** For this package's own code. */
  readonly ringer: BellRinger;
  /** For this package's own code. */
  readonly sleep: SleepState;

  readonly #mapping: Mapping;
  readonly #table: ParticipantTable;
  readonly #kernelFutex: KernelFutex | undefined;
  readonly #reapHooks = new Set<ReapHook>();
  readonly #closeHooks = new Set<() => void>();
  #eventLoop: DoorbellWaits | undefined;
  #closed = false;

  constructor(parts: SegmentParts) {
    const { mapping, table, me, header } = parts;
    this.name = parts.name;
    this.path = parts.path;
    this.epoch = header.epoch;
    this.capacityBytes = header.capacityBytes;
    this.mapping = mapping.kind;
    this.memory = mapping.memory;
    this.objects = parts.objects;
    this.me = me;
    this.#mapping = mapping;
    this.#table = table;
    this.#kernelFutex = mapping.kind === "anonymous" ? undefined : new KernelFutex(mapping.baseAddress);
    this.futex = this.#kernelFutex ?? new AtomicsFutex(mapping.memory.i32);
    this.counters = new Counters(mapping.memory, header.slotCount, me.slot);
    this.mutex = new RobustMutex(table, this.futex, me, {
      onRecovery: () => this.counters.add(COUNTER.recoveries, 1),
      onWait: () => this.counters.add(COUNTER.waits, 1),
    });
    this.claims = {
      ownerWord: me.ownerWord,
      isOwnerDead: (slot, generation) => table.isOwnerDead(slot, generation),
    };
    this.gates = {
      setGate: (logOffsetBytes, position) => {
        me.setGate(undefined);
        me.publishCursor(position);
        if (logOffsetBytes !== undefined) me.setGate(logOffsetBytes);
      },
      publishCursor: (position) => me.publishCursor(position),
      slowestGate: (logOffsetBytes, needed) => table.slowestGate(logOffsetBytes, needed),
    };
    this.sleep = new SleepState(mapping.memory.i32, me.slot);
    this.ringer = new BellRinger(
      mapping.memory,
      header.slotCount,
      me.slot,
      this.futex,
      this.counters,
      (slot, generation) => pipePath(this.path ?? "", this.epoch, slot, generation),
    );
    this.doorbells = this.ringer;
  }

  /** The part of the memory that belongs to an object. Throws ArgumentError when there is none of that id and kind. */
  region(id: string, kind?: ObjectKind): Region {
    return findRegion(this.memory, this.objects, id, kind);
  }

  /** Everybody who takes part, dead ones that nobody has swept yet included. Costs some 15 µs for each. */
  participants(): ParticipantInfo[] {
    return this.#table.list(this.me);
  }

  /** Whether {slot, generation} still names a participant that isn't certainly dead. */
  isParticipantAlive(slot: number, generation: number): boolean {
    return this.#table.isAlive(slot, generation);
  }

  counts(): CounterTotals {
    return this.counters.totals();
  }

  /** A way to block this thread until a condition on the memory holds. */
  waiter(strategy: WaitStrategy = "adaptive"): Waiter {
    return new Waiter(this.sleep, this.futex, strategy, { onWait: () => this.counters.add(COUNTER.waits, 1) });
  }

  /**
   * Has `hook` called, under the mutex, for each dead participant that this process sweeps, before its slot is free.
   * Another process may sweep without knowing your hook: treat {slot, generation} that no longer fits as dead too.
   * Returns what takes the hook away.
   */
  onReap(hook: ReapHook): () => void {
    this.#reapHooks.add(hook);
    return () => this.#reapHooks.delete(hook);
  }

  /** Promises for what others publish, on this thread's event loop. Uses this participant's one doorbell. */
  get eventLoop(): EventLoopWaits {
    this.#eventLoop ??= new DoorbellWaits(this);
    return this.#eventLoop;
  }

  /** True when `hasWork` answers true, false when the time is over. Never blocks; asks after each ring. */
  waitAsync(hasWork: () => boolean, options?: LockOptions): Promise<boolean> {
    return this.eventLoop.waitAsync(hasWork, options);
  }

  /** Has `hook` called when `close` begins, while the memory is still there. Returns what takes the hook away. */
  onClose(hook: () => void): () => void {
    this.#closeHooks.add(hook);
    return () => this.#closeHooks.delete(hook);
  }

  /** Sweeps dead participants and returns how many. Without `timeoutMs` it gives up at once if the lock is taken. */
  reapDead(timeoutMs = 0): number {
    if (this.mutex.held) return this.#reap({ recovered: false });
    if (this.#table.deadSlots().length === 0) return 0;
    const grant = timeoutMs > 0 ? this.mutex.lock(timeoutMs) : this.mutex.tryLock(REAP_SPINS);
    if (grant === undefined) return 0;
    try {
      return this.#reap(grant);
    } finally {
      this.mutex.unlockUnrepaired();
    }
  }

  /** True once this Segment is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** True when the segment was removed although this participant is in it: no newcomer will find it. */
  get removed(): boolean {
    return this.#closed || isMarkedClosed(this.memory);
  }

  /**
   * Leaves the segment. The last to leave removes it, unless it says `keep`: then it stays for a later opener. Doing it
   * twice does nothing. Throws ArgumentError while this thread holds the lock.
   */
  close(options: { readonly keep?: boolean } = {}): void {
    if (this.#closed) return;
    if (this.mutex.held) throw new ArgumentError("close: this thread holds the lock");
    for (const hook of this.#closeHooks) hook();
    this.#closed = true;
    failpoint("segment-close:begin");
    const grant = this.mutex.lock(CLOSE_TIMEOUT_MS);
    if (grant !== undefined) {
      this.me.enterPhase(PHASE_LEAVING);
      failpoint("segment-close:left");
      try {
        this.#reap(grant);
        const isLast = !this.#table.hasOthers(this.me);
        const removable = this.path === undefined || mayRemove(this.path);
        if (isLast && removable && !options.keep) closeAndUnlink(this.memory, this.path, this.#mapping.inode);
      } finally {
        this.mutex.unlockUnrepaired();
      }
      failpoint("segment-close:unlocked");
    }
    this.mutex.close();
    this.ringer.close();
    this.#table.free(this.me);
    this.#kernelFutex?.close();
    this.#mapping.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #reap(grant: { readonly recovered: boolean }): number {
    return reapDead(this.#table, this.me, this, this.#reapHooks, grant);
  }
}
