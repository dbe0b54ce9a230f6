/** Packets for the gateways of the fuzzed switch, as a router has to judge them; further input of mutations. */
import { concatBytes } from '../../src/wire/bytes.js';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, encodeEthernet } from '../../src/wire/ethernet.js';
import { encodeIcmpEcho, encodeIcmpv6Echo } from '../../src/wire/icmp.js';
import { encodeIpv4, type Ipv4Fields } from '../../src/wire/ipv4.js';
import { encodeIpv6 } from '../../src/wire/ipv6.js';
import { encodeUdp } from '../../src/wire/udp.js';
import { A, bytes } from '../dataplane/support/frames.js';
import { GATEWAY_ADDRESSES, GATEWAY_MAC } from './layout.js';

const SOURCE4 = '198.18.1.5';
const SOURCE6 = '2001:db8:2::5';
/** Behind the other gateway: known and unknown ones, itself, its broadcast address; then elsewhere: several ways, none, another VRF. */
const TO4 = [
  '198.18.0.1',
  '198.18.0.2',
  '198.18.0.10',
  '198.18.0.14',
  '198.18.0.15',
  '203.0.113.9',
  '192.0.0.9',
  '10.9.5.2',
];
const TO6 = ['2001:db8::1', '2001:db8::2', '2001:db8::77', '2001:db8::e', '2001:db8:f::9', '3fff::9', 'fd00:5::2'];
/** What no packet between two hosts has. */
const ODD4 = ['0.0.0.0', '127.0.0.1', '224.0.0.5', '240.0.0.1', '255.255.255.255', GATEWAY_ADDRESSES[0] as string];
const ODD6 = ['::', '::1', 'ff02::1', 'ff0e::1', '::ffff:198.18.0.1', 'fe80::1', GATEWAY_ADDRESSES[1] as string];
const PORTS = { sourcePort: 1024, destinationPort: 7 };
/** Record route, timestamp, loose and strict source routes, one of no length, one that is longer than the header. */
const OPTIONS = [
  [7, 7, 4, 0, 0, 0, 0, 0],
  [68, 8, 5, 0, 0, 0, 0, 0],
  [131, 7, 4, 10, 0, 0, 1, 0],
  [1, 137, 7, 4, 10, 0, 0, 1],
  [68, 0, 0, 0],
  [68, 12, 5, 0],
];

type Fields = Partial<Omit<Ipv4Fields, 'payload'>>;

function v4(fields: Fields, size = 40): Uint8Array {
  const path = { source: SOURCE4, destination: TO4[1] as string, ...fields };
  const payload = encodeUdp({ ...PORTS, payload: bytes(size) }, path);
  return encodeIpv4({ protocol: 17, ...path, payload });
}

function v6(fields: { source?: string; destination?: string; hopLimit?: number }, size = 40): Uint8Array {
  const path = { source: SOURCE6, destination: TO6[1] as string, ...fields };
  return encodeIpv6({ nextHeader: 17, ...path, payload: encodeUdp({ ...PORTS, payload: bytes(size) }, path) });
}

function packets4(): Uint8Array[] {
  const echo = encodeIcmpEcho({ type: 8, identifier: 3, sequence: 4, payload: bytes(24) });
  const own = { source: SOURCE4, destination: GATEWAY_ADDRESSES[0] as string, protocol: 1 };
  const redirect = concatBytes(Uint8Array.of(5, 1, 0, 0, 192, 0, 2, 1), v4({}).subarray(0, 28));
  return [
    ...TO4.map((destination) => v4({ destination })),
    ...ODD4.flatMap((odd) => [v4({ destination: odd }), v4({ source: odd })]),
    ...[0, 1, 2, 255].map((ttl) => v4({ ttl })),
    ...OPTIONS.map((options) => v4({ options: Uint8Array.from(options) })),
    v4({ moreFragments: true }),
    v4({ fragmentOffset: 1480 }),
    v4({ dontFragment: true }, 1440),
    v4({}, 1440),
    encodeIpv4({ ...own, payload: echo }),
    encodeIpv4({ ...own, payload: echo, moreFragments: true }),
    encodeIpv4({ ...own, payload: redirect }),
  ];
}

function packets6(): Uint8Array[] {
  const own = { source: SOURCE6, destination: GATEWAY_ADDRESSES[1] as string };
  const udp = v6({}).subarray(40);
  const chain = (...kinds: number[]): Uint8Array => {
    const headers = kinds.map((_, at) => Uint8Array.of(kinds[at + 1] ?? 17, 0, 1, 4, 0, 0, 0, 0));
    const path = { source: SOURCE6, destination: TO6[0] as string };
    return encodeIpv6({ ...path, nextHeader: kinds[0] as number, payload: concatBytes(...headers, udp) });
  };
  return [
    ...TO6.map((destination) => v6({ destination })),
    ...ODD6.flatMap((odd) => [v6({ destination: odd }), v6({ source: odd })]),
    ...[0, 1, 2, 255].map((hopLimit) => v6({ hopLimit })),
    ...[[0], [43], [44], [60], [0, 60, 43, 44], [0, 0, 0, 0, 0, 0, 0, 0, 0]].map((kinds) => chain(...kinds)),
    v6({}, 1440),
    encodeIpv6({
      ...own,
      nextHeader: 58,
      payload: encodeIcmpv6Echo({ type: 128, identifier: 1, sequence: 2, payload: bytes(9) }, own),
    }),
  ];
}

/** Untagged frames to the gateways. */
export function routedFrames(): [name: string, frame: Uint8Array][] {
  const to =
    (etherType: number) =>
    (payload: Uint8Array, at: number): [string, Uint8Array] => [
      `routed ${etherType.toString(16)} ${at}`,
      encodeEthernet({ destination: GATEWAY_MAC, source: A, etherType, payload }),
    ];
  return [...packets4().map(to(ETHERTYPE_IPV4)), ...packets6().map(to(ETHERTYPE_IPV6))];
}
