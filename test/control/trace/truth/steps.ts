/** Random frames, changes and waits for the switches of `worlds.ts`. */
import fc from 'fast-check';
import { addressOf, ECHO, HOSTS, homeOf, LOCALS, macOf, PACKET_HOST, ROUTER, SWITCHES, VNI } from './worlds.js';

/** A frame that comes in, or with `change` something else that happens. */
export interface Step {
  port: string;
  /** As `overtap trace` reads it; or hex digits. */
  frame: string;
  /** virtio-net words in place of those of the description. */
  offload?: { vnet: number; gso: number; csum: number };
  from: string;
  vni: number;
  tos: number;
  /** Milliseconds before it. */
  wait: number;
  change?: Change;
}

export type Change =
  | { what: 'set'; port: string; key: 'isolated' | 'locked' | 'learning' | 'up'; value: boolean }
  | { what: 'flush' }
  | { what: 'static'; port: string; host: number };

const weighed = <T>(...list: [weight: number, arbitrary: fc.Arbitrary<T>][]): fc.Arbitrary<T> =>
  fc.oneof(...list.map(([weight, arbitrary]) => ({ weight, arbitrary })));
const just = fc.constant;

const host = fc.constantFrom(...HOSTS);
const GROUPS = [
  '01:00:5e:01:02:03',
  '01:00:5e:01:02:03',
  '33:33:00:00:00:05',
  '01:80:c2:00:00:00',
  '01:80:c2:00:00:0e',
];
const destination = weighed(
  [20, host.map(macOf)],
  [3, just('ff:ff:ff:ff:ff:ff')],
  [2, fc.constantFrom(...GROUPS)],
  [1, just('02:00:00:00:00:20')],
  [1, just(macOf(ROUTER))],
);
const tags = weighed(
  [24, just('')],
  [3, just('vlan 10')],
  [2, just('vlan 20 prio 5')],
  [1, just('vlan 0 prio 3')],
  [1, just('vlan 99')],
  [1, just('vlan 10 vlan 20')],
  [1, just('qinq 10')],
);
const len = fc.constantFrom(0, 46, 46, 46, 940, 1000, 1430, 1472, 1900);

/** What a host sends: the rest of a description, and where the frame goes. */
const body = (from: number): fc.Arbitrary<string> =>
  weighed(
    [
      6,
      fc
        .tuple(host, len, fc.boolean())
        .map(([to, size, df]) => `ip ${addressOf(from)} > ${addressOf(to)}${df ? ' df' : ''} udp len ${size}`),
    ],
    [2, fc.tuple(host, len).map(([to, size]) => `ip6 fd00::${from} > fd00::${to} tcp len ${size}`)],
    [1, host.map((to) => `ip ${addressOf(from)} > ${addressOf(to)} ttl 1 icmp echo`)],
    [1, fc.constantFrom('ip 10.0.0.1 > 239.1.2.3 udp len 10', 'type 0x88cc len 50', 'udp 5000 > 4789 len 50')],
    [2, fc.constantFrom('tcp len 9000 gso 900', 'tcp len 9000 gso 1448', 'udp len 4000 gso 500')],
    [
      1,
      fc.constantFrom(
        `ip 192.0.2.2 > 192.0.2.1 udp 4789 > 4789 len 50`,
        `ip 192.0.2.1 > 192.0.2.2 udp 4789 > 4789 len 60`,
      ),
    ],
  );

const unicast = (from: number): fc.Arbitrary<string> =>
  fc.tuple(destination, tags, body(from)).map(([to, tag, rest]) => `src ${macOf(from)} dst ${to} ${tag} ${rest}`);

/** To the group that some bridges have members of. */
const multicast = (from: number): fc.Arbitrary<string> =>
  just(`src ${macOf(from)} dst ${GROUPS[0]} ip ${addressOf(from)} > 239.1.2.3 udp len 10`);

/** ARP and ND: questions, probes and claims. */
const asked = (from: number): fc.Arbitrary<string> =>
  fc
    .tuple(
      weighed([8, just('')], [1, tags]),
      weighed(
        [6, host.map((to) => `arp who-has ${addressOf(to)} tell ${addressOf(from)}`)],
        [9, fc.constantFrom(ROUTER, 7, 8).map((to) => `arp who-has ${addressOf(to)} tell ${addressOf(from)}`)],
        [1, just(`arp who-has ${PACKET_HOST} tell ${addressOf(from)}`)],
        [1, host.map((to) => `arp who-has ${addressOf(to)} tell 0.0.0.0`)],
        [1, host.map((of) => `arp reply ${addressOf(of)} is-at ${macOf(from)}`)],
        [2, host.map((to) => `nd who-has fd00::${to} tell fd00::${from}`)],
        [1, just(`nd reply fd00::${from} is-at ${macOf(from)}`)],
      ),
    )
    .map(([tag, rest]) => `src ${macOf(from)} ${tag} ${rest}`);

