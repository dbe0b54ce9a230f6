import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { FdbRow, LinkRow, StatsAnswer, VlansAnswer } from '../../src/api/api.js';
import { LINK_TYPES } from '../../src/config/options/kinds.js';
import { type CliResult, type FakeSwitch, fakeSwitch, type Handler, overtap, routes, scratch } from './harness.js';

const LINKS: LinkRow[] = [
  { ifname: 'br1', type: 'bridge', operstate: 'UP', mtu: 1450, vlan_filtering: true },
  { ifname: 'tap1_0', type: 'tap', master: 'br1', operstate: 'UP', mtu: 1450, address: '02:00:00:00:02:01' },
  { ifname: 'vxlan0', type: 'vxlan', master: 'br1', operstate: 'UP', mtu: 1450, local: '192.0.2.1' },
  { ifname: 'br2', type: 'bridge', operstate: 'DOWN', mtu: 1500 },
];

const FDB: FdbRow[] = [
  { mac: '02:00:00:00:02:01', ifname: 'tap1_0', master: 'br1', vlan: 2, state: 'static', flags: [], moves: 0 },
  {
    mac: '02:00:00:00:02:02',
    ifname: 'vxlan0',
    master: 'br1',
    vlan: 2,
    vni: 20,
    dst: '192.0.2.2',
    state: 'dynamic',
    flags: [],
    updated: 4,
    moves: 1,
  },
  {
    mac: '00:00:00:00:00:00',
    ifname: 'vxlan0',
    master: 'br1',
    dst: '192.0.2.2',
    state: 'permanent',
    flags: ['self'],
    moves: 0,
  },
];

const CONFIG = {
  bridges: {
    br1: { ports: { '1e3': { type: 'tap', vlans: [{ vid: 2, pvid: true }], addresses: ['192.0.2.1/24'] } } },
  },
};

const VLANS: VlansAnswer = {
  vlans: [
    { ifname: 'tap1_0', vlans: [{ vlan: 2, flags: ['PVID', 'Egress Untagged'] }] },
    {
      ifname: 'vxlan0',
      vlans: [
        { vlan: 2, flags: [] },
        { vlan: 100, vlanEnd: 199, flags: [] },
      ],
    },
  ],
  tunnels: [
    {
      ifname: 'vxlan0',
      tunnels: [
        { vlan: 2, tunid: 20 },
        { vlan: 100, vlanEnd: 199, tunid: 10100, tunidEnd: 10199 },
      ],
    },
  ],
};

const MST = [
  {
    ifname: 'tap1_0',
    mst: [
      { msti: 0, state: 'forwarding' as const },
      { msti: 12, state: 'blocking' as const },
    ],
  },
  { ifname: 'vxlan0', mst: [{ msti: 0, state: 'learning' as const }] },
];

const idle = { rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0, rx_dropped: 0, tx_dropped: 0, drops: {} };
const STATS: StatsAnswer = {
  links: { tap1_0: { ...idle, rx_packets: 1, rx_bytes: 60 }, vxlan0: { ...idle, tx_packets: 1, tx_bytes: 60 } },
  drops: {},
  remotes: {},
  vnis: {},
  replicated: 0,
  retired: { rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0, drops: {} },
  fdb: { entries: 2, learned: 1, moved: 1, aged: 0, refused: 0 },
};

const folder = scratch();
let served: FakeSwitch;

beforeAll(async () => {
  const table = {
    '/v1/links': LINKS,
    '/v1/fdb': FDB,
    '/v1/vlans': { ...VLANS, mst: MST },
    '/v1/stats': STATS,
    '/v1/config': CONFIG,
  };
  served = await fakeSwitch(folder.file('switch.sock'), routes(table));
});
afterAll(async () => {
  await served.close();
  folder.remove();
});

const ask = (...words: string[]): Promise<CliResult> => overtap(['-s', served.socket, ...words]);

