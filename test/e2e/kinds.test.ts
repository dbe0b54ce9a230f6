/**
 * Every pair of kinds of ports. A switch has two ports, each of one kind, and behind each is another switch with a guest. What the
 * guests send each other over TCP arrives whole, tagged and untagged between the switches, with offloads and without.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cases, long } from '../long.js';
import { World } from './host-testbed.js';
import { expectReach, startWith } from './live-support.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { filteringBridge, tapPort } from './topologies.js';
import { expectBalance, expectTransfer, MB, makeGuest, succeed, VNI } from './two-hosts.js';

const BYTES = long(100, 5) * MB;
const KINDS = ['tap', 'netdev', 'qemu', 'udp', 'vxlan'] as const;
type Kind = (typeof KINDS)[number];

/** The guests' ports: their frames are of VLAN 3. */
const ACCESS = '[{ vid: 3, pvid: true, untagged: true }]';
/** The ports between the switches, where frames of VLAN 3 have a tag. */
const TRUNK = '[{ vid: 2 }, { vid: 3 }]';
const FEATURES = ['tx', 'rx', 'tso', 'gso', 'gro', 'txvlan', 'rxvlan'];

interface Row {
  one: Kind;
  other: Kind;
  tagged: boolean;
  offloads: boolean;
}

const ROWS: Row[] = KINDS.flatMap((one, at) =>
  KINDS.slice(at).flatMap((other) =>
    [false, true].flatMap((tagged) => [true, false].map((offloads) => ({ one, other, tagged, offloads }))),
  ),
);

let world: World;
let host: string;

beforeEach(async () => {
  world = new World();
  host = await world.netns('host');
});

afterEach(() => world.cleanUp());

/** YAML of the two ports that join the middle switch, by its port `name`, with the one behind it. */
function joined(kind: Kind, name: string, number: number): { middle: string; behind: string } {
  const path = world.path(`${name}.net`);
  const [near, far] = [`127.0.1.${number}`, `127.0.2.${number}`];
  const vxlan = (local: string, remote: string): string =>
    `type: vxlan, local: ${local}, remotes: [${remote}], id: ${VNI}`;
  const ways: Record<Kind, [string, string]> = {
    tap: ['type: tap', `type: netdev, ifname: ${name}`],
    netdev: ['type: netdev', `type: netdev, ifname: ${name}x`],
    qemu: [`type: qemu, listen: ${path}`, `type: qemu, connect: ${path}`],
    udp: [
      `type: udp, local: "${near}:10001", remote: "${far}:10001"`,
      `type: udp, local: "${far}:10001", remote: "${near}:10001"`,
    ],
    vxlan: [vxlan(near, far), vxlan(far, near)],
  };
  const [middle, behind] = ways[kind];
  return { middle, behind };
}

const portOf = (name: string, words: string, tagged: boolean): string =>
  `      ${name}: { ${words}, vlans: ${tagged ? TRUNK : ACCESS} }\n`;

/** Frames from one vxlan port leave a bridge by no other one, so these two have a bridge each, joined by patch ports. */
function middleOf(row: Row, ports: readonly [string, string]): string {
  if (row.one !== 'vxlan' || row.other !== 'vxlan') return `bridges:\n${filteringBridge(...ports)}`;
  const half = (bridge: string, port: string, patch: string, peer: string): string =>
    filteringBridge(port, portOf(patch, `type: patch, peer: ${peer}`, true)).replace('br1', bridge);
  return `bridges:\n${half('br1', ports[0], 'p1', 'p2')}${half('br2', ports[1], 'p2', 'p1')}`;
}

/** A cable of the host; the checksums and segments of the frames on it are whole where `offloads` is false. */
async function cable(name: string, offloads: boolean): Promise<void> {
  const ends = [name, `${name}x`];
  await world.veth({ netns: host, ifname: ends[0] }, { netns: host, ifname: ends[1] });
  const off = FEATURES.flatMap((feature) => [feature, 'off']);
  if (!offloads) for (const end of ends) await succeed(world, host, ['ethtool', '-K', end, ...off]);
}

test.each(cases(ROWS, 2))('$one and $other, tagged: $tagged, offloads: $offloads', async (row) => {
  const guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
  const settings = row.offloads ? '' : 'offloads: { tso: false }\n';
  const kinds = { pa: row.one, pb: row.other };
  const ways = Object.entries(kinds).map(([name, kind], at) => ({ name, kind, ...joined(kind, name, at + 1) }));
  for (const { name, kind } of ways) if (kind === 'netdev') await cable(name, row.offloads);

  const [a, b] = ways.map(({ name, middle }) => portOf(name, middle, row.tagged));
  const switches: RunningSwitch[] = [await startWith(world, host, 'middle', settings + middleOf(row, [a, b]))];
  for (const [at, { name, behind }] of ways.entries()) {
    const ports = [tapPort('tap1', guests[at], ACCESS), portOf('far', behind, row.tagged)];
    const lines = `${settings}bridges:\n${filteringBridge(...ports)}`;
    switches.push(await startWith(world, host, `behind-${name}`, lines));
  }
  const [one, other] = guests;
  await expectReach(world, one, other);
  const label = `${row.one} and ${row.other}, tagged: ${row.tagged}, offloads: ${row.offloads}`;
  await expectTransfer(world, one, other, BYTES, label);
  await expectTransfer(world, other, one, BYTES, `${label}, back`);
  const { links } = await settledStats(switches[0]);
  for (const name of ['pa', 'pb']) expect(links[name].rx_bytes).toBeGreaterThan(BYTES);
  await expectBalance(...switches);
});
