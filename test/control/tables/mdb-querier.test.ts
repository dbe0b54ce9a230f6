/** The switch's own queries: when each is sent, to whom, with which bytes; and the election. A warped clock. */
import { describe, expect, it } from 'vitest';
import { queryFrame } from '../../../src/control/tables/query-frames.js';
import { querierIdentity, snoopSettings } from '../../../src/control/tables/mdb-settings.js';
import { bridgeOptions } from '../../../src/config/options/bridge.js';
import { defaultsOf } from '../../../src/config/options/option.js';
import type { BridgeConfig } from '../../../src/config/types.js';
import { toHex } from '../../../src/wire/bytes.js';
import { formatAddress } from '../../../src/wire/ip-address.js';
import { igmpQuery, mldQuery } from '../../dataplane/support/group-traffic.js';
import { IDENTITY, type Query, SnoopingSwitch, words } from '../../conformance/support/snooping.js';

const DEFAULTS = snoopSettings(defaultsOf(bridgeOptions));
const GROUP = '239.1.1.1';

/** Family and destination port of each query; `sources` where it has any. */
const said = (net: SnoopingSwitch): string[] =>
  net.takeQueries().map(({ port, frame }) => `${frame[12] === 8 ? 4 : 6} ${port === null ? 'all' : `port ${port}`}`);
const general = (net: SnoopingSwitch, ms: number): number[] => {
  const begin = net.now;
  const at: number[] = [];
  while (net.now < begin + ms) {
    net.wait(250);
    for (const { port, frame } of net.takeQueries()) if (port === null && frame[12] === 8) at.push(net.now - begin);
  }
  return at;
};

describe('frames', () => {
  const frame = (fields: Partial<Parameters<typeof queryFrame>[0]>, settings = {}): string =>
    toHex(
      queryFrame(
        { family: 4, group: null, sources: [], suppress: false, ...fields },
        { ...DEFAULTS, ...settings },
        IDENTITY,
      ),
    );

  it('of IGMPv2, to all systems', () => {
    expect(frame({})).toBe(
      '01005e000001020000000099' + '0800' + '46c00020000040000102041700000000e000000194040000' + '1164ee9b00000000',
    );
  });

  it('of IGMPv3, for sources of a group, to the group', () => {
    const fields = { group: words(GROUP), sources: [words('198.51.100.9')], suppress: true };
    expect(frame(fields, { igmpVersion: 3 })).toBe(
      '01005e010101020000000099' +
        '0800' +
        '46c000280000400001' +
        '02f40d00000000ef01010194040000' +
        '110aca37ef0101010a7d0001c6336409',
    );
  });

  it('of MLDv1, from a link-local address, with a hop-by-hop header', () => {
    expect(frame({ family: 6 })).toBe(
      '333300000001020000000099' +
        '86dd' +
        '6000000000200001' +
        'fe800000000000000000000000000099' +
        'ff020000000000000000000000000001' +
        '3a00050200000100' +
        '8200587f27100000' +
        '0'.repeat(32),
    );
  });

  it('of MLDv2 have the interval in a code', () => {
    const hex = frame({ family: 6 }, { mldVersion: 2, queryInterval: 300_000, queryResponseInterval: 65_536 });
    expect(hex.slice(-8)).toBe('02920000');
    expect(hex.slice(-48, -40)).toBe('90000000');
  });
});

it('the identity of a bridge is its MAC, its IPv4 address where wanted, and a link-local address', () => {
  const config = { mac: '02:ab:cd:12:34:56', host_port: true, mcast_query_use_ifaddr: true } as BridgeConfig;
  const addresses = [
    { address: '2001:db8::1', prefix: 64 },
    { address: '192.0.2.1', prefix: 24 },
  ];
  const identity = querierIdentity({ ...config, addresses } as BridgeConfig, '02:00:00:00:00:01');
  expect([identity.mac, formatAddress(...identity.addresses[4]), formatAddress(...identity.addresses[6])]).toEqual([
    '02:ab:cd:12:34:56',
    '192.0.2.1',
    'fe80::ab:cdff:fe12:3456',
  ]);
  const without = querierIdentity({ ...config, addresses, mcast_query_use_ifaddr: false } as BridgeConfig, '');
  expect(formatAddress(...without.addresses[4])).toBe('0.0.0.0');
});

