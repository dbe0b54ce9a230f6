/**
 * Sends ARP requests and neighbour solicitations in a guest's name, and counts the replies and the copies on the underlay.
 * The labs decide which counts are right.
 */
import { ARP_REQUEST, encodeArp } from '../../wire/arp.js';
import { ETHERTYPE_ARP, ETHERTYPE_IPV6, encodeEthernet } from '../../wire/ethernet.js';
import { addressBytes } from '../../wire/ip-address.js';
import { encodeNd, ND_SOLICITATION } from '../../wire/nd.js';
import type { ObservedFrame } from '../capture/observed-frame.js';
import type { Sniffer } from '../capture/sniffer.js';
import type { Station } from '../setup/topology.js';
import { becomesTrue } from '../testbed/wait.js';
import type { Seen } from './findings.js';
import type { Inspection } from './inspection.js';

const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const LIMIT_MS = 3000;

/** The guest that asks, and the captures that watch it. */
export interface Prober {
  readonly guest: Station;
  /** Capture of the guest's NIC. */
  readonly nic: Sniffer;
  /** Capture of its host's underlay NIC. */
  readonly wire: Sniffer;
  /** Exchanges a frame with a guest behind the tunnel; frames sent before it have then passed the wire. */
  fence?(): Promise<unknown>;
}

/** The expected outcome. */
export interface Expected {
  /** Number of requests to send. */
  readonly requests: number;
  /** MAC in the one reply to each request; null: no reply. */
  readonly mac: string | null;
  /** Number of copies on the underlay. */
  readonly crossing: number;
}

const hex = (byte: number): string => byte.toString(16).padStart(2, '0');

/**
 * The frame by which a guest asks for the MAC of an address: an ARP request or a neighbour solicitation.
 * @throws RangeError when the guest has no address of that family
 */
export function requestFrame(from: Station, target: string): Uint8Array {
  if (!target.includes(':')) {
    const fields = { senderMac: from.mac, senderAddress: from.address, targetAddress: target };
    const payload = encodeArp({ operation: ARP_REQUEST, ...fields });
    return encodeEthernet({ destination: BROADCAST, source: from.mac, etherType: ETHERTYPE_ARP, payload });
  }
  if (from.address6 === undefined) throw new RangeError(`${from.name} has no IPv6 address to ask from`);
  // The solicited-node group of RFC 4291, section 2.7.1, and its MAC of RFC 2464, section 7.
  const [a, b, c] = addressBytes(target).slice(-3) as unknown as [number, number, number];
  const path = { source: from.address6, destination: `ff02::1:ff${hex(a)}:${hex(b)}${hex(c)}` };
  const payload = encodeNd({ type: ND_SOLICITATION, target, sourceLink: from.mac }, path);
  const destination = `33:33:ff:${hex(a)}:${hex(b)}:${hex(c)}`;
  return encodeEthernet({ destination, source: from.mac, etherType: ETHERTYPE_IPV6, payload });
}

/** Asks for an address and proves that exactly the expected replies and copies follow. */
export async function probeAddress(
  inspection: Inspection,
  { guest, nic, wire, fence }: Prober,
  target: string,
  expected: Expected,
): Promise<Seen> {
  for (const sniffer of [nic, wire]) sniffer.drain();
  const [atNic, atWire] = [nic.frames.length, wire.tunnel.length];
  const replies = (): ObservedFrame[] =>
    nic.frames.slice(atNic).filter(({ neigh, destination }) => isReply(neigh, target) && destination === guest.mac);
  const crossing = (): number =>
    wire.tunnel.slice(atWire).filter(({ frame }) => isRequest(frame.neigh, target) && frame.source === guest.mac)
      .length;

  inspection.send(guest, Array<Uint8Array>(expected.requests).fill(requestFrame(guest, target)));
  const wanted = expected.mac === null ? 0 : expected.requests;
  const isThere = (): boolean => {
    for (const sniffer of [nic, wire]) sniffer.drain();
    return replies().length >= wanted && crossing() >= expected.crossing;
  };
  await becomesTrue(isThere, { limitMs: LIMIT_MS, everyMs: 5, signal: inspection.signal });
  await fence?.();
  for (const sniffer of [nic, wire]) sniffer.drain();

  const macs = replies().map(({ neigh }) => neigh?.mac ?? 'none');
  const right = macs.every((mac) => mac === expected.mac);
  const from = macs.length === 0 ? '' : ` with ${[...new Set(macs)].join(', ')}`;
  const holds = macs.length === wanted && right && crossing() === expected.crossing;
  return {
    holds,
    seen: `${target}: ${expected.requests} requests, ${macs.length} replies${from}, ${crossing()} on the underlay`,
  };
}

function isReply(neigh: ObservedFrame['neigh'], target: string): boolean {
  return neigh?.kind === 'reply' && neigh.address === target;
}

function isRequest(neigh: ObservedFrame['neigh'], target: string): boolean {
  return neigh?.kind === 'request' && neigh.address === target;
}
