/** Messages of VLANs, VNIs and counters in literal bytes, as iproute2 sends them and reads them. */
import { describe, expect, test } from 'vitest';
import { NetlinkFault } from '../../src/netlink/fault.js';
import { readStatsRequest, STATS_ATTR, vlanXstats, writeStats } from '../../src/netlink/stats.js';
import { globalEntry, readVlanChange, readVlanDump, vlanEntry, writeVlans } from '../../src/netlink/vlan-db.js';
import { readVnis, writeVnis } from '../../src/netlink/vni.js';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');
const hexOf = (buffer: Buffer): string => buffer.toString('hex');
const HEAD = '07000000 05000000';

describe('VLANs', () => {
  test('options of a range', () => {
    // bridge vlan set dev v0 vid 10-12 mcast_router 2 mcast_max_groups 7 neigh_suppress on
    const hex = `${HEAD} 2c00 0180 0800 0100 4000 0a00 0600 0200 0c00 0000 0500 0600 02 000000 0800 0800 07000000 0500 0900 01 000000`;
    expect(readVlanChange(bytes(hex))).toEqual({
      index: 5,
      entries: [
        {
          vid: 10,
          vidEnd: 12,
          pvid: false,
          untagged: false,
          onlyOptions: true,
          options: { mcast_router: 2, mcast_max_groups: 7, neigh_suppress: true },
        },
      ],
      globals: [],
    });
  });

  test('options of the VLAN itself', () => {
    // bridge vlan global set dev br0 vid 10 mcast_querier 1 mcast_query_interval 6000
    const hex = `${HEAD} 2000 0280 0600 0100 0a00 0000 0c00 0c00 7017000000000000 0500 0f00 01 000000`;
    expect(readVlanChange(bytes(hex)).globals).toEqual([
      { vid: 10, options: { mcast_querier: true, mcast_query_interval: 6000 } },
    ]);
  });

  test('the instance of a VLAN', () => {
    // bridge vlan global set dev br0 vid 10-12 msti 258
    const hex = `${HEAD} 1c00 0280 0600 0100 0a00 0000 0600 0200 0c00 0000 0600 1200 0201 0000`;
    expect(readVlanChange(bytes(hex)).globals).toEqual([{ vid: 10, vidEnd: 12, options: { msti: 258 } }]);
  });

  test('the state of a VLAN', () => {
    const { entries } = readVlanChange(bytes(`${HEAD} 1400 0180 0800 0100 4000 0a00 0500 0300 04 000000`));
    expect(entries.map(({ vid, options }) => [vid, options])).toEqual([[10, { state: 'blocking' }]]);
  });

  test.each([
    ['a state', `${HEAD} 1400 0180 0800 0100 4000 0a00 0500 0300 05 000000`, 'from 0 to 4'],
    ['an unknown attribute', `${HEAD} 1400 0180 0800 0100 4000 0a00 0500 6300 00 000000`, 'attribute 99'],
    ['mcast_router 3', `${HEAD} 1400 0180 0800 0100 4000 0a00 0500 0600 03 000000`, '0, 1 or 2'],
    ['no VLAN', HEAD, 'names no VLAN'],
    ['half a VLAN', `${HEAD} 0a00 0180 0600 0100 4000 0000`, 'too short'],
    ['half a head', '07000000', 'too short'],
  ])('%s is refused', (_what, hex, text) => {
    expect(() => readVlanChange(bytes(hex))).toThrow(text);
    expect(() => readVlanChange(bytes(hex))).toThrow(NetlinkFault);
  });

  test('the flags of a dump', () => {
    expect(readVlanDump(bytes(`${HEAD} 0800 0100 03000000`))).toEqual({ index: 5, dumpFlags: 3 });
    expect(readVlanDump(bytes('07000000'))).toBeNull();
  });

  test('a listing with counters', () => {
    const entry = vlanEntry({
      vid: 10,
      pvid: true,
      untagged: true,
      neighSuppress: true,
      state: 'learning',
      mcastRouter: 1,
      mcastGroups: 3,
      mcastMaxGroups: 8,
      counters: { rx_bytes: 1, rx_packets: 2, tx_bytes: 3, tx_packets: 4 },
    });
    expect(hexOf(writeVlans(5, [entry]))).toBe(
      hexOf(
        bytes(
          `${HEAD} 6800 0180 0800 0100 0600 0a00 0500 0300 02 000000 0500 0900 01 000000 0500 0600 01 000000 0800 0700 03000000 0800 0800 08000000
           3400 0580 0c00 0100 0100000000000000 0c00 0200 0200000000000000 0c00 0300 0300000000000000 0c00 0400 0400000000000000`,
        ),
      ),
    );
  });

  test('what is written of the VLAN itself is read again', () => {
    const options = { mcast_snooping: false, mcast_querier: true, mcast_mld_version: 2, mcast_query_interval: 6000 };
    const [read] = readVlanChange(writeVlans(5, [globalEntry({ vid: 7, vidEnd: 9 }, options)])).globals;
    expect(read).toMatchObject({ vid: 7, vidEnd: 9, options });
    expect(Object.keys(read?.options ?? {})).toHaveLength(13);
  });
});

