import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LinkRow, MdbAnswer, MdbRow, NeighRow } from '../../src/api/api.js';
import { type CliResult, type FakeSwitch, fakeSwitch, overtap, type Post, scratch, taking } from './harness.js';

/** Beside the place of a member that has reported a group without sources. */
const LEARNED: Pick<MdbRow, 'filter_mode' | 'protocol' | 'flags'> = {
  filter_mode: 'exclude',
  protocol: 'kernel',
  flags: [],
};

const LINKS: LinkRow[] = [
  { ifname: 'br0', type: 'bridge', operstate: 'UP', mtu: 1450 },
  { ifname: 'tap1', type: 'tap', master: 'br0', operstate: 'UP', mtu: 1450 },
  { ifname: 'vxlan0', type: 'vxlan', master: 'br0', operstate: 'UP', mtu: 1450 },
];
const NEIGH: NeighRow[] = [
  { dst: '198.18.0.2', lladdr: '02:00:00:00:00:02', vlan: 10, vni: 20, ifname: 'vxlan0', state: 'permanent' },
  { dst: '2001:db8::1', lladdr: '02:00:00:00:00:01', ifname: 'tap1', state: 'stale', router: true },
];
const MDB: MdbAnswer = {
  mdb: [
    { dev: 'br0', port: 'tap1', grp: '239.1.1.1', vid: 10, state: 'temp', ...LEARNED, timer: 250 },
    { dev: 'br0', port: 'vxlan0', grp: 'ff05::2', dst: '192.0.2.2', state: 'permanent', ...LEARNED },
  ],
  router: [{ dev: 'br0', port: 'tap1', type: 'temp', timer: 12 }],
};

const folder = scratch();
const posts: Post[] = [];
const answers: Record<string, unknown> = {};
let served: FakeSwitch;

beforeAll(async () => {
  const table = { '/v1/links': LINKS, '/v1/neigh': NEIGH, '/v1/mdb': MDB };
  served = await fakeSwitch(folder.file('switch.sock'), taking(posts, table, answers));
});
afterAll(async () => {
  await served.close();
  folder.remove();
});
beforeEach(() => {
  posts.length = 0;
  for (const path of Object.keys(answers)) delete answers[path];
});

const ask = (line: string): Promise<CliResult> => overtap(['-s', served.socket, ...line.split(' ')]);

const QUIET = { status: 0, out: '', err: '' };

describe('a change', () => {
  const cases: [string, string, unknown][] = [
    [
      'link add tap2 type tap netns ns2 addr 100.0.1.2/24 master br0',
      '/v1/links',
      {
        op: 'add',
        name: 'tap2',
        type: 'tap',
        master: 'br0',
        options: { netns: 'ns2', addresses: ['100.0.1.2/24'] },
      },
    ],
    ['link set tap1 nomaster', '/v1/links', { op: 'set', name: 'tap1', master: null }],
    ['link delete tap1', '/v1/links', { op: 'del', name: 'tap1' }],
    [
      'fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.0.2.3 src_vni 2',
      '/v1/fdb',
      { op: 'append', mac: '00:00:00:00:00:00', dev: 'vxlan0', dst: '192.0.2.3', src_vni: 2 },
    ],
    ['fdb rep 02:00:00:00:00:01 dev tap1', '/v1/fdb', { op: 'replace', mac: '02:00:00:00:00:01', dev: 'tap1' }],
    ['fdb add 02:00:00:00:00:01 dev tap1', '/v1/fdb', { op: 'add', mac: '02:00:00:00:00:01', dev: 'tap1' }],
    ['fdb d 02:00:00:00:00:01 dev tap1', '/v1/fdb', { op: 'del', mac: '02:00:00:00:00:01', dev: 'tap1' }],
    ['vlan add vid 2 dev tap1 pvid', '/v1/vlans', { op: 'add', dev: 'tap1', vid: 2, pvid: true }],
    ['vlan del vid 2-9 dev tap1', '/v1/vlans', { op: 'del', dev: 'tap1', vid: 2, vidEnd: 9 }],
    [
      'vlan global set dev br1 vid 2-9 msti 3',
      '/v1/vlans',
      { op: 'global', dev: 'br1', vid: 2, vidEnd: 9, options: { msti: 3 } },
    ],
    ['mst set dev tap1 msti 3 state blocking', '/v1/vlans', { op: 'mst', dev: 'tap1', msti: 3, state: 'blocking' }],
    ['mst set dev tap1 msti 0 state 3', '/v1/vlans', { op: 'mst', dev: 'tap1', msti: 0, state: 'forwarding' }],
    [
      'neigh add 198.18.0.3 lladdr 02:00:00:00:00:03 dev vxlan0 vlan 10',
      '/v1/neigh',
      { op: 'add', dst: '198.18.0.3', lladdr: '02:00:00:00:00:03', dev: 'vxlan0', vlan: 10 },
    ],
    ['neigh del 198.18.0.3 dev vxlan0', '/v1/neigh', { op: 'del', dst: '198.18.0.3', dev: 'vxlan0' }],
    [
      'mdb add dev br0 port tap1 grp 239.1.1.1 vid 10',
      '/v1/mdb',
      { op: 'add', dev: 'br0', port: 'tap1', grp: '239.1.1.1', vid: 10 },
    ],
    ['mdb del dev br0 port tap1 grp 239.1.1.1', '/v1/mdb', { op: 'del', dev: 'br0', port: 'tap1', grp: '239.1.1.1' }],
  ];

  it.each(cases)('%s is one request', async (line, path, body) => {
    expect(await ask(line)).toEqual(QUIET);
    expect(posts).toEqual([{ path, body }]);
  });

  it('that is wrong is no request at all', async () => {
    for (const line of [
      'link set tap1 flod off',
      'fdb add x dev tap1',
      'vlan add dev tap1',
      'neigh del x',
      'mst set dev tap1 state blocking',
      'mst set dev tap1 msti 4096 state blocking',
      'mst set dev tap1 msti 1 state shut',
      'mdb add',
    ]) {
      const { status, out, err } = await ask(line);
      expect({ line, status, out }).toEqual({ line, status: 2, out: '' });
      expect(err).toMatch(/^overtap: .+\n$/);
    }
    expect(posts).toEqual([]);
    expect(served.requests.filter((line) => line.startsWith('POST'))).toHaveLength(cases.length);
  });
});

