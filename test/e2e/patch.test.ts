/**
 * Patch ports: two bridges of one switch, joined back to back. What leaves by one port enters by the other, once, with the tag that
 * the first port's VLANs leave it.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { expectNoReach, expectReach, expectRefused, give, linkOf, startWith } from './live-support.js';
import { experimentalText, type Sniffer, sniff, vlanOf } from './sniffer.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { type Guest, tapPort } from './topologies.js';
import { BROADCAST, experimentalFrame, inject, ping } from './traffic.js';
import { expectBalance, expectTransfer, MB, makeGuest } from './two-hosts.js';

const FRAMES = 100;

let world: World;
let host: string;

beforeEach(async () => {
  world = new World();
  host = await world.netns('host');
});

afterEach(() => world.cleanUp());

const texts = (wire: Sniffer): string[] =>
  wire.packets.flatMap((packet) => experimentalText(Buffer.from(packet.hex, 'hex')) ?? []);

async function guests(count: number): Promise<Guest[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => makeGuest(world, i + 1)));
}

/** Sends numbered frames from one guest to another, and expects each of them there once and as it should be tagged. */
async function expectEach(from: Guest, to: Guest, tags: { sent?: number; seen?: number }): Promise<void> {
  const wire = await sniff(world, to, 'ether proto 0x88b5 or (vlan and ether proto 0x88b5)');
  const names = Array.from({ length: FRAMES }, (_, i) => `${from.ifname} ${from.address} ${i};`);
  const vlan = tags.sent === undefined ? {} : { vlan: tags.sent };
  const frames = names.map((text) => experimentalFrame({ destination: to.mac, source: from.mac, text, ...vlan }));
  await inject(world, from, ...frames);
  await until('every frame is there', () => wire.packets.length >= FRAMES);
  await wire.stop();
  expect(texts(wire).map((text) => text.split(';')[0])).toEqual(names.map((text) => text.split(';')[0]));
  expect(new Set(wire.packets.map(vlanOf))).toEqual(new Set([tags.seen]));
}

async function packetsOf(sw: RunningSwitch, port: string): Promise<{ rx: number; tx: number }> {
  const { rx_packets: rx, tx_packets: tx } = (await settledStats(sw)).links[port];
  return { rx, tx };
}

test.each(cases([2, 1], 1))(
  'two filtering bridges, %i workers: tags are kept, and each frame is counted once',
  async (workers) => {
    const [a, b] = await guests(2);
    const trunk = '[{ vid: 2 }, { vid: 3, pvid: true, untagged: true }]';
    const bridges = `workers: ${workers}
bridges:
  br1:
    vlan_filtering: true
    ports:
${tapPort('tap1', a, trunk)}      p1: { type: patch, peer: p2, vlans: [{ vid: 2 }, { vid: 3 }] }
  br2:
    vlan_filtering: true
    ports:
${tapPort('tap2', b, trunk)}      p2: { type: patch, peer: p1, vlans: [{ vid: 2 }, { vid: 3 }] }
`;
    const sw = await startWith(world, host, 'patch', bridges);
    expect(await sw.links()).toMatchObject([
      { ifname: 'br1' },
      { ifname: 'tap1' },
      { ifname: 'p1', type: 'patch', peer: 'p2', operstate: 'UP', mtu: 1500 },
      { ifname: 'br2' },
      { ifname: 'tap2' },
      { ifname: 'p2', type: 'patch', peer: 'p1', operstate: 'UP', mtu: 1500 },
    ]);
    const before = await packetsOf(sw, 'p1');
    await expectEach(a, b, { sent: 2, seen: 2 });
    await expectEach(b, a, { sent: 2, seen: 2 });
    await expectEach(a, b, {});
    await expectEach(b, a, {});
    const after = await packetsOf(sw, 'p1');
    expect(after).toEqual({ rx: before.rx + 2 * FRAMES, tx: before.tx + 2 * FRAMES });
    const { rx, tx } = await packetsOf(sw, 'p2');
    expect({ rx: tx, tx: rx }).toEqual(after);
    await expectTransfer(world, a, b, 50 * MB, `patch, ${workers} workers`);
    await expectTransfer(world, b, a, 50 * MB, `patch, ${workers} workers, back`);
    const { links } = await settledStats(sw);
    expect(links.p1.tx_packets).toBe(links.p2.rx_packets);
    expect(links.p2.tx_packets).toBe(links.p1.rx_packets);
    expect(links.p1.tx_bytes).toBe(links.p2.rx_bytes);
    const learned = await sw.fdb('dev p2');
    expect(learned.filter(({ mac, vlan }) => mac === a.mac && vlan === 2)).toHaveLength(1);
    await expectBalance(sw);
  },
);

