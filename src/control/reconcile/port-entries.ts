/**
 * Translates entries with names and addresses to FDB rows, flood lists and pinned multicast MACs of the engines. `vteps.ts`
 * chooses the remote of each.
 */
import type { NexthopConfig } from '../../config/types.js';
import { destinationOf } from '../../dataplane/state/destination.js';
import { fidOf } from '../../dataplane/state/fid.js';
import { FLAG_PINNED, FLAG_STATIC, FLAGS_SET } from '../../fdb/table.js';
import { ZERO_MAC } from '../../values/address.js';
import { isMulticastHigh } from '../../wire/ethernet.js';
import { type Entry, isFloodRow, isForMany } from '../model/entries.js';
import { DeviceError } from '../model/device-error.js';
import { type Holder, holderOf, isTunnel, type Port, type SwitchModel, type VxlanPort } from '../model/model.js';
import { flagsOf } from '../model/fdb-flags.js';
import { macOf } from '../model/naming.js';
import { Numbers } from '../model/numbers.js';
import type { Transition } from '../model/transition.js';
import { Nexthops } from './nexthops.js';
import type { VniNumbers } from './vni-numbers.js';
import { TunnelGroups } from './tunnel-groups.js';
import { remoteOf, remotesOf, Vteps } from './vteps.js';

/** Most lists of pinned MACs in a switch. */
const MAX_PINS = 65_536;

export class PortEntries {
  readonly vteps: Vteps;
  readonly nexthops: Nexthops;
  readonly tunnelGroups: TunnelGroups;
  private readonly pinNumbers = new Numbers('multicast entries with remotes', 0, MAX_PINS);
  /** Ports whose flood lists must be sent again. */
  private readonly stale = new Set<VxlanPort>();
  /** VLANs whose lists must be sent again, of ports of which no others must. */
  private readonly staleVids = new Map<VxlanPort, Set<number>>();
  /** Addresses of dead VTEPs, and of those that were dead. */
  private readonly diverted = new Map<VxlanPort, ReadonlySet<string>>();
  /** Multicast MACs whose lists must be sent again, by `mac vlan`. */
  private readonly stalePins = new Map<VxlanPort, Set<string>>();
  /** The port with a unicast MAC, by `bridge vlan mac`: a MAC has one location in a VLAN. */
  private readonly places = new Map<string, string>();
  /** Entries whose rows must be sent once their remotes are settled. */
  private readonly untold = new Map<Holder, Set<Entry>>();

  /** Entries whose ages stay, of those to be sent. */
  private readonly ageless = new Set<Entry>();

  /** Bridges whose own entries must be sent again. */
  private readonly rehoused = new Set<string>();

  constructor(
    private readonly model: SwitchModel,
    vnis: VniNumbers,
  ) {
    this.vteps = new Vteps(vnis);
    this.nexthops = new Nexthops(this.vteps);
    this.tunnelGroups = new TunnelGroups(this.vteps);
  }

  /** @throws DeviceError when there is no room for the new entries; nothing has changed then */
  checkRoom(added: readonly Entry[], peers: number, nexthops = this.model.config.nexthops ?? []): void {
    this.checkTable(added.length);
    const members = this.nexthops.needRoom(added, nexthops);
    this.vteps.checkRoom(added, peers + members, (name) => {
      const port = this.model.ports.get(name);
      return isTunnel(port) ? port : undefined;
    });
  }

  /** Configured entries displace learned ones, but not those of sources of peers. */
  private checkTable(added: number): void {
    const { peers, config, entries } = this.model;
    if (peers === undefined || peers.macs === 0 || entries.size + added + peers.macs <= config.fdb_size) return;
    throw new DeviceError(
      `the FDB holds ${config.fdb_size} entries, and ${peers.macs} of them are of sources of peers; set a larger fdb_size and start again`,
    );
  }

  /** Whether a configured entry has the MAC in this VLAN of a bridge. */
  isPlaced(bridge: string, vlan: number, mac: string): boolean {
    return this.places.has(`${bridge} ${vlan} ${mac}`);
  }

  /**
   * Adds entries, replacing those with the same key. Entries of a port without a bridge are only stored.
   * @param refreshes false: the ages of present entries stay
   */
  add(entries: readonly Entry[], change: Transition, refreshes = true): void {
    for (const entry of entries) {
      if (!refreshes) this.ageless.add(entry);
      const port = holderOf(this.model, entry.port);
      if (port === undefined || port.bridge === null) continue;
      const before = this.model.entries.get(entry);
      if (before !== undefined) this.drop(port, before, change, true);
      this.model.entries.set(entry);
      this.takePlace(port, entry, change);
      if (isTunnel(port)) this.name(port, entry);
      this.touchEntry(port, entry);
    }
  }

