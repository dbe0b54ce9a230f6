/**
 * Bridges in memory, joined by LANs of two or more ports, on one clock. BPDUs cross a LAN as bytes, after a delay. After each step it is
 * checked that no ports that forward make a loop.
 */
import type { Bpdu } from '../../../src/wire/bpdu.js';
import { decodeBpdu, encodeBpdu } from '../../../src/wire/bpdu.js';
import {
  addPort,
  createBridge,
  type TreeBridge,
  type TreeEffects,
  type TreePort,
} from '../../../src/control/spanning-tree/state.js';
import { passTime, receive, settle } from '../../../src/control/spanning-tree/tree.js';

export const TICK = 100;

export interface Lan {
  ends: { bridge: Node; port: TreePort }[];
}

export interface Node {
  name: number;
  tree: TreeBridge;
  isUp: boolean;
  lans: Map<TreePort, Lan>;
  flushes: number;
}

interface InFlight {
  at: number;
  lan: Lan;
  from: TreePort;
  bytes: Uint8Array;
}

export const TIMES = { maxAge: 20_000, helloTime: 2000, forwardDelay: 15_000 };

export class Graph {
  readonly nodes: Node[] = [];
  readonly lans: Lan[] = [];
  now = 0;
  sent = 0;
  /** Loops that were met while news of a lost root went round (`checkNoLoop`). */
  strays = 0;
  private flying: InFlight[] = [];
  /** @param delay of a BPDU from port to port, in ms */
  constructor(private readonly delay: (() => number) | number = 1) {}

  add(priority = 0x8000, isRapid = true, times = TIMES): Node {
    const name = this.nodes.length;
    const id = priority.toString(16).padStart(4, '0') + (0x020000000000 + name).toString(16).padStart(12, '0');
    const node: Node = { name, tree: createBridge(id, times, isRapid), isUp: true, lans: new Map(), flushes: 0 };
    this.nodes.push(node);
    return node;
  }

  /** Joins bridges by a LAN, each by a new port. */
  join(nodes: readonly Node[], cost = 4): Lan {
    const lan: Lan = { ends: [] };
    this.lans.push(lan);
    for (const bridge of nodes) {
      const id = 0x8000 | (bridge.tree.ports.length + 1);
      const pointToPoint = nodes.length === 2;
      const settings = { enabled: true, cost, id, edge: 'auto', pointToPoint, rootBlock: false } as const;
      const port = addPort(bridge.tree, settings);
      lan.ends.push({ bridge, port });
      bridge.lans.set(port, lan);
    }
    for (const bridge of nodes) this.settle(bridge);
    return lan;
  }

  effects(node: Node): TreeEffects {
    return {
      send: (port, bpdu) => this.send(node, port, bpdu),
      flush: () => void node.flushes++,
      state: (_, state) => void (state === 'forwarding' && this.checkNoLoop()),
      changed: () => undefined,
    };
  }

  private send(node: Node, port: TreePort, bpdu: Bpdu): void {
    this.sent++;
    const lan = node.lans.get(port) as Lan;
    const delay = typeof this.delay === 'number' ? this.delay : this.delay();
    // Frames of a LAN do not overtake each other.
    const at = this.flying.reduce((last, one) => (one.lan === lan ? Math.max(last, one.at) : last), this.now + delay);
    this.flying.push({ at, lan, from: port, bytes: encodeBpdu(bpdu, '020000000000') });
  }

  settle(node: Node): void {
    if (node.isUp) settle(node.tree, this.effects(node));
  }

  /** A LAN is cut, or mended. */
  setLan(lan: Lan, isUp: boolean): void {
    for (const { bridge, port } of lan.ends) {
      port.enabled = isUp && bridge.isUp;
      this.settle(bridge);
    }
    if (!isUp) this.flying = this.flying.filter((one) => one.lan !== lan);
  }

