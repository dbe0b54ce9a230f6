/**
 * Valid frames of every protocol that the switch parses, built once: the input of mutations.
 *
 * Owns the selection. The bytes come from the builders of src/wire and from literal frames of its tests. It never mutates.
 */
import { VNET_GSO_TCPV4, VNET_GSO_TCPV6, VNET_GSO_UDP_L4 } from '../../src/port/packet-io.js';
import { encodeArp } from '../../src/wire/arp.js';
import { encodeBpdu } from '../../src/wire/bpdu.js';
import { concatBytes, fromHex, viewOf } from '../../src/wire/bytes.js';
import { internetChecksum } from '../../src/wire/checksum.js';
import {
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_QINQ,
  ETHERTYPE_VLAN,
  encodeEthernet,
} from '../../src/wire/ethernet.js';
import { encodeIcmpEcho, encodeIcmpv6Echo } from '../../src/wire/icmp.js';
import { encodeIgmpV3Report } from '../../src/wire/igmp.js';
import { L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL, LAYOUT_WORDS, parseInner } from '../../src/wire/inner.js';
import { encodeIpv4, type Ipv4Fields } from '../../src/wire/ipv4.js';
import { encodeIpv6 } from '../../src/wire/ipv6.js';
import { encodeProbe } from '../../src/wire/loop-probe.js';
import { encodeMldPacket, encodeMldV2Report } from '../../src/wire/mld.js';
import { encodeNd, ND_ADVERTISEMENT, ND_SOLICITATION } from '../../src/wire/nd.js';
import { encodeTcp } from '../../src/wire/tcp.js';
import { fillChecksum } from '../../src/wire/transport.js';
import { encodeUdp } from '../../src/wire/udp.js';
import { encodeVlan } from '../../src/wire/vlan.js';
import { encodeVxlan } from '../../src/wire/vxlan.js';
import { A, B, BROADCAST, bytes, EXPERIMENTAL, MULTICAST } from '../dataplane/support/frames.js';
import { IGMP, MLD } from '../wire/group-frames.js';
import { GATEWAY_ADDRESSES, PROBE_ID } from './layout.js';
import { routedFrames } from './routed-samples.js';

export interface Sample {
  name: string;
  bytes: Uint8Array;
  /** Offsets of the headers; 0: none. */
  l3: number;
  l4: number;
  /** Offset of the transport checksum from the transport header; 0: none. */
  checksum: number;
  /** VNET_GSO_* of a superframe, else 0. */
  segmentation: number;
}

/** Addresses that bindings, groups and samples share, so that requests find somebody. */
export const HOSTS4 = ['198.18.0.1', '198.18.0.2', '198.18.0.3', '198.18.0.9'];
export const HOSTS6 = ['2001:db8::1', '2001:db8::2', '2001:db8::3', 'fe80::a'];
/** Groups that reports ask for, and their MACs; the last of the first ones is pinned. */
const GROUPS4 = [
  ['239.1.1.1', '01:00:5e:01:01:01'],
  ['239.1.1.2', '01:00:5e:01:01:02'],
  ['224.0.0.251', '01:00:5e:00:00:fb'],
  ['239.0.0.5', MULTICAST],
];
const GROUPS6 = [
  ['ff0e::123', '33:33:00:00:01:23'],
  ['ff0e::124', '33:33:00:00:01:24'],
];
const PATH4 = { source: HOSTS4[0], destination: HOSTS4[1] };
const PATH6 = { source: HOSTS6[0], destination: HOSTS6[1] };
const PORTS = { sourcePort: 40_000, destinationPort: 5001 };
const STATES = ['complete', 'partial', 'zero'] as const;

/** Offsets of checksums in the transport headers, by protocol: ICMP, IGMP, TCP, UDP, ICMPv6. */
const CHECKSUMS: Readonly<Record<number, number>> = { 1: 2, 2: 2, 6: 16, 17: 6, 58: 2 };

/** `to`: a MAC; else the frame is for B. */
type Named = [name: string, etherType: number, payload: Uint8Array, to?: string | undefined];

function ipv4(fields: Partial<Ipv4Fields> & { payload: Uint8Array; protocol: number }): Uint8Array {
  return encodeIpv4({ ...PATH4, ...fields });
}