/** The JSON that a successful command printed, on one line. */
async function json(...words: string[]): Promise<unknown> {
  const { status, out, err } = await ask(...words, '--json');
  expect({ status, err, lines: out.split('\n').length }).toEqual({ status: 0, err: '', lines: 2 });
  return JSON.parse(out);
}

describe('fdb show', () => {
  const lines = [
    '02:00:00:00:02:01 dev tap1_0 vlan 2 master br1 static',
    '02:00:00:00:02:02 dev vxlan0 vlan 2 dst 192.0.2.2 src_vni 20 master br1',
    '00:00:00:00:00:00 dev vxlan0 dst 192.0.2.2 self permanent',
  ];

  it('prints all entries; the word show may be left out or shortened', async () => {
    const all = { status: 0, out: `${lines.join('\n')}\n`, err: '' };
    expect(await ask('fdb', 'show')).toEqual(all);
    expect(await ask('fdb')).toEqual(all);
    expect(await ask('fdb', 'sh')).toEqual(all);
  });

  it.each([
    ['br br1', [0, 1, 2]],
    ['br br2', []],
    ['dev vxlan0', [1, 2]],
    ['brport tap1_0', [0]],
    ['vlan 2', [0, 1]],
    ['vni 20', [1]],
    ['src_vni 21', []],
    ['dst 192.0.2.2', [1, 2]],
    ['dst 192.0.2.2 static permanent', [2]],
    ['dynamic', [1]],
    ['static permanent', [0, 2]],
    ['state permanent', [2]],
    ['state all', [0, 1, 2]],
    ['dev vxlan0 vlan 2 dynamic br br1', [1]],
  ])('narrows by %s', async (words, expected) => {
    const { out } = await ask('fdb', 'show', ...words.split(' '));
    expect(out).toBe(expected.map((index) => `${lines[index]}\n`).join(''));
    expect(await json('fdb', 'show', ...words.split(' '))).toEqual(expected.map((index) => FDB[index]));
  });

  it('leaves the narrowing to the switch', async () => {
    const before = served.requests.length;
    await ask('fdb', 'show', 'br', 'br1', 'dev', 'vxlan0', 'src_vni', '20', 'vlan', '2', 'dst', '192.0.2.2', 'dynamic');
    expect(served.requests.slice(before)).toEqual([
      'GET /v1/links',
      'GET /v1/fdb?state=dynamic&dev=vxlan0&br=br1&vlan=2&vni=20&dst=192.0.2.2',
    ]);
  });

  it('gets one entry, or says that it is not there', async () => {
    const one = { status: 0, out: `${lines[1]}\n`, err: '' };
    expect(await ask('fdb', 'get', '02:00:00:00:02:02', 'vlan', '2')).toEqual(one);
    expect(await ask('fdb', 'get', 'to', '02:00:00:00:02:02', 'br', 'br1', 'vni', '20', 'dynamic')).toEqual(one);
    expect(await json('fdb', 'get', '02:00:00:00:02:02', 'dev', 'vxlan0')).toEqual([FDB[1]]);
    expect(await ask('fdb', 'get', '02:00:00:00:02:0A', 'vlan', '2')).toEqual({
      status: 1,
      out: '',
      err: 'overtap: there is no such FDB entry for 02:00:00:00:02:0a\n',
    });
  });

  it('says what cannot be found', async () => {
    for (const [word = '', expected] of [
      ['dev', 'Cannot find device "x"; "link show" lists all links'],
      ['br', 'Cannot find bridge device "x"; "link show type bridge" lists all bridges'],
    ]) {
      expect(await ask('fdb', 'show', word, 'x')).toEqual({ status: 1, out: '', err: `overtap: ${expected}\n` });
    }
    const { status, err } = await ask('fdb', 'show', 'br', 'tap1_0');
    expect({ status, err }).toEqual({ status: 1, err: 'overtap: "tap1_0" is a tap link, not a bridge\n' });
  });
});