describe('general queries', () => {
  it('come at the interval of the start, then at the usual one, of both families', () => {
    const net = new SnoopingSwitch({ mcast_startup_query_interval: 1000, mcast_startup_query_count: 3 });
    expect(general(net, 300_000)).toEqual([10_000, 135_000, 260_000]);
    net.set({ mcast_querier: false });
    net.takeQueries();
    net.wait(200_000);
    expect(said(net)).toEqual([]);
    net.set({ mcast_querier: true });
    expect(said(net)).toEqual(['4 all', '6 all']);
    expect(general(net, 30_000)).toEqual([10_000, 20_000]);
  });

  it('restrict groups once the first must have been answered', () => {
    const net = new SnoopingSwitch({ mcast_querier: false });
    expect(net.reaches(GROUP, '192.0.2.9')).toEqual(['t1', 't3']);
    net.set({ mcast_querier: true });
    net.wait(9750);
    expect(net.reaches(GROUP, '192.0.2.9')).toEqual(['t1', 't3']);
    net.wait(250);
    expect(net.reaches(GROUP, '192.0.2.9')).toEqual([]);
    net.set({ mcast_querier: false });
    expect(net.reaches(GROUP, '192.0.2.9')).toEqual(['t1', 't3']);
  });

  it('of a VLAN whose port comes up are sent again, not more than once a second', () => {
    const net = new SnoopingSwitch();
    net.wait(30_000);
    net.takeQueries();
    for (let i = 0; i < 50; i++) net.mdb.askAgain(net.bridge, [0], net.now);
    net.settle();
    expect(said(net)).toEqual(['4 all', '6 all']);
    for (let i = 0; i < 50; i++) net.mdb.askAgain(net.bridge, [0], net.now);
    net.settle();
    expect(said(net)).toEqual([]);
    net.wait(1000);
    expect(said(net)).toEqual(['4 all', '6 all']);
  });

  it('of thousands of VLANs do not come at once', () => {
    const net = new SnoopingSwitch({ mcast_querier: false });
    const settings = { ...DEFAULTS, querier: true };
    const vids = new Set(Array.from({ length: 1000 }, (_, i) => i + 1));
    net.mdb.setBridge(7, { settings, identity: IDENTITY, vids }, net.now);
    const most: number[] = [];
    for (let i = 0; i < 200; i++) {
      net.wait(250);
      most.push(net.takeQueries().length);
    }
    expect(Math.max(...most)).toBeLessThanOrEqual(64);
    // Each VLAN and family had its two queries of the start.
    expect(most.reduce((sum, one) => sum + one)).toBeGreaterThanOrEqual(4000);
  });
});

