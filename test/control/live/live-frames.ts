/**
 * The model's forwarding of one frame, as sorted texts, by docs/semantics.md. It learns. Slow and made of Maps; a frame has
 * names for MACs and a list of tags, and is never in a batch.
 */
import type { Config, Members } from './live-config.js';
import { isFiltering } from './live-config.js';
import { type Entry, shownPorts, vnisOf } from './live-entries.js';
import { isHome, type Row, type Tables } from './live-table.js';

export interface Frame {
  id: number;
  source: string;
  destination: string;
  /** VIDs of its 802.1Q tags, outermost first. */
  tags: number[];
}

/** What is asked of a port for each frame. */
interface Port {
  name: string;
  kind: 'tap' | 'vxlan';
  bridge: string | null;
  filtering: boolean;
  members: Members;
  pvid: number;
  isUp: boolean;
  /** Option `state`, which holds in all VLANs. */
  state: string;
  /** Link protocols that come in by it are forwarded. */
  mask: number;
  /** Options of its link, those of a bridge for none of its host port's. */
  option: (key: string, otherwise: boolean) => boolean;
  vnis: Map<number | 'all', number>;
  isTunnel: boolean;
  receiver: string;
  dstport: number;
  /** MAC of a vxlan port's own TAP. */
  ownMac: string | undefined;
  maxaddress: number;
}

interface Bridge {
  ageing: number;
  limit: number;
  mask: number;
}

