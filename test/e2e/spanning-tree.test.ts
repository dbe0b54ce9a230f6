/**
 * Spanning trees with real cables: the switch and a kernel bridge with STP in a ring of two veth pairs, two switches with RSTP, guests that
 * send BPDUs, and what an independent decoder says of ours. Copies are counted on the wire.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LinkRow } from '../../src/api/api.js';
import { createClient } from '../../src/client/client.js';
import { must } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { LONG } from '../long.js';
import { World } from './host-testbed.js';
import { clientOf, expectReach, give, linkOf, startWith } from './live-support.js';
import { dump, sniff } from './sniffer.js';
import type { RunningSwitch } from './switch.js';
import { command } from './switch.js';
import { type Guest, tapPort } from './topologies.js';
import { BROADCAST, experimentalFrame, inject } from './traffic.js';
import { expectBalance, makeGuest, succeed } from './two-hosts.js';

/** The least that the kernel takes: it forwards after four seconds, and forgets after six. */
const FAST = 'hello_time 100 forward_delay 200 max_age 600';
const CABLES = ['c1', 'c2'];
const TREE_MS = 30_000;

let world: World;
let guests: [Guest, Guest];

beforeEach(async () => {
  world = new World();
  guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
});

afterEach(() => world.cleanUp());

/** @param options lines of YAML of the bridge */
async function start(netns: string, name: string, guest: Guest, ...options: string[]): Promise<RunningSwitch> {
  const lines = ['stp_state: true', 'hello_time: 100', 'forward_delay: 200', 'max_age: 600', ...options];
  const ports = `${tapPort('tap0', guest)}        edge: on\n${CABLES.map((cable) => `      ${cable}: { type: netdev }\n`).join('')}`;
  const bridge = `  br1:\n${lines.map((line) => `    ${line}\n`).join('')}    ports:\n${ports}`;
  return startWith(world, netns, name, `bridges:\n${bridge}`);
}

async function cabled(): Promise<[string, string]> {
  const [one, two] = [await world.netns('one'), await world.netns('two')];
  for (const ifname of CABLES) await world.veth({ netns: one, ifname }, { netns: two, ifname });
  return [one, two];
}

const stateOf = async (sw: RunningSwitch, port: string): Promise<string> => (await linkOf(sw, port))?.state ?? 'none';
const bridgeOf = async (sw: RunningSwitch): Promise<LinkRow> => (await linkOf(sw, 'br1')) as LinkRow;

let texts = 0;

/** Copies of one broadcast of a guest that come to the other one. */
async function copies(from: Guest, to: Guest): Promise<number> {
  const text = `broadcast ${++texts}`;
  const sniffer = await sniff(world, to, 'ether proto 0x88b5');
  await inject(world, from, experimentalFrame({ destination: BROADCAST, source: from.mac, text }));
  await sniffer.sees(text);
  await sniffer.rests(1);
  await sniffer.stop();
  return sniffer.experimental(text).length;
}

interface KernelLink {
  ifname: string;
  linkinfo?: { info_data?: { bridge_id: string }; info_slave_data?: { state: string; root_id: string } };
}

const kernelLinks = (netns: string): Promise<KernelLink[]> => world.ipJson<KernelLink[]>(netns, '-d link show');

async function kernelStates(netns: string): Promise<Record<string, string>> {
  const links = await kernelLinks(netns);
  return Object.fromEntries(
    CABLES.map((cable) => [
      cable,
      links.find(({ ifname }) => ifname === cable)?.linkinfo?.info_slave_data?.state ?? '',
    ]),
  );
}

/** A kernel bridge with STP, and its guest. */
async function kernelBridge(netns: string, guest: Guest): Promise<void> {
  await world.ip(netns, `link add brk type bridge stp_state 1 ${FAST}`);
  await world.veth({ netns, ifname: 'g' }, guest);
  await must(['ip', '-n', guest.netns, 'link', 'set', guest.ifname, 'address', guest.mac]);
  await world.address(guest, `${guest.address}/24`);
  for (const port of [...CABLES, 'g']) await world.ip(netns, `link set ${port} master brk`);
  await world.ip(netns, 'link set brk up');
}

/** The identifiers of the kernel bridge, and of the root that it knows: iproute2 6.1 shows that of its ports only. */
async function kernelIds(netns: string): Promise<{ bridge: string; root: string }> {
  const links = await kernelLinks(netns);
  const of = (name: string): KernelLink['linkinfo'] => links.find(({ ifname }) => ifname === name)?.linkinfo;
  const [bridge, root] = [of('brk')?.info_data?.bridge_id, of('g')?.info_slave_data?.root_id];
  if (bridge === undefined || root === undefined) throw new Error('the kernel does not show its bridge');
  return { bridge: canonical(bridge), root: canonical(root) };
}

/** The kernel writes its MACs without leading zeros. */
const canonical = (id: string): string => id.replace(/(?<=[.:])(\w)(?=:|$)/g, '0$1');

