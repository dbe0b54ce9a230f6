/**
 * Ports over datagram sockets, two switches joined by one: frames are counted one by one, only the remote is believed, and either
 * side may go and come.
 */
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bindDatagrams, closeFd } from '../../src/native/binding.js';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { command, type RunningSwitch, settledStats } from './switch.js';
import { expectNoReach, expectReach, expectRefused, give, linkOf, startWith } from './live-support.js';
import { experimentalText, sniff, vlanOf } from './sniffer.js';
import { type Guest, tapPort } from './topologies.js';
import { experimentalFrame, inject } from './traffic.js';
import { expectBalance, makeGuest, succeed } from './two-hosts.js';

const FRAMES = 100;
const TRUNK = '[{ vid: 2 }, { vid: 3, pvid: true, untagged: true }]';

let world: World;
let host: string;
let a: Guest;
let b: Guest;

beforeEach(async () => {
  world = new World();
  host = await world.netns('host', { ipv6: true });
  // At the bottom of a switch that is busy with other tests, ten datagrams are few.
  await succeed(world, host, ['sysctl', '-qw', 'net.unix.max_dgram_qlen=512']);
  [a, b] = [await makeGuest(world, 1), await makeGuest(world, 2)];
});

afterEach(() => world.cleanUp());

const KINDS: [string, () => [string, string]][] = [
  ['UDP over IPv4', () => ['127.0.0.1:10001', '127.0.0.1:10002']],
  ['UDP over IPv6', () => ['[::1]:10001', '[::1]:10002']],
  ['unix sockets', () => [world.path('a.net'), world.path('b.net')]],
];

function lines(guest: Guest, local: string, remote: string, options = ''): string {
  return `bridges:
  br1:
    vlan_filtering: true
    ports:
${tapPort('tap1', guest, TRUNK)}      far: { type: udp, local: "${local}", remote: "${remote}", vlans: ${TRUNK}${options} }
`;
}

async function pair(kind: () => [string, string], settings = ''): Promise<[RunningSwitch, RunningSwitch]> {
  const [one, other] = kind();
  return [
    await startWith(world, host, 'a', settings + lines(a, one, other)),
    await startWith(world, host, 'b', settings + lines(b, other, one)),
  ];
}

async function expectEach(from: Guest, to: Guest, vlan?: number): Promise<void> {
  const wire = await sniff(world, to, 'ether proto 0x88b5 or (vlan and ether proto 0x88b5)');
  const names = Array.from({ length: FRAMES }, (_, i) => `${from.address} ${i};`);
  const tag = vlan === undefined ? {} : { vlan };
  const fields = { destination: to.mac, source: from.mac, ...tag };
  await inject(world, from, ...names.map((text) => experimentalFrame({ ...fields, text })));
  await until('every frame is there', () => wire.packets.length >= FRAMES);
  await wire.stop();
  const texts = wire.packets.map(({ hex }) => experimentalText(Buffer.from(hex, 'hex'))?.split(';')[0]);
  expect(texts).toEqual(names.map((text) => text.split(';')[0]));
  expect(new Set(wire.packets.map(vlanOf))).toEqual(new Set([vlan]));
}

const ROWS = KINDS.flatMap(([what, kind], i) =>
  [1, 2].map((workers) => ({ what, kind, workers: ((workers + i) % 2) + 1 })),
);

test.each(cases(ROWS, 2))(
  'over $what each frame goes once and is counted, with its tag, $workers workers',
  async ({ kind, workers }) => {
    const switches = await pair(kind, `workers: ${workers}\n`);
    expect(await linkOf(switches[0], 'far')).toMatchObject({ type: 'udp', operstate: 'UP', mtu: 1500 });
    await expectReach(world, a, b);
    for (const vlan of [undefined, 2]) {
      await expectEach(a, b, vlan);
      await expectEach(b, a, vlan);
    }
    const [one, other] = await Promise.all(switches.map(async (sw) => (await settledStats(sw)).links.far));
    expect([one.tx_packets, one.tx_bytes]).toEqual([other.rx_packets, other.rx_bytes]);
    expect([other.tx_packets, other.tx_bytes]).toEqual([one.rx_packets, one.rx_bytes]);
    await expectBalance(...switches);
  },
);

test.each(cases([...KINDS].reverse(), 1))(
  'over %s the other side may go and come back, which is no fault',
  async (what, kind) => {
    const [one, other] = await pair(kind);
    await expectReach(world, a, b);
    await other.stop('SIGKILL');
    for (let i = 0; i < 3; i++)
      await inject(
        world,
        a,
        ...Array.from({ length: 10 }, () => experimentalFrame({ destination: b.mac, source: a.mac, text: 'lost' })),
      );
    // A refusal of UDP comes later than its datagram, which counts as sent.
    if (what === 'unix sockets')
      expect((await settledStats(one)).links.far.drops?.port_down).toBeGreaterThanOrEqual(30);
    expect(await linkOf(one, 'far')).toMatchObject({ operstate: 'UP' });
    const [here, there] = kind();
    const again = await startWith(world, host, 'b', lines(b, there, here));
    await expectReach(world, a, b);
    await expectEach(b, a);
    await expectBalance(one, again);
    await again.stop();
    expect(existsSync(there)).toBe(false);
    if (what === 'unix sockets') expect((statSync(here).mode & 0o777).toString(8)).toBe('600');
  },
);

