/**
 * Operations for VLAN memberships, VNIs, remotes, flood lists and FDB entries.
 *
 * Memory shared by the engines is written by engine 0 only.
 */
import { STATIC_REMOTES } from '../../encap/remotes.js';
import { type Tunnel, VIDS } from '../../encap/tunnel.js';
import { VNI_UNKNOWN, vniPort, vniVid } from '../../encap/vni-table.js';
import { NOT_FOUND } from '../../fdb/table.js';
import { writeGeneveHeader } from '../../wire/geneve.js';
import { VXLAN_HEADER, writeVxlanHeader } from '../../wire/vxlan.js';
import { installRemote } from '../egress/install-remote.js';
import { ORIGINATED_ROOM } from '../egress/originate.js';
import type { Context } from '../state/context.js';
import { pinFidOf } from '../state/fid.js';
import { HAS_PINS, type Membership, PORT_TUNNEL } from '../state/forwarding.js';
import { Groups } from '../state/groups.js';

// ---- VLANs ----

export function setVlan(sw: Context, o: Membership & { port: number; vid: number }): void {
  const { forwarding } = sw;
  forwarding.needPort(o.port);
  const before = forwarding.vlanCounter(o.port, o.vid);
  if (before !== o.counter) clearCounter(sw, before);
  forwarding.setVlan(o.port, o.vid, o);
}

export function setPvid({ forwarding }: Context, { port, vid }: { port: number; vid: number }): void {
  forwarding.needPort(port);
  forwarding.portPvid[port] = vid;
}

/** A VLAN without a membership is no PVID. */
export function removeVlan(sw: Context, { port, vid }: { port: number; vid: number }): void {
  const { forwarding } = sw;
  clearCounter(sw, forwarding.vlanCounter(port, vid));
  forwarding.clearVlan(port, vid);
  if (forwarding.portPvid[port] === vid) forwarding.portPvid[port] = 0;
}

/** All memberships of a port. */
export function clearVlans(sw: Context, port: number): void {
  for (let vid = 0; vid < VIDS; vid++) clearCounter(sw, sw.forwarding.vlanCounter(port, vid));
  sw.forwarding.clearVlans(port);
}

function clearCounter(sw: Context, counter: number): void {
  if (counter !== 0) sw.counters.clearVlan(counter);
}

// ---- VNIs ----

/**
 * Writes the VNI's header into the arena, once, and maps the VLAN to it. VLANs and VNIs map one to one: former mappings of both
 * are removed.
 */
export function mapVni(
  sw: Context,
  o: { port: number; vid: number | null; vni: number; header: number; counter: number },
): void {
  const { forwarding } = sw;
  forwarding.needPort(o.port, PORT_TUNNEL);
  const tunnel = forwarding.tunnels[o.port];
  const offset = writeHeader(sw, o.header, o.vni, tunnel);
  const place = o.vid ?? 0;
  const elsewhere = forwarding.vnis.find(tunnel.socket, o.vni);
  forwarding.vniUsers[o.counter]++;
  if (elsewhere !== VNI_UNKNOWN && elsewhere !== ((o.port << 12) | place)) {
    unmapVlan(sw, vniPort(elsewhere), vniVid(elsewhere));
  }
  removeMapping(sw, o.port, place);
  for (const vid of vidsOf(o.vid)) tunnel.mapVlan(vid, o.vni, offset, o.counter);
  forwarding.vnis.set(tunnel.socket, o.vni, o.port, place);
}

/** Writes a VNI's header into the arena; those of VXLAN and Geneve have one length. @returns its offset there */
function writeHeader({ io, view }: Context, header: number, vni: number, tunnel: Tunnel): number {
  const offset = io.headerBase + header * VXLAN_HEADER;
  if (offset + VXLAN_HEADER > io.headerBase + io.headerBytes - ORIGINATED_ROOM)
    throw new RangeError('no room for another VNI');
  if (tunnel.isGeneve) writeGeneveHeader(view, offset, vni);
  else writeVxlanHeader(view, offset, vni, tunnel.policy);
  return offset;
}

