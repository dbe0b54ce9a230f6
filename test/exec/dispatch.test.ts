/** Any request of any program is answered, refused with a text, or left to the kernel; and nothing else happens. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SwitchClient } from '../../src/client/client.js';
import { answerCall } from '../../src/exec/calls.js';
import { dispatch } from '../../src/exec/dispatch.js';
import { datagrams, readCaller } from '../../src/exec/exchange.js';
import { isStatic } from '../../src/exec/program.js';
import { counterBytes } from '../../src/exec/link-messages.js';
import type { SysfsTrees } from '../../src/exec/sysfs.js';
import { isVirtual, LinkCache, virtualIndex } from '../../src/exec/view.js';
import { readAttributes } from '../../src/netlink/attributes.js';
import { PORT_OPTIONS } from '../../src/netlink/bridge-options.js';
import { writeOptions } from '../../src/netlink/option-table.js';
import { acknowledgement, dumpEnd, errnoOf, readMessages, writeMessage } from '../../src/netlink/message.js';
import { RTM } from '../../src/netlink/rtnetlink.js';

const LINKS = [
  { ifname: 'br0', type: 'bridge', operstate: 'UP', mtu: 1450, vlan_filtering: true, up: true },
  { ifname: 'vxlan0', type: 'vxlan', master: 'br0', operstate: 'UP', mtu: 1450, vlan_tunnel: true, up: true },
];
const READ = {
  '/v1/links': LINKS,
  '/v1/vlans': {
    vlans: [{ ifname: 'vxlan0', vlans: [{ vlan: 2, vlanEnd: 9, flags: ['PVID'] }] }],
    tunnels: [],
    vnis: [{ ifname: 'vxlan0', vnis: [{ vni: 110, vniEnd: 112, remote: '192.0.2.7' }] }],
    mst: [
      {
        ifname: 'vxlan0',
        mst: [
          { msti: 0, state: 'forwarding' },
          { msti: 1, state: 'blocking' },
        ],
      },
    ],
    globals: [{ ifname: 'br0', vlans: [{ vlan: 2, mcast_snooping: 1, mcast_querier: 0, mcast_query_interval: 6000 }] }],
  },
  '/v1/fdb': [
    {
      mac: '02:00:00:00:00:01',
      ifname: 'vxlan0',
      master: 'br0',
      vlan: 2,
      vni: 2,
      dst: '192.0.2.2',
      state: 'dynamic',
      flags: [],
      moves: 0,
    },
  ],
  '/v1/mdb': {
    mdb: [
      {
        dev: 'vxlan0',
        port: 'vxlan0',
        grp: '239.1.1.1',
        dst: '192.0.2.9',
        src_vni: 110,
        state: 'permanent',
        protocol: 'static',
        flags: [],
      },
    ],
    router: [],
  },
  '/v1/nexthops': [],
  '/v1/routes': [],
  '/v1/neigh': [],
  '/v1/stats': { links: {} },
};

/** A switch with two links that takes every change. */
function fakeSwitch(posted: unknown[], read: Partial<typeof READ> = {}): SwitchClient {
  const client = {
    socketPath: '/none',
    get: async (path: string) => ({ ...READ, ...read })[path.replace(/\?.*/, '') as keyof typeof READ],
    post: async (path: string, body: unknown) => void posted.push({ path, body }),
  };
  return client as unknown as SwitchClient;
}

/** A kernel without any link. */
async function fakeKernel(question: Buffer): Promise<{ errno: number; bytes: Buffer }> {
  const [request] = readMessages(question);
  if (request === undefined) throw new Error('no request');
  const isDump = request.type % 4 === 2 && (request.flags & 0x300) === 0x300;
  return { errno: 0, bytes: isDump ? dumpEnd(request, 1) : acknowledgement(request, 1, 19) };
}

const CALLER = { netns: 1, pid: 2, portid: 3, strict: true };