describe('the election', () => {
  it('is won by an IGMP querier with any address, since the switch has none; it goes on when that is silent', () => {
    const net = new SnoopingSwitch();
    net.wait(30_000);
    net.takeQueries();
    net.send('t3', igmpQuery(100));
    net.wait(254_750);
    expect(said(net).filter((one) => one.startsWith('4'))).toEqual([]);
    expect(net.reaches(GROUP, '192.0.2.9')).toEqual(['t3']); // a router
    net.wait(250);
    expect(said(net).filter((one) => one.startsWith('4'))).toEqual(['4 all']);
    expect(net.reaches(GROUP, '192.0.2.9')).toEqual([]);
  });

  it('is won by the MLD querier with the lower address', () => {
    const net = new SnoopingSwitch();
    net.send('t3', mldQuery(1000, null, { address: 'fe80::9a' }));
    net.wait(130_000);
    expect(said(net).filter((one) => one.startsWith('6'))).not.toEqual([]);
    net.send('t3', mldQuery(1000, null, { address: 'fe80::98' }));
    net.wait(250_000);
    expect(said(net).filter((one) => one.startsWith('6'))).toEqual([]);
  });

  it('is not won by a guest behind a port with mcast_router 0, where the switch asks', () => {
    const net = new SnoopingSwitch();
    net.port('t3', { router: 0 });
    net.takeQueries();
    for (let turn = 0; turn < 5; turn++) {
      net.send('t3', igmpQuery(100));
      net.send('t3', mldQuery(1000, null, { address: 'fe80::1' }));
      net.wait(50_000);
    }
    const asked = said(net);
    expect([asked.filter((one) => one === '4 all').length, asked.filter((one) => one === '6 all').length]).toEqual([
      2, 2,
    ]);
    // Its questions end no membership of hosts that do not hear them.
    net.report(4, GROUP, []);
    net.send('t3', igmpQuery(1, GROUP));
    net.wait(20_000);
    expect(net.rows(GROUP)).toHaveLength(1);
  });

  it('is won there where the switch does not ask', () => {
    const net = new SnoopingSwitch({ mcast_querier: false });
    net.port('t3', { router: 0 });
    net.report(4, GROUP, []);
    expect(net.reaches('239.1.1.77', '192.0.2.9')).toEqual(['t1', 't3']);
    net.send('t3', igmpQuery(100));
    net.wait(20_000);
    expect(net.reaches('239.1.1.77', '192.0.2.9')).toEqual([]);
  });

  it("is not lost to the switch's own query, come back by a loop", () => {
    const net = new SnoopingSwitch();
    net.send('t3', mldQuery(1000, null, { address: 'fe80::99' }));
    net.wait(130_000);
    expect(said(net).filter((one) => one.startsWith('6'))).not.toEqual([]);
  });

  it('has an address in IGMP too where the bridge has one', () => {
    const net = new SnoopingSwitch();
    const identity = { ...IDENTITY, addresses: { ...IDENTITY.addresses, 4: words('198.18.0.1') } };
    const settings = { ...DEFAULTS, querier: true };
    net.mdb.setBridge(net.bridge, { settings, identity, vids: new Set([0]) }, net.now);
    net.send('t3', igmpQuery(100, null, { address: '198.18.0.2' }));
    net.wait(130_000);
    expect(said(net).filter((one) => one.startsWith('4'))).not.toEqual([]);
  });
});

describe('questions after a leave', () => {
  const asked = (net: SnoopingSwitch, port: string): Query[] =>
    net.takeQueries().filter((one) => one.port === net.sw.port(port));

  it('go to the port of the one who has left, as often as set, and no further once it is answered', () => {
    const net = new SnoopingSwitch({ mcast_last_member_count: 4, mcast_last_member_interval: 50 });
    net.report(4, GROUP, []);
    net.report(3, GROUP, []);
    expect(asked(net, 't1')).toHaveLength(1);
    net.wait(1000);
    expect(asked(net, 't1')).toHaveLength(2);
    net.report(2, GROUP, []);
    net.wait(500);
    // RFC 3376 section 6.6.3.1: the last ones say that others must not lower their timers.
    expect(asked(net, 't1').map(({ frame }) => frame[46] & 8)).toEqual([8]);
    net.wait(5000);
    expect(net.rows(GROUP)).toHaveLength(1);
    expect(asked(net, 't1')).toEqual([]);
  });

  it('about sources name those', () => {
    const net = new SnoopingSwitch();
    net.report(1, GROUP, ['192.0.2.1', '192.0.2.2']);
    net.report(6, GROUP, ['192.0.2.2', '192.0.2.3']);
    const [query] = asked(net, 't1');
    expect(toHex(query.frame.slice(-12))).toBe('ef010101027d0001c0000202');
  });

  it('are not asked by a switch that is no querier, though timers are lowered', () => {
    const net = new SnoopingSwitch({ mcast_querier: false });
    net.report(1, GROUP, ['192.0.2.1']);
    net.report(6, GROUP, ['192.0.2.1']);
    expect(said(net)).toEqual([]);
    net.wait(2000);
    expect(net.rows(GROUP)).toEqual([]);
  });

  it('of others end nothing where the switch itself is the querier', () => {
    const net = new SnoopingSwitch();
    net.report(4, GROUP, []);
    net.send('t3', igmpQuery(1, GROUP));
    net.wait(5000);
    expect(net.rows(GROUP)).toHaveLength(1);
    expect(net.reaches(GROUP, '192.0.2.9')).toContain('t1');
  });

  it('are not asked on a port with mcast_fast_leave', () => {
    const net = new SnoopingSwitch();
    net.port('t1', { fastLeave: true });
    net.report(1, GROUP, ['192.0.2.1', '192.0.2.2']);
    net.report(6, GROUP, ['192.0.2.2']);
    expect(net.reaches(GROUP, '192.0.2.2')).toEqual([]);
    expect(net.reaches(GROUP, '192.0.2.1')).toEqual(['t1']);
    net.report(4, GROUP, ['192.0.2.1']);
    expect(net.reaches(GROUP, '192.0.2.1')).toEqual([]);
    expect(net.reaches(GROUP, '192.0.2.7')).toEqual(['t1']);
    net.report(3, GROUP, []);
    expect(net.rows(GROUP)).toEqual([]);
    expect(said(net)).toEqual([]);
  });

  it('are bounded, however fast guests leave, and shared by the ports', () => {
    const net = new SnoopingSwitch();
    const hear = (name: string, type: number, group: string): void => {
      const records = [{ type, group: words(group), sources: [] }];
      const place = { port: net.sw.port(name), remote: 0, vid: 0 };
      net.mdb.hear({ kind: 'report', family: 4, records }, place, net.now);
    };
    const leave = (name: string, group: string): void => {
      hear(name, 4, group);
      hear(name, 3, group);
    };
    // One guest takes half of what may wait; another's question has room, and general queries too.
    net.report(2, '239.1.1.1', [], 't3');
    net.takeQueries();
    for (let i = 0; i < 1000; i++) leave('t1', `239.2.${i >> 8}.${i & 255}`);
    leave('t3', '239.1.1.1');
    net.now += 125_000;
    net.settle();
    const queries = net.takeQueries();
    const ofPort = (name: string | null): number =>
      queries.filter(({ port }) => port === (name === null ? null : net.sw.port(name))).length;
    expect([ofPort('t1'), ofPort('t3'), ofPort(null)]).toEqual([96, 1, 2]);
  });
});

