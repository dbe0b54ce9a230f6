import { describe, expect, it } from 'vitest';
import { alignColumns, range } from '../../src/cli/format/columns.js';
import { formatFdb, formatFdbRow } from '../../src/cli/format/fdb.js';
import { formatLinks } from '../../src/cli/format/link.js';
import { formatLinkStats, formatStats } from '../../src/cli/format/stats.js';
import { formatTunnels, formatVlans } from '../../src/cli/format/vlan.js';
import type { FdbRow, StatsAnswer } from '../../src/control/api.js';

const text = (...lines: string[]): string => `${lines.join('\n')}\n`;

describe('fdb lines', () => {
  const row: FdbRow = {
    mac: '02:00:00:00:02:01',
    ifname: 'tap1_0',
    master: 'br1',
    vlan: 2,
    state: 'static',
    flags: [],
    updated: 3,
    moves: 0,
  };

  it('shows a static entry of a local port', () => {
    expect(formatFdbRow(row)).toBe('02:00:00:00:02:01 dev tap1_0 vlan 2 master br1 static');
  });

  it('shows a learned remote MAC without its state', () => {
    expect(formatFdbRow({ ...row, ifname: 'vxlan0', vni: 2, dst: '192.0.2.2', state: 'dynamic' })).toBe(
      '02:00:00:00:02:01 dev vxlan0 vlan 2 dst 192.0.2.2 src_vni 2 master br1',
    );
  });

  it("shows a flood-list row as the port's own, without the bridge", () => {
    const flood: FdbRow = {
      mac: '00:00:00:00:00:00',
      ifname: 'vxlan0',
      master: 'br1',
      dst: '192.0.2.2',
      state: 'permanent',
      flags: ['self'],
      moves: 0,
    };
    expect(formatFdbRow(flood)).toBe('00:00:00:00:00:00 dev vxlan0 dst 192.0.2.2 self permanent');
    expect(formatFdbRow({ ...flood, dst: '2001:db8::2', port: 8472, vni: 42 })).toBe(
      '00:00:00:00:00:00 dev vxlan0 dst 2001:db8::2 port 8472 src_vni 42 self permanent',
    );
  });

  it('puts flags before the bridge', () => {
    expect(formatFdbRow({ ...row, flags: ['extern_learn', 'sticky'] })).toBe(
      '02:00:00:00:02:01 dev tap1_0 vlan 2 extern_learn sticky master br1 static',
    );
  });

  it('gives a line an entry, and nothing for an empty table', () => {
    expect(formatFdb([row, row]).split('\n')).toHaveLength(3);
    expect(formatFdb([])).toBe('');
  });
});

describe('vlan columns', () => {
  it('shows membership with flags and ranges', () => {
    expect(
      formatVlans([
        { ifname: 'tap1_0', vlans: [{ vlan: 2, flags: ['PVID', 'Egress Untagged'] }] },
        { ifname: 'idle', vlans: [] },
        {
          ifname: 'vxlan0',
          vlans: [
            { vlan: 2, flags: [] },
            { vlan: 100, vlanEnd: 199, flags: [] },
          ],
        },
      ]),
    ).toBe(
      text(
        'port              vlan-id',
        'tap1_0            2 PVID Egress Untagged',
        'vxlan0            2',
        '                  100-199',
      ),
    );
  });

  it('shows the VLAN to VNI table', () => {
    expect(
      formatTunnels([
        {
          ifname: 'vxlan0',
          tunnels: [
            { vlan: 2, tunid: 2 },
            { vlan: 100, vlanEnd: 199, tunid: 10100, tunidEnd: 10199 },
          ],
        },
      ]),
    ).toBe(
      text(
        'port              vlan-id    tunnel-id',
        'vxlan0            2          2',
        '                  100-199    10100-10199',
      ),
    );
  });

  it('keeps the columns under the longest name', () => {
    const rows = [{ ifname: 'fifteen-letters', vlans: [{ vlan: 4094, flags: [] }] }];
    expect(formatVlans(rows)).toBe(text('port              vlan-id', 'fifteen-letters   4094'));
  });
});

