/**
 * The whole loop of snooping: reports of guests enter as frames, the engine punts them, the database processes them, and its
 * operations change the destinations of the next frame to the group. Counted at every TAP and every remote.
 */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Mdb, MEMBERSHIP_MS, QUERIER_MS } from '../../../src/control/tables/mdb.js';
import { hearPunt } from '../../../src/control/tables/mdb-feed.js';
import { PUNT_BYTES, PUNT_IGMP, PUNT_MLD, PuntReader } from '../../../src/dataplane/state/punt-ring.js';
import { ETHERTYPE_IPV4 } from '../../../src/wire/ethernet.js';
import { encodeIgmpV3Report } from '../../../src/wire/igmp.js';
import { formatAddress } from '../../../src/wire/ip-address.js';
import { encodeIpv4 } from '../../../src/wire/ipv4.js';
import { frame } from '../../dataplane/support/frames.js';
import {
  GROUP,
  GROUP6,
  groupMac,
  igmpFrame,
  igmpQuery,
  igmpV3Frame,
  mldFrame,
  mldQuery,
  mldV2Frame,
  OTHER,
  pimHello,
  routerAdvertisement,
  routerAdvertisement6,
  toGroup,
} from '../../dataplane/support/group-traffic.js';
import { TestSwitch, type Turn } from '../../dataplane/support/harness.js';

const R2 = '192.0.2.2';
const R3 = '192.0.2.3';
const VNI = 100;
const EVERYBODY = ['t2', 't3', 'v0>192.0.2.2', 'v0>192.0.2.3'];

/** A switch and its database, joined as the control thread joins them. */
class Loop {
  readonly sw: TestSwitch;
  readonly mdb: Mdb;
  private readonly reader: PuntReader;
  private now = 5_000_000;

  constructor() {
    const vlans = ['10 pvid untagged'];
    const tap = { type: 'tap', vlans } as const;
    const v0 = { type: 'vxlan', vlans: ['10'], tunnel: { 10: VNI }, remotes: [R2, R3] } as const;
    const ports = { t1: tap, t2: tap, t3: tap, v0: { ...v0, remotes: [...v0.remotes] } };
    this.sw = new TestSwitch({ br0: { filtering: true, snooping: true, ports } });
    this.reader = new PuntReader([this.sw.context.punts.memory]);
    this.mdb = new Mdb({
      bridge: () => 'br0',
      port: (port) => Object.keys(ports).find((name) => this.sw.port(name) === port) as string,
      remote: (remote) => formatAddress(...this.sw.context.remotes.address(remote)),
    });
    for (const name of Object.keys(ports)) this.setPort(name, {});
  }

  setPort(name: string, settings: { router?: 0 | 1 | 2; fastLeave?: boolean }): void {
    const bridge = this.sw.topology.bridges.get('br0') as number;
    this.mdb.setPort(this.sw.port(name), { bridge, router: 1, fastLeave: false, ...settings });
    this.settle();
  }

  /** Lets the database hear what lies in the ring, and the engine what has changed. */
  settle(): void {
    this.reader.drain((punt) => hearPunt(this.mdb, punt, this.now));
    this.mdb.tick(this.now);
    this.sw.apply(this.mdb.take().operations);
  }

  send(port: string, bytes: Uint8Array): Turn {
    const turn = this.sw.send(port, bytes);
    this.settle();
    return turn;
  }

  tunnel(remote: string, bytes: Uint8Array): Turn {
    const turn = this.sw.tunnel('v0', remote, VNI, bytes);
    this.settle();
    return turn;
  }

  wait(ms: number): void {
    this.now += ms;
    this.settle();
  }

  /** Where a frame to the group from t1 goes. */
  reaches(group: string): string[] {
    return this.sw.send('t1', toGroup(group)).to;
  }
}

let loop: Loop;

beforeEach(() => {
  loop = new Loop();
});

/** A querier on t1, its first question answered. */
function asked(): void {
  loop.send('t1', igmpQuery(10));
  loop.send('t1', mldQuery(1000));
  loop.wait(1000);
}