describe('VNIs', () => {
  test('with a remote, a group, and none', () => {
    // bridge vni add dev vx0 vni 110,111-112 remote 192.0.2.7
    const four = `${HEAD} 1400 0180 0800 0100 6e000000 0800 0300 c0000207 1c00 0180 0800 0100 6f000000 0800 0200 70000000 0800 0300 c0000207`;
    expect(readVnis(bytes(four))).toEqual({
      index: 5,
      withStats: false,
      entries: [
        { vni: 110, address: '192.0.2.7' },
        { vni: 111, vniEnd: 112, address: '192.0.2.7' },
      ],
    });
    const six = `${HEAD} 2000 0180 0800 0100 6e000000 1400 0400 ff050000000000000000000000000007`;
    expect(readVnis(bytes(six)).entries).toEqual([{ vni: 110, address: 'ff05::7' }]);
    expect(readVnis(bytes(`07010000 00000000`))).toEqual({ index: 0, withStats: true, entries: [] });
  });

  test.each([
    ['without a VNI', `${HEAD} 0c00 0180 0800 0200 6e000000`, 'give the VNI'],
    ['with half an address', `${HEAD} 1400 0180 0800 0100 6e000000 0600 0300 c000 0000`, '4 or 16 bytes'],
    ['with half a head', '07000000', 'too short'],
  ])('%s is refused', (_what, hex, text) => {
    expect(() => readVnis(bytes(hex))).toThrow(text);
  });

  test('a listing', () => {
    const facts = [
      { vni: 110, address: '192.0.2.7' },
      { vni: 111, vniEnd: 112 },
    ];
    expect(hexOf(writeVnis(5, facts))).toBe(
      hexOf(
        bytes(
          `${HEAD} 1400 0180 0800 0100 6e000000 0800 0300 c0000207 1400 0180 0800 0100 6f000000 0800 0200 70000000`,
        ),
      ),
    );
    const stats = { rx_bytes: 1, rx_packets: 2, rx_drops: 3, rx_errors: 4, tx_bytes: 5, tx_packets: 6, tx_drops: 7 };
    const counted = hexOf(writeVnis(5, [{ vni: 110, stats }]));
    const each = [1, 2, 3, 4, 5, 6, 7, 0].map((value, at) => `0c00 0${at + 1}00 0${value}00000000000000`);
    expect(counted).toBe(hexOf(bytes(`${HEAD} 7000 0180 0800 0100 6e000000 6400 0580 ${each.join('')}`)));
  });
});

describe('counters of VLANs', () => {
  test('are asked for by a mask', () => {
    expect(readStatsRequest(bytes('00000000 05000000 04000000'))).toEqual({ index: 5, mask: 4 });
    expect(readStatsRequest(bytes('00000000 05000000'))).toBeNull();
  });

  test('are in the extended counters of a port', () => {
    const one = { vid: 10, flags: 6, rx_bytes: 1, rx_packets: 2, tx_bytes: 3, tx_packets: 4 };
    expect(hexOf(writeStats(5, 4, [vlanXstats(STATS_ATTR.LINK_XSTATS_SLAVE, [one])]))).toBe(
      hexOf(
        bytes(
          '00000000 05000000 04000000 3400 0300 3000 0100 2c00 0100 0100000000000000 0200000000000000 0300000000000000 0400000000000000 0a00 0600 00000000',
        ),
      ),
    );
  });
});