async function ask(
  bytes: Buffer,
  read: Partial<typeof READ> = {},
): Promise<{ answer: Buffer[] | null; posted: unknown[]; faults: unknown[] }> {
  const [posted, faults]: [unknown[], unknown[]] = [[], []];
  const client = fakeSwitch(posted, read);
  const switches = { of: async () => ({ client, links: new LinkCache(client) }) };
  const answer = await dispatch({ switches, report: (error) => faults.push(error) }, CALLER, bytes, {
    ask: fakeKernel,
  });
  return { answer, posted, faults };
}

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const index = (name: string): string => {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(virtualIndex(name));
  return out.toString('hex');
};
const request = (type: number, flags: number, hex: string): Buffer =>
  writeMessage({ type, flags, seq: 9, pid: 0, payload: bytes(hex) });

const SAMPLES = {
  'bridge vlan add dev vxlan0 vid 10-19 tunnel_info id 110-119': request(
    RTM.SETLINK,
    5,
    `07000000 ${index('vxlan0')} 00000000 00000000 3c00 1a00 1c00 0300 0800 0100 6e000000 0600 0200 0a00 0000 0600 0300 0800 0000 1c00 0300 0800 0100 77000000 0600 0200 1300 0000 0600 0300 1000 0000`,
  ),
  'bridge fdb append': request(
    RTM.NEWNEIGH,
    0x0c05,
    `07 00 0000 ${index('vxlan0')} c000 02 00 0a00 0200 000000000000 0000 0800 0100 c0000203 0800 0b00 66000000`,
  ),
  'ip link add br1 type bridge': request(
    RTM.NEWLINK,
    0x605,
    '00000000 00000000 00000000 00000000 0800 0300 62723100 1400 1200 0b00 0100 62726964676500 00 0400 0200',
  ),
  'ip link set vxlan0 down master br0': request(
    RTM.NEWLINK,
    5,
    `00000000 ${index('vxlan0')} 00000000 01000000 0800 0a00 ${index('br0')}`,
  ),
  'bridge mdb add dev br0 port vxlan0 grp 239.1.1.1 permanent': request(
    RTM.NEWMDB,
    0x605,
    `07000000 ${index('br0')} 2000 0100 ${index('vxlan0')} 01 00 0200 ef010101 000000000000000000000000 0800 0000`,
  ),
  'bridge mdb add dev vxlan0 port vxlan0 grp 239.1.1.1 dst 192.0.2.9 src_vni 110': request(
    RTM.NEWMDB,
    0x605,
    `07000000 ${index('vxlan0')} 2000 0100 ${index('vxlan0')} 01 00 0000 ef010101 000000000000000000000000 0800 0000 1400 0280 0800 0500 c0000209 0800 0900 6e000000`,
  ),
  'bridge mdb flush dev vxlan0 src_vni 110': request(
    RTM.DELMDB,
    0x205,
    `07000000 ${index('vxlan0')} 2000 0100 00000000 00 00 0000 00000000 000000000000000000000000 0000 0000 0c00 0280 0800 0900 6e000000`,
  ),
  'bridge mdb get dev vxlan0 grp 239.1.1.1 src_vni 110': request(
    RTM.GETMDB,
    1,
    `07000000 ${index('vxlan0')} 2000 0100 00000000 00 00 0000 ef010101 000000000000000000000000 0800 0000 0c00 0280 0800 0900 6e000000`,
  ),
  'bridge mdb get dev vxlan0 grp 239.1.1.9': request(
    RTM.GETMDB,
    1,
    `07000000 ${index('vxlan0')} 2000 0100 00000000 00 00 0000 ef010109 000000000000000000000000 0800 0000`,
  ),
  'ip addr add dev vxlan0': request(RTM.NEWADDR, 0x605, `02 18 00 00 ${index('vxlan0')} 0800 0200 0a002a01`),
  'bridge mdb show': request(RTM.GETMDB, 0x305, '07000000 00000000'),
  'ip link show': request(RTM.GETLINK, 0x305, '11000000 00000000 00000000 00000000 0800 1d00 01000000'),
  'bridge link show': request(RTM.GETLINK, 0x305, '07000000 00000000 00000000 00000000 0800 1d00 02000000'),
  'bridge fdb show': request(RTM.GETNEIGH, 0x305, '07 00 0000 00000000 0000 00 00'),
  'bridge vlan set': request(
    RTM.NEWVLAN,
    5,
    `07000000 ${index('vxlan0')} 1400 0180 0800 0100 4000 0200 0500 0600 02 000000`,
  ),
  'bridge mst set dev vxlan0 msti 1 state 4': request(
    RTM.SETLINK,
    5,
    `07000000 ${index('vxlan0')} 00000000 00000000 1c00 1a00 1800 0600 1400 0100 0600 0100 0100 0000 0500 0200 04 000000`,
  ),
  'bridge mst show': request(RTM.GETLINK, 0x305, '07000000 00000000 00000000 00000000 0800 1d00 80000000'),
  'bridge vlan global set': request(
    RTM.NEWVLAN,
    5,
    `07000000 ${index('br0')} 1400 0280 0600 0100 0200 0000 0500 0f00 01 000000`,
  ),
  'bridge vni add dev vxlan0 vni 111-120': request(
    RTM.NEWTUNNEL,
    5,
    `07000000 ${index('vxlan0')} 1400 0180 0800 0100 6f000000 0800 0200 78000000`,
  ),
  'bridge vni add dev vxlan0 vni 110 group 239.1.1.1': request(
    RTM.NEWTUNNEL,
    5,
    `07000000 ${index('vxlan0')} 1400 0180 0800 0100 6e000000 0800 0300 ef010101`,
  ),
  'bridge vni delete dev vxlan0 vni 110': request(
    RTM.DELTUNNEL,
    5,
    `07000000 ${index('vxlan0')} 0c00 0180 0800 0100 6e000000`,
  ),
  'bridge -s vni show': request(RTM.GETTUNNEL, 0x305, '07010000 00000000'),
  'bridge -s vlan show': request(RTM.GETSTATS, 0x305, '00000000 00000000 06000000'),
  'bridge -s -d vlan show': request(RTM.GETVLAN, 0x305, '07000000 00000000 0800 0100 01000000'),
  'bridge vlan global show': request(RTM.GETVLAN, 0x305, '07000000 00000000 0800 0100 02000000'),
  'bridge vlan show': request(RTM.GETVLAN, 0x305, '07 00 0000 00000000'),
};

