/** Outer headers of captures at a vxlan or geneve port: what comes off a datagram, and what is put before one. */
import type { Left } from '../control/memory/memory-switch.js';
import { encapsulate } from '../control/trace/encapsulate.js';
import type { VxlanConfig } from '../config/types.js';
import { concatBytes, viewOf } from '../wire/bytes.js';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, encodeEthernet } from '../wire/ethernet.js';
import { L3_END, L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL, LAYOUT_WORDS, parseInner } from '../wire/inner.js';
import { formatAddress, IPV4_MAPPED, parseAddress } from '../wire/ip-address.js';
import { encodeIpv4, ipv4Source, ipv4Tos, PROTOCOL_UDP } from '../wire/ipv4.js';
import { encodeIpv6, ipv6Source, ipv6TrafficClass } from '../wire/ipv6.js';
import { geneveOptions } from '../wire/geneve.js';
import { encodeUdp, UDP_HEADER, udpDestinationPort } from '../wire/udp.js';
import { VXLAN_HEADER, vni } from '../wire/vxlan.js';

/** MACs of outer frames, which a switch in memory does not know: those of documentation. */
const OUTER_SOURCE = '00:00:5e:00:53:01';
const OUTER_DESTINATION = '00:00:5e:00:53:02';
const SOURCE_PORT = 49_152;

/** What the headers of a tunnel port depend on. */
export type Tunnel = Pick<VxlanConfig, 'dstport' | 'type' | 'local'>;

export interface Datagram {
  from: string;
  tos: number;
  /** The UDP payload. */
  payload: Uint8Array;
  /** Absent where the payload is too short for it. */
  vni?: number;
  inner: Uint8Array;
}

/** @returns null for another packet than UDP to the port's `dstport` */
export function decapsulated(bytes: Uint8Array, { dstport, type }: Tunnel): Datagram | null {
  const view = viewOf(bytes);
  const layout = new Int32Array(LAYOUT_WORDS);
  parseInner(view, 0, bytes.length, layout);
  const l3 = layout[L3_OFFSET];
  const l4 = layout[L4_OFFSET];
  if (l4 === 0 || layout[L4_PROTOCOL] !== PROTOCOL_UDP || udpDestinationPort(view, l4) !== dstport) return null;
  const isV4 = layout[L3_KIND] === 4;
  const from = isV4
    ? formatAddress(0, 0, IPV4_MAPPED, ipv4Source(view, l3))
    : formatAddress(ipv6Source(view, l3, 0), ipv6Source(view, l3, 1), ipv6Source(view, l3, 2), ipv6Source(view, l3, 3));
  const payload = bytes.subarray(l4 + UDP_HEADER, layout[L3_END]);
  const tos = isV4 ? ipv4Tos(view, l3) : ipv6TrafficClass(view, l3);
  if (payload.length < VXLAN_HEADER) return { from, tos, payload, inner: new Uint8Array(0) };
  const header = viewOf(payload);
  const options = type === 'geneve' ? geneveOptions(header, 0) : 0;
  return { from, tos, payload, vni: vni(header, 0), inner: payload.subarray(VXLAN_HEADER + options) };
}

/** The outer packet of a copy to a remote. */
export function encapsulated({ frame, remote }: Left, { local, type }: Tunnel): Uint8Array {
  if (remote === undefined) return frame;
  const isV4 = parseAddress(remote.address)?.family === 4;
  const source = local ?? (isV4 ? '0.0.0.0' : '::');
  const path = { source, destination: remote.address, checksum: 'zero' as const };
  const payload = encodeUdp(
    { sourcePort: SOURCE_PORT, destinationPort: remote.udpPort, payload: encapsulate(type, remote.vni, frame) },
    isV4 ? path : { source, destination: remote.address },
  );
  const packet = isV4
    ? encodeIpv4({ ...path, protocol: PROTOCOL_UDP, payload, dontFragment: true })
    : encodeIpv6({ source, destination: remote.address, nextHeader: PROTOCOL_UDP, payload });
  const etherType = isV4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
  return encodeEthernet({
    destination: OUTER_DESTINATION,
    source: OUTER_SOURCE,
    etherType,
    payload: concatBytes(packet),
  });
}
