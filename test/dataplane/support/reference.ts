/**
 * The bridge of the model test: slow, made of Maps and strings, without batch, arena or command list. It predicts the egress
 * copies; the switch must agree.
 *
 * A frame is text fields and a list of tags. Inside a bridge with VLAN filtering the VLAN's tag is removed and its
 * priority kept, and each egress adds the tag it needs: a different method than the switch's.
 */
import { FLAG_PERMANENT } from '../../../src/fdb/table.js';
import type { BridgeSpec, EntrySpec, TapSpec, VxlanSpec } from './control-model.js';

export interface ModelTag {
  priority: number;
  vid: number;
  /** Of 802.1ad. */
  service: boolean;
}

export interface ModelFrame {
  source: string;
  destination: string;
  /** Outermost first. */
  tags: ModelTag[];
  id: number;
}

interface Port {
  name: string;
  bridge: string;
  spec: TapSpec | VxlanSpec;
}

interface Entry {
  port: Port;
  remote: string;
  seen: number;
  kind: 'learned' | 'static' | 'fixed';
  /** Waits for its authentication; learned. */
  locked?: boolean;
}

interface Inside {
  vlan: number;
  priority: number;
  frame: ModelFrame;
}

/** What leaves a switch, as text. */
export function describeModelFrame(to: string, { source, destination, tags, id }: ModelFrame): string {
  const tagText = tags.map(({ priority, vid, service }) => ` [${service ? 's' : 'c'} ${priority} ${vid}]`).join('');
  return `${to}: ${source} > ${destination}${tagText} #${id}`;
}