test('a range of tunnels is one request', async () => {
  const { posted } = await ask(SAMPLES['bridge vlan add dev vxlan0 vid 10-19 tunnel_info id 110-119']);
  expect(posted).toEqual([
    { path: '/v1/vlans', body: { op: 'add', dev: 'vxlan0', vid: 10, vidEnd: 19, tunid: 110, tunidEnd: 119 } },
  ]);
});

test('an entry of a flood list', async () => {
  const vnis = {
    ...READ['/v1/vlans'],
    vnis: [{ ifname: 'vxlan0', vnis: [{ vni: 102, vniEnd: 102, remote: '192.0.2.7' }] }],
  };
  const { posted, answer } = await ask(SAMPLES['bridge fdb append'], { '/v1/vlans': vnis });
  expect(posted).toEqual([
    {
      path: '/v1/fdb',
      body: {
        op: 'append',
        mac: '00:00:00:00:00:00',
        dev: 'vxlan0',
        src_vni: 102,
        dst: '192.0.2.3',
        state: 'permanent',
      },
    },
  ]);
  expect(errnoOf(readMessages(answer?.[0] as Buffer)[0] as never)).toBe(0);
});

test.each([
  // NUD_PERMANENT is 0x80, NUD_NOARP 0x40; state, then the mask, as iproute2 6.15 sends them.
  ['permanent', '8000', '8000', ['permanent']],
  ['nopermanent', '0000', '8000', ['static', 'dynamic']],
  ['static', '4000', 'c000', ['static']],
  ['nostatic', '0000', '4000', ['dynamic']],
  ['dynamic', '0000', 'c000', ['dynamic']],
  ['(none)', '0000', '0000', ['permanent', 'static', 'dynamic']],
])('bridge fdb flush dev vxlan0 %s', async (_word, state, mask, states) => {
  // struct ndmsg, with NTF_SELF; NDA_NDM_STATE_MASK.
  const payload = `07000000 ${index('vxlan0')} ${state} 02 00 0600 1000 ${mask} 0000`;
  const { posted } = await ask(request(RTM.DELNEIGH, 0x205, payload));
  expect(posted).toEqual([{ path: '/v1/fdb', body: { op: 'flush', dev: 'vxlan0', state: states } }]);
});