function packets4(): Named[] {
  const list: Named[] = [];
  const add = (name: string, payload: Uint8Array, to?: string): number =>
    list.push([name, ETHERTYPE_IPV4, payload, to]);
  for (const checksum of STATES) {
    for (const size of [0, 1, 33, 1400, 3000]) {
      const path = { ...PATH4, checksum };
      const dontFragment = size % 2 === 1 || size === 3000;
      const tcp = encodeTcp({ ...PORTS, payload: bytes(size) }, path);
      const udp = encodeUdp({ ...PORTS, payload: bytes(size) }, path);
      add(`tcp4 ${checksum} ${size}`, ipv4({ protocol: 6, payload: tcp, dontFragment, tos: size & 3 }));
      add(`udp4 ${checksum} ${size}`, ipv4({ protocol: 17, payload: udp, dontFragment, tos: 2 }));
    }
  }
  const udp = encodeUdp({ ...PORTS, payload: bytes(40) }, PATH4);
  for (const length of [4, 8, 40]) {
    add(`options ${length}`, ipv4({ protocol: 17, payload: udp, options: new Uint8Array(length).fill(1) }));
  }
  add('first fragment', ipv4({ protocol: 17, payload: udp, moreFragments: true }));
  add('last fragment', ipv4({ protocol: 17, payload: udp, fragmentOffset: 1480 }));
  const echo = encodeIcmpEcho({ type: 8, identifier: 1, sequence: 2, payload: bytes(32) });
  add('echo4', ipv4({ protocol: 1, payload: echo, dontFragment: true }));
  add('long echo4', ipv4({ protocol: 1, payload: concatBytes(echo, bytes(2000)), dontFragment: true }));
  const quote = ipv4({ protocol: 17, payload: udp }).subarray(0, 28);
  const error = concatBytes(Uint8Array.of(3, 4, 0, 0, 0, 0, 5, 0xdc), quote);
  add('icmp error', ipv4({ protocol: 1, payload: error, dontFragment: true }));
  add('tunnel in tunnel', tunnelInTunnel());
  for (const [group, to] of GROUPS4) {
    add(`to ${group}`, encodeIpv4({ ...PATH4, destination: group, protocol: 17, payload: udp }), to);
  }
  add('protocol 253', ipv4({ protocol: 253, payload: bytes(30) }));
  return list;
}

function tunnelInTunnel(): Uint8Array {
  const inner = encodeEthernet({ destination: B, source: A, etherType: EXPERIMENTAL, payload: bytes(46) });
  const payload = encodeVxlan(200, inner);
  return ipv4({ protocol: 17, payload: encodeUdp({ sourcePort: 50_000, destinationPort: 4789, payload }, PATH4) });
}

/** Extension headers: of 8 bytes, an authentication header of 16, and how their numbers chain up to the transport. */
function withExtensions(kinds: readonly number[], last: number, payload: Uint8Array): Uint8Array {
  const headers = kinds.map((kind, index) => {
    const header = new Uint8Array(kind === 51 ? 16 : 8);
    header[0] = kinds[index + 1] ?? last;
    header[1] = kind === 51 ? 2 : 0;
    return header;
  });
  return encodeIpv6({ ...PATH6, nextHeader: kinds[0] ?? last, payload: concatBytes(...headers, payload) });
}

function packets6(): Named[] {
  const list: Named[] = [];
  const add = (name: string, payload: Uint8Array, to?: string): number =>
    list.push([name, ETHERTYPE_IPV6, payload, to]);
  for (const checksum of STATES) {
    for (const size of [0, 33, 1400, 3000]) {
      const path = { ...PATH6, checksum };
      const trafficClass = size & 3;
      const tcp = encodeTcp({ ...PORTS, payload: bytes(size) }, path);
      const udp = encodeUdp({ ...PORTS, payload: bytes(size) }, path);
      add(`tcp6 ${checksum} ${size}`, encodeIpv6({ ...PATH6, nextHeader: 6, payload: tcp, trafficClass }));
      add(`udp6 ${checksum} ${size}`, encodeIpv6({ ...PATH6, nextHeader: 17, payload: udp, trafficClass: 2 }));
    }
  }
  const udp = encodeUdp({ ...PORTS, payload: bytes(40) }, PATH6);
  const chains = [[0], [43], [44], [51], [60], [0, 60, 43, 44, 51, 60, 135], [0, 0, 0, 0, 0, 0, 0, 0, 0], [139, 140]];
  for (const chain of chains) add(`extensions ${chain}`, withExtensions(chain, 17, udp));
  const fragment = withExtensions([44], 17, udp);
  fragment[43] = 1;
  add('fragment6', fragment);
  add('no next header', withExtensions([0], 59, new Uint8Array(0)));
  add('encrypted', withExtensions([], 50, bytes(40)));
  const echo = encodeIcmpv6Echo({ type: 128, identifier: 1, sequence: 2, payload: bytes(1500) }, PATH6);
  add('echo6', encodeIpv6({ ...PATH6, nextHeader: 58, payload: echo }));
  const error = concatBytes(
    Uint8Array.of(2, 0, 0, 0, 0, 0, 5, 0),
    encodeIpv6({ ...PATH6, nextHeader: 58, payload: echo }),
  );
  add('packet too big', encodeIpv6({ ...PATH6, nextHeader: 58, payload: error }));
  for (const [group, to] of GROUPS6) {
    add(`to ${group}`, encodeIpv6({ ...PATH6, destination: group, nextHeader: 17, payload: udp }), to);
  }
  return list;
}