const NOT_SAID = { udp: undefined, sent: undefined };
const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const isGroup = (mac: string): boolean => (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;

/** A frame that has left: port, or vxlan port with remote and VNI, and its tags. */
export function leftText(id: number, to: string, tags: readonly number[]): string {
  return `${id} ${to} [${tags.join(' ')}]`;
}

/** What vxlan ports share a receiving socket by. */
export function receiverOf(options: Record<string, unknown>): string {
  return `${options.local ?? 'any'} 4 ${options.dstport ?? 4789}`;
}

/** Whether states let frames of a VLAN through. */
function passes(port: Port, vid: number): boolean {
  const inVlan = port.filtering ? (port.members.get(vid)?.state ?? 'forwarding') : 'forwarding';
  return port.state === 'forwarding' && inVlan === 'forwarding';
}

/** In all VLANs, or in this one. */
function isIsolated(port: Port, vid: number): boolean {
  return port.option('isolated', false) || (port.filtering && port.members.get(vid)?.isolated === true);
}

/** A configuration as frames meet it. It is made anew with each change. */
export class Wires {
  readonly ports = new Map<string, Port>();
  private readonly bridges = new Map<string, Bridge>();

  constructor(
    private readonly config: Config,
    private readonly tables: Tables,
  ) {
    for (const { name, options } of config.bridges.values()) {
      this.bridges.set(name, {
        ageing: (options.ageing_time as number | undefined) ?? 300,
        limit: (options.fdb_max_learned as number | undefined) ?? 0,
        mask: (options.group_fwd_mask as number | undefined) ?? 0,
      });
    }
    for (const { name, kind, bridge, members, isHost, link } of shownPorts(config).values()) {
      const state = config.ports.get(link);
      const options = state?.options ?? {};
      const own = isHost ? {} : options;
      this.ports.set(name, {
        name,
        kind,
        bridge,
        members,
        filtering: bridge !== null && isFiltering(config.bridges.get(bridge)),
        pvid: [...members].find(([, { pvid }]) => pvid)?.[0] ?? 0,
        isUp: bridge !== null && (state === undefined || options.up !== false),
        state: (own.state as string | undefined) ?? 'forwarding',
        mask: (own.group_fwd_mask as number | undefined) ?? 0,
        option: (key, otherwise) => (own[key] as boolean | undefined) ?? otherwise,
        vnis: kind === 'vxlan' ? vnisOf(config, name) : new Map(),
        isTunnel: kind === 'vxlan' && options.vlan_tunnel === true,
        receiver: kind === 'vxlan' ? receiverOf(options) : '',
        dstport: (options.dstport as number | undefined) ?? 4789,
        ownMac: kind === 'vxlan' && options.host_port === true ? tables.macs.get(`${name}@host`) : undefined,
        maxaddress: kind === 'vxlan' ? ((options.maxaddress as number | undefined) ?? 0) : 0,
      });
    }
  }

  fromTap(name: string, frame: Frame): string[] {
    const port = this.ports.get(name);
    if (port === undefined || !port.isUp) return [];
    return this.enter(port, '', frame);
  }

  /** A datagram to a receiving socket. */
  fromRemote(receiver: string, address: string, vni: number, frame: Frame): string[] {
    for (const port of this.ports.values()) {
      if (port.receiver !== receiver || this.tables.waiting.has(port.name)) continue;
      const mapped = [...port.vnis].find(([, carried]) => carried === vni);
      if (mapped === undefined) continue;
      const isKnown = this.isKnown(port.name, address);
      if (!port.isUp || (!isKnown && !this.isAny(port)) || frame.source === port.ownMac) return [];
      if (mapped[0] === 'all') return this.enter(port, address, frame);
      const vid = mapped[0];
      if (frame.tags.length > 0 && !this.isKept(port)) return [];
      if (!port.members.has(vid)) return [];
      return this.forward(port, address, vid, frame.tags, frame);
    }
    return [];
  }

  /** Whether the port or VLAN that a frame comes in by lets nothing pass. Engines are done with such frames before they decide about others. */
  isClosed(at: { tap: string } | { receiver: string; vni: number }, frame: Frame): boolean {
    if ('tap' in at) return this.isClosedAt(this.ports.get(at.tap), frame);
    for (const port of this.ports.values()) {
      if (port.receiver !== at.receiver) continue;
      const mapped = [...port.vnis].find(([, carried]) => carried === at.vni)?.[0];
      if (mapped !== undefined) return mapped === 'all' ? this.isClosedAt(port, frame) : !passes(port, mapped);
    }
    return false;
  }

  private isClosedAt(port: Port | undefined, { tags: [outer = 0] }: Frame): boolean {
    return port !== undefined && !passes(port, !port.filtering ? 0 : outer === 0 ? port.pvid : outer);
  }

  private isAny(port: Port): boolean {
    return (port.option('accept_vteps', false) as unknown) === 'any';
  }

  private isKept(port: Port): boolean {
    return (port.option('inner_vlan', false) as unknown) === 'keep';
  }

  private isKnown(port: string, address: string): boolean {
    return this.tables.known.get(port)?.has(address) === true || this.tables.met.get(port)?.has(address) === true;
  }

  /** A VTEP is only taken in by a frame that is. */
  private meet(port: Port, address: string, isKnown: boolean): void {
    if (address === '' || isKnown) return;
    const met = this.tables.met.get(port.name) ?? new Set<string>();
    this.tables.met.set(port.name, met.add(address));
  }

  /** The VLAN of a frame that brings it along. */
  private enter(port: Port, address: string, frame: Frame): string[] {
    let vid = 0;
    let { tags } = frame;
    if (port.filtering) {
      const [outer, ...inner] = tags;
      tags = inner;
      vid = outer === undefined || outer === 0 ? port.pvid : outer;
      if (vid === 0 || !port.members.has(vid)) return [];
    }
    return this.forward(port, address, vid, tags, frame);
  }

  private forward(from: Port, address: string, vid: number, tags: number[], frame: Frame): string[] {
    const { destination } = frame;
    const bridge = this.bridges.get(from.bridge ?? '');
    if (bridge === undefined) return [];
    if (!passes(from, vid)) {
      this.learnClosed(from, bridge, address, vid, frame);
      return [];
    }
    this.meet(from, address, this.isKnown(from.name, address));
    const reserved = /^01:80:c2:00:00:0([0-9a-f])$/.exec(destination);
    const mask = bridge.mask | from.mask;
    if (reserved !== null && ((mask >>> Number.parseInt(reserved[1], 16)) & 1) === 0) return [];
    if (!this.admit(from, bridge, address, vid, frame)) return [];
    const row = isGroup(destination) ? undefined : this.tables.rows.get(`${from.bridge} ${destination} ${vid}`);
    if (row === undefined) return this.flood(from, vid, tags, frame);
    const to = this.ports.get(row.port);
    if (to === undefined || !this.mayGo(from, to, vid)) return [];
    // Behind the port, and left open which VTEP it is.
    const places = to.kind === 'vxlan' && row.dst === '' ? this.listOf(to, vid, destination) : [row];
    return this.leave(to, places, vid, tags, frame);
  }

  /** A port or VLAN that lets nothing pass learns in one state, and no VTEP that it does not know. */
  private learnClosed(from: Port, bridge: Bridge, address: string, vid: number, frame: Frame): void {
    const reserved = /^01:80:c2:00:00:0([0-9a-f])$/.exec(frame.destination);
    const isPort = from.state !== 'forwarding';
    if (reserved !== null && !(isPort && (((bridge.mask | from.mask) >>> Number.parseInt(reserved[1], 16)) & 1) === 1))
      return;
    const inVlan = from.filtering ? (from.members.get(vid)?.state ?? 'forwarding') : 'forwarding';
    // A VLAN that is closed itself learns only where the port is open.
    const learns = isPort ? from.state === 'learning' && inVlan === 'forwarding' : inVlan === 'learning';
    if (!learns || (address !== '' && !this.isKnown(from.name, address))) return;
    this.admit(from, bridge, address, vid, frame);
  }

  /** Learns the source. @returns false when the frame is dropped for it */
  private admit(from: Port, bridge: Bridge, address: string, vid: number, { source }: Frame): boolean {
    const { rows, now } = this.tables;
    const key = `${from.bridge} ${source} ${vid}`;
    const row = rows.get(key);
    if (from.option('locked', false)) {
      const asks = row === undefined && from.option('mab', false) && bridge.ageing !== 0;
      if (asks && this.hasRoom(from, bridge))
        rows.set(key, { ...this.learned(from, address, vid, source), locked: true });
      if (row?.port !== from.name) return false;
      if (row.locked === true) row.seen = now;
      if (row.locked === true) return false;
    }
    if (!from.option('learning', true) || bridge.ageing === 0) return true;
    if (row === undefined) {
      if (this.hasRoom(from, bridge)) rows.set(key, this.learned(from, address, vid, source));
      return true;
    }
    if (row.port === from.name && (row.dst === address || row.dst === '')) {
      row.seen = now;
      return true;
    }
    // A static entry with a remote is the control's word on where the MAC is (vxlan_snoop).
    const isPinned = row.state === 'static' && row.dst !== '' && isHome(row);
    const stays = row.state === 'permanent' || row.sticky || isPinned;
    // A remote does not learn away what was put in here; another VTEP of the same port is dropped for it.
    const isSettled = stays || (row.state === 'static' && !row.extern);
    if (address !== '' && isSettled) return row.port !== from.name || row.dst === '';
    if (stays) return true;
    if (!row.set && !this.mayMove(row, from, bridge)) {
      rows.delete(key);
      return true;
    }
    const moved = this.learned(from, address, vid, source);
    rows.set(key, { ...moved, state: row.state, set: row.set, home: row.home, moves: row.moves + 1 });
    return true;
  }

  private learned(from: Port, address: string, vid: number, mac: string): Row {
    const place = { port: from.name, bridge: from.bridge ?? '', mac, vid, vni: null, dst: address, ...NOT_SAID };
    const met = this.tables.met.get(from.name)?.has(address) === true;
    const how = { state: 'dynamic' as const, sticky: false, extern: false, set: false, home: '', own: false, met };
    return { ...place, ...how, seen: this.tables.now, moves: 0 };
  }

  private countLearned(test: (row: Row) => boolean): number {
    let count = 0;
    for (const row of this.tables.rows.values()) if (!row.set && test(row)) count++;
    return count;
  }

  private hasRoom(from: Port, bridge: Bridge): boolean {
    const own = from.maxaddress === 0 || this.countLearned((row) => row.port === from.name) < from.maxaddress;
    return own && (bridge.limit === 0 || this.countLearned((row) => row.bridge === from.bridge) < bridge.limit);
  }

  /** Within its bridge a move changes no count but the port's. */
  private mayMove(row: Row, to: Port, bridge: Bridge): boolean {
    if (row.port === to.name || row.bridge !== to.bridge) return row.port === to.name || this.hasRoom(to, bridge);
    return to.maxaddress === 0 || this.countLearned((other) => other.port === to.name) < to.maxaddress;
  }

  private flood(from: Port, vid: number, tags: number[], frame: Frame): string[] {
    const { destination } = frame;
    const kind = !isGroup(destination) ? 'flood' : destination === BROADCAST ? 'bcast_flood' : 'mcast_flood';
    const out: string[] = [];
    for (const to of this.ports.values()) {
      if (to.bridge !== from.bridge || !to.option(kind, true) || !this.mayGo(from, to, vid)) continue;
      out.push(...this.leave(to, to.kind === 'tap' ? [null] : this.listOf(to, vid, destination), vid, tags, frame));
    }
    return out;
  }

  /** Destinations of a multicast MAC of its own, or else the flood list of the VNI. */
  private listOf(port: Port, vid: number, mac: string): Entry[] {
    const vni = port.vnis.get(vid);
    const entries = [...this.tables.lists.values()].filter((entry) => entry.port === port.name);
    const own = entries.filter((entry) => entry.mac === mac && entry.vid === vid);
    if (own.length > 0) return own;
    return entries.filter((entry) => entry.mac === '00:00:00:00:00:00' && (entry.vni === null || entry.vni === vni));
  }

  private mayGo(from: Port, to: Port, vid: number): boolean {
    if ((from === to && !from.option('hairpin', false)) || !to.isUp || to.bridge !== from.bridge) return false;
    if (from.kind === 'vxlan' && to.kind === 'vxlan') return false;
    if (isIsolated(from, vid) && isIsolated(to, vid)) return false;
    return passes(to, vid) && (!to.filtering || to.members.has(vid));
  }

  /** One copy for each destination, each once. */
  private leave(to: Port, places: (Entry | Row | null)[], vid: number, tags: number[], { id }: Frame): string[] {
    if (this.tables.waiting.has(to.name)) return [];
    const bare = !to.filtering || to.isTunnel || to.members.get(vid)?.untagged === true;
    const left = bare ? tags : [vid, ...tags];
    if (to.kind === 'tap') return [leftText(id, to.name, left)];
    // What the far end would drop does not leave.
    if (to.isTunnel && left.length > 0 && !this.isKept(to)) return [];
    const vni = to.vnis.get('all') ?? to.vnis.get(vid);
    if (vni === undefined) return [];
    const texts = places.map((place) => {
      const udp = place !== null && 'home' in place ? this.tables.udpOf(this.config, place) : place?.udp;
      const sent = place !== null && (!('home' in place) || isHome(place)) ? place.sent : undefined;
      const where = `${to.name}>${place?.dst}:${udp ?? to.dstport} vni ${sent ?? vni}`;
      return leftText(id, where, left);
    });
    return [...new Set(texts)];
  }
}