const isGroup = (mac: string): boolean => (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
const isLinkLocal = (mac: string): boolean => /^01:80:c2:00:00:0[0-9a-f]$/.test(mac);

export class ReferenceSwitch {
  private readonly ports = new Map<string, Port>();
  private readonly fdb = new Map<string, Entry>();
  private now = 0;

  constructor(private readonly bridges: Record<string, BridgeSpec>) {
    for (const [bridge, { ports }] of Object.entries(bridges)) {
      for (const [name, spec] of Object.entries(ports)) {
        const port = { name, bridge, spec };
        this.ports.set(name, port);
        for (const entry of spec.fdb ?? []) this.setEntry(port, entry);
      }
    }
  }

  private setEntry(port: Port, entry: EntrySpec): void {
    const remote = entry.dst ?? '';
    const stays = remote !== '' || entry.flags === FLAG_PERMANENT;
    this.fdb.set(`${port.bridge} ${entry.vlan ?? 0} ${entry.mac}`, {
      port,
      remote,
      seen: 0,
      kind: stays ? 'fixed' : 'static',
    });
  }

  /** Lets seconds pass. */
  wait(seconds: number): void {
    this.now += seconds;
    for (const [key, { kind, seen, port }] of [...this.fdb]) {
      if (kind === 'learned' && this.now - seen >= this.ageing(port.bridge)) this.fdb.delete(key);
    }
  }

  /** The FDB: `BRIDGE VLAN MAC PORT[>REMOTE][ locked]`, sorted. */
  entries(): string[] {
    return [...this.fdb]
      .map(([key, { port, remote, locked }]) => {
        const where = remote === '' ? port.name : `${port.name}>${remote}`;
        return `${key} ${where}${locked === true ? ' locked' : ''}`;
      })
      .sort();
  }

  private ageing(bridge: string): number {
    return this.bridges[bridge].ageingSeconds ?? 300;
  }

  fromTap(name: string, frame: ModelFrame): string[] {
    const port = this.portNamed(name);
    if (isDown(port) || isGroup(frame.source)) return [];
    const inside = this.classify(port, frame);
    return inside === null ? [] : this.forward(port, '', inside);
  }

  fromTunnel(name: string, address: string, vni: number, frame: ModelFrame): string[] {
    const port = this.portNamed(name);
    const { spec } = port;
    if (spec.type !== 'vxlan' || isDown(port)) return [];
    const known = [...(spec.remotes ?? []), ...Object.values(spec.own ?? {}).flat(), ...(spec.peers ?? [])];
    for (const { dst } of spec.fdb ?? []) known.push(dst as string);
    if (!known.includes(address) || isGroup(frame.source)) return [];
    if (spec.vni !== undefined) {
      const inside = vni === spec.vni ? this.classify(port, frame) : null;
      return inside === null ? [] : this.forward(port, address, inside);
    }
    const mapping = Object.entries(spec.tunnel ?? {}).find(([, mapped]) => mapped === vni);
    if (mapping === undefined) return [];
    const vlan = Number(mapping[0]);
    if (isCustomers(frame.tags[0]) && spec.keepInnerVlan !== true) return [];
    return isMember(port, vlan) ? this.forward(port, address, { vlan, priority: 0, frame }) : [];
  }

  private portNamed(name: string): Port {
    const port = this.ports.get(name);
    if (port === undefined) throw new Error(`no port ${name} in the model`);
    return port;
  }

  /** The VLAN of a frame that brings it along; null: dropped. */
  private classify(port: Port, frame: ModelFrame): Inside | null {
    if (!this.bridges[port.bridge].filtering) return { vlan: 0, priority: 0, frame };
    const isOwn = frame.tags[0]?.service === this.hasServiceTags(port);
    const tag = isOwn ? frame.tags[0] : undefined;
    const rest = isOwn ? frame.tags.slice(1) : frame.tags;
    const named = tag === undefined || tag.vid === 0 ? pvidOf(port) : tag.vid;
    if (named === 0 || !isMember(port, named)) return null;
    return { vlan: named, priority: tag?.priority ?? 0, frame: { ...frame, tags: rest } };
  }

  private hasServiceTags({ bridge }: Port): boolean {
    return this.bridges[bridge].serviceTags === true;
  }

  private forward(from: Port, remote: string, inside: Inside): string[] {
    const { destination, source } = inside.frame;
    const { macs = [] } = from.spec.guard ?? {};
    if (macs.length > 0 && !macs.includes(source)) return [];
    const bridge = this.bridges[from.bridge];
    const mask = (bridge.groupFwdMask ?? 0) | (from.spec.groupFwdMask ?? 0);
    if (isLinkLocal(destination) && ((mask >>> Number.parseInt(destination.slice(-1), 16)) & 1) === 0) return [];
    if (!this.admitSource(from, remote, inside)) return [];
    const own = this.hostEntry(from, destination);
    const entry = isGroup(destination)
      ? undefined
      : (this.fdb.get(`${from.bridge} ${inside.vlan} ${destination}`) ?? own);
    if (entry === undefined) return this.flood(from, inside);
    return this.mayGo(from, entry.port, inside.vlan) ? this.leave(entry.port, [entry.remote], inside) : [];
  }

  /** The entry of the host's own MAC without a VLAN, where the bridge keeps it there. */
  private hostEntry({ bridge }: Port, mac: string): Entry | undefined {
    const { filtering, localVlan0 } = this.bridges[bridge];
    const entry = filtering === true && localVlan0 === true ? this.fdb.get(`${bridge} 0 ${mac}`) : undefined;
    return entry?.kind === 'fixed' ? entry : undefined;
  }

  /** Learns the source. @returns false when the frame is to be dropped for it */
  private admitSource(from: Port, remote: string, { vlan, frame }: Inside): boolean {
    const key = `${from.bridge} ${vlan} ${frame.source}`;
    const entry = this.fdb.get(key);
    if (from.spec.locked === true) {
      const isOwn = this.hostEntry(from, frame.source) !== undefined;
      if (entry === undefined && from.spec.mab === true && !isOwn && this.hasRoom(from))
        this.fdb.set(key, { port: from, remote, seen: this.now, kind: 'learned', locked: true });
      if (entry?.port !== from) return false;
      if (entry.locked === true) entry.seen = this.now;
      if (entry.locked === true) return false;
    }
    if (from.spec.off?.includes('learning')) return true;
    if (entry === undefined) {
      if (this.hostEntry(from, frame.source) !== undefined) return true;
      if (this.hasRoom(from)) this.fdb.set(key, { port: from, remote, seen: this.now, kind: 'learned' });
      return true;
    }
    const same = entry.port === from && entry.remote === remote;
    if (!same && remote !== '' && entry.kind !== 'learned') return entry.port !== from;
    if (!same && entry.kind === 'fixed') return true;
    this.fdb.set(key, { port: from, remote, seen: this.now, kind: entry.kind });
    return true;
  }

  private hasRoom({ bridge }: Port): boolean {
    const limit = this.bridges[bridge].maxLearned ?? 0;
    const learned = [...this.fdb.values()].filter((e) => e.kind === 'learned' && e.port.bridge === bridge).length;
    return limit === 0 || learned < limit;
  }

  private flood(from: Port, inside: Inside): string[] {
    const { destination } = inside.frame;
    const kind = !isGroup(destination) ? 'flood' : /^(ff:?){6}$/.test(destination) ? 'bcast_flood' : 'mcast_flood';
    const out: string[] = [];
    for (const port of this.ports.values()) {
      if (port.bridge !== from.bridge || port.spec.off?.includes(kind) || !this.mayGo(from, port, inside.vlan))
        continue;
      const { spec } = port;
      const remotes = spec.type === 'tap' ? [''] : [...(spec.remotes ?? []), ...(spec.own?.[inside.vlan] ?? [])];
      out.push(...this.leave(port, [...new Set(remotes)], inside));
    }
    return out;
  }

  private mayGo(from: Port, to: Port, vlan: number): boolean {
    if ((from === to && from.spec.hairpin !== true) || isDown(to)) return false;
    if (from.spec.type === 'vxlan' && to.spec.type === 'vxlan') return false;
    if (isIsolated(from, vlan) && isIsolated(to, vlan)) return false;
    return !this.bridges[to.bridge].filtering || isMember(to, vlan);
  }

  private leave(port: Port, remotes: string[], { vlan, priority, frame }: Inside): string[] {
    const { spec } = port;
    const filtering = this.bridges[port.bridge].filtering === true;
    const bare = !filtering || (spec.type === 'vxlan' && spec.tunnel !== undefined) || isUntagged(port, vlan);
    const left = bare
      ? frame
      : { ...frame, tags: [{ priority, vid: vlan, service: this.hasServiceTags(port) }, ...frame.tags] };
    if (spec.type === 'tap') return [describeModelFrame(port.name, left)];
    const vni = spec.vni ?? spec.tunnel?.[vlan];
    if (vni === undefined) return [];
    // What the far end would drop is not sent.
    if (spec.tunnel !== undefined && spec.keepInnerVlan !== true && isCustomers(left.tags[0])) return [];
    return remotes.map((address) => describeModelFrame(`${port.name}>${address} vni ${vni}`, left));
  }
}

function isCustomers(tag: ModelTag | undefined): boolean {
  return tag?.service === false;
}

function isDown(port: Port): boolean {
  return port.spec.off?.includes('up') === true;
}

function wordsOf(port: Port, vid: number): string[] | undefined {
  return (port.spec.vlans ?? []).map((text) => text.split(' ')).find(([first]) => first === String(vid));
}

function isMember(port: Port, vid: number): boolean {
  return wordsOf(port, vid) !== undefined;
}

function isIsolated(port: Port, vid: number): boolean {
  return port.spec.isolated === true || wordsOf(port, vid)?.includes('isolated') === true;
}

function isUntagged(port: Port, vid: number): boolean {
  return wordsOf(port, vid)?.includes('untagged') === true;
}

function pvidOf(port: Port): number {
  const text = (port.spec.vlans ?? []).find((vlan) => vlan.split(' ').includes('pvid'));
  return text === undefined ? 0 : Number(text.split(' ')[0]);
}