test('a VLAN has another number on the other bridge: the tag goes at one port, the PVID comes at the other', async () => {
  const [a, b, c] = await guests(3);
  const sw = await startWith(
    world,
    host,
    'patch',
    `bridges:
  br1:
    vlan_filtering: true
    ports:
${tapPort('tap1', a, '[{ vid: 2, pvid: true, untagged: true }]')}      p1: { type: patch, peer: p2, vlans: [{ vid: 2, pvid: true, untagged: true }] }
  br2:
    vlan_filtering: true
    ports:
${tapPort('tap2', b, '[{ vid: 30 }]')}${tapPort('tap3', c, '[{ vid: 4, pvid: true, untagged: true }]')}      p2: { type: patch, peer: p1, vlans: [{ vid: 30, pvid: true, untagged: true }] }
`,
  );
  await expectEach(a, b, { seen: 30 });
  await expectEach(b, a, { sent: 30 });
  await expectNoReach(world, a, c);
  await expectBalance(sw);
});

test('by commands: the first half waits for the second, and again after that was deleted', async () => {
  const [a, b] = await guests(2);
  const sw = await startWith(
    world,
    host,
    'patch',
    `bridges:\n  br1:\n    ports:\n${tapPort('tap1', a)}  br2:\n    ports:\n${tapPort('tap2', b)}`,
  );
  const stateOf = async (port: string) => {
    const link = await linkOf(sw, port);
    return [link?.operstate, link?.fault];
  };
  await give(sw, 'link add p1 master br1 type patch peer p2');
  expect(await stateOf('p1')).toEqual(['DOWN', 'its peer p2 is not there yet']);
  await expectNoReach(world, a, b);
  await expectRefused(sw, 'link add p2 master br2 type patch peer p3', /p1.*p2|p2.*p1/);
  await expectRefused(sw, 'link add p2 master br2 type patch peer p2', /itself/);
  await expectRefused(sw, 'link add p2 master br2 type tap', /p2 is a tap port; give the name of a patch port/);
  await expectRefused(sw, 'link add p2 master br2 type patch', /peer/);
  await give(sw, 'link add p2 master br2 type patch peer p1');
  expect(await stateOf('p2')).toEqual(['UP', undefined]);
  await until('the first half is up', async () => (await stateOf('p1'))[0] === 'UP');
  await expectReach(world, a, b);
  await give(sw, 'link set p1 down');
  await expectNoReach(world, a, b);
  await give(sw, 'link set p1 up');
  await expectReach(world, a, b);
  await give(sw, 'link set p2 nomaster');
  await expectNoReach(world, a, b);
  await give(sw, 'link set p2 master br2');
  await expectReach(world, a, b);
  await give(sw, 'link del p2');
  await until('the other half waits', async () => (await stateOf('p1'))[1] === 'its peer p2 is not there yet');
  expect((await stateOf('p1'))[0]).toBe('DOWN');
  await expectNoReach(world, a, b);
  await give(sw, 'link add p2 master br2 type patch peer p1');
  await until('both halves are up', async () => (await stateOf('p1'))[0] === 'UP');
  await expectReach(world, a, b);
  await give(sw, 'link del p1', 'link del p2');
  await expectBalance(sw);
});