describe('a refused change', () => {
  let refusing: FakeSwitch;
  beforeAll(async () => {
    refusing = await fakeSwitch(folder.file('refusing.sock'), (incoming, outgoing) => {
      incoming.resume().on('end', () => {
        outgoing.statusCode = 409;
        outgoing.end('{"error":{"code":"exists","message":"there is a link tap1 already; choose another name"}}');
      });
    });
  });
  afterAll(() => refusing.close());

  it('ends with 1 and the reason', async () => {
    const refused = { status: 1, out: '', err: 'overtap: there is a link tap1 already; choose another name\n' };
    for (const line of ['link add tap1 type tap', 'fdb flush dev tap1', 'vlan del dev tap1 vid 2']) {
      expect(await overtap(['-s', refusing.socket, ...line.split(' ')])).toEqual(refused);
    }
  });
});

describe('fdb flush', () => {
  it('says how many went', async () => {
    answers['/v1/fdb'] = { removed: 12 };
    expect(await ask('fdb flush dev tap1 state static')).toEqual({ ...QUIET, out: 'removed 12 entries\n' });
    expect(await ask('fdb flush --json')).toEqual({ ...QUIET, out: '{"removed":12}\n' });
    answers['/v1/fdb'] = { removed: 1 };
    expect(await ask('fdb flush')).toEqual({ ...QUIET, out: 'removed 1 entry\n' });
    expect(posts.map((post) => post.body)).toEqual([
      { op: 'flush', dev: 'tap1', state: ['static'] },
      { op: 'flush' },
      { op: 'flush' },
    ]);
  });
});

describe('neigh show', () => {
  const lines = [
    '198.18.0.2 dev vxlan0 lladdr 02:00:00:00:00:02 vlan 10 src_vni 20 PERMANENT\n',
    '2001:db8::1 dev tap1 lladdr 02:00:00:00:00:01 router STALE\n',
  ];
  it.each([
    ['', [0, 1]],
    [' dev vxlan0', [0]],
    [' 2001:db8:0::1', [1]],
    [' vlan 10 vni 20', [0]],
    [' nud stale', [1]],
    [' stale dev vxlan0', []],
  ])('narrows by%s', async (words, expected) => {
    expect(await ask(`neigh show${words}`)).toEqual({ ...QUIET, out: expected.map((index) => lines[index]).join('') });
    expect(JSON.parse((await ask(`neigh show${words} --json`)).out)).toEqual(expected.map((index) => NEIGH[index]));
  });

  it('says what cannot be found', async () => {
    expect(await ask('neigh show dev x')).toEqual({
      status: 1,
      out: '',
      err: 'overtap: Cannot find device "x"; "link show" lists all links\n',
    });
  });
});