function arps(): Named[] {
  const arp = (
    name: string,
    operation: number,
    senderAddress: string,
    targetAddress: string,
    to = BROADCAST,
  ): Named => [
    name,
    ETHERTYPE_ARP,
    encodeArp({ operation, senderMac: A, senderAddress, targetMac: B, targetAddress }),
    to,
  ];
  return [
    ...HOSTS4.map((host) => arp(`arp for ${host}`, 1, '198.18.0.77', host)),
    arp('arp for nobody', 1, HOSTS4[0], '198.18.0.200'),
    arp('arp for a gateway', 1, HOSTS4[0], GATEWAY_ADDRESSES[0]),
    arp('arp of a gateway', 2, GATEWAY_ADDRESSES[0], HOSTS4[0]),
    arp('unicast arp', 1, HOSTS4[0], HOSTS4[2], B),
    arp('arp probe', 1, '0.0.0.0', HOSTS4[1]),
    arp('gratuitous arp', 1, HOSTS4[0], HOSTS4[0]),
    arp('arp reply', 2, HOSTS4[0], HOSTS4[1], B),
    arp('rarp', 3, HOSTS4[0], HOSTS4[1]),
  ];
}

function discoveries(): Named[] {
  const ask = { type: ND_SOLICITATION, target: HOSTS6[2] } as const;
  const tell = { type: ND_ADVERTISEMENT, target: HOSTS6[0], targetLink: A } as const;
  const group = { source: HOSTS6[0], destination: 'ff02::1:ff00:3' };
  const all = { source: HOSTS6[0], destination: 'ff02::1' };
  const nonce = Uint8Array.of(14, 1, 1, 2, 3, 4, 5, 6);
  const nd = (name: string, payload: Uint8Array, to = '33:33:ff:00:00:03'): Named => [
    name,
    ETHERTYPE_IPV6,
    payload,
    to,
  ];
  return [
    nd('solicitation', encodeNd({ ...ask, sourceLink: A }, group)),
    nd('solicitation with options', encodeNd({ ...ask, sourceLink: A, options: concatBytes(nonce, nonce) }, group)),
    nd('solicitation without a link', encodeNd(ask, group)),
    nd('solicitation for a gateway', encodeNd({ ...ask, target: GATEWAY_ADDRESSES[1], sourceLink: A }, group)),
    nd(
      'a gateway is claimed',
      encodeNd({ ...tell, target: GATEWAY_ADDRESSES[1], flags: 0x60 }, all),
      '33:33:00:00:00:01',
    ),
    nd('unicast solicitation', encodeNd({ ...ask, sourceLink: A }, { ...group, destination: HOSTS6[2] }), B),
    nd('address probe', encodeNd({ ...ask, options: nonce }, { ...group, source: '::' })),
    nd('option of no length', encodeNd({ ...ask, options: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) }, group)),
    nd('option past the end', encodeNd({ ...ask, options: Uint8Array.of(1, 9, 0, 0, 0, 0, 0, 0) }, group)),
    nd('advertisement', encodeNd({ ...tell, flags: 0x60 }, { ...all, destination: HOSTS6[1] }), B),
    nd('router advertises itself', encodeNd({ ...tell, flags: 0xa0 }, all), '33:33:00:00:00:01'),
    nd('weak advertisement', encodeNd(tell, all), '33:33:00:00:00:01'),
  ];
}

