/**
 * ARP and neighbour discovery frames as sent by hosts, and a switch with a suppressing tunnel, for tests of both.
 */

import type { Operation } from '../../../src/dataplane/operations/operations.js';
import { fidOf } from '../../../src/dataplane/state/fid.js';
import { type Punt, PuntReader, type PuntSubject, subjectOf } from '../../../src/dataplane/state/punt-ring.js';
import { NeighReader, type NeighRow } from '../../../src/neigh/table.js';
import { ARP_REPLY, ARP_REQUEST, encodeArp } from '../../../src/wire/arp.js';
import { ETHERTYPE_ARP, ETHERTYPE_IPV6, formatMac } from '../../../src/wire/ethernet.js';
import { formatAddress, parseAddress } from '../../../src/wire/ip-address.js';
import { encodeNd, ND_ADVERTISEMENT, ND_OVERRIDE, ND_SOLICITATION } from '../../../src/wire/nd.js';
import { BROADCAST, frame } from './frames.js';
import type { TestSwitch } from './harness.js';
import { mac } from './specs.js';

export const PEER = '192.0.2.2';
export const OTHER_PEER = '192.0.2.3';
export const ALL_NODES_MAC = '33:33:00:00:00:01';

interface Link {
  destination?: string;
  tci?: number;
}

/** Who is at `address` asks for `target`; an address of 0.0.0.0 probes. */
export function arpRequest(source: string, address: string, target: string, link: Link = {}): Uint8Array {
  const payload = encodeArp({
    operation: ARP_REQUEST,
    senderMac: source,
    senderAddress: address,
    targetAddress: target,
  });
  return frame({ source, destination: BROADCAST, etherType: ETHERTYPE_ARP, payload, ...link });
}

/** `source` tells `to` that it has an address. */
export function arpReply(source: string, address: string, to: string, toAddress: string, link: Link = {}): Uint8Array {
  const payload = encodeArp({
    operation: ARP_REPLY,
    senderMac: source,
    senderAddress: address,
    targetMac: to,
    targetAddress: toAddress,
  });
  return frame({ source, destination: to, etherType: ETHERTYPE_ARP, payload, ...link });
}

/** An announcement of one's own address, to all. */
export function gratuitous(source: string, address: string, link: Link = {}): Uint8Array {
  return arpRequest(source, address, address, link);
}

/** The solicited-node group of an address, and its MAC. */
export function solicitedNode(target: string): { destination: string; mac: string } {
  const [, , , last] = parseAddress(target)?.words ?? [0, 0, 0, 0];
  const low = last & 0xffffff;
  const hex = low.toString(16).padStart(6, '0');
  return {
    destination: formatAddress(0xff020000 | 0, 0, 1, 0xff000000 | low),
    mac: `33:33:ff:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4)}`,
  };
}

interface Solicitation extends Link {
  /** Whether it says the sender's MAC. Default: unless the sender has no address. */
  link?: boolean;
  options?: Uint8Array;
  hopLimit?: number;
}

/** Who is at `address` asks for `target`; from `::` it looks whether the address is free. */
export function solicitation(source: string, address: string, target: string, more: Solicitation = {}): Uint8Array {
  const { link = address !== '::', options, hopLimit, ...ethernet } = more;
  const group = solicitedNode(target);
  const payload = encodeNd(
    {
      type: ND_SOLICITATION,
      target,
      ...(link ? { sourceLink: source } : {}),
      ...(options === undefined ? {} : { options }),
    },
    { source: address, destination: group.destination, ...(hopLimit === undefined ? {} : { hopLimit }) },
  );
  return frame({ source, destination: group.mac, etherType: ETHERTYPE_IPV6, payload, ...ethernet });
}

/** `source` says that it has an address: to all, or to one. */
export function advertisement(
  source: string,
  address: string,
  more: Link & { flags?: number; to?: string; options?: Uint8Array; link?: boolean } = {},
): Uint8Array {
  const { flags = ND_OVERRIDE, to = 'ff02::1', options, link = true, ...ethernet } = more;
  const payload = encodeNd(
    {
      type: ND_ADVERTISEMENT,
      target: address,
      flags,
      ...(link ? { targetLink: source } : {}),
      ...(options === undefined ? {} : { options }),
    },
    { source: address, destination: to },
  );
  return frame({ source, destination: ALL_NODES_MAC, etherType: ETHERTYPE_IPV6, payload, ...ethernet });
}

// ---- What the switch knows and tells ----

export function words(address: string): number[] {
  const parsed = parseAddress(address);
  if (parsed === null) throw new Error(`not an address: ${address}`);
  return [...parsed.words];
}

/** A binding put in by hand. */
export function binding(
  sw: TestSwitch,
  port: string,
  address: string,
  lladdr: string,
  more: { vid?: number; router?: boolean; bridge?: string } = {},
): Operation {
  return {
    op: 'neigh',
    bridge: sw.topology.bridgeNumber(more.bridge ?? 'br0'),
    vid: more.vid ?? 0,
    address: words(address),
    ...mac(lladdr),
    router: more.router ?? false,
    port: sw.port(port),
  };
}

/** The binding of an address as the control thread reads it. */
export function bindingOf(sw: TestSwitch, address: string, vid = 0): NeighRow | null {
  const reader = new NeighReader(sw.context.neigh.memory);
  return reader.find(fidOf(sw.topology.bridgeNumber('br0'), vid), words(address));
}

/** MAC of an address; null: none is known. */
export function lladdrOf(sw: TestSwitch, address: string, vid = 0): string | null {
  const row = bindingOf(sw, address, vid);
  return row === null ? null : formatMac(row.high, row.low);
}

export interface Told extends Omit<Punt, 'bytes' | 'length'> {
  address: string;
  mac: string;
  other: string;
}

/** Everything that the engine has told without a frame, since the last call. */
export function told(sw: TestSwitch): Told[] {
  const list: Told[] = [];
  new PuntReader([sw.context.punts.memory]).drain((punt) => {
    const { kind, port, remote, vid } = punt;
    list.push({ kind, port, remote, vid, ...textOf(subjectOf(punt)) });
  });
  return list;
}

function textOf({ address, mac: one, other }: PuntSubject): { address: string; mac: string; other: string } {
  return {
    address: formatAddress(...address),
    mac: formatMac(one.high, one.low),
    other: formatMac(other.high, other.low),
  };
}