  /** Adds the reference of an entry to its remote or group. */
  private name(port: VxlanPort, entry: Entry): void {
    if (entry.nhid === undefined) this.vteps.name(port, entry);
    else this.nexthops.hold(port, entry.nhid);
  }

  private unname(port: VxlanPort, entry: Entry): void {
    if (entry.nhid === undefined) this.vteps.unname(port, entry);
    else this.nexthops.release(port, entry.nhid);
  }

  /** The nexthops from now on: entries of groups that are gone go too (vxlan_fdb_nh_flush). */
  defineNexthops(nexthops: readonly NexthopConfig[], change: Transition): void {
    this.nexthops.define(nexthops, [...this.model.ports.values()].filter(isTunnel));
    const isLost = ({ nhid }: Entry): boolean => nhid !== undefined && !this.nexthops.isGroup(nhid);
    for (const port of this.model.ports.values())
      if (isTunnel(port) && port.nexthops.size > 0) this.remove(this.having(port, isLost), change);
  }

  /** Removes a MAC from the port where it was before. */
  private takePlace(port: Holder, entry: Entry, change: Transition): void {
    if (isForMany(entry.mac)) return;
    const key = placeKey(port, entry);
    const other = holderOf(this.model, this.places.get(key) ?? port.name);
    this.places.set(key, port.name);
    if (other === undefined || other.name === port.name) return;
    const before = this.model.entries.get({ ...entry, port: other.name });
    if (before === undefined) return;
    this.model.entries.delete(before);
    this.drop(other, before, change, true);
  }

  /** Records that an entry has moved by learning or has aged out. No operation: the engines know. */
  stray(entry: Entry, now: Entry | null): void {
    const port = holderOf(this.model, entry.port);
    if (port === undefined || !this.model.entries.delete(entry)) return;
    this.leavePlace(port, entry);
    if (now?.dst === undefined && isTunnel(port)) this.unname(port, entry);
    if (now === null) return;
    this.model.entries.set(now);
    this.places.set(placeKey(port, now), now.port);
  }

  /** Removes entries; a missing one is no error. */
  remove(entries: Iterable<Entry>, change: Transition): void {
    for (const key of [...entries]) {
      const entry = this.model.entries.get(key);
      const port = holderOf(this.model, key.port);
      if (entry === undefined || port === undefined) continue;
      this.model.entries.delete(entry);
      if (!isForMany(entry.mac)) this.leavePlace(port, entry);
      this.drop(port, entry, change, false);
    }
  }

  private leavePlace(port: Holder, entry: Entry): void {
    this.places.delete(placeKey(port, entry));
    this.model.peers?.freed(port.bridge?.name ?? '', entry.vlan, entry.mac);
  }

  /** Forgets all entries of a port that is deleted or changes its bridge; the caller flushes its rows. */
  forgetPort(port: Port, change: Transition): void {
    this.remove(this.model.entries.ofPort(port.name), change);
    this.model.entries.forgetPort(port.name);
  }

  /** A bridge is deleted with its own entries. */
  forgetBridge(name: string, change: Transition): void {
    this.remove(this.model.entries.ofPort(name), change);
    this.model.entries.forgetPort(name);
  }

  /** A bridge gets a host port: its own MACs lead there. */
  beginHost(bridge: string): void {
    this.rehoused.add(bridge);
  }

  /** A bridge's host port is deleted. Permanent entries remain the host's; the others are dropped. */
  endHost(port: Port, change: Transition): void {
    this.remove(
      this.having(port, ({ state }) => state !== 'permanent'),
      change,
    );
    this.rehoused.add(port.name);
  }

  /** Forgets the entries of a VLAN that a port leaves. */
  forgetVlan(port: Port, vid: number, change: Transition): void {
    this.remove(
      this.having(port, (entry) => entry.vlan === vid && entry.vni !== null),
      change,
    );
  }

  /** Forgets the entries of a VNI that a port no longer carries. */
  forgetVni(port: Port, vni: number, change: Transition): void {
    this.remove(
      this.having(port, (entry) => entry.vni === vni),
      change,
    );
  }

  private having(port: Port, test: (entry: Entry) => boolean): Entry[] {
    return [...this.model.entries.ofPort(port.name)].filter(test);
  }

  /** Makes exactly these addresses the peers of the port. */
  setPeers(port: VxlanPort, before: readonly string[], after: readonly string[]): void {
    for (const address of after) if (!before.includes(address)) this.vteps.hold(port, address);
    for (const address of before) if (!after.includes(address)) this.vteps.release(port, address);
  }