test('a link that is told after a change is read anew, as it counts entries', async () => {
  const paths: string[] = [];
  const fake = fakeSwitch([]);
  const get = (path: '/v1/links') => {
    paths.push(path);
    return fake.get(path);
  };
  const client = { ...fake, get } as unknown as SwitchClient;
  const here = { client, links: new LinkCache(client) };
  const one = { switches: { of: async () => here }, report: () => undefined };
  const append = SAMPLES['bridge fdb append'];
  // struct ifinfomsg.
  const tell = request(RTM.GETLINK, 1, `00000000 ${index('vxlan0')} 00000000 00000000`);
  const reads = async (bytes: Buffer): Promise<number> => {
    await dispatch(one, CALLER, bytes, { ask: fakeKernel });
    return paths.filter((path) => path.startsWith('/v1/links')).length;
  };
  const before = await reads(append);
  expect(await reads(tell)).toBe(before + 1);
});

test('a port tells how many groups it has', () => {
  // IFLA_BRPORT_MCAST_N_GROUPS.
  const groups = writeOptions(PORT_OPTIONS, { mcast_n_groups: 0x0102 }).find(({ type }) => type === 41);
  expect(groups?.value.toString('hex')).toBe('02010000');
});

test('drops that the kernel counts as errors are errors', () => {
  const traffic = { rx_packets: 1, rx_bytes: 2, tx_packets: 3, tx_bytes: 4 };
  const drops = { ecn_invalid: 5, vtep_unknown: 2, tx_error: 1, mtu_exceeded: 3 };
  const { long, short } = counterBytes({ ...traffic, rx_dropped: 7, tx_dropped: 4, drops });
  // struct rtnl_link_stats64: packets, bytes, errors, dropped, each rx and tx; rx_frame_errors is the 14th.
  const wide = Array.from({ length: 24 }, (_none, at) => Number(long.readBigUInt64LE(at * 8)));
  expect(wide).toEqual([1, 3, 2, 4, 5, 1, 2, 3, 0, 0, 0, 0, 0, 5, ...Array(10).fill(0)]);
  expect(Array.from({ length: 24 }, (_none, at) => short.readUInt32LE(at * 4))).toEqual(wide);
  expect([...counterBytes(undefined).long].every((byte) => byte === 0)).toBe(true);
});

test('a bridge begins down, with a device of its own', async () => {
  const { posted } = await ask(SAMPLES['ip link add br1 type bridge']);
  expect(posted).toEqual([
    { path: '/v1/links', body: { op: 'add', name: 'br1', type: 'bridge', options: { host_port: true, up: false } } },
  ]);
});

test('state and bridge of a link', async () => {
  const { posted } = await ask(SAMPLES['ip link set vxlan0 down master br0']);
  expect(posted).toEqual([
    { path: '/v1/links', body: { op: 'set', name: 'vxlan0', options: { up: false }, waits: true } },
  ]);
});

test('a state in an instance of the spanning tree', async () => {
  const { posted } = await ask(SAMPLES['bridge mst set dev vxlan0 msti 1 state 4']);
  expect(posted).toEqual([{ path: '/v1/vlans', body: { op: 'mst', dev: 'vxlan0', msti: 1, state: 'blocking' } }]);
});

