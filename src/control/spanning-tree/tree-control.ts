/**
 * Spanning trees of a running switch: one for each bridge with `stp_state`. Has their clock, brings them what engines hear, and takes
 * what they do to engines, log and events.
 *
 * Work is bounded: a port brings a few BPDUs a second (`member.ts`), roles are selected once for all that came together, and entries of a
 * bridge are flushed once a second at most, however often somebody says that the topology changes.
 */
import type { SwitchEvent } from '../../api/api.js';
import type { OwnFrame } from '../../dataplane/send.js';
import { fidOf } from '../../dataplane/state/fid.js';
import { OPEN } from '../../dataplane/state/port-states.js';
import type { Punt } from '../../dataplane/state/punt-ring.js';
import { FLAGS_ALL, type FdbMatch } from '../../fdb/table.js';
import { attempt, every } from '../guard.js';
import type { PortClosing } from '../loops/port-closing.js';
import type { BridgeModel, Port, SwitchModel } from '../model/model.js';
import type { Member } from './member.js';
import { restoreTree, type SavedTree, saveTree } from './saved.js';
import { SwitchTree } from './switch-tree.js';
import { type PortTreeFacts, portFacts } from './facts.js';

export const TREE_TICK_MS = 100;
/** The most that passes in one tick: what was not heard while the process stood still has not aged. */
const MOST_TICK_MS = 1000;
/** Between two flushes of one bridge. */
const FLUSH_MS = 1000;

/** Ports that are flushed by themselves: each costs a pass over the table. */
const MOST_FLUSHES = 4;
const LAST_VID = 4095;

/** What has happened to a port, for the log. */
export interface TreeNotice extends PortTreeFacts {
  bridge: string;
  port: string;
  what: 'state' | 'bpdu_guard';
}

export interface TreeParts {
  model: SwitchModel;
  closing: PortClosing;
  send(frames: readonly OwnFrame[]): void;
  flush(matches: readonly FdbMatch[]): void;
  ageing(bridge: BridgeModel): void;
  macOf(bridge: string): string;
  tell(event: SwitchEvent): void;
  say(notice: TreeNotice): void;
  /** The process before goes on until `restore` or `begin`: nothing is sent, and no time passes. */
  isHeld?: boolean;
  /** A monotonic clock in milliseconds; absent: the process's. With one, the owner calls `tick`. */
  now?: () => number;
}

export class TreeControl {
  readonly trees = new Map<BridgeModel, SwitchTree>();
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly now: () => number;
  private readonly flushedAt = new WeakMap<BridgeModel, number>();
  /** Indexes of ports that have left: opened once engines do not know the port any more. */
  private leaving: Port[] = [];
  private frames: OwnFrame[] = [];
  private last: number;
  private isHeld: boolean;