describe.each([
  ['IGMPv1', GROUP, igmpFrame(0x12, GROUP), igmpFrame(0x17, GROUP), igmpQuery(10, GROUP)],
  ['IGMPv2', GROUP, igmpFrame(0x16, GROUP), igmpFrame(0x17, GROUP), igmpQuery(10, GROUP)],
  [
    'IGMPv3',
    GROUP,
    igmpV3Frame([{ type: 4, group: GROUP }]),
    igmpV3Frame([{ type: 3, group: GROUP }]),
    igmpQuery(10, GROUP),
  ],
  ['MLDv1', GROUP6, mldFrame(131, GROUP6), mldFrame(132, GROUP6), mldQuery(1000, GROUP6)],
  [
    'MLDv2',
    GROUP6,
    mldV2Frame([{ type: 4, group: GROUP6 }]),
    mldV2Frame([{ type: 3, group: GROUP6 }]),
    mldQuery(1000, GROUP6),
  ],
])('%s', (_name, group, report, done, question) => {
  it('a report makes the next frame go to the guest alone', () => {
    expect(loop.reaches(group)).toEqual(EVERYBODY);
    asked();
    expect(loop.sw.send('t1', toGroup(group)).drops).toEqual(['t1 no_destination']);
    expect(loop.send('t2', report).to).toEqual(['t1']); // the router alone
    expect(loop.reaches(group)).toEqual(['t2']);
  });

  it('a report from a remote makes it go to that remote alone', () => {
    asked();
    expect(loop.tunnel(R3, report).to).toEqual(['t1']);
    expect(loop.reaches(group)).toEqual([`v0>${R3}`]);
    loop.send('t3', report);
    expect(loop.reaches(group)).toEqual(['t3', `v0>${R3}`]);
  });

  it('a guest that leaves gets frames until nobody has answered the question', () => {
    asked();
    loop.send('t2', report);
    loop.tunnel(R2, report);
    loop.send('t2', done);
    loop.wait(5000);
    expect(loop.reaches(group)).toEqual(['t2', `v0>${R2}`]);
    expect(loop.send('t1', question).to).toEqual(EVERYBODY);
    loop.tunnel(R2, report);
    loop.wait(2000);
    expect(loop.reaches(group)).toEqual([`v0>${R2}`]);
  });

  it('with mcast_fast_leave it gets no further frame', () => {
    loop.setPort('t2', { fastLeave: true });
    asked();
    loop.send('t2', report);
    loop.send('t2', done);
    expect(loop.reaches(group)).toEqual([]);
  });

  it('one that is silent gets frames for 260 seconds', () => {
    asked();
    loop.send('t2', report);
    loop.wait(MEMBERSHIP_MS / 2);
    loop.send('t1', igmpQuery(10));
    loop.send('t1', mldQuery(1000));
    loop.wait(MEMBERSHIP_MS / 2 - 1);
    expect(loop.reaches(group)).toEqual(['t2']);
    loop.wait(1);
    expect(loop.reaches(group)).toEqual([]);
  });

  it('once the querier is gone all is flooded again', () => {
    asked();
    loop.wait(10_000);
    loop.send('t2', report);
    loop.wait(QUERIER_MS - 11_000 - 1);
    expect(loop.reaches(group)).toEqual(['t2']);
    loop.wait(1);
    expect(loop.reaches(group)).toEqual(EVERYBODY);
  });
});

describe('a querier behind a remote', () => {
  beforeEach(() => {
    loop.tunnel(R2, igmpQuery(10));
    loop.wait(1000);
  });

  it('gets every group; a remote that reported nothing gets none', () => {
    expect(loop.reaches(GROUP)).toEqual([`v0>${R2}`]);
    loop.send('t2', igmpFrame(0x16, GROUP));
    expect(loop.reaches(GROUP)).toEqual(['t2', `v0>${R2}`]);
  });

  it('and all remotes hear the reports, so that each sends to where members are', () => {
    expect(loop.send('t2', igmpFrame(0x16, GROUP)).to).toEqual([`v0>${R2}`, `v0>${R3}`]);
  });

  it('what comes from a remote goes to guests only', () => {
    loop.send('t2', igmpFrame(0x16, GROUP));
    loop.tunnel(R3, igmpFrame(0x16, GROUP));
    expect(loop.sw.tunnel('v0', R3, VNI, toGroup(GROUP)).to).toEqual(['t2']);
    expect(loop.sw.tunnel('v0', R3, VNI, toGroup(OTHER)).drops).toEqual(['v0 no_destination']);
  });
});

it('a PIM hello makes a port a router port', () => {
  asked();
  expect(loop.send('t3', pimHello()).to).toEqual(['t1', 't2', `v0>${R2}`, `v0>${R3}`]);
  expect(loop.reaches(GROUP)).toEqual(['t3']);
});

it.each([
  ['IGMP', routerAdvertisement(), GROUP],
  ['ICMPv6', routerAdvertisement6(), GROUP6],
])('an advertisement of a multicast router in %s makes a port a router port', (_family, message, group) => {
  asked();
  loop.send('t3', message);
  expect(loop.reaches(group)).toEqual(['t3']);
});

function changed(message: Uint8Array, at: number, value: number): Uint8Array {
  message[at] = value;
  return message;
}