describe('vlan show and tunnelshow', () => {
  it('prints columns', async () => {
    expect((await ask('vlan')).out).toBe(
      'port              vlan-id\ntap1_0            2 PVID Egress Untagged\nvxlan0            2\n                  100-199\n',
    );
    expect((await ask('vlan', 'tunnel')).out).toBe(
      'port              vlan-id    tunnel-id\nvxlan0            2          20\n                  100-199    10100-10199\n',
    );
  });

  it('passes JSON on, and narrows it', async () => {
    expect((await ask('mst')).out).toBe(
      [
        'port              msti     state',
        'tap1_0            0        forwarding',
        '                  12       blocking',
        'vxlan0            0        learning',
        '',
      ].join('\n'),
    );
    expect(await json('mst', 'show', 'dev', 'vxlan0')).toEqual([MST[1]]);
    expect(await json('vlan', 'show')).toEqual(VLANS.vlans);
    expect(await json('vlan', 'tunnelshow')).toEqual(VLANS.tunnels);
    expect(await json('vlan', 'show', 'dev', 'tap1_0')).toEqual([VLANS.vlans[0]]);
    expect(await json('vlan', 'show', 'vid', '150')).toEqual([
      { ifname: 'vxlan0', vlans: [{ vlan: 100, vlanEnd: 199, flags: [] }] },
    ]);
    expect(await json('vlan', 'tunnelshow', 'vid', '2')).toEqual([
      { ifname: 'vxlan0', tunnels: [{ vlan: 2, tunid: 20 }] },
    ]);
    expect(await json('vlan', 'tunnelshow', 'dev', 'tap1_0')).toEqual([]);
  });

  it('says what cannot be found', async () => {
    const { status, err } = await ask('vlan', 'show', 'dev', 'x');
    expect({ status, err }).toEqual({
      status: 1,
      err: 'overtap: Cannot find device "x"; "link show" lists all links\n',
    });
  });
});

describe('link show', () => {
  it('prints all, or one', async () => {
    const all = await ask('link', 'show');
    expect(all.out.split('\n').filter((line) => /^\S/.test(line))).toHaveLength(LINKS.length);
    const one = 'vxlan0: mtu 1450 master br1 state UP\n    type vxlan local 192.0.2.1\n';
    expect(await ask('link', 'show', 'vxlan0')).toEqual({ status: 0, out: one, err: '' });
    expect((await ask('link', 'show', 'dev', 'vxlan0')).out).toBe(one);
    expect(await json('link', 'show', 'vxlan0')).toEqual([LINKS[2]]);
    expect(await json('link')).toEqual(LINKS);
  });

  it('narrows by bridge, type and state', async () => {
    const names = async (...words: string[]): Promise<unknown[]> =>
      ((await json('link', 'show', ...words)) as LinkRow[]).map((row) => row.ifname);
    expect(await names('master', 'br1')).toEqual(['tap1_0', 'vxlan0']);
    expect(await names('master', 'br1', 'type', 'tap')).toEqual(['tap1_0']);
    expect(await names('nomaster', 'up')).toEqual(['br1']);
    expect(await names('type', 'bridge')).toEqual(['br1', 'br2']);
    expect(await ask('link', 'show', 'type', 'veth')).toEqual({
      status: 2,
      out: '',
      err: `overtap: "type" takes ${LINK_TYPES.join(', ')}, not "veth"\n`,
    });
    expect((await ask('link', 'show', 'master', 'tap1_0')).err).toBe('overtap: "tap1_0" is a tap link, not a bridge\n');
  });

  it('says what cannot be found', async () => {
    expect(await ask('link', 'show', 'x')).toEqual({
      status: 1,
      out: '',
      err: 'overtap: Cannot find device "x"; "link show" lists all links\n',
    });
  });
});