/** Removing a VLAN's VNI removes its flood list. */
export function unmapVni(sw: Context, o: { port: number; vid: number | null; vni: number }): void {
  if (sw.forwarding.tunnels[o.port].vniOfVlan[o.vid ?? 0] === o.vni) unmapVlan(sw, o.port, o.vid ?? 0);
}

/** Removes all VNIs of a port whose tunnel is deleted. */
export function clearVnis(sw: Context, port: number): void {
  for (let vid = 0; vid < VIDS; vid++) removeMapping(sw, port, vid);
}

/** @param place the VLAN, or 0 on a single-VNI port */
function unmapVlan(sw: Context, port: number, place: number): void {
  removeMapping(sw, port, place);
  for (const vid of vidsOf(place === 0 ? null : place)) sw.forwarding.tunnels[port].unmapVlan(vid);
}

/** Datagrams of the VNI belong to no port afterwards; its counters restart at zero once no port has it. */
function removeMapping(sw: Context, port: number, place: number): void {
  const { forwarding } = sw;
  const { counterOfVlan, socket, vniOfVlan } = forwarding.tunnels[port];
  const vni = vniOfVlan[place];
  // A single-VNI port has its VNI at every VID, and is found at 0.
  if (vni === 0 || forwarding.vnis.find(socket, vni) !== ((port << 12) | place)) return;
  forwarding.vnis.remove(socket, vni);
  releaseVniCounter(sw, counterOfVlan[place]);
}

function releaseVniCounter({ counters, forwarding }: Context, counter: number): void {
  forwarding.vniUsers[counter]--;
  if (forwarding.vniUsers[counter] === 0) counters.clearVni(counter);
}

function vidsOf(vid: number | null): Iterable<number> {
  return vid === null ? Array(VIDS).keys() : [vid];
}

// ---- Remotes ----

export function addRemote(
  sw: Context,
  o: {
    remote: number;
    port: number;
    address: readonly number[];
    udpPort: number;
    known: boolean;
    sent?: { vni: number; header: number; counter: number };
  },
): void {
  const [a0, a1, a2, a3] = o.address;
  if (sw.engine === 0) sw.remotes.add(o.remote, o.port, o.address, o.udpPort, o.known);
  sw.io.setRemote(o.remote, a0, a1, a2, a3, o.udpPort);
  sw.forwarding.endpoints.destinations[o.udpPort] = 1;
  sw.pathMtus.begin(o.remote, o.address);
  removeSent(sw, o.remote);
  if (o.sent === undefined) return;
  sw.sentHeader[o.remote] = writeHeader(sw, o.sent.header, o.sent.vni, sw.forwarding.tunnels[o.port]);
  sw.sentCounter[o.remote] = o.sent.counter;
  sw.forwarding.vniUsers[o.sent.counter]++;
}

/** Frames to a remote have the VNI of their VLAN again. */
function removeSent(sw: Context, remote: number): void {
  if (remote >= STATIC_REMOTES || sw.sentHeader[remote] < 0) return;
  sw.sentHeader[remote] = -1;
  releaseVniCounter(sw, sw.sentCounter[remote]);
}

/** Removes the remote from source lookup. Frames already addressed to it are still sent. */
export function withdrawRemote({ engine, remotes }: Context, { remote }: { remote: number }): void {
  if (engine === 0) remotes.withdraw(remote);
}

export function freeRemote(sw: Context, { remote }: { remote: number }): void {
  sw.counters.clearRemote(remote);
  removeSent(sw, remote);
  sw.pathMtus.forget(remote);
  if (sw.engine === 0) sw.remotes.remove(remote);
}

export function setRemoteMtu(sw: Context, { remote, mtu }: { remote: number; mtu: number }): void {
  // Learned remotes have no operation of their own.
  if (remote < STATIC_REMOTES || installRemote(sw, remote)) sw.pathMtus.set(remote, mtu);
}

