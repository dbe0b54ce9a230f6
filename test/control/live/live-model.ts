/**
 * The model of a whole switch: simple on purpose, made of Maps and texts, written from docs/semantics.md and the kernel's
 * rules. It takes the same changes as the switch, and predicts its listings and the destinations of each frame.
 */
import type { FdbRequest, LinkRequest, VlanRequest, VlanSetRequest } from '../../../src/api/api.js';
import {
  type Config,
  copyOf,
  editLink,
  editVlans,
  isFiltering,
  type Members,
  type Raw,
  Refused,
  readConfig,
} from './live-config.js';
import { NOT_THERE, VXLAN_MTU } from './live-devices.js';
import { shownPorts } from './live-entries.js';
import { type Frame, receiverOf, Wires } from './live-frames.js';
import { faultOf } from './live-rules.js';
import { isHome, Tables } from './live-table.js';

export type Change =
  | { kind: 'link'; request: LinkRequest }
  | { kind: 'vlan'; request: VlanRequest | VlanSetRequest }
  | { kind: 'fdb'; request: FdbRequest }
  | { kind: 'apply'; document: Raw };

const DEFAULT_MTU = 1500;

/** The VNI that an entry is of, and that of its own that its frames have. */
function shownVni(vni: unknown, sent: number | undefined): Raw {
  if (sent !== undefined) return { vni: sent, src_vni: vni };
  return vni === undefined ? {} : { vni };
}

export class Model {
  config: Config = { bridges: new Map(), ports: new Map() };
  readonly tables = new Tables();
  private wires = new Wires(this.config, this.tables);

  constructor(document: Raw) {
    this.become(readConfig(document), 'edit');
  }

  /** A change is asked for, whatever becomes of it. */
  look(): void {
    this.tables.look();
  }

  /** @returns how many entries a flush removed @throws Refused; then nothing has changed */
  change(change: Change): number | undefined {
    switch (change.kind) {
      case 'link':
        return this.become(editLink(this.config, change.request), 'edit');
      case 'vlan':
        return this.become(editVlans(this.config, change.request), 'edit');
      case 'apply':
        return this.become(readConfig(change.document), 'apply');
      case 'fdb':
        return this.tables.change(this.config, change.request);
    }
  }

  private become(next: Config, way: 'edit' | 'apply'): undefined {
    const fault = faultOf(next);
    if (fault !== null) throw new Refused(fault);
    this.tables.needNics(this.config, next);
    this.tables.follow(this.config, next, way);
    this.config = copyOf(next);
    this.wires = new Wires(this.config, this.tables);
  }

  wait(seconds: number): void {
    this.tables.now += seconds;
    this.tables.age(this.config);
  }

  isClosed(at: { tap: string } | { receiver: string; vni: number }, frame: Frame): boolean {
    return this.wires.isClosed(at, frame);
  }

  fromTap(port: string, frame: Frame): string[] {
    return this.wires.fromTap(port, frame);
  }

  fromRemote(receiver: string, address: string, vni: number, frame: Frame): string[] {
    return this.wires.fromRemote(receiver, address, vni, frame);
  }

  /** Ports that have a TAP, host ports among them. */
  get taps(): string[] {
    const taps = [...shownPorts(this.config).values()].filter(({ kind }) => kind === 'tap').map(({ name }) => name);
    return taps.filter((name) => !this.tables.waiting.has(name));
  }

  /** Receiving sockets, by what ports share them by. */
  get receivers(): string[] {
    const { waiting } = this.tables;
    const vxlans = [...this.config.ports.values()].filter(({ type, name }) => type === 'vxlan' && !waiting.has(name));
    return [...new Set(vxlans.map(({ options }) => receiverOf(options)))];
  }

  /** What is open, as `FakeDevices.open` has it. */
  get devices(): string[] {
    const { waiting } = this.tables;
    const vxlans = [...this.config.ports.values()].filter(({ type, name }) => type === 'vxlan' && !waiting.has(name));
    const senders = vxlans.map(({ name }) => name);
    return [
      ...this.taps.map((name) => `tap ${name}`),
      ...this.receivers.map((key) => `receiver ${key}`),
      ...senders.map((name) => `sender ${name}`),
    ].sort();
  }

  // ---- What it says