test('by apply: peers are renamed and exchanged; the MTU of a tunnel is that of the bridges behind it', async () => {
  const [a, b] = await guests(2);
  const settings = (ports1: string, ports2: string): string =>
    `bridges:\n  br1:\n    ports:\n${tapPort('tap1', a)}${ports1}  br2:\n    ports:\n${tapPort('tap2', b)}${ports2}`;
  const patch = (name: string, peer: string): string => `      ${name}: { type: patch, peer: ${peer} }\n`;
  const sw = await startWith(world, host, 'patch', settings(patch('p1', 'p2'), patch('p2', 'p1')));
  await expectReach(world, a, b);
  const apply = async (ports1: string, ports2: string): Promise<void> => {
    const lines = settings(ports1, ports2);
    const file = world.file('next.yaml', `name: patch\ncontrol: ${world.control('patch')}\n${lines}`);
    await give(sw, `apply -c ${file}`);
    expect(await give(sw, `apply -c ${file}`)).toMatch(/nothing to do/);
    await expectReach(world, a, b);
  };
  await apply(patch('p1', 'p9'), patch('p9', 'p1'));
  const tunnel = '      vxlan0: { type: vxlan, id: 42, local: 127.0.0.1 }\n';
  await apply(patch('p1', 'p9'), patch('p9', 'p1') + tunnel);
  for (const link of ['br1', 'br2', 'tap1', 'tap2', 'p1', 'p9']) expect((await linkOf(sw, link))?.mtu, link).toBe(1450);
  await apply(patch('p9', 'p1'), patch('p1', 'p9'));
  for (const link of ['br1', 'br2', 'tap1', 'tap2', 'p1', 'p9']) expect((await linkOf(sw, link))?.mtu, link).toBe(1500);
  await expectBalance(sw);
});

test('large frames pass where the NICs on both sides take them', async () => {
  const [a, b] = await guests(2);
  const large = (port: string, guest: Guest): string => `${tapPort(port, guest)}        mtu: 9000\n`;
  const sw = await startWith(
    world,
    host,
    'patch',
    `bridges:
  br1:\n    ports:\n${large('tap1', a)}      p1: { type: patch, peer: p2 }
  br2:\n    ports:\n${large('tap2', b)}      p2: { type: patch, peer: p1 }
`,
  );
  const { sent, received } = await ping(world, a.netns, b.address, { size: 8972, whole: true });
  expect(received).toBe(sent);
  await expectBalance(sw);
});

test('a loop of two pairs circulates broadcasts, and other ports still have their turn', async () => {
  const [a, b] = await guests(2);
  const pairs = (own: string, other: string): string =>
    `      ${own}1: { type: patch, peer: ${other}1 }\n      ${own}2: { type: patch, peer: ${other}2 }\n`;
  const sw = await startWith(
    world,
    host,
    'patch',
    `bridges:
  br1:\n    loop_guard: false\n    ports:\n${pairs('p', 'q')}
  br2:\n    loop_guard: false\n    ports:\n${pairs('q', 'p')}
  br3:\n    ports:\n${tapPort('tap1', a)}${tapPort('tap2', b)}      gate: { type: patch, peer: lock }
  br4:\n    ports:\n      lock: { type: patch, peer: gate }
`,
  );
  await give(sw, 'link set lock master br1');
  await inject(world, a, experimentalFrame({ destination: BROADCAST, source: a.mac, text: 'round' }));
  await until('the frame circulates', async () => (await sw.stats()).links.p1.tx_packets > 1000);
  await give(sw, 'link set lock master br4');
  await expectReach(world, a, b);
  await expectTransfer(world, a, b, 5 * MB, 'beside a loop');
  await give(sw, 'link del p2', 'link del q2');
  await expectBalance(sw);
});