/** What no host should send. */
const ODD = fc.constantFrom(
  ...['', '0102', `ffffffffffff${'02'.repeat(7)}`],
  'src 00:00:00:00:00:00 dst 02:00:00:00:00:01 icmp',
  'src 01:00:00:00:00:01 dst 02:00:00:00:00:01 icmp',
  `src ${ECHO} dst 02:00:00:00:00:01 icmp`,
);
const FAR_TOO_LONG = `020000000001020000000002${'00'.repeat(65_588)}`;

/** Packets of the layer-3 port's host. */
const packet = weighed(
  [8, fc.tuple(host, len).map(([to, size]) => `ip ${PACKET_HOST} > ${addressOf(to)} udp len ${size}`)],
  [2, just(`ip ${PACKET_HOST} > 198.51.100.1 icmp`)],
  [1, just(`ip6 fd00::20 > 2001:db8::1 icmp`)],
  [1, just('type 0x88cc len 50')],
);

/** Where a frame of a host comes in: mostly where it lives. */
const place = (from: number): fc.Arbitrary<Pick<Step, 'port' | 'from'>> => {
  const home = homeOf(from);
  const anywhere = fc.constantFrom(...LOCALS, 'v1');
  const port = weighed([12, just(home.includes('.') ? 'v1' : home)], [1, anywhere]);
  const sender = home.includes('.') ? home : SWITCHES[1];
  return fc.record({
    port,
    from: weighed([25, just(sender)], [1, fc.constantFrom(...SWITCHES.slice(1), '192.0.2.99')]),
  });
};

const outer = fc.record({
  vni: weighed([30, just(VNI)], [1, just(1020)], [1, just(77)]),
  tos: weighed([3, just(0)], [1, fc.constantFrom(1, 2, 3)]),
  wait: weighed([30, just(0)], [3, fc.constantFrom(37, 100)], [1, just(1000)]),
});

const ofHost = host.chain((from) =>
  fc.record({ place: place(from), frame: weighed([10, unicast(from)], [4, asked(from)], [1, multicast(from)]), outer }),
);
const odd = fc.record({
  place: fc.record({ port: fc.constantFrom('t1', 't2', 'v1'), from: just(SWITCHES[1]) }),
  frame: ODD,
  outer,
});
const ofPacketHost = fc.record({ place: just({ port: 'n1', from: SWITCHES[1] }), frame: packet, outer });
const crossed = fc.record({
  place: fc.record({ port: fc.constantFrom('x1', 'x2'), from: just(SWITCHES[1]) }),
  frame: host.chain(unicast),
  outer,
});

const frameStep: fc.Arbitrary<Step> = weighed([80, ofHost], [4, odd], [4, ofPacketHost], [2, crossed]).map(
  ({ place: where, frame, outer: rest }) => ({ ...where, frame, ...rest }),
);
const broken = frameStep.map((step) => ({ ...step, port: 't1', offload: { vnet: 1, gso: 0, csum: 0xffff } }));
const tooLong = frameStep.map((step) => ({ ...step, port: 't1', frame: FAR_TOO_LONG }));

const port = fc.constantFrom('t1', 't2', 't3', 't4', 'o1', 'p1');
const change: fc.Arbitrary<Change> = weighed<Change>(
  [
    6,
    fc.record({
      what: just('set' as const),
      port,
      key: fc.constantFrom('isolated', 'locked', 'learning'),
      value: fc.boolean(),
    }),
  ],
  [
    4,
    fc.record({
      what: just('set' as const),
      port,
      key: just('up' as const),
      value: weighed([2, just(true)], [1, just(false)]),
    }),
  ],
  [1, just({ what: 'flush' as const })],
  [1, fc.record({ what: just('static' as const), port: fc.constantFrom('t1', 't2'), host })],
);
const changed = fc.tuple(frameStep, change).map(([step, one]) => ({ ...step, change: one }));
/** All that was learned goes. */
const later = frameStep.map((step) => ({ ...step, wait: 400_000 }));

export const step: fc.Arbitrary<Step> = weighed([180, frameStep], [2, broken], [1, tooLong], [5, changed], [1, later]);

/** A host that broadcasts until its limit is used up, and one that asks what others answer. */
const burst = frameStep.map((one): Step[] => Array.from({ length: 6 }, () => ({ ...one, wait: 0 })));

/** Each host has said where it is: the FDB is learned from traffic. */
const GREETINGS = HOSTS.map((from): Step => {
  const home = homeOf(from);
  const isFar = home.includes('.');
  return {
    port: isFar ? 'v1' : home,
    from: isFar ? home : SWITCHES[1],
    frame: `src ${macOf(from)} arp who-has ${addressOf(from)} tell ${addressOf(from)}`,
    ...{ vni: VNI, tos: 0, wait: 100 },
  };
});

export const steps = (count: number): fc.Arbitrary<Step[]> =>
  fc
    .array(weighed([25, step.map((one) => [one])], [1, burst]), { minLength: count, maxLength: count })
    .map((lists) => [...GREETINGS, ...lists.flat()].slice(0, count));