/** Router solicitation and advertisement, a PIM hello over IPv6. */
function otherControl6(): Named[] {
  const all = { source: 'fe80::a', destination: 'ff02::2' };
  const solicitation = Uint8Array.of(133, 0, 0, 0, 0, 0, 0, 0);
  const advertisement = concatBytes(Uint8Array.of(134, 0, 0, 0, 64, 0, 7, 8), new Uint8Array(8));
  for (const message of [solicitation, advertisement]) fillChecksum(message, 2, all, 58, false);
  const hello = Uint8Array.of(0x20, 0, 0, 0, 0, 1, 0, 2, 0, 105);
  const at = (name: string, nextHeader: number, payload: Uint8Array): Named => [
    name,
    ETHERTYPE_IPV6,
    encodeIpv6({ ...all, nextHeader, payload, hopLimit: 255 }),
    '33:33:00:00:00:02',
  ];
  return [at('router solicitation', 58, solicitation), at('router', 58, advertisement), at('pim6', 103, hello)];
}

/** Advertisements of multicast routers. */
function discovered(): Named[] {
  const four = Uint8Array.of(0x30, 20, 0, 0, 0, 125, 0, 2);
  viewOf(four).setUint16(2, internetChecksum(viewOf(four), 0, four.length));
  const igmp = { source: HOSTS4[0], destination: '224.0.0.106', protocol: 2, ttl: 1 };
  const six = encodeMldPacket(Uint8Array.of(151, 20, 0, 0, 0, 125, 0, 2), {
    source: 'fe80::a',
    destination: 'ff02::6a',
  });
  return [
    ['multicast router', ETHERTYPE_IPV4, encodeIpv4({ ...igmp, payload: four }), '01:00:5e:00:00:6a'],
    ['multicast router 6', ETHERTYPE_IPV6, six, '33:33:00:00:00:6a'],
  ];
}

function pimHello(): Named {
  const payload = Uint8Array.of(0x20, 0, 0xdf, 0xff);
  const packet = encodeIpv4({ source: HOSTS4[0], destination: '224.0.0.13', protocol: 103, ttl: 1, payload });
  return ['pim hello', ETHERTYPE_IPV4, packet, '01:00:5e:00:00:0d'];
}

function others(): Named[] {
  return [
    ['experimental', EXPERIMENTAL, bytes(46)],
    ['stp', 38, bytes(38), '01:80:c2:00:00:00'],
    ['lacp', 0x8809, bytes(110), '01:80:c2:00:00:02'],
    ['lldp', 0x88cc, bytes(60), '01:80:c2:00:00:0e'],
    ['nothing', EXPERIMENTAL, new Uint8Array(0)],
    ['half an ipv4', ETHERTYPE_IPV4, Uint8Array.of(0x45, 0, 0, 20)],
    ['half an ipv6', ETHERTYPE_IPV6, Uint8Array.of(0x60, 0, 0, 0)],
  ];
}

/** Unsegmented frames, as a TAP with offloads hands them over. */
/** Reports longer than what is kept of a frame for the control thread. */
function longReports(): Named[] {
  const joins = (count: number, group: string, digits: number): { type: number; group: string }[] =>
    Array.from({ length: count }, (_, index) => ({ type: 4, group: `${group}${(index + 1).toString(digits)}` }));
  const igmp = encodeIgmpV3Report(joins(240, '239.2.0.', 10));
  const packet = encodeIpv4({ ...PATH4, destination: '224.0.0.22', protocol: 2, ttl: 1, payload: igmp });
  const mld = encodeMldPacket(encodeMldV2Report(joins(120, 'ff0e::', 16)), {
    source: 'fe80::a',
    destination: 'ff02::16',
  });
  return [
    ['long igmp report', ETHERTYPE_IPV4, packet, '01:00:5e:00:00:16'],
    ['long mld report', ETHERTYPE_IPV6, mld, '33:33:00:00:00:16'],
  ];
}

function superframes(): Named[] {
  const list: Named[] = [];
  for (const size of [2900, 16_000, 65_000]) {
    const payload = bytes(size);
    const tcp4 = encodeTcp({ ...PORTS, payload }, { ...PATH4, checksum: 'partial' });
    const tcp6 = encodeTcp({ ...PORTS, payload }, { ...PATH6, checksum: 'partial' });
    const udp4 = encodeUdp({ ...PORTS, payload }, { ...PATH4, checksum: 'partial' });
    list.push([`super tcp4 ${size}`, ETHERTYPE_IPV4, ipv4({ protocol: 6, payload: tcp4, dontFragment: true })]);
    list.push([`super tcp6 ${size}`, ETHERTYPE_IPV6, encodeIpv6({ ...PATH6, nextHeader: 6, payload: tcp6 })]);
    list.push([`super udp4 ${size}`, ETHERTYPE_IPV4, ipv4({ protocol: 17, payload: udp4 })]);
  }
  return list;
}