describe('link lines', () => {
  it('shows state first, options as they would be typed', () => {
    expect(
      formatLinks([
        { ifname: 'br1', type: 'bridge', operstate: 'UP', mtu: 1450, vlan_filtering: true, ageing_time: 300 },
        {
          ifname: 'tap1_0',
          type: 'tap',
          master: 'br1',
          operstate: 'DOWN',
          mtu: 1450,
          address: '02:00:00:00:02:01',
          netns: 'ns2',
          addresses: ['100.0.1.2/24', '2001:db8::1/64'],
          learning: false,
          vlans: [{ vid: 2, pvid: true }],
          fdb: [],
        },
      ]),
    ).toBe(
      text(
        'br1: mtu 1450 state UP',
        '    type bridge vlan_filtering on ageing_time 300',
        'tap1_0: mtu 1450 master br1 state DOWN',
        '    link/ether 02:00:00:00:02:01 type tap netns ns2 addresses 100.0.1.2/24,2001:db8::1/64 learning off',
      ),
    );
  });
});

describe('stats table', () => {
  const stats: StatsAnswer = {
    links: {
      tap1_0: {
        rx_packets: 12,
        rx_bytes: 1200,
        tx_packets: 9,
        tx_bytes: 900,
        rx_dropped: 3,
        tx_dropped: 0,
        drops: { no_pvid: 1, no_destination: 2, link_local: 0 },
      },
      vxlan0: {
        rx_packets: 9,
        rx_bytes: 900,
        tx_packets: 11,
        tx_bytes: 12345678,
        rx_dropped: 0,
        tx_dropped: 0,
        drops: {},
        remotes: { '192.0.2.2': { rx_packets: 9, rx_bytes: 900, tx_packets: 11, tx_bytes: 12345678 } },
        vnis: { '2': { rx_packets: 9, rx_bytes: 900, tx_packets: 11, tx_bytes: 12345678 } },
      },
    },
    drops: { no_pvid: 1, no_destination: 2 },
    remotes: {},
    vnis: {},
    replicated: 2,
    fdb: { entries: 5, learned: 4, moved: 1, aged: 0, refused: 0 },
  };

  it('shows links, remotes, VNIs, reasons, the table and the balance', () => {
    expect(formatStats(stats)).toBe(
      text(
        'link                rx packets  rx bytes  rx dropped  tx packets  tx bytes  tx dropped',
        'tap1_0                      12      1200           3           9       900           0',
        '  drops: no_destination 2, no_pvid 1',
        'vxlan0                       9       900           0          11  12345678           0',
        '  remote 192.0.2.2           9       900                      11  12345678',
        '  vni 2                      9       900                      11  12345678',
        '',
        'drops: no_destination 2, no_pvid 1',
        'fdb: 5 entries, 4 learned, 1 moved, 0 aged, 0 refused',
        'balance: 21 received + 2 copied = 20 transmitted + 3 dropped',
      ),
    );
  });

  it('says by how much the accounts are off', () => {
    const off = formatStats({ ...stats, replicated: 5, drops: {} });
    expect(off).toContain('drops: none\n');
    expect(off).toContain('balance: 21 received + 5 copied, but 20 transmitted + 0 dropped: off by 6\n');
  });

  it('shows one link alone', () => {
    const { tap1_0 } = stats.links;
    expect(formatLinkStats(tap1_0 === undefined ? {} : { tap1_0 })).toBe(
      text(
        'link    rx packets  rx bytes  rx dropped  tx packets  tx bytes  tx dropped',
        'tap1_0          12      1200           3           9       900           0',
        '  drops: no_destination 2, no_pvid 1',
      ),
    );
  });
});

describe('columns', () => {
  it('aligns left and right and ends no line with blanks', () => {
    const rows = [
      ['a', '1', 'x'],
      ['long', '22', ''],
    ];
    expect(alignColumns(rows, ['left', 'right', 'left'])).toBe(text('a      1  x', 'long  22'));
  });

  it('shows a range only when it is one', () => {
    expect([range(5, undefined), range(5, 5), range(5, 9)]).toEqual(['5', '5', '5-9']);
  });
});