test('states in instances of the spanning tree', async () => {
  const { answer } = await ask(SAMPLES['bridge mst show']);
  const found = (answer ?? []).flatMap((one) => readMessages(one)).map(({ payload }) => payload.toString('hex'));
  // IFLA_BRIDGE_MST with an entry for each of the two instances.
  const nest =
    '2c000600' +
    '14000100' +
    '0600010000000000' +
    '0500020003000000' +
    '14000100' +
    '0600010001000000' +
    '0500020004000000';
  expect(found.filter((hex) => hex.includes(nest))).toHaveLength(1);
});

test('a group of a bridge', async () => {
  const { posted } = await ask(SAMPLES['bridge mdb add dev br0 port vxlan0 grp 239.1.1.1 permanent']);
  const group = { dev: 'br0', port: 'vxlan0', grp: '239.1.1.1', vid: 2 };
  expect(posted).toEqual([{ path: '/v1/mdb', body: { op: 'add', ...group, state: 'permanent' } }]);
});

test('groups of a vxlan device', async () => {
  const add = SAMPLES['bridge mdb add dev vxlan0 port vxlan0 grp 239.1.1.1 dst 192.0.2.9 src_vni 110'];
  const key = { dev: 'vxlan0', port: 'vxlan0', grp: '239.1.1.1', dst: '192.0.2.9', src_vni: 110 };
  expect((await ask(add)).posted).toEqual([{ path: '/v1/mdb', body: { op: 'add', ...key, state: 'permanent' } }]);
  expect((await ask(SAMPLES['bridge mdb flush dev vxlan0 src_vni 110'])).posted).toEqual([
    { path: '/v1/mdb', body: { op: 'flush', dev: 'vxlan0', src_vni: 110 } },
  ]);
  const { answer } = await ask(SAMPLES['bridge mdb get dev vxlan0 grp 239.1.1.1 src_vni 110']);
  const [found] = readMessages(answer?.[0] as Buffer);
  expect(found?.type).toBe(RTM.NEWMDB);
  // MDBA_MDB_EATTR_DST and MDBA_MDB_EATTR_SRC_VNI.
  expect(found?.payload.toString('hex')).toContain('08000600c000020908000a006e000000');
  const none = await ask(SAMPLES['bridge mdb get dev vxlan0 grp 239.1.1.9']);
  expect(errnoOf(readMessages(none.answer?.[0] as Buffer)[0] as never)).toBe(2);
});

test('the older ioctl of bridges', async () => {
  const posted: unknown[] = [];
  const client = fakeSwitch(posted);
  const switches = { of: async () => ({ client, links: new LinkCache(client) }) };
  const forgotten = { forget: () => {} } as unknown as SysfsTrees;
  const name = Buffer.from('br0').toString('hex').padEnd(32, '0');
  const call = (code: string, value: string, device = name, second = '0000000000000000') =>
    answerCall(
      { switches, report: () => {} },
      CALLER,
      bytes(`f0890000 ${device} ${code}00000000000000 ${value} ${second}`),
      { ask: fakeKernel },
      forgotten,
    );
  // brctl setfd br0 4; brctl setageing br0 100; brctl stp br0 on
  expect((await call('08', '9001000000000000'))?.errno).toBe(0);
  expect((await call('0b', '1027000000000000'))?.errno).toBe(0);
  expect((await call('0e', '0100000000000000'))?.errno).toBe(0);
  const all = [{ forward_delay: 400 }, { ageing_time: 100 }, { stp_state: true }];
  expect(posted).toEqual(all.map((options) => ({ path: '/v1/links', body: { op: 'set', name: 'br0', options } })));
  // A port that is one already, and a code that has no meaning here.
  const port = Buffer.alloc(8);
  port.writeUInt32LE(virtualIndex('vxlan0'));
  expect((await call('04', port.toString('hex')))?.errno).toBe(16);
  expect((await call('06', '0000000000000000'))?.errno).toBe(95);
  // brctl setpathcost br0 vxlan0 77: the numbers of ports, then the cost of number 1; there is no number 2.
  const list = await call('07', '0000000000000000');
  expect([list?.errno, list?.bytes.length]).toEqual([0, 1024]);
  expect([0, 4, 8].map((at) => list?.bytes.readUInt32LE(at))).toEqual([0, virtualIndex('vxlan0'), 0]);
  posted.length = 0;
  expect((await call('11', '0100000000000000', name, '4d00000000000000'))?.errno).toBe(0);
  expect(posted).toEqual([{ path: '/v1/links', body: { op: 'set', name: 'vxlan0', options: { cost: 77 } } }]);
  expect((await call('11', '0200000000000000', name, '4d00000000000000'))?.errno).toBe(22);
  expect(await call('08', '9001000000000000', Buffer.from('eth0').toString('hex').padEnd(32, '0'))).toBeNull();
});