const falseOnes: [string, Uint8Array][] = [
  ['to another group', routerAdvertisement('224.0.0.107')],
  ['to another group of IPv6', routerAdvertisement6('ff02::6b')],
  ['to a group that begins and ends like it', routerAdvertisement6('ff02::1:0:6a')],
  ['to another one that does', routerAdvertisement6('ff02:0:1::6a')],
  // Another query interval.
  ['with a wrong checksum', changed(routerAdvertisement(), 14 + 24 + 4, 9)],
  ['with a wrong checksum in ICMPv6', changed(routerAdvertisement6(), 14 + 48 + 4, 9)],
  ['that ends a byte early', changed(routerAdvertisement(), 14 + 3, 24 + 7)],
  ['that ends a byte early in ICMPv6', changed(routerAdvertisement6(), 14 + 5, 8 + 7)],
  ['with another hop limit', changed(routerAdvertisement6(), 14 + 7, 2)],
];
it.each(falseOnes)('an advertisement %s makes none', (_what, message) => {
  asked();
  loop.send('t3', message);
  expect(loop.reaches(GROUP)).toEqual([]);
  expect(loop.reaches(GROUP6)).toEqual([]);
});

it('mcast_router 2 makes a port one for good', () => {
  asked();
  loop.setPort('v0', { router: 2 });
  expect(loop.reaches(GROUP)).toEqual([`v0>${R2}`, `v0>${R3}`]);
  loop.setPort('v0', { router: 1 });
  expect(loop.reaches(GROUP)).toEqual([]);
});

it('a group put in by hand goes there for good', () => {
  asked();
  const bridge = loop.sw.topology.bridges.get('br0') as number;
  loop.mdb.add(bridge, [10], [0, 0, 0xffff, 0xef010101 | 0], loop.sw.port('v0'));
  loop.settle();
  expect(loop.reaches(GROUP)).toEqual([`v0>${R2}`, `v0>${R3}`]);
  loop.mdb.remove(bridge, [10], [0, 0, 0xffff, 0xef010101 | 0], loop.sw.port('v0'));
  loop.settle();
  expect(loop.reaches(GROUP)).toEqual([]);
});

it.each([
  [GROUP, [0, 0, 0xffff, 0xef010101 | 0]],
  [GROUP6, [0xff0e0000 | 0, 0, 0, 0x123]],
])('%s, put in by hand, goes to its members and to routers though no querier is heard', (group, address) => {
  const bridge = loop.sw.topology.bridges.get('br0') as number;
  const words = address as [number, number, number, number];
  loop.mdb.add(bridge, [10], words, loop.sw.port('t2'));
  loop.settle();
  expect(loop.reaches(group)).toEqual(['t2']);
  expect(loop.reaches(OTHER)).toEqual(EVERYBODY);
  loop.setPort('v0', { router: 2 });
  expect(loop.reaches(group)).toEqual(['t2', `v0>${R2}`, `v0>${R3}`]);
  loop.setPort('v0', { router: 1 });
  loop.send('t3', pimHello());
  expect(loop.reaches(group)).toEqual(['t2', 't3']);
  loop.mdb.remove(bridge, [10], words, loop.sw.port('t2'));
  loop.settle();
  expect(loop.reaches(group)).toEqual(EVERYBODY);
});

describe('a report of many groups', () => {
  const many = (count: number): Uint8Array => {
    const records = Array.from({ length: count }, (_, i) => ({ type: 4, group: `239.2.${i >> 8}.${i & 255}` }));
    const path = { source: '198.18.0.2', destination: '224.0.0.22' };
    const payload = encodeIpv4({ ...path, protocol: 2, payload: encodeIgmpV3Report(records) });
    return frame({ destination: groupMac('224.0.0.22'), etherType: ETHERTYPE_IPV4, payload });
  };

  it('joins all of them, as far as a frame of the usual MTU goes', () => {
    loop.send('t2', many(180)); // 1,482 bytes
    expect(loop.mdb.rows(0).mdb).toHaveLength(180);
  });

  it('beyond that those that lie in what is kept of it', () => {
    loop.send('t2', many(600));
    expect(loop.mdb.rows(0).mdb).toHaveLength(Math.floor((PUNT_BYTES - 14 - 20 - 8) / 8));
  });
});

it('whatever is handed over, nothing throws', () => {
  const frames = [
    igmpFrame(0x16, GROUP),
    igmpV3Frame([{ type: 4, group: GROUP }]),
    igmpQuery(10),
    mldFrame(131, GROUP6),
  ];
  const damage = fc.array(fc.tuple(fc.nat(100), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(
      fc.constantFrom(...frames),
      damage,
      fc.nat(100),
      fc.nat(300),
      fc.nat(4),
      (bytes, changes, kept, length, kind) => {
        const damaged = bytes.slice(0, Math.min(kept, length));
        for (const [at, value] of changes) if (at < damaged.length) damaged[at] = value;
        const punt = { kind, port: 0, remote: 0, vid: 10, length: Math.max(length, damaged.length), bytes: damaged };
        const heard = hearPunt(loop.mdb, punt, 0);
        if (kind !== PUNT_IGMP && kind !== PUNT_MLD) expect(heard).toBe(kind === 3);
      },
    ),
    { seed: 11, numRuns: 2000 },
  );
});
