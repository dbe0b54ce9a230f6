/**
 * Ports that a change leaves alone do not notice it: while other ports, bridges, VLANs and entries come and go by the
 * thousand, numbered datagrams between two guests of one bridge, and to a kernel peer, arrive all, once and in order.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { StatsAnswer, WritePath } from '../../src/api/api.js';
import { checkDocument } from '../../src/config/load.js';
import { until } from '../../src/lab/testbed/wait.js';
import { LONG, cases, long } from '../long.js';
import { World } from './host-testbed.js';
import { Bystanders, clientOf, descriptorsOf, give, residentMiB, startWith } from './live-support.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { type Guest, type Host, twoHosts } from './topologies.js';
import { kernelPeer, makeGuest } from './two-hosts.js';

const APPLIES = long(10_000, 400);
/** Part after which memory is looked at first: in some hundred applies the heap gets its size. */
const FIRST_PART = LONG ? 4 : 2;
const APPLIES_OF_TWO_ENGINES = long(1000);
/** Of commands, 19 each. */
const ROUNDS = long(20, 12);
/** Datagrams a second. */
const RATE = 2000;
/** What the switch may hold more after all the changes than after a quarter of them: less than 8 KiB for each. */
const MORE_MEMORY_MIB = 56;
const APPLY_LIMIT_MS = LONG ? 1_800_000 : 300_000;
const LET_GO_MS = 10_000;

type Value = Record<string, unknown>;

let world: World;
let hosts: [Host, Host];
/** The first two are bystanders; at the NIC of the third all happens. */
let guests: Guest[];
/** The kernel's vxlan device, remote of the bystanders' bridge. */
let peer: Guest;

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guests = [await makeGuest(world, 1), await makeGuest(world, 2), await makeGuest(world, 3)];
  peer = await kernelPeer(world, hosts[1], hosts[0].address, '198.18.0.9');
});

afterEach(() => world.cleanUp());

function tap({ netns, ifname, mac, address }: Guest): Value {
  return { type: 'tap', netns, ifname, mac, addresses: [`${address}/24`] };
}

/** The bystanders' bridge, and another one that the changes are for. */
function configuration(more: { ports?: Value; options?: Value; bridges?: Value } = {}): Value {
  const [local, remote] = hosts.map(({ address }) => address);
  return {
    br1: {
      ports: { one: tap(guests[0]), two: tap(guests[1]), vxlan0: { type: 'vxlan', local, id: 42, remotes: [remote] } },
    },
    br2: {
      vlan_filtering: true,
      ...more.options,
      ports: { busy: { ...tap(guests[2]), ...(more.ports?.busy as Value) }, ...without(more.ports, 'busy') },
    },
    ...more.bridges,
  };
}

function without(ports: Value = {}, name: string): Value {
  return Object.fromEntries(Object.entries(ports).filter(([key]) => key !== name));
}

const tunnel = (more: Value = {}): Value => ({
  type: 'vxlan',
  local: hosts[0].address,
  vlan_tunnel: true,
  vlans: [{ vid: '10-19', tunnel_info: '110-119' }],
  remotes: [hosts[1].address],
  ...more,
});

const STATIC = { mac: '02:00:00:00:0a:01', vlan: 10, state: 'static' };

/** Configurations to go through, in turns: each is one kind of change against the one before it. */
function turns(): (() => Value)[] {
  const busy = (more: Value): Value => ({ ports: { busy: more } });
  const vlans = [{ vid: 10, pvid: true, untagged: true }, { vid: '20-29' }];
  const remotes = [hosts[1].address, '192.0.2.77', '192.0.2.78'];
  return [
    () => configuration(),
    () => configuration(busy({ vlans })),
    () => configuration(busy({ vlans, fdb: [STATIC] })),
    () => configuration(busy({ vlans, learning: false, isolated: true, storm_limit: { broadcast: 100 } })),
    () => configuration({ options: { ageing_time: 60, fdb_max_learned: 10 }, ports: { busy: { vlans } } }),
    () => configuration({ ports: { busy: { vlans }, vxlan1: tunnel() } }),
    () => configuration({ ports: { busy: { vlans }, vxlan1: tunnel({ remotes }) } }),
    () => configuration({ ports: { busy: { vlans, fdb: [STATIC] }, vxlan1: tunnel({ remotes, ttl: 9 }) } }),
    () => configuration({ bridges: { br3: { ageing_time: 1, ports: {} } } }),
    () => configuration({ options: { vlan_filtering: false } }),
  ];
}

/** As the contract has it, with what ports that are no more had counted. */
function expectBalanced(stats: StatsAnswer): void {
  const all = [...Object.values(stats.links), stats.retired];
  const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
  const drops = sum([...Object.values(stats.drops), ...Object.values(stats.retired.drops)]);
  expect(sum(all.map(({ tx_packets }) => tx_packets)) + drops).toBe(
    sum(all.map(({ rx_packets }) => rx_packets)) + stats.replicated,
  );
}

/** What a change must give back when it is taken back. */
async function usesOf(sw: RunningSwitch): Promise<unknown> {
  const places = [hosts[0].netns, ...guests.map(({ netns }) => netns)];
  const nics = await Promise.all(places.map((netns) => world.nics(netns)));
  // What the file means: a command may leave a default in it that was not said before.
  const file = await clientOf(sw).get('/v1/config');
  const { config } = checkDocument(file, { hostname: () => 'host1', netnsExists: () => true });
  return { descriptors: descriptorsOf(sw), nics, config };
}

/** The same at rest: a switch that has just started may have a socket open for a moment. */
async function usesAtRest(sw: RunningSwitch): Promise<unknown> {
  let before = await usesOf(sw);
  await until('the switch is at rest', async () => {
    await delay(200);
    const now = await usesOf(sw);
    const isSame = isDeepStrictEqual(now, before);
    before = now;
    return isSame;
  });
  return before;
}