function segmentationOf(name: string): number {
  if (name.startsWith('super tcp4')) return VNET_GSO_TCPV4;
  if (name.startsWith('super tcp6')) return VNET_GSO_TCPV6;
  return name.startsWith('super udp4') ? VNET_GSO_UDP_L4 : 0;
}

const layout = new Int32Array(LAYOUT_WORDS);

function sample(name: string, frame: Uint8Array): Sample {
  parseInner(viewOf(frame), 0, frame.length, layout);
  const l4 = layout[L4_OFFSET];
  const checksum = l4 === 0 ? 0 : (CHECKSUMS[layout[L4_PROTOCOL]] ?? 0);
  const l3 = layout[L3_KIND] === 0 ? 0 : layout[L3_OFFSET];
  return { name, bytes: frame, l3, l4, checksum, segmentation: segmentationOf(name) };
}

function untagged([, etherType, payload, destination = B]: Named): Uint8Array {
  return encodeEthernet({ destination, source: A, etherType, payload });
}

/** With a tag of this kind before the rest of a frame. */
function tagged(frame: Uint8Array, tci: number, type: number = ETHERTYPE_VLAN): Uint8Array {
  const rest = frame.subarray(12);
  const tag = encodeVlan(tci, viewOf(rest).getUint16(0), rest.subarray(2));
  return concatBytes(frame.subarray(0, 12), Uint8Array.of(type >> 8, type & 0xff), tag);
}

const TCIS = [2, 3, 0, 0xe002, 0x3003, 77, 4095];

export interface Samples {
  usual: Sample[];
  /** ARP, neighbour discovery, IGMP, MLD, PIM. */
  control: Sample[];
  /** For the gateways. */
  routed: Sample[];
  /** Untagged and tagged, of 3 to 65 kB. */
  superframes: Sample[];
}

const BPDU = {
  topologyChange: true,
  topologyChangeAck: false,
  proposal: true,
  agreement: true,
  learning: true,
  forwarding: true,
  role: 'designated',
  root: '1000020000000b02',
  cost: 4,
  bridge: '8000020000000a01',
  port: 0x8001,
  times: { messageAge: 1000, maxAge: 20_000, helloTime: 2000, forwardDelay: 15_000 },
} as const;

/** A probe of the switch's own, as loop guard sends it. */
function probe(vid: number): Uint8Array {
  return encodeProbe({ vid, bridge: PROBE_ID, port: 7, moment: 9 }, () => new Uint8Array(16).fill(0xaa));
}

/** All samples: as they are, with two of the usual tags each, and some with two tags or another one. */
export function makeSamples(): Samples {
  const messages = [...arps(), ...discoveries(), ...otherControl6(), ...longReports(), pimHello(), ...discovered()];
  const control: [string, Uint8Array][] = messages.map((one) => [one[0], untagged(one)]);
  for (const vid of [0, 2]) control.push([`probe of VLAN ${vid}`, probe(vid)]);
  for (const kind of ['tcn', 'config', 'rst'] as const)
    control.push([`BPDU ${kind}`, encodeBpdu({ ...BPDU, kind }, '020000000a01')]);
  for (const [name, hex] of [...Object.entries(IGMP), ...Object.entries(MLD)]) control.push([name, fromHex(hex)]);
  const packets: [string, Uint8Array][] = [...packets4(), ...packets6(), ...others()].map((one) => [
    one[0],
    untagged(one),
  ]);
  const large = superframes().map((one) => sample(one[0], untagged(one)));
  return {
    usual: withTags(packets),
    routed: withTags(routedFrames()),
    control: withTags(control),
    superframes: [...large, ...large.map((one) => sample(one.name, tagged(one.bytes, 2)))],
  };
}

function withTags(frames: readonly [string, Uint8Array][]): Sample[] {
  const usual = frames.map(([name, frame]) => sample(name, frame));
  for (const [index, [name, frame]] of frames.entries()) {
    for (const turn of [0, 1]) {
      const tci = TCIS[(index + turn) % TCIS.length];
      usual.push(sample(`${name}, tag ${tci.toString(16)}`, tagged(frame, tci)));
    }
    if (index % 5 !== 0) continue;
    usual.push(sample(`${name}, 802.1ad`, tagged(frame, 2, ETHERTYPE_QINQ)));
    usual.push(sample(`${name}, two tags`, tagged(tagged(frame, 3), 2)));
    usual.push(sample(`${name}, 802.1ad and 802.1Q`, tagged(tagged(frame, 3), 2, ETHERTYPE_QINQ)));
  }
  return usual;
}
