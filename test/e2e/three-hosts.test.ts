/**
 * Three VTEPs that replicate at the head end: broadcast and multicast arrive once at each other guest, unicast goes to
 * one remote once its place is known, and nothing that came from a remote goes to another one. With three overtap hosts,
 * and with the kernel in the place of the third.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { quietFor, until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { experimentalText, type Sniffer, sniff } from './sniffer.js';
import { accounts, type RunningSwitch, settledStats } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, threeHosts } from './topologies.js';
import { BROADCAST, experimentalFrame, inject, ping } from './traffic.js';

const VNI = 42;
const MULTICAST = '01:00:5e:7f:00:01';
const EXPERIMENTAL_ONLY = 'ether proto 0x88b5';

describe.each(['overtap', 'kernel'] as const)('two overtap hosts and a third that runs %s', (third) => {
  const world = new World();
  let hosts: [Host, Host, Host];
  let guests: Guest[];
  const switches: RunningSwitch[] = [];

  beforeAll(async () => {
    hosts = await threeHosts(world);
    guests = [];
    for (const [index, host] of hosts.entries()) {
      const own = third === 'kernel' && index === 2;
      guests.push({
        netns: own ? host.netns : await world.netns(`guest${index + 1}`),
        ifname: own ? 'vx0' : 'eth0',
        address: `198.18.0.${index + 1}`,
        mac: `02:00:00:00:42:0${index + 1}`,
      });
    }
    for (const index of [0, 1, 2]) {
      if (third === 'kernel' && index === 2) await startKernel(index);
      else switches.push(await startOvertap(index));
    }
  });

  afterAll(() => world.cleanUp());

  const others = (index: number): number[] => [0, 1, 2].filter((other) => other !== index);

  function startOvertap(index: number): Promise<RunningSwitch> {
    const remotes = others(index).map((other) => hosts[other].address);
    const bridges = plainBridge(tapPort('tap0', guests[index]), singlePort(hosts[index].address, remotes, VNI));
    return world.startSwitch(hosts[index].netns, `host${index + 1}`, bridges);
  }

  async function startKernel(index: number): Promise<void> {
    const { netns, address } = hosts[index];
    const { ifname, mac, address: overlay } = guests[index];
    await world.ip(netns, `link add vx0 address ${mac} type vxlan id ${VNI} local ${address} dstport 4789`);
    for (const other of others(index)) {
      const flood = `fdb append 00:00:00:00:00:00 dev vx0 dst ${hosts[other].address}`;
      await world
        .exec(netns, ['bridge', ...flood.split(' ')])
        .then((ended) => expect(ended.status, ended.stderr).toBe(0));
    }
    await world.ip(netns, `link set ${ifname} up`);
    await world.address(guests[index], `${overlay}/24`);
  }

  const frame = (from: number, destination: string, text: string): string =>
    experimentalFrame({ destination, source: guests[from].mac, text });

  async function stopAll(sniffers: readonly Sniffer[]): Promise<void> {
    await Promise.all(sniffers.map((sniffer) => sniffer.stop()));
  }

  test('all pairs ping, without a duplicate', async () => {
    for (const from of [0, 1, 2]) {
      for (const to of others(from)) {
        const result = await ping(world, guests[from].netns, guests[to].address);
        expect(result, result.output).toMatchObject({ sent: 3, received: 3, duplicates: 0 });
      }
    }
  });

  test.each([
    ['broadcast', BROADCAST],
    ['multicast', MULTICAST],
  ])('a %s arrives exactly once at each other guest', async (kind, destination) => {
    const atGuests = await Promise.all(guests.map((guest) => sniff(world, guest, EXPERIMENTAL_ONLY)));
    for (const from of [0, 1, 2]) {
      const texts = Array.from({ length: 5 }, (_, number) => `${kind} ${from} ${number}`);
      await inject(world, guests[from], ...texts.map((text) => frame(from, destination, text)));
      for (const sniffer of atGuests) await sniffer.sees(texts[4]);
      await quietFor();
      for (const [index, sniffer] of atGuests.entries()) {
        // The sender's own NIC shows the frame as it leaves, and must not show it again.
        for (const text of texts) expect(sniffer.experimental(text).length, `${text} at guest ${index}`).toBe(1);
      }
    }
    await stopAll(atGuests);
  });

  test('an unknown unicast is flooded, and a known one goes to one remote only', async () => {
    const underlays = await Promise.all(hosts.map((host) => sniff(world, host, 'udp dst port 4789')));
    const atGuests = await Promise.all(guests.map((guest) => sniff(world, guest, EXPERIMENTAL_ONLY)));
    const carried = (index: number, text: string) =>
      underlays[index].vxlan.filter(({ inner }) => experimentalText(inner) === text);

    // Nobody has this address: both remotes get a copy.
    await inject(world, guests[0], frame(0, '02:00:00:00:42:99', 'for nobody'));
    for (const to of others(0)) await atGuests[to].sees('for nobody');
    await until('both copies are on the wire', () => carried(0, 'for nobody').length >= 2);
    await quietFor();
    expect(
      carried(0, 'for nobody')
        .map(({ packet }) => packet.ip?.destination)
        .sort(),
    ).toEqual([hosts[1].address, hosts[2].address]);

    // Guest 2 has been heard of; each other switch and the kernel know where it is.
    await inject(world, guests[1], frame(1, BROADCAST, 'here I am'));
    for (const to of others(1)) await atGuests[to].sees('here I am');
    for (const from of [0, 2]) {
      await inject(world, guests[from], frame(from, guests[1].mac, `from ${from} to 1`));
      await atGuests[1].sees(`from ${from} to 1`);
    }
    await inject(world, guests[0], frame(0, BROADCAST, 'last'));
    for (const to of others(0)) await atGuests[to].sees('last');
    for (const index of [0, 1, 2]) await until('it is on the wire', () => carried(index, 'last').length > 0);
    await quietFor();
    for (const [from, bystander] of [
      [0, 2],
      [2, 0],
    ]) {
      const text = `from ${from} to 1`;
      expect(carried(bystander, text)).toEqual([]);
      expect(carried(from, text).map(({ packet }) => packet.ip?.destination)).toEqual([hosts[1].address]);
      expect(carried(1, text).length).toBe(1);
      expect(atGuests[1].experimental(text).length).toBe(1);
      expect(atGuests[bystander].experimental(text)).toEqual([]);
    }
    await stopAll([...underlays, ...atGuests]);
  });

  test('what came from a remote goes to no other remote', async () => {
    const underlays = await Promise.all(hosts.map((host) => sniff(world, host, 'udp dst port 4789')));
    const atGuests = await Promise.all(guests.map((guest) => sniff(world, guest, EXPERIMENTAL_ONLY)));
    for (const from of [0, 1, 2]) {
      await inject(world, guests[from], frame(from, BROADCAST, `once from ${from}`));
      for (const to of others(from)) await atGuests[to].sees(`once from ${from}`);
    }
    const copies = (index: number, from: number) =>
      underlays[index].vxlan.filter(({ inner }) => experimentalText(inner) === `once from ${from}`);
    // At its own host both copies leave; at each other host one comes in, and none goes out.
    const due = (index: number, from: number): number => (index === from ? 2 : 1);
    for (const from of [0, 1, 2]) {
      for (const index of [0, 1, 2])
        await until('the copies are on the wire', () => copies(index, from).length >= due(index, from));
    }
    await quietFor();
    for (const from of [0, 1, 2]) {
      for (const index of [0, 1, 2]) {
        const sources = copies(index, from).map(({ packet }) => packet.ip?.source);
        expect(sources).toEqual(Array(due(index, from)).fill(hosts[from].address));
      }
    }
    await stopAll([...underlays, ...atGuests]);
  });

  test('the accounts balance, copies included', async () => {
    for (const sw of switches) {
      const stats = await settledStats(sw);
      const { in: received, out } = accounts(stats);
      expect(out).toBe(received);
      expect(stats.replicated).toBeGreaterThan(0);
    }
  });
});

describe('a switch with two vxlan ports in one bridge', () => {
  const world = new World();
  let hosts: [Host, Host, Host];
  let guests: Guest[];
  let hub: RunningSwitch;

  /** The first host has a port to each of the others, which know nothing of each other. */
  beforeAll(async () => {
    hosts = await threeHosts(world);
    guests = [];
    for (const number of [1, 2, 3]) {
      const netns = await world.netns(`guest${number}`);
      guests.push({ netns, ifname: 'eth0', address: `198.18.0.${number}`, mac: `02:00:00:00:42:0${number}` });
    }
    const [one, two, three] = hosts;
    const second = singlePort(one.address, [three.address], 43).replace('vxlan0', 'vxlan1');
    hub = await world.startSwitch(
      one.netns,
      'host1',
      plainBridge(tapPort('tap0', guests[0]), singlePort(one.address, [two.address], 42), second),
    );
    for (const [index, id] of [
      [1, 42],
      [2, 43],
    ]) {
      const bridges = plainBridge(tapPort('tap0', guests[index]), singlePort(hosts[index].address, [one.address], id));
      await world.startSwitch(hosts[index].netns, `host${index + 1}`, bridges);
    }
  });

  afterAll(() => world.cleanUp());

  test('takes frames from both, and passes none from one to the other', async () => {
    for (const to of [1, 2]) {
      const result = await ping(world, guests[0].netns, guests[to].address);
      expect(result.received, result.output).toBe(3);
    }
    const atGuests = await Promise.all(guests.map((guest) => sniff(world, guest, EXPERIMENTAL_ONLY)));
    const { same_port: before = 0 } = (await hub.stats()).drops;
    const send = (from: number, destination: string, text: string): Promise<void> =>
      inject(world, guests[from], experimentalFrame({ destination, source: guests[from].mac, text }));
    for (const [from, to] of [
      [1, 2],
      [2, 1],
    ]) {
      await send(from, guests[to].mac, `unicast ${from}`);
      await send(from, BROADCAST, `broadcast ${from}`);
      await atGuests[0].sees(`broadcast ${from}`);
    }
    await send(0, BROADCAST, 'last');
    for (const [to, from] of [
      [1, 2],
      [2, 1],
    ]) {
      await atGuests[to].sees('last');
      expect(atGuests[to].experimental(`unicast ${from}`)).toEqual([]);
      expect(atGuests[to].experimental(`broadcast ${from}`)).toEqual([]);
    }
    const stats = await settledStats(hub);
    expect((stats.drops.same_port ?? 0) - before).toBe(2);
    expect(accounts(stats).out).toBe(accounts(stats).in);
  });
});