test('by commands and by apply: another remote, another name, another mode, and the local address stays open', async () => {
  const sw = await startWith(world, host, 'a', `bridges:\n  br1:\n    ports:\n${tapPort('tap1', a)}`);
  const peer = await startWith(world, host, 'b', `bridges:\n  br1:\n    ports:\n${tapPort('tap1', b)}`);
  await give(peer, 'link add far master br1 type udp local 127.0.0.1:10002 remote 127.0.0.1:10001');
  await give(sw, 'link add far master br1 type udp local 127.0.0.1:10001 remote 127.0.0.1:10002');
  await expectReach(world, a, b);
  await give(sw, 'link set far type udp remote 127.0.0.1:10003');
  await expectNoReach(world, a, b);
  await give(sw, 'link set far type udp remote 127.0.0.1:10002 mtu 1400');
  await expectReach(world, a, b);
  const apply = async (name: string, options: string): Promise<void> => {
    const ports = `bridges:\n  br1:\n    ports:\n${tapPort('tap1', a)}      ${name}: { type: udp, ${options} }\n`;
    const file = world.file('next.yaml', `name: a\ncontrol: ${sw.control}\n${ports}`);
    const applied = await command('-s', sw.control, 'apply', '-c', file);
    expect(applied.status, applied.stderr).toBe(0);
    expect(await give(sw, `apply -c ${file}`)).toMatch(/nothing to do/);
  };
  await apply('other', 'local: "127.0.0.1:10001", remote: "127.0.0.1:10002"');
  await expectReach(world, a, b);
  const [here, there] = [world.path('a.net'), world.path('b.net')];
  await apply('other', `local: "${here}", remote: "${there}"`);
  await give(peer, 'link del far', `link add far master br1 type udp local ${there} remote ${here} socket_mode 0666`);
  await expectReach(world, a, b);
  expect((statSync(there).mode & 0o777).toString(8)).toBe('666');
  await apply('other', `local: "${here}", remote: "${there}", socket_mode: "0660"`);
  expect((statSync(here).mode & 0o777).toString(8)).toBe('660');
  await expectReach(world, a, b);
  await give(sw, 'link del other');
  expect(existsSync(here)).toBe(false);
  await expectBalance(sw, peer);
});

test('only the remote is believed, and what is refused says why', async () => {
  const [here, there] = [world.path('a.net'), world.path('b.net')];
  const sw = await startWith(world, host, 'a', lines(a, here, there, ', socket_mode: "0666"'));
  const socket = bindDatagrams(there);
  try {
    await expectRefused(
      sw,
      `link add no type udp local ${there} remote ${here}`,
      /a process has the socket .* open already/,
    );
  } finally {
    closeFd(socket);
  }
  const file = world.file('file', 'kept');
  writeFileSync(file, 'kept');
  await expectRefused(sw, `link add no type udp local ${file} remote ${here}`, /exists and is no socket/);
  await give(sw, 'link add inet master br1 type udp local 127.0.0.1:10001 remote 127.0.0.1:10002');
  await expectRefused(
    sw,
    'link add no type udp local 127.0.0.1:10001 remote 127.0.0.1:9',
    /UDP port 10001 of 127.0.0.1 is taken/,
  );
  await expectRefused(
    sw,
    'link add no type udp local 203.0.113.7:1 remote 127.0.0.1:9',
    /no device of this host has the address/,
  );
  await expectRefused(
    sw,
    `link add no type udp local ${here} remote 127.0.0.1:9`,
    /is an IPv4 address, and "local" is a unix socket/,
  );
  await expectRefused(sw, 'link add no type udp local 127.0.0.1:1', /remote/);
  // A switch whose port has another local path is a stranger for the first one.
  const stranger = await startWith(world, host, 'c', lines(b, world.path('c.net'), here));
  await inject(
    world,
    b,
    ...Array.from({ length: 20 }, (_, i) => experimentalFrame({ destination: a.mac, source: b.mac, text: `${i}` })),
  );
  await until('strangers are counted', async () => ((await sw.stats()).links.far.drops?.remote_unknown ?? 0) >= 20);
  expect((await sw.fdb('dev far')).filter(({ mac }) => mac === b.mac)).toEqual([]);
  await expectBalance(sw, stranger);
});