it('a member that asks for more sources than there is room for gets every one', () => {
  const net = new SnoopingSwitch();
  const sources = (count: number): string[] => Array.from({ length: count }, (_, i) => `192.0.2.${i + 1}`);
  net.report(1, GROUP, sources(32));
  expect(net.reaches(GROUP, '198.51.100.1')).toEqual([]);
  net.report(5, GROUP, ['192.0.2.99']);
  expect(net.rows(GROUP)).toMatchObject([{ filter_mode: 'exclude' }]);
  expect(net.reaches(GROUP, '198.51.100.1')).toEqual(['t1']);
  // Sources that cannot be blocked get through.
  net.report(2, '239.1.1.2', sources(40));
  expect(net.reaches('239.1.1.2', '192.0.2.32')).toEqual([]);
  expect(net.reaches('239.1.1.2', '192.0.2.33')).toEqual(['t1']);
});

it('pairs of source and group are bounded, and their rows are given back', () => {
  const net = new SnoopingSwitch();
  for (let group = 0; group < 130; group++) {
    for (let i = 0; i < 32; i++) net.report(5, `239.3.0.${group}`, [`192.0.2.${i}`]);
  }
  const rows = net.mdb.rows(net.now).mdb;
  expect(rows.filter(({ src }) => src !== undefined)).toHaveLength(4096);
  expect(rows.filter(({ src, filter_mode }) => src === undefined && filter_mode === 'exclude')).toHaveLength(2);
  net.mdb.forgetPort(net.sw.port('t1'));
  net.settle();
  expect(net.sw.context.forwarding.groups.size).toBe(1); // the querier of the VLAN
});

it('sources of one member and of another are told apart; one that wants all but some gets the rest', () => {
  const net = new SnoopingSwitch();
  net.report(1, GROUP, ['192.0.2.1'], 't1');
  net.report(4, GROUP, ['192.0.2.1'], 't3');
  expect(net.reaches(GROUP, '192.0.2.1')).toEqual(['t1']);
  expect(net.reaches(GROUP, '192.0.2.2')).toEqual(['t3']);
  net.report(4, GROUP, ['192.0.2.9'], 't3');
  expect(net.reaches(GROUP, '192.0.2.1')).toEqual(['t1', 't3']);
  expect(net.rows(GROUP).filter(({ flags }) => flags.includes('added_by_star_ex'))).toMatchObject([
    { port: 't3', src: '192.0.2.1' },
  ]);
  net.set({ mcast_igmp_version: 2 });
  expect(net.reaches(GROUP, '192.0.2.2')).toEqual(['t1', 't3']);
  net.set({ mcast_igmp_version: 3 });
  expect(net.reaches(GROUP, '192.0.2.2')).toEqual(['t3']);
});