/** The same list may be used for all VIDs: it is created once. */
export function setFlood(
  { forwarding }: Context,
  o: { port: number; vid: number | null; remotes: readonly number[] },
): void {
  forwarding.needPort(o.port, PORT_TUNNEL);
  const tunnel = forwarding.tunnels[o.port];
  tunnel.setFlood(o.vid ?? 0, o.remotes);
  if (o.vid === null) tunnel.floodOfVlan.fill(tunnel.floodOfVlan[0]);
}

/** Sets where the frames of a VNI to a group go, replacing an earlier entry; `remotes: null` without sources removes it. */
export function setTunnelGroup(
  { forwarding }: Context,
  o: {
    port: number;
    vni: number;
    address: readonly number[];
    remotes: readonly number[] | null;
    sources: readonly { address: readonly number[]; destinations: readonly number[] }[];
  },
): void {
  forwarding.needPort(o.port, PORT_TUNNEL);
  const { address, remotes, sources, vni } = o;
  const [high, low] = [vni >>> 12, vni & 0xfff];
  if (remotes !== null || sources.length > 0) {
    forwarding.tunnelGroups[o.port] ??= new Groups();
    const row = { address, destinations: remotes ?? [], permanent: remotes !== null };
    forwarding.tunnelGroups[o.port]?.set(high, low, row, sources);
    return;
  }
  forwarding.tunnelGroups[o.port]?.remove(high, low, address);
  if (forwarding.tunnelGroups[o.port]?.size === 0) forwarding.tunnelGroups[o.port] = undefined;
}

export function setNexthop(
  { forwarding: { nexthops } }: Context,
  { group, remotes }: { group: number; remotes: readonly number[] },
): void {
  while (nexthops.length <= group) nexthops.push(new Int32Array(0));
  nexthops[group] = Int32Array.from(remotes);
}

// ---- FDB ----

interface Key {
  high: number;
  low: number;
}

export function setPin(
  sw: Context,
  o: Key & { port: number; vid: number; list: number; remotes: readonly number[]; flags: number },
): void {
  const { forwarding } = sw;
  forwarding.needPort(o.port, PORT_TUNNEL);
  while (forwarding.pinned.length <= o.list) forwarding.pinned.push(new Int32Array(0));
  forwarding.pinned[o.list] = Int32Array.from(new Set(o.remotes));
  // It is kept when the last pin is removed: other engines cannot tell from the FDB which one that is.
  forwarding.portFlags[o.port] |= HAS_PINS;
  setEntry(sw, { ...o, fid: pinFidOf(o.port, o.vid), destination: o.list, owner: o.port });
}

export function removePin(sw: Context, o: Key & { port: number; vid: number }): void {
  const fid = pinFidOf(o.port, o.vid);
  const list = sw.fdb.resolve(o.high, o.low, fid);
  if (list !== NOT_FOUND) sw.forwarding.pinned[list] = new Int32Array(0);
  removeEntry(sw, { ...o, fid });
}

export function setEntry(
  { engine, fdb, tick }: Context,
  o: Key & { fid: number; destination: number; owner: number; flags: number; refreshes?: boolean },
): void {
  if (engine !== 0) return;
  if (!fdb.set(o.high, o.low, o.fid, o.destination, o.owner, o.flags, tick, o.refreshes)) {
    throw new RangeError('the FDB is full');
  }
}

export function removeEntry({ engine, fdb }: Context, { high, low, fid }: Key & { fid: number }): void {
  if (engine === 0) fdb.remove(high, low, fid);
}

/** Without room it is counted as refused: no source of peers can end the switch. */
export function setPeerEntry(
  { engine, fdb, tick }: Context,
  o: Key & { fid: number; destination: number; owner: number; flags: number },
): void {
  if (engine === 0) fdb.setExternal(o.high, o.low, o.fid, o.destination, o.owner, o.flags, tick);
}

export function removePeerEntry(
  { engine, fdb }: Context,
  { high, low, fid, destination }: Key & { fid: number; destination: number },
): void {
  if (engine === 0) fdb.removeExternal(high, low, fid, destination);
}