test('a ring with a kernel bridge: each one as the root, and a cut cable', { timeout: 120_000 }, async () => {
  const [own, kernel] = await cabled();
  await kernelBridge(kernel, guests[1]);
  const sw = await start(own, 'host1', guests[0], 'priority: 4096');
  const file = world.path('bpdus.pcap');
  const capture = await dump(world, { netns: own, ifname: 'c1' }, file, ['ether', 'dst', '01:80:c2:00:00:00']);
  await until(
    'the kernel follows the switch, and closes a cable',
    async () => {
      const { bridge_id } = await bridgeOf(sw);
      const { root } = await kernelIds(kernel);
      return (
        root === bridge_id &&
        Object.values(await kernelStates(kernel))
          .sort()
          .join() === 'blocking,forwarding'
      );
    },
    TREE_MS,
  );
  await until('the switch forwards', async () => (await stateOf(sw, 'c1')) === 'forwarding', TREE_MS);
  expect(await copies(guests[0], guests[1])).toBe(1);
  expect(await copies(guests[1], guests[0])).toBe(1);
  await expectReach(world, guests[0], guests[1]);

  await expectBpdus(file, capture);
  if (!LONG) {
    await expectBalance(sw);
    return;
  }

  await world.ip(kernel, 'link set brk type bridge priority 0');
  await until(
    'the switch follows the kernel, and closes a cable',
    async () => {
      const { bridge } = await kernelIds(kernel);
      const row = await bridgeOf(sw);
      const states = [await stateOf(sw, 'c1'), await stateOf(sw, 'c2')].sort().join();
      return row.root_id === bridge && row.root_port !== 'none' && states === 'blocking,forwarding';
    },
    TREE_MS,
  );
  const root = String((await bridgeOf(sw)).root_port);
  await until('the kernel forwards', async () => (await kernelStates(kernel))[root] === 'forwarding', TREE_MS);
  expect(await copies(guests[0], guests[1])).toBe(1);

  await world.ip(own, `link set ${root} down`);
  const other = CABLES.find((cable) => cable !== root) ?? '';
  await until('the other cable takes over', async () => (await stateOf(sw, other)) === 'forwarding', TREE_MS);
  await until('the kernel forwards there', async () => (await kernelStates(kernel))[other] === 'forwarding', TREE_MS);
  expect((await command('-s', sw.control, 'link', 'show', other)).stdout).toContain('state forwarding role root');
  await expectReach(world, guests[0], guests[1]);
  await expectBalance(sw);
});

/** Ours are BPDUs of both protocols to a decoder of others, without a fault. */
async function expectBpdus(file: string, capture: Awaited<ReturnType<typeof dump>>): Promise<void> {
  await capture.stop(24);
  const fields = [
    '-e',
    'stp.type',
    '-e',
    'stp.version',
    '-e',
    'llc.dsap',
    '-e',
    '_ws.malformed',
    '-e',
    '_ws.expert.severity',
  ];
  const rows = (await must(['tshark', '-r', file, '-T', 'fields', ...fields])).trim().split('\n');
  expect(rows.length).toBeGreaterThan(3);
  for (const row of rows) {
    const [type, version, dsap, malformed, severity] = row.split('\t');
    expect([type, version]).toEqual(type === '0x02' ? ['0x02', '2'] : [expect.stringMatching(/^0x(00|80)$/), '0']);
    expect([dsap, malformed ?? '', severity ?? '']).toEqual(['0x42', '', '']);
  }
  const text = await must(['tcpdump', '-r', file, '-nn', '-v']);
  expect(text).toContain('STP 802.1d, Config');
  expect(text).not.toMatch(/invalid|truncated|\[\|stp/);
}

test('two switches with RSTP: a tree within seconds, another cable at once; a guest that sends a BPDU', {
  timeout: 60_000,
}, async () => {
  const [one, two] = await cabled();
  const a = await start(one, 'host1', guests[0], 'priority: 4096');
  const b = await start(two, 'host2', guests[1]);
  await until('b has its way to the root', async () => {
    const states = [await stateOf(b, 'c1'), await stateOf(b, 'c2')].sort().join();
    return states === 'blocking,forwarding' && (await bridgeOf(b)).root_id === (await bridgeOf(a)).bridge_id;
  });
  await until('a forwards', async () => (await stateOf(a, 'c1')) === 'forwarding');
  expect(await copies(guests[0], guests[1])).toBe(1);
  const root = String((await bridgeOf(b)).root_port);
  const other = CABLES.find((cable) => cable !== root) ?? '';
  await world.ip(one, `link set ${root} down`);
  const cut = performance.now();
  await until('the other cable takes over', async () => (await stateOf(b, other)) === 'forwarding');
  expect(performance.now() - cut).toBeLessThan(LONG ? 5000 : 4000);
  await expectReach(world, guests[0], guests[1]);

  // The next process goes on with the tree as it is.
  await createClient(b.control, { deadlineMs: 60_000 }).post('/v1/upgrade', {});
  expect([await stateOf(b, other), (await bridgeOf(b)).root_port]).toEqual(['forwarding', other]);
  await expectReach(world, guests[0], guests[1]);

  await give(a, 'link set tap0 type bridge_slave guard on');
  await inject(world, guests[0], `0180c2000000${'02000000ee01'}0007424203000000800000${'00'.repeat(36)}`);
  await until('the port is closed', async () => (await linkOf(a, 'tap0'))?.closed_by === 'bpdu_guard');
  await a.logged('the log says why', ({ msg, port }) => port === 'tap0' && msg.includes('bpdu_guard'));
  const doctor = await command('-s', a.control, 'doctor');
  expect(doctor.stdout).toMatch(/WARN {2}tap0: .*bpdu_guard/);
  await give(a, 'link set tap0 down', 'link set tap0 up');
  await expectReach(world, guests[0], guests[1]);
  const { links } = await clientOf(a).get('/v1/stats');
  expect(links.tap0?.drops.link_local ?? 0).toBeGreaterThan(0);
  expect(await succeed(world, one, ['true'])).toBe('');
});
