/**
 * A path that is narrower than its links say, with a router that drops what is too long and says nothing, nor lets any other ICMP
 * pass: probes of BFD sessions (RFC 8899) find its MTU, with an overtap and with bfdd of FRR at the other end.
 */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LinkRow } from '../../src/api/api.js';
import { createClient } from '../../src/client/client.js';
import { must } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { command, OVERTAP, type RunningSwitch } from './switch.js';
import { type Guest, type Host, plainBridge, tapPort, threeHosts } from './topologies.js';
import { tool, transfer } from './traffic.js';
import { makeGuest, succeed, VNI } from './two-hosts.js';

const BFDD = '/usr/lib/frr/bfdd';
const WIDE = 1500;
const NARROW = 1400;
/** Outer IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14. */
const OVERHEAD = 50;
const BYTES = 10_000_000;

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

type Remote = NonNullable<LinkRow['bfd_remotes']>[number];

async function remoteOf(sw: RunningSwitch): Promise<Remote | undefined> {
  const links = await createClient(sw.control).get('/v1/links');
  return links.find(({ ifname }) => ifname === 'vxlan0')?.bfd_remotes?.[0];
}

/** The router passes nothing above `NARROW` bytes, and no ICMP at all. */
async function makeBlackHole(one: Host): Promise<void> {
  const router = one.netns.replace(/h1$/, 'router');
  const rules = `table ip hole {
  chain pass {
    type filter hook forward priority 0;
    ip length > ${NARROW} counter drop
    ip protocol icmp drop
  }
  chain say { type filter hook output priority 0; ip protocol icmp drop; }
}
`;
  // Trains and superframes are longer than what they hold, to the router's rule too.
  for (const leg of ['to1', 'to2'])
    await succeed(world, router, ['ethtool', '-K', leg, 'gro', 'off', 'gso', 'off', 'tso', 'off']);
  await succeed(world, router, ['nft', '-f', world.file('hole.nft', rules)]);
}

function port(local: string, remote: string, more: string): string {
  return `      vxlan0: { type: vxlan, local: "${local}", id: ${VNI}, remotes: ["${remote}"], bfd_interval: 100, ${more} }\n`;
}

async function mtuOf({ netns, ifname }: Guest): Promise<number> {
  const [link] = await world.ipJson<{ mtu: number }[]>(netns, `link show dev ${ifname}`);
  return link.mtu;
}

function probed(sw: RunningSwitch, mtu: number): Promise<Remote> {
  return until(
    `probes have found ${mtu} bytes`,
    async () => {
      const remote = await remoteOf(sw);
      return remote?.path_mtu === mtu ? remote : undefined;
    },
    20_000,
  );
}

test('inside VXLAN: TCP hangs without probes, and 10 MB arrive with them', async () => {
  const [one, two] = await threeHosts(world);
  const hosts = [one, two];
  // What a host sends is cut before the router sees it.
  for (const host of hosts) await world.cutTrains(host);
  await makeBlackHole(one);
  const guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
  const switches = await Promise.all(
    hosts.map((host, at) => {
      const vxlan = port(host.address, hosts[1 - at].address, 'bfd: vxlan');
      return world.startSwitch(host.netns, `host${at + 1}`, plainBridge(tapPort('tap0', guests[at]), vxlan));
    }),
  );
  const [first, second] = guests;
  const receiver = world.spawn(second.netns, tool('paced', 'receive', second.address));
  const { port: at } = JSON.parse(await receiver.line('the receiver listens', () => true)) as { port: number };
  const sender = world.spawn(first.netns, tool('paced', 'send', second.address, at, 20_000_000));
  await sender.line('the flow begins', (line) => line.includes('sending'));
  await sleep(3000);
  // A hundredth of a second's worth at most: no full segment has passed.
  const arrived = receiver.lines.slice(1).map((line) => (JSON.parse(line) as { bytes: number }).bytes);
  expect(Math.max(0, ...arrived)).toBeLessThan(200_000);
  sender.signal('SIGKILL');
  for (const guest of guests) expect(await mtuOf(guest)).toBe(WIDE - OVERHEAD);

  const events = world.spawn(one.netns, [process.execPath, OVERTAP, '-s', switches[0].control, 'monitor', 'remote']);
  for (const sw of switches) {
    const set = await command('-s', sw.control, 'link', 'set', 'vxlan0', 'type', 'vxlan', 'path_mtu_probes', 'on');
    expect(set.status, set.stderr).toBe(0);
  }
  for (const sw of switches) expect(await probed(sw, NARROW)).toMatchObject({ state: 'up', black_holes: 0 });
  for (const guest of guests)
    await until('the NIC of the guest follows', async () => (await mtuOf(guest)) === NARROW - OVERHEAD, 5000);
  const { sent, received } = await transfer(world, first.netns, second.netns, second.address, BYTES);
  expect(received).toEqual({ bytes: BYTES, sha256: sent.sha256 });
  const [told] = events.lines.filter((line) => line.includes('path_mtu 1400'));
  expect(told).toContain(`[REMOTE] ${two.address} dev vxlan0 path_mtu 1400 search `);
  const shown = await command('-s', switches[0].control, '-d', 'link', 'show', 'vxlan0');
  expect(shown.stdout).toContain(' path_mtu_probes on ');
  expect(shown.stdout).toMatch(/\n {4}remote 10\.9\.2\.2 state up .* path_mtu 1400 search (searching|complete)\n/);
}, 60_000);

test.skipIf(!existsSync(BFDD))(
  'multi-hop with bfdd of FRR: its answers are enough',
  async () => {
    const [one, two] = await threeHosts(world);
    await makeBlackHole(one);
    const vxlan = port(one.address, two.address, 'bfd: multi-hop, path_mtu_probes: true');
    const sw = await world.startSwitch(one.netns, 'host1', plainBridge(vxlan));
    await startBfdd(two.netns, two.address, one.address);
    expect(await probed(sw, NARROW)).toMatchObject({ state: 'up', session: 'up', ups: 1 });
  },
  60_000,
);

/** A bfdd with one peer. Without zebra, which it does not need for a peer with a local address. */
async function startBfdd(netns: string, local: string, peer: string): Promise<void> {
  const folder = world.path('frr');
  mkdirSync(folder, { recursive: true });
  const text = `bfd\n peer ${peer} multihop local-address ${local}\n  transmit-interval 100\n  receive-interval 100\n  no shutdown\n exit\nexit\n`;
  const file = world.file('bfdd.conf', text);
  chmodSync(dirname(file), 0o711);
  await must(['chown', '-R', 'frr:frr', folder, file]);
  const words = [BFDD, '-f', file, '-i', `${folder}/pid`, '-z', `${folder}/zserv`, '--vty_socket', folder];
  world.spawn(netns, [
    ...words,
    '--bfdctl',
    `${folder}/bfdd.sock`,
    '-u',
    'frr',
    '-g',
    'frr',
    '-P',
    '0',
    '--log',
    'stdout',
  ]);
}
