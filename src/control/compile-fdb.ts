/**
 * What the engine has to know of a port's FDB from the start: flood lists, configured entries, and multicast MACs that
 * have remotes of their own. Remotes get their numbers here.
 */
import type { FdbEntryConfig } from '../config/types.js';
import { destinationOf, segmentOf } from '../dataplane/forwarding.js';
import type { Operation } from '../dataplane/operations.js';
import { STATIC_REMOTES } from '../encap/remotes.js';
import { FLAG_ADDED, FLAG_PERMANENT, FLAG_PINNED, FLAG_STATIC, FLAG_STICKY } from '../fdb/table.js';
import { isMulticastHigh, isZeroMac, parseMac } from '../wire/ethernet.js';
import { parseAddress } from '../wire/ip-address.js';
import type { DestinationRow, Port, VxlanPort } from './model.js';

const ZERO_MAC = '00:00:00:00:00:00';

export interface Mac {
  high: number;
  low: number;
}

/** A MAC that the configuration has checked already. */
export function macOf(text: string): Mac {
  const mac = parseMac(text);
  if (mac === null) throw new TypeError(`not a MAC: ${text}`);
  return mac;
}

/** Hands out the numbers of remotes, over all ports of a switch. */
export class RemoteNumbers {
  private next = 1; // 0 means none

  constructor(private readonly operations: Operation[]) {}

  /** The number of a remote of the port; a `udpPort` other than the port's own makes it one of its own. */
  of(port: VxlanPort, address: string, udpPort = port.config.dstport): number {
    const own = udpPort === port.config.dstport;
    const key = own ? address : `${address} ${udpPort}`;
    const existing = port.remotes.get(key);
    if (existing !== undefined) return existing;
    if (!own) this.of(port, address); // what comes from that address is known under the port's own dstport
    const parsed = parseAddress(address);
    if (parsed === null) throw new TypeError(`not an address: ${address}`);
    if (this.next >= STATIC_REMOTES) throw new RangeError(`more than ${STATIC_REMOTES - 1} remotes`);
    const remote = this.next++;
    port.remotes.set(key, remote);
    this.operations.push({ op: 'remote', remote, port: port.index, address: parsed.words, udpPort, known: own });
    return remote;
  }
}

/** The flood list of each VNI: the port's remotes, the VNI's own, and those of all-zeros FDB entries; each once. */
export function floodLists(port: VxlanPort, numbers: RemoteNumbers): Operation[] {
  const { config } = port;
  const zeros = config.fdb.filter((entry) => entry.mac === ZERO_MAC && entry.dst !== undefined);
  for (const dst of config.remotes) port.destinations.push({ mac: ZERO_MAC, dst, state: 'permanent' });
  const operations: Operation[] = [];
  for (const { vni, vid } of port.vnis) {
    const own = config.vlans.find((vlan) => vlan.vid === vid)?.remotes ?? [];
    for (const dst of own) {
      if (!config.remotes.includes(dst)) port.destinations.push({ mac: ZERO_MAC, vni, dst, state: 'permanent' });
    }
    const remotes = [...config.remotes, ...own].map((dst) => numbers.of(port, dst));
    for (const entry of zeros) {
      if (entry.vni === undefined || entry.vni === vni) remotes.push(numbers.of(port, entry.dst as string, entry.port));
    }
    operations.push({ op: 'flood', port: port.index, vid, remotes: [...new Set(remotes)] });
  }
  for (const entry of zeros) port.destinations.push(destinationRow(entry));
  return operations;
}

/** The configured entries of a port, once every port of its bridge has its number. */
export function entries(port: Port, numbers: RemoteNumbers): Operation[] {
  const operations: Operation[] = [];
  const pins = new Map<string, FdbEntryConfig[]>();
  for (const entry of port.config.fdb) {
    const mac = macOf(entry.mac);
    if (port.kind === 'vxlan' && entry.dst !== undefined && isMulticastHigh(mac.high)) {
      const key = `${entry.mac} ${entry.vni ?? ''}`;
      pins.set(key, [...(pins.get(key) ?? []), entry]);
      continue;
    }
    const remote = port.kind === 'vxlan' && entry.dst !== undefined ? numbers.of(port, entry.dst, entry.port) : 0;
    for (const vid of entryVids(port, entry))
      operations.push(...setEntry(port, mac, vid, remote, entryFlags(entry, remote)));
  }
  if (port.kind === 'vxlan') for (const same of pins.values()) operations.push(...pin(port, same, numbers));
  return operations;
}

/** A multicast MAC with remotes of its own: one list for all entries of that MAC and VNI. */
function pin(port: VxlanPort, same: FdbEntryConfig[], numbers: RemoteNumbers): Operation[] {
  const remotes = same.map((entry) => numbers.of(port, entry.dst as string, entry.port));
  port.destinations.push(...same.map(destinationRow));
  return entryVids(port, same[0]).map((vid) => ({
    op: 'pin',
    port: port.index,
    vid,
    ...macOf(same[0].mac),
    remotes: [...new Set(remotes)],
    flags: FLAG_STATIC | FLAG_PINNED,
  }));
}

/** One entry in one VLAN; none for the all-zeros MAC, which stands for the flood list. */
export function setEntry(port: Port, mac: Mac, vid: number, remote: number, flags: number): Operation[] {
  if (isZeroMac(mac.high, mac.low)) return [];
  const segment = segmentOf(port.bridge.index, vid);
  return [{ op: 'fdb', ...mac, segment, destination: destinationOf(port.index, remote), owner: port.index, flags }];
}

/** The VLANs of a port; [0] in a bridge without VLAN filtering. */
export function vidsOf(port: Port): number[] {
  return port.bridge.config.vlanFiltering ? port.config.vlans.map(({ vid }) => vid) : [0];
}

/** The VLANs that an entry is for: its own, that of its VNI, or all of the port. */
function entryVids(port: Port, entry: FdbEntryConfig): number[] {
  if (!port.bridge.config.vlanFiltering) return [0];
  if (entry.vlan !== undefined) return [entry.vlan];
  if (port.kind === 'vxlan' && entry.vni !== undefined) {
    const vids = port.vnis.flatMap(({ vni, vid }) => (vni === entry.vni && vid !== null ? [vid] : []));
    if (vids.length > 0) return vids;
  }
  return vidsOf(port);
}

function entryFlags(entry: FdbEntryConfig, remote: number): number {
  const sticky = entry.sticky ? FLAG_STICKY : 0;
  const pinned = remote === 0 ? 0 : FLAG_PINNED;
  if (entry.state === 'dynamic') return FLAG_ADDED | sticky;
  return (entry.state === 'permanent' ? FLAG_PERMANENT : FLAG_STATIC) | pinned | sticky;
}

function destinationRow(entry: FdbEntryConfig): DestinationRow {
  return {
    mac: entry.mac,
    dst: entry.dst as string,
    state: entry.state === 'permanent' ? 'permanent' : 'static',
    ...(entry.vni === undefined ? {} : { vni: entry.vni }),
    ...(entry.port === undefined ? {} : { port: entry.port }),
  };
}