  constructor(private readonly parts: TreeParts) {
    this.now = parts.now ?? (() => performance.now());
    this.last = this.now();
    this.isHeld = parts.isHeld === true;
    if (parts.now === undefined) this.timer = every('spanning tree', TREE_TICK_MS, () => this.tick());
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Follows the model after a change, before engines know of it: a port of a tree is closed before it is there. */
  follow(): void {
    const { model } = this.parts;
    for (const [bridge, tree] of this.trees) {
      const isSame = model.bridges.get(bridge.name) === bridge && bridge.config.stp_state;
      if (isSame && tree.tree.isRapid === (bridge.config.stp_version === 'rstp')) continue;
      this.leaving.push(...tree.end());
      this.trees.delete(bridge);
    }
    for (const bridge of model.bridges.values()) {
      if (!bridge.config.stp_state || bridge.config.xconnect) continue;
      const tree = this.trees.get(bridge) ?? new SwitchTree(bridge, this.partsOf(bridge));
      this.trees.set(bridge, tree);
      this.leaving.push(...tree.follow());
      if (!this.isHeld) attempt('spanning tree', () => tree.settle());
    }
    this.openLeft();
  }

  /** Ports that took part in no tree any more are open. One that engines still have, and that is going, stays as it is till then. */
  private openLeft(): void {
    const { closing, model } = this.parts;
    this.leaving = this.leaving.filter((port) => {
      const owner = model.portAt[port.index];
      if (owner === port && model.ports.get(port.name) !== port) return true;
      if (owner === undefined || this.memberOf(owner) === undefined) closing.setTree(port.index, OPEN);
      return false;
    });
  }

  private partsOf(bridge: BridgeModel) {
    const { ageing, closing, macOf, model } = this.parts;
    return {
      model,
      closing,
      macOf,
      ageing,
      send: (frame: OwnFrame) => void this.frames.push(frame),
      state: (member: Member) => this.report(bridge, member, 'state'),
      guarded: (member: Member) => this.report(bridge, member, 'bpdu_guard'),
      changed: ({ port }: Member) =>
        this.parts.tell({ event: 'stp', ifname: port.name, master: bridge.name, change: 'topology_change' }),
    };
  }

  private report(bridge: BridgeModel, member: Member, what: TreeNotice['what']): void {
    const facts = portFacts(member);
    const { state, role } = facts;
    const { name } = member.port;
    this.parts.tell({ event: 'stp', ifname: name, master: bridge.name, change: what, state, role });
    this.parts.say({ ...facts, bridge: bridge.name, port: name, what });
  }

  memberOf(port: Port): Member | undefined {
    return port.bridge === null ? undefined : this.trees.get(port.bridge)?.members.get(port);
  }

  /** A frame to the address of bridges, from an engine. */
  hear({ port: index, bytes }: Punt): void {
    const port = this.parts.model.portAt[index];
    if (port?.bridge) this.trees.get(port.bridge)?.hear(port, bytes);
  }

  /** Acts on all that was heard. */
  publish(): void {
    if (this.isHeld || this.trees.size === 0) return;
    for (const tree of this.trees.values()) attempt('spanning tree', () => tree.settle());
    this.sendAll();
  }

  /** Called every TREE_TICK_MS. */
  tick(): void {
    const now = this.now();
    const ms = Math.min(MOST_TICK_MS, now - this.last);
    this.last = now;
    if (this.leaving.length > 0) this.openLeft();
    if (this.isHeld || this.trees.size === 0) return;
    for (const tree of this.trees.values()) {
      attempt('spanning tree', () => {
        tree.followPorts();
        tree.pass(ms);
        tree.settle();
      });
    }
    this.sendAll();
    this.flush(now);
  }

  private sendAll(): void {
    if (this.frames.length === 0) return;
    const { frames } = this;
    this.frames = [];
    this.parts.send(frames);
  }

  private flush(now: number): void {
    const matches: FdbMatch[] = [];
    for (const [bridge, { members }] of this.trees) {
      if (now - (this.flushedAt.get(bridge) ?? -FLUSH_MS) < FLUSH_MS) continue;
      const due = [...members.values()].filter(({ isToFlush }) => isToFlush);
      if (due.length === 0) continue;
      this.flushedAt.set(bridge, now);
      for (const member of due) member.isToFlush = false;
      if (due.length > MOST_FLUSHES) matches.push(ofBridge(bridge));
      else matches.push(...due.map(({ port }) => ({ owner: port.index, flagsMask: FLAGS_ALL })));
    }
    if (matches.length > 0) this.parts.flush(matches);
  }

  /** For the next process. */
  saved(): SavedTree[] {
    return [...this.trees.values()].map(saveTree);
  }

  /** Goes on from the process before. */
  restore(saved: readonly SavedTree[]): void {
    for (const one of saved) {
      const bridge = this.parts.model.bridges.get(one.bridge);
      const tree = bridge && this.trees.get(bridge);
      if (tree !== undefined) restoreTree(tree, one);
    }
  }

  /** The process before is gone. */
  begin(): void {
    this.isHeld = false;
    this.last = this.now();
    this.publish();
  }
}

/** All that a bridge has learned. */
function ofBridge({ index }: BridgeModel): FdbMatch {
  return { firstFid: fidOf(index, 0), lastFid: fidOf(index, LAST_VID), flagsMask: FLAGS_ALL };
}
