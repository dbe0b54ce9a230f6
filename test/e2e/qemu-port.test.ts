/**
 * Ports over QEMU's stream sockets, with peers that speak its framing and no QEMU: frames are counted one by one, and no peer holds
 * up the switch or ends it.
 */
import { existsSync, lstatSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { dial, type FramePeer, FrameServer, framed } from './frame-peers.js';
import { World } from './host-testbed.js';
import { expectReach, expectRefused, give, linkOf, startWith } from './live-support.js';
import { experimentalText, sniff } from './sniffer.js';
import { command, type RunningSwitch, settledStats } from './switch.js';
import { type Guest, tapPort } from './topologies.js';
import { BROADCAST, EXPERIMENTAL, experimentalFrame, inject } from './traffic.js';
import { expectBalance, makeGuest } from './two-hosts.js';

const FRAMES = 100;
const VM = '52:54:00:00:00:01';

let world: World;
let host: string;
let guest: Guest;
const opened: { close(): void }[] = [];

beforeEach(async () => {
  world = new World();
  host = await world.netns('host');
  guest = await makeGuest(world, 1);
});

afterEach(async () => {
  for (const one of opened.splice(0)) one.close();
  await world.cleanUp();
});

async function server(path: string): Promise<FrameServer> {
  const made = await FrameServer.listen(path);
  opened.push(made);
  return made;
}

async function dialled(path: string): Promise<FramePeer> {
  const made = await dial(path);
  opened.push(made);
  return made;
}

/** A bridge with a guest at tap1, and the port vm1. @param options of the port, as a flow mapping goes on */
const bridge = (options: string, settings = ''): string =>
  `${settings}bridges:\n  br1:\n    ports:\n${tapPort('tap1', guest)}      vm1: { type: qemu, ${options} }\n`;

const numbered = (source: string, destination: string): string[] =>
  Array.from({ length: FRAMES }, (_, i) => experimentalFrame({ source, destination, text: `${source} ${i};` }));

const names = (source: string): string[] => Array.from({ length: FRAMES }, (_, i) => `${source} ${i}`);

async function isUp(sw: RunningSwitch, port = 'vm1'): Promise<boolean> {
  return (await linkOf(sw, port))?.operstate === 'UP';
}

const up = (sw: RunningSwitch, port = 'vm1') => until(`${port} is up`, () => isUp(sw, port));

/** Waits until the port is DOWN for a reason. */
const down = (sw: RunningSwitch, reason: RegExp) =>
  until(`vm1 is down: ${reason}`, async () => {
    const link = await linkOf(sw, 'vm1');
    return link?.operstate === 'DOWN' && reason.test(link.fault ?? '');
  });

/** Sends numbered frames both ways, and expects each once, in order, and counted. */
async function expectEach(sw: RunningSwitch, peer: FramePeer): Promise<void> {
  const before = (await settledStats(sw)).links.vm1;
  const seen = peer.texts.length;
  await inject(world, guest, ...numbered(guest.mac, VM));
  await until('every frame has come to the peer', () => peer.texts.length >= seen + FRAMES);
  expect(peer.texts.slice(seen)).toEqual(names(guest.mac));
  const wire = await sniff(world, guest, `ether proto ${EXPERIMENTAL} and ether src ${VM}`);
  peer.send(...numbered(VM, guest.mac));
  await until('every frame has come to the guest', () => wire.packets.length >= FRAMES);
  await wire.stop();
  const texts = wire.packets.flatMap(({ hex }) => experimentalText(Buffer.from(hex, 'hex')) ?? []);
  expect(texts.map((text) => text.split(';')[0])).toEqual(names(VM));
  const after = (await settledStats(sw)).links.vm1;
  expect(after.rx_packets - before.rx_packets).toBe(FRAMES);
  expect(after.tx_packets - before.tx_packets).toBe(FRAMES);
  expect(after.rx_bytes - before.rx_bytes).toBe(60 * FRAMES);
}

/** A shorter frame than Ethernet has, as virtio-net sends it: an ARP request. */
const short = `ffffffffffff${VM.replaceAll(':', '')}08060001080006040001${VM.replaceAll(':', '')}c6120009000000000000c6120001`;

test.each(cases([2, 1], 1))('frames to a socket on which QEMU listens, %i workers', async (workers) => {
  const path = world.path('vm1.net');
  const qemu = await server(path);
  const sw = await startWith(world, host, 'vm', bridge(`connect: ${path}`, `workers: ${workers}\n`));
  const peer = await qemu.peer();
  expect(await linkOf(sw, 'vm1')).toMatchObject({
    type: 'qemu',
    operstate: 'UP',
    mtu: 1500,
    connect: path,
    connections: 1,
  });
  await expectEach(sw, peer);
  const count = peer.frames.length;
  expect(Buffer.from(short, 'hex')).toHaveLength(42);
  peer.send(short);
  await until('the guest answers', () => peer.frames.length > count);
  expect(peer.frames.at(-1)?.subarray(12, 22).toString('hex')).toBe('08060001080006040002');
  await expectBalance(sw);
});

test('QEMU may come later, go and come back, send nonsense, half a frame or too much', async () => {
  const path = world.path('vm1.net');
  const sw = await startWith(world, host, 'vm', bridge(`connect: ${path}`));
  await down(sw, /there is no socket .*vm1\.net yet/);
  await inject(world, guest, experimentalFrame({ source: guest.mac, destination: BROADCAST, text: 'lost' }));
  await until('the frame is counted', async () => ((await sw.stats()).links.vm1.drops?.port_down ?? 0) > 0);
  const first = await server(path);
  await up(sw);
  const peer = await first.peer();
  await expectEach(sw, peer);
  first.close();
  rmSync(path, { force: true });
  await down(sw, /closed the connection|there is no socket/);
  const second = await server(path);
  await up(sw);
  const again = await second.peer();
  await expectEach(sw, again);

  again.write(Buffer.concat([framed(Buffer.from(short, 'hex')), Buffer.from('not a frame')]));
  await again.closed();
  await until('it is counted', async () => (await linkOf(sw, 'vm1'))?.framing_errors === 1);
  const third = await second.peer(2);
  await up(sw);
  third.write(framed(Buffer.from(short, 'hex')).subarray(0, 20));
  await expectReach(world, guest, { address: guest.address });
  third.write(framed(Buffer.from(short, 'hex')).subarray(20));
  await until('the frame is whole', () => third.frames.length > 0);
  await expectEach(sw, third);
  expect(await linkOf(sw, 'vm1')).toMatchObject({ connections: 3, framing_errors: 1 });
  await expectBalance(sw);
});

test('a peer that stops reading gets what its socket holds, and each frame whole when it reads on', async () => {
  const path = world.path('vm1.net');
  const qemu = await server(path);
  const sw = await startWith(world, host, 'vm', bridge(`connect: ${path}, mtu: 9000`));
  const peer = await qemu.peer();
  peer.socket.pause();
  await world.ip(guest.netns, `link set ${guest.ifname} mtu 9000`);
  const frame = `${experimentalFrame({ source: guest.mac, destination: VM, text: 'much' })}${'5a'.repeat(8000)}`;
  const dropped = async (): Promise<number> => (await sw.stats()).links.vm1.drops?.tx_backpressure ?? 0;
  await until('the socket is full', async () => {
    await inject(world, guest, ...Array.from({ length: 100 }, () => frame));
    return (await dropped()) > 0;
  });
  const { links } = await settledStats(sw);
  peer.socket.resume();
  const isMuch = ({ length }: Buffer): boolean => length === 8060;
  await until('all that was sent is read', () => peer.frames.length >= links.vm1.tx_packets && peer.pending === 0);
  expect(peer.frames.filter(isMuch).every((one) => one.equals(Buffer.from(frame, 'hex')))).toBe(true);
  expect(peer.frames.length).toBe(links.vm1.tx_packets);
  await expectEach(sw, peer);
  await expectBalance(sw);
});

test("a QEMU that dials: one at a time; the socket is the port's own, and dead ones are replaced", async () => {
  const path = world.path('vm1.net');
  const lines = bridge(`listen: ${path}, socket_mode: "0666"`);
  const sw = await startWith(world, host, 'vm', lines);
  await down(sw, /nobody has connected to .*vm1\.net yet/);
  expect((statSync(path).mode & 0o777).toString(8)).toBe('666');
  const peer = await dialled(path);
  await up(sw);
  await expectEach(sw, peer);
  const other = await dialled(path);
  await other.closed();
  expect(await linkOf(sw, 'vm1')).toMatchObject({ operstate: 'UP', connections: 1, refused_peers: 1 });
  await expectEach(sw, peer);
  peer.close();
  await down(sw, /closed the connection|nobody has connected/);
  const next = await dialled(path);
  await up(sw);
  await expectEach(sw, next);
  await expectBalance(sw);

  await sw.stop('SIGKILL');
  await next.closed();
  expect(lstatSync(path).isSocket()).toBe(true);
  const again = await startWith(world, host, 'vm', lines);
  await until('a QEMU connects', async () => isUp(again).then((is) => is || dialled(path).then(() => isUp(again))));
  await again.stop();
  expect(existsSync(path)).toBe(false);
});

test('a path that another process has, and a file that is no socket, are refused and left as they are', async () => {
  const path = world.path('vm1.net');
  const sw = await startWith(world, host, 'vm', `bridges:\n  br1:\n    ports:\n${tapPort('tap1', guest)}`);
  const holder = createServer().listen(path);
  opened.push({ close: () => holder.close() });
  await until('it listens', () => existsSync(path));
  await expectRefused(
    sw,
    `link add vm1 master br1 type qemu listen ${path}`,
    /a process has the socket .* open already/,
  );
  await expectRefused(sw, `link add vm1 master br1 type qemu listen ${sw.control}`, /a process has the socket/);
  const file = world.path('file');
  writeFileSync(file, 'kept');
  await expectRefused(sw, `link add vm1 master br1 type qemu listen ${file}`, /exists and is no socket; it is left/);
  expect(lstatSync(file).size).toBe(4);
  await expectRefused(sw, `link add vm1 master br1 type qemu listen ${world.path('no/such')}`, /there is no directory/);
  await expectRefused(sw, 'link add vm1 master br1 type qemu', /connect: is missing; give the path/);
  await expectRefused(sw, 'link add vm1 master br1 type qemu connect vm1.net', /expected an absolute path/);
});

test('by commands and by apply: a connection outlives another name and another bridge, and ends with its port', async () => {
  const path = world.path('vm1.net');
  const own = world.path('own.net');
  const qemu = await server(path);
  const sw = await startWith(world, host, 'vm', `bridges:\n  br2: {}\n  br1:\n    ports:\n${tapPort('tap1', guest)}`);
  await give(sw, `link add vm1 master br1 type qemu connect ${path}`);
  const peer = await qemu.peer();
  await expectEach(sw, peer);
  await give(sw, 'link set vm1 master br2', 'link set vm1 master br1', 'link set vm1 type qemu mtu 1400');
  await expectEach(sw, peer);
  const apply = async (name: string, options: string): Promise<void> => {
    const ports = `bridges:\n  br1:\n    ports:\n${tapPort('tap1', guest)}      ${name}: { type: qemu, ${options} }\n`;
    const file = world.file('next.yaml', `name: vm\ncontrol: ${sw.control}\n${ports}`);
    const applied = await command('-s', sw.control, 'apply', '-c', file);
    expect(applied.status, applied.stderr).toBe(0);
    expect(await give(sw, `apply -c ${file}`)).toMatch(/nothing to do/);
  };
  await apply('vm9', `connect: ${path}`);
  expect(peer.isOpen).toBe(true);
  await apply('vm1', `connect: ${path}`);
  await expectEach(sw, peer);
  expect(await linkOf(sw, 'vm1')).toMatchObject({ connections: 1, mtu: 1500 });
  await apply('vm1', `listen: ${own}`);
  await peer.closed();
  const dialling = await dialled(own);
  await up(sw);
  await apply('vm1', `listen: ${own}, socket_mode: "0660"`);
  expect((statSync(own).mode & 0o777).toString(8)).toBe('660');
  await expectEach(sw, dialling);
  await give(sw, 'link del vm1');
  await dialling.closed();
  expect(existsSync(own)).toBe(false);
  await expectBalance(sw);
});