  links(): Raw[] {
    const { bridges, ports } = this.config;
    const rows: Raw[] = [];
    for (const { name, options } of bridges.values()) {
      const auto = this.mtuOf(name);
      const host = options.host_port === true;
      const mtu = host && typeof options.mtu === 'number' ? options.mtu : auto;
      const address = host ? { address: this.tables.macs.get(name) } : {};
      const learned = [...this.tables.rows.values()].filter((row) => !row.set && row.bridge === name).length;
      rows.push({ ...options, ifname: name, type: 'bridge', operstate: 'UP', mtu, ...address, fdb_n_learned: learned });
    }
    for (const { name, type, bridge, options } of ports.values()) {
      const { ifname: nic, ...own } = options;
      const master = bridge === null ? {} : { master: bridge };
      const state = bridge !== null && options.up !== false ? 'UP' : 'DOWN';
      const waits = this.tables.waiting.has(name);
      const hasMac = !waits || type === 'vxlan' || options.mac !== undefined;
      const tapMtu = typeof options.mtu === 'number' ? options.mtu : this.mtuOf(bridge);
      const host = `${name}@host`;
      const address = this.tables.macs.get(type === 'tap' ? name : host);
      rows.push({
        ...own,
        ...(nic === undefined ? {} : { nic }),
        ifname: name,
        type,
        ...master,
        operstate: waits ? 'DOWN' : state,
        mtu: type === 'tap' ? tapMtu : VXLAN_MTU,
        ...(hasMac && (type === 'tap' || options.host_port === true) ? { address } : {}),
        ...(waits ? { fault: NOT_THERE } : {}),
      });
      if (type === 'vxlan' && options.host_port === true)
        rows.push({ ifname: host, type: 'tap', ...master, operstate: state, mtu: tapMtu, address });
    }
    return rows;
  }

  private mtuOf(bridge: string | null): number {
    const has = [...this.config.ports.values()].some((port) => port.type === 'vxlan' && port.bridge === bridge);
    return bridge !== null && has ? VXLAN_MTU : DEFAULT_MTU;
  }

  /** Memberships as texts, one for each VID: `t1 2 PVID Egress Untagged`, `v1 2 = 12`. */
  vlans(): string[] {
    const text = (name: string, members: Members): string[] =>
      [...members].flatMap(([vid, { pvid, untagged, vni, isolated, state = 'forwarding' }]) => [
        `${name} ${vid}${pvid ? ' PVID' : ''}${untagged ? ' Egress Untagged' : ''}${isolated ? ' isolated' : ''}${state === 'forwarding' ? '' : ` ${state}`}`,
        ...(vni === undefined ? [] : [`${name} ${vid} = ${vni}`]),
      ]);
    return [...shownPorts(this.config).values()].flatMap(({ name, members }) => text(name, members)).sort();
  }

  fdb(): Raw[] {
    const { rows, lists, now } = this.tables;
    const out: Raw[] = [];
    for (const { mac, port, dst, udp, sent, vni, state } of lists.values()) {
      const { bridge, options } = this.config.ports.get(port) ?? { bridge: null, options: {} as Raw };
      const own = options.vlan_tunnel === true && vni !== null ? vni : sent === undefined ? undefined : options.id;
      const remote = { dst, ...(udp === undefined ? {} : { port: udp }) };
      out.push({
        mac,
        ifname: port,
        master: bridge,
        ...shownVni(own, sent),
        ...remote,
        state,
        flags: ['self'],
        moves: 0,
      });
    }
    for (const row of rows.values()) {
      const { mac, port, bridge, vid, dst, state, sticky, extern, seen, moves, locked } = row;
      const udp = dst === '' ? undefined : this.tables.udpOf(this.config, row);
      const dstport = this.config.ports.get(port)?.options.dstport ?? 4789;
      const vni = this.tables.vniOf(this.config, row);
      out.push({
        mac,
        ifname: port,
        master: bridge,
        ...(vid === 0 ? {} : { vlan: vid }),
        ...shownVni(vni, isHome(row) ? row.sent : undefined),
        ...(dst === '' ? {} : { dst }),
        ...(udp === undefined || udp === dstport ? {} : { port: udp }),
        state,
        flags: [...(sticky ? ['sticky'] : []), ...(extern ? ['extern_learn'] : []), ...(locked ? ['locked'] : [])],
        ...(state === 'permanent' ? {} : { updated: now - seen }),
        moves,
      });
    }
    return out;
  }

  /** Bridges that look at VLANs; for printing. */
  isFiltering(bridge: string): boolean {
    return isFiltering(this.config.bridges.get(bridge));
  }
}
