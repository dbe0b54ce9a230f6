import { describe, expect, it } from 'vitest';
import type { FdbRow, MdbRow, StatsAnswer, SwitchEvent } from '../../src/api/api.js';
import { alignColumns, range } from '../../src/cli/format/columns.js';
import { formatEvent } from '../../src/cli/format/event.js';
import { formatFdb, formatFdbRow } from '../../src/cli/format/fdb.js';
import { formatLinks } from '../../src/cli/format/link.js';
import { formatMdb } from '../../src/cli/format/mdb.js';
import { formatNeigh } from '../../src/cli/format/neigh.js';
import { formatLinkStats, formatStats } from '../../src/cli/format/stats.js';
import { formatTunnels, formatVlans } from '../../src/cli/format/vlan.js';

/** Beside the place of a member that has reported a group without sources. */
const LEARNED: Pick<MdbRow, 'filter_mode' | 'protocol' | 'flags'> = {
  filter_mode: 'exclude',
  protocol: 'kernel',
  flags: [],
};

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
    expect(formatFdbRow({ ...flood, vni: 42, src_vni: 41 })).toBe(
      '00:00:00:00:00:00 dev vxlan0 dst 192.0.2.2 vni 42 src_vni 41 self permanent',
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
  it('shows state first, options in the words that set them', () => {
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
          mac: '02:00:00:00:02:01',
          netns: 'ns2',
          addresses: ['100.0.1.2/24', '2001:db8::1/64'],
          learning: false,
          storm_limit: { broadcast: 100, multicast: 50 },
          up: false,
          vlans: [{ vid: 2, pvid: true }],
          fdb: [],
          nic: 'tap1_1',
        },
        {
          ifname: 'vxlan0',
          type: 'vxlan',
          operstate: 'UP',
          mtu: 1450,
          id: 42,
          remotes: ['192.0.2.2'],
          srcport: [32768, 61000],
          ttl: 0,
          udpcsum: false,
        },
      ]),
    ).toBe(
      text(
        'br1: mtu 1450 state UP',
        '    type bridge vlan_filtering 1 ageing_time 300',
        'tap1_0: mtu 1450 master br1 state DOWN',
        '    link/ether 02:00:00:00:02:01 type tap netns ns2 addresses 100.0.1.2/24,2001:db8::1/64 learning off storm_limit broadcast 100 multicast 50 down nic tap1_1',
        'vxlan0: mtu 1450 state UP',
        '    type vxlan id 42 remotes 192.0.2.2 srcport 32768 61000 ttl auto noudpcsum',
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
        vlans: { '10': { rx_packets: 9, rx_bytes: 900, tx_packets: 11, tx_bytes: 12345678 } },
      },
    },
    drops: { no_pvid: 1, no_destination: 2 },
    remotes: {},
    vnis: {},
    replicated: 2,
    retired: { rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0, drops: {} },
    fdb: { entries: 5, learned: 4, moved: 1, aged: 0, refused: 0 },
  };

  it('shows links, remotes, VNIs, VLANs, reasons, the table and the balance', () => {
    expect(formatStats(stats)).toBe(
      text(
        'link                rx packets  rx bytes  rx dropped  tx packets  tx bytes  tx dropped',
        'tap1_0                      12      1200           3           9       900           0',
        '  drops: no_destination 2, no_pvid 1',
        'vxlan0                       9       900           0          11  12345678           0',
        '  remote 192.0.2.2           9       900                      11  12345678',
        '  vni 2                      9       900                      11  12345678',
        '  vlan 10                    9       900                      11  12345678',
        '',
        'drops: no_destination 2, no_pvid 1',
        'fdb: 5 entries, 4 learned, 1 moved, 0 aged, 0 refused',
        'balance: 21 received + 2 copied = 20 transmitted + 3 dropped',
      ),
    );
  });

  it('has what links that are no more counted on both sides', () => {
    const retired = { rx_packets: 7, rx_bytes: 700, tx_packets: 4, tx_bytes: 400, drops: { port_down: 2, no_pvid: 1 } };
    expect(formatStats({ ...stats, retired })).toContain(
      'balance: 21 received + 2 copied + 7 retired = 20 transmitted + 3 dropped + 7 retired\n',
    );
    expect(formatStats({ ...stats, retired: { ...retired, drops: {} } })).toContain(
      'balance: 21 received + 2 copied + 7 retired, but 20 transmitted + 3 dropped + 4 retired: off by 3\n',
    );
  });

  it('tells of evicted entries where they are counted', () => {
    const fdb = { ...stats.fdb, evicted: 8 };
    expect(formatStats({ ...stats, fdb })).toContain(
      'fdb: 5 entries, 4 learned, 1 moved, 0 aged, 0 refused, 8 evicted\n',
    );
  });

  it('tells the troubles of the control thread, and nothing without any', () => {
    const control = { log_lost: 0, connections_refused: 0, faults: {} };
    expect(formatStats({ ...stats, control })).toBe(formatStats(stats));
    const troubled = { log_lost: 3, connections_refused: 2, faults: { watch: 1 } };
    expect(formatStats({ ...stats, control: troubled })).toContain(
      '\ncontrol: 3 log lines lost, 2 connections refused, 1 faults in watch\n',
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

describe('neigh lines', () => {
  it('shows the binding, its VLAN and its state', () => {
    expect(
      formatNeigh([
        { dst: '198.18.0.3', lladdr: '02:00:00:00:00:03', vlan: 10, vni: 20, ifname: 'vxlan0', state: 'permanent' },
        { dst: '2001:db8::1', lladdr: '02:00:00:00:00:01', ifname: 'vxlan0', state: 'stale', router: true },
      ]),
    ).toBe(
      text(
        '198.18.0.3 dev vxlan0 lladdr 02:00:00:00:00:03 vlan 10 src_vni 20 PERMANENT',
        '2001:db8::1 dev vxlan0 lladdr 02:00:00:00:00:01 router STALE',
      ),
    );
  });
});

describe('mdb lines', () => {
  it('shows groups, then router ports', () => {
    expect(
      formatMdb({
        mdb: [
          { dev: 'br0', port: 'tap1', grp: '239.1.1.1', vid: 10, state: 'temp', ...LEARNED, timer: 250 },
          { dev: 'br0', port: 'vxlan0', grp: 'ff05::2', dst: '192.0.2.2', state: 'permanent', ...LEARNED },
        ],
        router: [{ dev: 'br0', port: 'tap2', type: 'temp', timer: 12 }],
      }),
    ).toBe(
      text(
        'dev br0 port tap1 grp 239.1.1.1 temp vid 10 timer 250',
        'dev br0 port vxlan0 grp ff05::2 dst 192.0.2.2 permanent',
        'router dev br0 port tap2 temp timer 12',
      ),
    );
    expect(formatMdb({ mdb: [], router: [] })).toBe('');
  });
});

describe('event lines', () => {
  const entry = { mac: '02:00:00:00:00:01', ifname: 'tap1', master: 'br1', vlan: 2, state: 'dynamic' } as const;
  const remote = { ...entry, ifname: 'vxlan0', vni: 20, dst: '192.0.2.2' } as const;
  const cases: [SwitchEvent, string][] = [
    [{ event: 'learned', ...entry }, '[FDB] 02:00:00:00:00:01 dev tap1 vlan 2 master br1 learned'],
    [
      { event: 'aged', ...remote },
      '[FDB] 02:00:00:00:00:01 dev vxlan0 vlan 2 dst 192.0.2.2 src_vni 20 master br1 aged',
    ],
    [
      { event: 'added', ...entry, state: 'permanent' },
      '[FDB] 02:00:00:00:00:01 dev tap1 vlan 2 master br1 permanent added',
    ],
    [
      { event: 'changed', ...entry, state: 'static' },
      '[FDB] 02:00:00:00:00:01 dev tap1 vlan 2 master br1 static changed',
    ],
    [{ event: 'deleted', ...entry }, '[FDB] 02:00:00:00:00:01 dev tap1 vlan 2 master br1 deleted'],
    [
      { event: 'moved', ...entry, from: { ifname: 'vxlan0', dst: '192.0.2.2' } },
      '[FDB] 02:00:00:00:00:01 dev tap1 vlan 2 master br1 moved from vxlan0 dst 192.0.2.2',
    ],
    [
      { event: 'mac_moves', mac: '02:00:00:00:00:01', master: 'br1', vlan: 2, moves: 6, ports: ['tap1', 'tap2'] },
      '[FDB] 02:00:00:00:00:01 vlan 2 master br1 mac_moves 6 between tap1 tap2',
    ],
    [
      { event: 'l2miss', mac: '02:00:00:00:00:09', ifname: 'vxlan0', vlan: 2, vni: 20 },
      '[MISS] l2miss 02:00:00:00:00:09 dev vxlan0 vlan 2 src_vni 20',
    ],
    [{ event: 'l3miss', dst: '198.18.0.9', ifname: 'vxlan0' }, '[MISS] l3miss 198.18.0.9 dev vxlan0'],
    [
      { event: 'link', ifname: 'tap1', type: 'tap', change: 'down', master: 'br1' },
      '[LINK] tap1 type tap master br1 down',
    ],
    [{ event: 'link', ifname: 'br1', type: 'bridge', change: 'added' }, '[LINK] br1 type bridge added'],
    [
      { event: 'mdb', change: 'deleted', dev: 'br0', port: 'vxlan0', grp: '239.1.1.1', vid: 2, dst: '192.0.2.2' },
      '[MDB] dev br0 port vxlan0 grp 239.1.1.1 dst 192.0.2.2 vid 2 deleted',
    ],
    [
      {
        ...{ event: 'mdb', change: 'added', dev: 'vxlan0', port: 'vxlan0', grp: '239.1.1.1' },
        ...{ src: '198.18.0.1', dst: '192.0.2.2', src_vni: 10 },
      },
      '[MDB] dev vxlan0 port vxlan0 grp 239.1.1.1 src 198.18.0.1 dst 192.0.2.2 src_vni 10 added',
    ],
    [{ event: 'lost', count: 1 }, '[LOST] 1 event lost'],
    [{ event: 'lost', count: 12 }, '[LOST] 12 events lost'],
  ];

  it.each(cases)('shows %j', (event, line) => {
    expect(formatEvent(event)).toBe(line);
  });

  it('shows what it has no words for as it came', () => {
    const event = { event: 'sunrise', at: 6 } as unknown as SwitchEvent;
    expect(formatEvent(event)).toBe('{"event":"sunrise","at":6}');
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