  /**
   * Exactly these VTEPs of the port are dead: what is for them goes elsewhere, and what was learned behind them is forgotten. Rows
   * and lists are sent by `finish`.
   */
  setDead(port: VxlanPort, dead: ReadonlySet<string>, change: Transition): void {
    const before = port.dead ?? new Set<string>();
    port.dead = dead;
    const affected = new Set([...before, ...dead]);
    if (affected.size === 0) return;
    this.diverted.set(port, affected);
    const died = [...remotesOf(port)].filter(([, address]) => dead.has(address) && !before.has(address));
    const destinations = new Set(died.map(([remote]) => destinationOf(port.index, remote)));
    if (destinations.size > 0) change.flushes.push({ destinations, flagsMask: FLAGS_SET });
  }

  /** A VNI was added: its flood list must be sent. */
  touch(port: VxlanPort): void {
    this.stale.add(port);
  }

  /** The flood list of a VLAN must be sent; null: those of all. */
  touchVlan(port: VxlanPort, vid: number | null): void {
    if (vid === null) this.touch(port);
    else this.staleVids.set(port, (this.staleVids.get(port) ?? new Set<number>()).add(vid));
  }

  /** A port was deleted; its remaining remotes are removed. */
  end(port: VxlanPort, change: Transition): void {
    this.stale.delete(port);
    this.staleVids.delete(port);
    this.diverted.delete(port);
    this.stalePins.delete(port);
    this.untold.delete(port);
    for (const key of [...port.pins.keys()]) this.endPin(port, key, change);
    this.nexthops.endPort(port, change);
    this.tunnelGroups.end(port);
    this.vteps.end(port, change);
  }

  /** Removes remotes without references, and sends the changed rows and lists. */
  finish(change: Transition): void {
    this.model.peers?.settle(change);
    this.nexthops.settle(change);
    const moved = this.vteps.settle(change);
    for (const [port, addresses] of this.diverted) moved.set(port, new Set([...addresses, ...(moved.get(port) ?? [])]));
    this.diverted.clear();
    for (const [port, addresses] of moved) {
      for (const entry of this.having(port, ({ dst }) => dst !== undefined && addresses.has(dst)))
        this.touchEntry(port, entry);
    }
    for (const name of this.rehoused) {
      const holder = holderOf(this.model, name);
      if (holder !== undefined) for (const entry of this.model.entries.ofPort(name)) this.touchEntry(holder, entry);
    }
    this.rehoused.clear();
    for (const [port, entries] of this.untold) for (const entry of entries) this.tellRow(port, entry, change);
    this.untold.clear();
    this.ageless.clear();
    this.model.peers?.tell(moved, change);
    this.nexthops.tell(moved, change);
    this.tunnelGroups.tell(moved, change);
    for (const port of this.stale) this.tellFlood(port, change);
    for (const [port, vids] of this.staleVids) if (!this.stale.has(port)) this.tellFlood(port, change, vids);
    this.stale.clear();
    this.staleVids.clear();
    for (const [port, keys] of this.stalePins) for (const key of keys) this.tellPin(port, key, change);
    this.stalePins.clear();
  }

  // ---- Rows ----

  /** Marks a row or a list to be sent again. */
  private touchEntry(port: Holder, entry: Entry): void {
    if (isFloodRow(entry)) {
      if (isTunnel(port)) this.stale.add(port);
    } else if (isTunnel(port) && isMulticastHigh(macOf(entry.mac).high)) {
      this.touchPin(port, entry);
    } else {
      this.untold.set(port, (this.untold.get(port) ?? new Set<Entry>()).add(entry));
    }
  }

  private tellRow(port: Holder, entry: Entry, change: Transition): void {
    const bridge = port.bridge;
    // It may have been removed again, or replaced, in the same change.
    if (bridge === null || this.model.entries.get(entry) !== entry) return;
    change.entries.push({
      op: 'fdb',
      ...macOf(entry.mac),
      fid: fidOf(bridge.index, entry.vlan),
      destination: destinationOf(port.index, isTunnel(port) ? remoteOf(port, entry) : 0),
      owner: port.index,
      flags: flagsOf(entry),
      ...(this.ageless.has(entry) ? { refreshes: false } : {}),
    });
  }

  private drop(port: Holder, entry: Entry, change: Transition, replaced: boolean): void {
    if (isFloodRow(entry)) {
      if (isTunnel(port)) this.stale.add(port);
    } else if (isTunnel(port) && isMulticastHigh(macOf(entry.mac).high)) {
      this.touchPin(port, entry);
    } else if (!replaced && port.bridge !== null) {
      change.structure.push({ op: 'fdb-del', ...macOf(entry.mac), fid: fidOf(port.bridge.index, entry.vlan) });
    }
    if (isTunnel(port)) this.unname(port, entry);
  }