describe('mdb show', () => {
  const lines = [
    'dev br0 port tap1 grp 239.1.1.1 temp vid 10 timer 250\n',
    'dev br0 port vxlan0 grp ff05::2 dst 192.0.2.2 permanent\n',
    'router dev br0 port tap1 temp timer 12\n',
  ];
  it.each([
    ['', [0, 1, 2]],
    [' dev br0', [0, 1, 2]],
    [' port tap1', [0, 2]],
    [' vid 10', [0]],
    [' grp ff05:0::2', [1]],
  ])('narrows by%s', async (words, expected) => {
    expect(await ask(`mdb show${words}`)).toEqual({ ...QUIET, out: expected.map((index) => lines[index]).join('') });
  });

  it('prints JSON as bridge -j -d -s mdb show does', async () => {
    const common = { index: 1, dev: 'br0' };
    const learned = { filter_mode: 'exclude', protocol: 'kernel', flags: [] };
    const rows = [
      { ...common, port: 'tap1', grp: '239.1.1.1', state: 'temp', ...learned, vid: 10, timer: ' 250.00' },
      { ...common, port: 'vxlan0', grp: 'ff05::2', state: 'permanent', ...learned, timer: '   0.00', dst: '192.0.2.2' },
    ];
    const router = { br0: [{ port: 'tap1', timer: '  12.00', type: 'temp' }] };
    expect(JSON.parse((await ask('mdb --json')).out)).toEqual([{ mdb: rows, router }]);
    expect(JSON.parse((await ask('mdb show grp ff05::2 --json')).out)).toEqual([{ mdb: [rows[1]], router: {} }]);
  });

  it('says what cannot be found', async () => {
    const err = 'overtap: "tap1" is a tap link, not a bridge\n';
    expect(await ask('mdb show dev tap1')).toEqual({ status: 1, out: '', err });
    expect((await ask('mdb show port x')).err).toBe('overtap: Cannot find device "x"; "link show" lists all links\n');
  });
});

describe('apply', () => {
  const commands = ['link add tap2 master br0 type tap', 'vlan add dev tap2 vid 2'];
  let path: string;
  beforeAll(() => {
    path = folder.file('host1.yaml');
    writeFileSync(path, 'name: host1\nbridges:\n  br0:\n    ports:\n      tap1: { type: tap, vlans: [{ vid: 2 }] }\n');
  });
  afterEach(() => {
    writeFileSync(folder.file('bad.yaml'), '');
  });

  it('sends the file as it stands there, and prints what was done', async () => {
    answers['/v1/apply'] = { commands };
    expect(await ask(`apply -c ${path}`)).toEqual({ ...QUIET, out: `${commands.join('\n')}\n` });
    expect(await ask(`apply -c ${path} --dry-run --json`)).toEqual({
      ...QUIET,
      out: `${JSON.stringify({ commands })}\n`,
    });
    const config = { name: 'host1', bridges: { br0: { ports: { tap1: { type: 'tap', vlans: [{ vid: 2 }] } } } } };
    expect(posts).toEqual([
      { path: '/v1/apply', body: { config } },
      { path: '/v1/apply', body: { config, dry_run: true } },
    ]);
  });

  it('says when there is nothing to do', async () => {
    answers['/v1/apply'] = { commands: [] };
    expect(await ask(`apply -c ${path}`)).toEqual({
      ...QUIET,
      out: 'nothing to do: the switch has this configuration\n',
    });
    expect((await ask(`apply -c ${path} --json`)).out).toBe('{"commands":[]}\n');
  });

  it('shows the faults that check shows, and asks no switch', async () => {
    const bad = folder.file('bad.yaml');
    writeFileSync(
      bad,
      'bridges:\n  br0:\n    colour: red\n    ports:\n      tap1: { type: tap, vlans: [{ vid: 0 }] }\n',
    );
    const result = await ask(`apply -c ${bad}`);
    expect(result.status).toBe(2);
    expect(result.err.trimEnd().split('\n')).toHaveLength(2);
    expect(result).toEqual(await overtap(['check', '-c', bad]));
    expect(posts).toEqual([]);
  });

  it('needs a file, and a switch', async () => {
    expect((await ask('apply')).err).toBe(
      `overtap: required option '-c, --config <FILE>' not specified (see "overtap apply --help")\n`,
    );
    expect((await overtap(['apply', '-c', path, '-s', folder.file('none.sock')])).status).toBe(3);
  });
});