  /** A bridge loses its power: the LANs of two go down with it. */
  kill(node: Node): void {
    node.isUp = false;
    for (const port of node.tree.ports) port.enabled = port.forwarding = false;
    for (const lan of node.lans.values()) if (lan.ends.length === 2) this.setLan(lan, false);
  }

  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      const next = Math.min(...this.flying.map(({ at }) => at), (Math.floor(this.now / TICK) + 1) * TICK);
      this.now = Math.max(this.now, next);
      this.deliver();
      if (this.now % TICK === 0) this.tick();
    }
  }

  private tick(): void {
    for (const node of this.nodes) {
      if (!node.isUp) continue;
      if (passTime(node.tree, TICK)) this.settle(node);
    }
  }

  private deliver(): void {
    const due = this.flying.filter(({ at }) => at <= this.now);
    this.flying = this.flying.filter(({ at }) => at > this.now);
    for (const { lan, from, bytes } of due) {
      const bpdu = decodeBpdu(bytes);
      if (bpdu === null) throw new Error('a BPDU is not read');
      for (const { bridge, port } of lan.ends) {
        if (port === from || !bridge.isUp) continue;
        receive(bridge.tree, port, bpdu, this.effects(bridge));
        this.settle(bridge);
      }
    }
  }

  private forwardingOn(lan: Lan): Node[] {
    return lan.ends
      .filter(({ bridge, port }) => bridge.isUp && port.enabled && port.forwarding)
      .map((end) => end.bridge);
  }

  /** Whether a bridge, or a BPDU on its way, names a root that is not joined with it any more. */
  private hasOldNews(): boolean {
    for (const nodes of this.components()) {
      const ids = new Set(nodes.map(({ tree }) => tree.id));
      const isOld = (root: string | undefined): boolean => root !== undefined && !ids.has(root);
      if (
        nodes.some(
          ({ tree }) =>
            isOld(tree.rootPriority.root) ||
            tree.ports.some((port) => port.enabled && port.infoIs === 'received' && isOld(port.portPriority.root)),
        )
      )
        return true;
    }
    return false;
  }

  /**
   * RSTP may have a loop for a moment while news of a lost root goes round: bridges take it from each other, each for a better one than
   * its own, and two of them may agree to roots that both have given up since (count to infinity; 802.1D-2004 has no remedy for it but
   * the message age). Such loops are counted; any other one is a fault.
   * @throws Error where ports that forward make a loop otherwise
   */
  checkNoLoop(): void {
    const group = new Map<Node | Lan, Node | Lan>();
    const rootOf = (one: Node | Lan): Node | Lan => {
      const up = group.get(one);
      return up === undefined ? one : rootOf(up);
    };
    for (const lan of this.lans) {
      const ends = this.forwardingOn(lan);
      if (ends.length < 2) continue;
      for (const end of ends) {
        const [a, b] = [rootOf(lan), rootOf(end)];
        if (a === b && this.hasOldNews()) {
          this.strays++;
          return;
        }
        if (a === b) throw new Error(`a loop at ${this.now} ms through bridge ${end.name}: ${this.show()}`);
        group.set(a, b);
      }
    }
  }

  show(): string {
    return this.nodes
      .filter(({ isUp }) => isUp)
      .map(({ name, tree }) => {
        const ports = tree.ports.map(
          (port) =>
            `${this.lans.indexOf(this.nodes[name].lans.get(port) as Lan)}:${port.role[0]}${port.forwarding ? 'F' : port.learning ? 'L' : 'd'}`,
        );
        return `${name}${tree.isRapid ? '' : 's'}[${ports.join(' ')}]`;
      })
      .join(' ');
  }

  /** Bridges that are joined by LANs that are up, whatever their ports do. */
  components(): Node[][] {
    return this.reach((lan) =>
      lan.ends.filter(({ bridge, port }) => bridge.isUp && port.enabled).map((end) => end.bridge),
    );
  }

  /** Bridges that frames get to from each other. */
  trees(): Node[][] {
    return this.reach((lan) => this.forwardingOn(lan));
  }

  private reach(endsOf: (lan: Lan) => Node[]): Node[][] {
    const left = new Set(this.nodes.filter(({ isUp }) => isUp));
    const found: Node[][] = [];
    for (const first of left) {
      const group = [first];
      left.delete(first);
      for (const node of group)
        for (const lan of node.lans.values()) {
          const ends = endsOf(lan);
          if (!ends.includes(node)) continue;
          for (const other of ends) if (left.delete(other)) group.push(other);
        }
      found.push(group.sort((a, b) => a.name - b.name));
    }
    return found;
  }
}