test('options of VLANs', async () => {
  expect((await ask(SAMPLES['bridge vlan set'])).posted).toEqual([
    { path: '/v1/vlans', body: { op: 'set', dev: 'vxlan0', vid: 2, mcast_router: 2 } },
  ]);
  expect((await ask(SAMPLES['bridge vlan global set'])).posted).toEqual([
    { path: '/v1/vlans', body: { op: 'global', dev: 'br0', vid: 2, options: { mcast_querier: true } } },
  ]);
});

test('VNIs: those without an address are changed where VLANs are mapped to them', async () => {
  expect((await ask(SAMPLES['bridge vni add dev vxlan0 vni 111-120'])).posted).toEqual([
    { path: '/v1/vlans', body: { op: 'vni_add', dev: 'vxlan0', vni: 111, vniEnd: 112 } },
  ]);
  expect((await ask(SAMPLES['bridge vni add dev vxlan0 vni 110 group 239.1.1.1'])).posted).toEqual([
    { path: '/v1/vlans', body: { op: 'vni_add', dev: 'vxlan0', vni: 110, group: '239.1.1.1' } },
  ]);
  expect((await ask(SAMPLES['bridge vni delete dev vxlan0 vni 110'])).posted).toEqual([
    { path: '/v1/vlans', body: { op: 'vni_del', dev: 'vxlan0', vni: 110 } },
  ]);
});

test('with counters each VLAN and each VNI is an entry of its own', async () => {
  const entries = async (sample: Buffer): Promise<number> => {
    const { answer } = await ask(sample);
    const [first] = readMessages(answer?.[0] as Buffer);
    return readAttributes((first as { payload: Buffer }).payload.subarray(8)).length;
  };
  expect(await entries(SAMPLES['bridge -s vni show'])).toBe(3);
  expect(await entries(SAMPLES['bridge -s -d vlan show'])).toBe(8);
  expect(await entries(SAMPLES['bridge vlan show'])).toBe(1);
});

test('an address of a vxlan device asks for its host port', async () => {
  const { posted } = await ask(SAMPLES['ip addr add dev vxlan0']);
  expect(posted).toEqual([{ path: '/v1/links', body: { op: 'set', name: 'vxlan0', options: { host_port: true } } }]);
});

test('answers carry the port id of the asking socket', async () => {
  for (const sample of [
    SAMPLES['ip link show'],
    SAMPLES['bridge link show'],
    SAMPLES['bridge fdb show'],
    SAMPLES['bridge vlan show'],
    SAMPLES['bridge mdb show'],
    SAMPLES['bridge -s vni show'],
    SAMPLES['bridge -s vlan show'],
    SAMPLES['bridge -s -d vlan show'],
    SAMPLES['bridge vlan global show'],
  ]) {
    const { answer } = await ask(sample);
    const all = readMessages(Buffer.concat(answer ?? []));
    expect(all.length).toBeGreaterThan(1);
    expect(all.every(({ pid, seq }) => pid === CALLER.portid && seq === 9)).toBe(true);
    expect(all.at(-1)?.type).toBe(3);
  }
});

test('a table of very many entries is listed', async () => {
  const [row] = READ['/v1/fdb'];
  const { answer } = await ask(SAMPLES['bridge fdb show'], { '/v1/fdb': Array(70_000).fill(row) });
  expect(answer?.length).toBe(140_001);
  expect(readMessages(answer?.at(-1) as Buffer)[0]?.type).toBe(3);
});