  private touchPin(port: VxlanPort, { mac, vlan }: Entry): void {
    const keys = this.stalePins.get(port) ?? new Set<string>();
    this.stalePins.set(port, keys.add(`${mac} ${vlan}`));
  }

  /** Sends all remotes of a multicast MAC in a VLAN as one list; removes the list when empty. */
  private tellPin(port: VxlanPort, key: string, change: Transition): void {
    const { mac, vlan } = pinOf(key);
    const same = [...this.model.entries.ofPort(port.name)].filter((entry) => entry.mac === mac && entry.vlan === vlan);
    if (same.length === 0) {
      if (port.pins.has(key)) this.endPin(port, key, change);
      return;
    }
    const list = port.pins.get(key) ?? this.pinNumbers.take();
    port.pins.set(key, list);
    const remotes = [...new Set(same.map((entry) => remoteOf(port, entry)))].filter((remote) => remote !== 0);
    const place = { port: port.index, vid: vlan, ...macOf(mac) };
    change.entries.push({ op: 'pin', ...place, list, remotes, flags: FLAG_STATIC | FLAG_PINNED });
  }

  private endPin(port: VxlanPort, key: string, change: Transition): void {
    const list = port.pins.get(key) as number;
    const { mac, vlan } = pinOf(key);
    port.pins.delete(key);
    change.structure.push({ op: 'pin-del', port: port.index, vid: vlan, ...macOf(mac) });
    change.afterwards.push(() => this.pinNumbers.give(list));
  }

  /**
   * Sends the port's list for all VLANs, then those of VNIs with additional remotes, or with a group in place of the port's
   * (vxlan_vni_update_group).
   * @param vids only the lists of these VLANs
   */
  private tellFlood(port: VxlanPort, change: Transition, vids?: ReadonlySet<number>): void {
    const { common, own } = this.floodsOf(port, vids);
    if (vids === undefined)
      change.entries.push({ op: 'flood', port: port.index, vid: null, remotes: [...new Set(common)] });
    const { group, vlans } = port.config;
    const groupRow = remoteOf(port, { mac: ZERO_MAC, ...(group === undefined ? {} : { dst: group }) });
    const replaced = new Set(
      vlans.flatMap((vlan) => (vlan.group === undefined || vlan.group === group ? [] : [vlan.vid])),
    );
    for (const vid of vids ?? own.keys()) {
      // A VLAN that is no longer mapped has lost its list with its VNI.
      if (!port.vnis.some((mapped) => mapped.vid === vid)) continue;
      const more = own.get(vid) ?? [];
      const shared = replaced.has(vid) && more.length > 0 ? common.filter((remote) => remote !== groupRow) : common;
      change.entries.push({ op: 'flood', port: port.index, vid, remotes: [...new Set([...shared, ...more])] });
    }
  }

  /** The remotes in the lists of all VLANs of a port, and those in addition by VLAN. */
  private floodsOf(port: VxlanPort, vids?: ReadonlySet<number>): { common: number[]; own: Map<number, number[]> } {
    const common: number[] = [];
    const own = new Map<number, number[]>();
    const add = (vid: number, remote: number): void => {
      const list = own.get(vid);
      if (list === undefined) own.set(vid, [remote]);
      else list.push(remote);
    };
    for (const entry of this.model.entries.ofPort(port.name)) {
      if (!isFloodRow(entry)) continue;
      const remote = remoteOf(port, entry);
      if (remote === 0) continue;
      const vid = port.vnis.find(({ vni }) => vni === entry.vni)?.vid;
      if (entry.vni === null || entry.vni === undefined || vid === null) common.push(remote);
      else if (vid !== undefined) add(vid, remote);
    }
    const { peers } = this.model;
    if (peers === undefined) return { common, own };
    for (const only of vids ?? [undefined]) {
      for (const row of peers.floodsOf(port, only)) {
        const remote = remoteOf(port, row);
        if (remote === 0) continue;
        if (row.vid === null) common.push(remote);
        else add(row.vid, remote);
      }
    }
    return { common, own };
  }
}

function placeKey(port: Holder, { vlan, mac }: Entry): string {
  return `${port.bridge?.name ?? ''} ${vlan} ${mac}`;
}

function pinOf(key: string): { mac: string; vlan: number } {
  const [mac, vlan] = key.split(' ');
  return { mac, vlan: Number(vlan) };
}