describe('config show, and --details', () => {
  it('prints the configuration as YAML, entries a line each', async () => {
    const expected = `bridges:
  br1:
    ports:
      "1e3":
        type: tap
        vlans:
          - { vid: 2, pvid: true }
        addresses: [ 192.0.2.1/24 ]
`;
    expect((await ask('config', 'show')).out).toContain(expected);
    expect(await json('config')).toEqual(CONFIG);
    expect((await ask('config', 'show', 'x')).status).toBe(2);
  });

  it('is taken before and behind the words of every listing', async () => {
    const learned = '02:00:00:00:02:02 dev vxlan0 vlan 2 dst 192.0.2.2 src_vni 20 master br1 used 4 moves 1\n';
    expect((await ask('-d', 'fdb', 'show')).out).toContain(learned);
    expect((await ask('fdb', 'show', '--details')).out).toContain(learned);
    for (const words of [['vlan'], ['vlan', 'tunnelshow'], ['stats'], ['link']])
      expect((await ask(...words, '-d')).status, words.join(' ')).toBe(0);
    expect(served.requests).toContain('GET /v1/links?details=1');
  });
});

describe('stats', () => {
  it('passes JSON on, and narrows it to a link or to the ports of a bridge', async () => {
    expect(await json('stats')).toEqual(STATS);
    expect(await json('stats', 'tap1_0')).toEqual({ links: { tap1_0: STATS.links.tap1_0 } });
    expect(await json('stats', 'br1')).toEqual({ links: STATS.links });
    expect(await json('stats', 'br2')).toEqual({ links: {} });
  });

  it('prints the table, with the balance only when it is whole', async () => {
    expect((await ask('stats')).out).toMatch(
      /^link .*\n[\s\S]*\nbalance: 1 received \+ 0 copied = 1 transmitted \+ 0 dropped\n$/,
    );
    expect((await ask('stats', 'vxlan0')).out).toMatch(/^link .*\nvxlan0 .*\n$/);
  });

  it('says what cannot be found', async () => {
    expect(await ask('stats', 'x')).toEqual({
      status: 1,
      out: '',
      err: 'overtap: Cannot find device "x"; "link show" lists all links\n',
    });
  });
});

describe('naming the switch', () => {
  it('takes -s and --json before, between and after the words', async () => {
    const expected = await ask('fdb', '--json');
    const s = served.socket;
    expect(await overtap(['--json', 'fdb', 'show', '-s', s])).toEqual(expected);
    expect(await overtap(['fdb', '-s', s, '-j', 'show'])).toEqual(expected);
    expect(await overtap(['fdb', 'show', `--control=${s}`, '--json'])).toEqual(expected);
    expect(await overtap(['fdb', '--json'], { OVERTAP_CONTROL: s })).toEqual(expected);
    expect(await overtap(['-s', s, 'fdb', '--json'], { OVERTAP_CONTROL: '/nowhere' })).toEqual(expected);
  });

  it('only reads', () => {
    expect(served.requests.length).toBeGreaterThan(0);
    expect(served.requests.filter((line) => !line.startsWith('GET '))).toEqual([]);
  });
});

describe('a switch that does not do as it should', () => {
  let other: FakeSwitch | undefined;
  afterEach(async () => {
    await other?.close();
    other = undefined;
  });

  const against = async (handler: Handler): Promise<CliResult> => {
    other = await fakeSwitch(folder.file('other.sock'), handler);
    return overtap(['fdb', '-s', other.socket]);
  };

  it('is quoted with its reason when it refuses', async () => {
    const refused = await against((_, outgoing) => {
      outgoing.statusCode = 503;
      outgoing.end('{"error":{"code":"stopping","message":"the switch is going down; try again later"}}');
    });
    expect(refused).toEqual({ status: 1, out: '', err: 'overtap: the switch is going down; try again later\n' });
  });

  it('is said to give no reason when it gives none', async () => {
    const refused = await against((_, outgoing) => {
      outgoing.statusCode = 500;
      outgoing.end('<html>');
    });
    expect(refused.status).toBe(1);
    expect(refused.err).toBe('overtap: the switch refused with HTTP status 500 and gave no reason\n');
  });

  it('is not taken for a switch when it answers in another language', async () => {
    const foreign = await against((_, outgoing) => outgoing.end('hello'));
    expect(foreign.status).toBe(3);
    expect(foreign.err).toContain('is not an overtap switch');
  });
});