test('a listing that no answer has room for is refused with a text', async () => {
  const client = fakeSwitch([]);
  const switches = { of: async () => ({ client, links: new LinkCache(client) }) };
  const long = writeMessage({ type: RTM.NEWVLAN, flags: 2, seq: 1, pid: 0, payload: Buffer.alloc(60_000) });
  const kernel = async (question: Buffer) => {
    const [asked] = readMessages(question);
    const { errno, bytes: end } = await fakeKernel(question);
    return { errno, bytes: asked?.type === RTM.GETVLAN ? Buffer.concat([...Array(1200).fill(long), end]) : end };
  };
  const given = SAMPLES['bridge vlan show'];
  const answer = await dispatch({ switches, report: () => undefined }, CALLER, given, { ask: kernel });
  expect(answer?.map((one) => errnoOf(readMessages(one)[0] as never))).toEqual([90]);
  expect(String(answer?.[0])).toContain('too long for overtap exec');
});

test('a name is asked for as it is', async () => {
  const asked: string[] = [];
  const [bridge] = LINKS;
  const client = {
    get: async (path: string) => {
      asked.push(path);
      return path.startsWith('/v1/links') ? [{ ...bridge, ifname: 'a&b' }] : [];
    },
  } as unknown as SwitchClient;
  const switches = { of: async () => ({ client, links: new LinkCache(client) }) };
  const get = request(RTM.GETNEIGH, 1, `07000000 ${index('a&b')} 0000 0000 0a00 0200 020000000001 0000`);
  await dispatch({ switches, report: () => undefined }, CALLER, get, { ask: fakeKernel });
  expect(asked.at(-1)).toBe('/v1/fdb?mac=02:00:00:00:00:01&br=a%26b');
});

test('mutated requests are answered, refused or passed on', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.values(SAMPLES)),
      fc.integer({ min: 1, max: 0x7fffffff }),
      async (sample, seed) => {
        const changed = mutated(sample, seed);
        const { answer, faults } = await ask(changed);
        expect(faults).toEqual([]);
        for (const part of answer ?? []) expect(readMessages(part)).toHaveLength(1);
      },
    ),
    { numRuns: 1500 },
  );
});

function mutated(sample: Buffer, seed: number): Buffer {
  const out = Buffer.from(sample);
  let state = seed;
  const next = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let changes = 1 + next(4); changes > 0; changes--) out[next(out.length)] = next(256);
  return next(4) === 0 ? out.subarray(0, next(out.length)) : out;
}

test('indices of links without a device are the same in each process', () => {
  expect(virtualIndex('vxlan0')).toBe(0x60bbf5fa);
  expect(isVirtual(virtualIndex('a'))).toBe(true);
  expect(isVirtual(5)).toBe(false);
});

test('datagrams of an answer are bounded, and no message is cut', () => {
  const one = writeMessage({ type: 16, flags: 2, seq: 1, pid: 1, payload: Buffer.alloc(5000) });
  const all = datagrams([one, one, one, one, one]);
  const sizes: number[] = [];
  for (let at = 0; at < all.length; at += 4 + (sizes.at(-1) as number)) sizes.push(all.readUInt32LE(at));
  expect(sizes).toEqual([3 * one.length, 2 * one.length]);
});

test('a caller that is too short is none', () => {
  expect(readCaller(Buffer.alloc(23))).toBeNull();
  expect(readCaller(Buffer.alloc(24, 0xff))).toBeNull();
});

test('static programs', () => {
  const head = Buffer.alloc(64 + 56);
  bytes('7f454c46 02').copy(head);
  head.writeBigUInt64LE(64n, 32);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(1, 56);
  head.writeUInt32LE(1, 64);
  expect(isStatic(head)).toBe(true);
  head.writeUInt32LE(3, 64);
  expect(isStatic(head)).toBe(false);
  expect(isStatic(Buffer.from('#!/bin/sh\n'))).toBe(false);
});