async function start(workers: number): Promise<RunningSwitch> {
  const bridges = JSON.stringify(configuration());
  return startWith(world, hosts[0].netns, 'host1', `workers: ${workers}\nbridges: ${bridges}\n`);
}

async function bystanders(): Promise<Bystanders[]> {
  const [one, two] = guests;
  // The queue of a NIC holds a quarter of a second by default: an engine may wait longer for a CPU where others are at work.
  for (const { netns, ifname } of [one, two]) await world.ip(netns, `link set ${ifname} txqueuelen 10000`);
  return Promise.all([Bystanders.begin(world, one, two, RATE), Bystanders.begin(world, two, peer, RATE / 4)]);
}

async function expectGivenBack(sw: RunningSwitch, before: unknown): Promise<void> {
  // A descriptor is closed once the engines have let it go.
  await expect.poll(() => usesOf(sw), { timeout: LET_GO_MS }).toEqual(before);
  expectBalanced(await settledStats(sw));
  expect(sw.log().filter(({ level }) => level >= 50)).toEqual([]);
}

/** In the short run each test is one of them, another one each. */
const ENGINES = [
  { workers: 1, applies: APPLIES },
  { workers: 2, applies: APPLIES_OF_TWO_ENGINES },
];

test.each(cases(ENGINES, 1))(
  'workers: $workers, $applies times "apply" under traffic',
  { timeout: APPLY_LIMIT_MS },
  async ({ workers, applies }) => {
    const sw = await start(workers);
    const client = clientOf(sw);
    const apply = (bridges: Value): Promise<unknown> =>
      client.post('/v1/apply', { config: { name: 'host1', workers, bridges } });
    const configurations = turns();
    const round = async (from: number, to: number): Promise<void> => {
      for (let number = from; number < to; number++) {
        const bridges = configurations[number % configurations.length]();
        // A device of the kernel costs more than all else: it comes with every hundredth.
        if (number % 100 === 0) bridges.br9 = { ports: { [`tap${number}`]: { type: 'tap' } }, host_port: true };
        await apply(bridges);
      }
      await apply(configuration());
    };
    const before = await usesAtRest(sw);
    const pairs = await bystanders();
    const began = performance.now();
    await round(0, applies / FIRST_PART);
    const memory = residentMiB(sw);
    await round(applies / FIRST_PART, applies);
    const seconds = (performance.now() - began) / 1000;
    const more = residentMiB(sw) - memory;
    console.log(
      `${applies} applies in ${seconds.toFixed(1)} s; ${memory.toFixed(0)} MiB, then ${more.toFixed(0)} more`,
    );
    for (const pair of pairs) await pair.expectAll();
    await expectGivenBack(sw, before);
    expect(more).toBeLessThan(MORE_MEMORY_MIB);
  },
);

test.each(cases([...ENGINES].reverse(), 1))(
  'workers: $workers, some hundred mixed commands beside traffic',
  async ({ workers }) => {
    const sw = await start(workers);
    const client = clientOf(sw);
    const before = await usesAtRest(sw);
    const pairs = await bystanders();
    for (let number = 0; number < ROUNDS; number++)
      for (const [path, body] of commandsOf()) await client.post(path, body as never);
    await give(
      sw,
      'link add br8 type bridge vlan_filtering 1',
      `link add hand type tap netns ${guests[2].netns} master br8`,
      'vlan add dev hand vid 30-39',
      'link set hand master br2',
      'link set hand nomaster',
      'link del hand',
      'link del br8',
    );
    for (const pair of pairs) await pair.expectAll();
    await expectGivenBack(sw, before);
  },
);

/** Requests that in the end leave everything as it was. */
function commandsOf(): [path: WritePath, body: Value][] {
  const [local, dst] = hosts.map(({ address }) => address);
  const link = (op: string, name: string, more: Value = {}): [WritePath, Value] => ['/v1/links', { op, name, ...more }];
  const vxlan = { id: 4242, local, remotes: [dst] };
  return [
    link('add', 'br7', { type: 'bridge', options: { host_port: true } }),
    link('add', 'vxlan7', { type: 'vxlan', master: 'br7', options: vxlan }),
    link('add', 'tap7', { type: 'tap', master: 'br7', options: { netns: guests[2].netns } }),
    link('set', 'busy', { master: 'br7' }),
    ['/v1/fdb', { op: 'append', mac: '00:00:00:00:00:00', dev: 'vxlan7', dst: '192.0.2.99' }],
    ['/v1/fdb', { op: 'add', mac: '02:00:00:00:0b:01', dev: 'vxlan7', dst, state: 'static' }],
    ['/v1/neigh', { op: 'add', dst: '198.18.0.77', lladdr: '02:00:00:00:0b:01', dev: 'vxlan7' }],
    ['/v1/mdb', { op: 'add', dev: 'br7', port: 'tap7', grp: '239.1.1.1' }],
    link('set', 'vxlan7', { options: { ttl: 33, host_port: true } }),
    link('set', 'tap7', { options: { up: false, mtu: 1400 } }),
    ['/v1/fdb', { op: 'flush', br: 'br7' }],
    link('set', 'busy', { master: null }),
    link('set', 'br7', { options: { vlan_filtering: true, ageing_time: 1 } }),
    link('set', 'busy', { master: 'br2' }),
    ['/v1/vlans', { op: 'add', dev: 'busy', vid: 100, vidEnd: 199 }],
    ['/v1/vlans', { op: 'del', dev: 'busy', vid: 100, vidEnd: 199 }],
    link('del', 'tap7'),
    link('del', 'vxlan7'),
    link('del', 'br7'),
  ];
}
