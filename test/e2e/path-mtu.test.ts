/**
 * A path that gets narrower while TCP flows over it: a router between two hosts, one leg of which goes from 1500 to 1300 bytes.
 * The flow goes on, nothing is fragmented, and no switch is started anew.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { type End, World } from './host-testbed.js';
import { type Sniffer, sniff } from './sniffer.js';
import { accounts, type RunningSwitch, settledStats } from './switch.js';
import { type Guest, type Host, plainBridge, tapPort } from './topologies.js';
import { ping, tool } from './traffic.js';
import { succeed } from './two-hosts.js';

type Family = 4 | 6;

const WIDE = 1500;
const NARROW = 1300;
/** Bytes that the tunnel takes of an outer packet, the inner Ethernet header among them. */
const OVERHEAD = { 4: 50, 6: 70 };
const RATE = 20_000_000;
/** The flow has to go on within this time after the change. */
const PAUSE_MS = 2000;

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

interface Site {
  router: string;
  hosts: [Host, Host];
  /** The router's NICs, by host. */
  legs: [End, End];
  guests: [Guest, Guest];
}

async function build(family: Family): Promise<Site> {
  const ipv6 = family === 6;
  const router = await world.netns('router', { ipv6 });
  const forward = ipv6 ? 'ipv6/conf/all/forwarding' : 'ipv4/ip_forward';
  await succeed(world, router, ['sh', '-c', `echo 1 >/proc/sys/net/${forward}`]);
  const net = (number: number): string => (ipv6 ? `fd00:9:${number}::` : `10.9.${number}.`);
  const prefix = ipv6 ? 64 : 24;
  const hosts: Host[] = [];
  const legs: End[] = [];
  const guests: Guest[] = [];
  for (const number of [1, 2]) {
    const host = { netns: await world.netns(`h${number}`, { ipv6 }), ifname: 'eth0', address: `${net(number)}2` };
    const leg = { netns: router, ifname: `to${number}` };
    await world.veth(host, leg);
    await world.address(host, `${host.address}/${prefix}`);
    await world.address(leg, `${net(number)}1/${prefix}`);
    await world.ip(host.netns, `${ipv6 ? '-6 ' : ''}route add default via ${net(number)}1`);
    hosts.push(host);
    legs.push(leg);
    guests.push({
      netns: await world.netns(`guest${number}`, { ipv6: true }),
      ifname: 'eth0',
      address: `198.18.0.${number}`,
      mac: `02:00:00:00:00:0${number}`,
    });
  }
  return { router, hosts: hosts as Site['hosts'], legs: legs as Site['legs'], guests: guests as Site['guests'] };
}

/** @param tap further lines of a guest's port */
function startSwitches({ hosts, guests }: Site, options: string, tap = ''): Promise<RunningSwitch[]> {
  return Promise.all(
    hosts.map((host, index) => {
      const remote = hosts[1 - index].address;
      const settings = `type: vxlan, local: "${host.address}", id: 42, remotes: ["${remote}"]`;
      const port = `      vxlan0: { ${settings}${options === '' ? '' : `, ${options}`} }\n`;
      const bridge = plainBridge(`${tapPort('tap0', guests[index])}${tap}`, port);
      return world.startSwitch(host.netns, `host${index + 1}`, bridge);
    }),
  );
}

async function setLeg({ hosts, legs }: Site, index: 0 | 1, mtu: number): Promise<void> {
  for (const { netns, ifname } of [legs[index], hosts[index]]) await world.ip(netns, `link set ${ifname} mtu ${mtu}`);
}

async function mtuOf({ netns, ifname }: End): Promise<number> {
  const [link] = await world.ipJson<{ mtu: number }[]>(netns, `link show dev ${ifname}`);
  return link.mtu;
}

const FRAGMENTS = { 4: 'ip[6:2] & 0x3fff != 0', 6: 'ip6[6] == 44' };

/** Looks for fragments on both legs. */
function lookForFragments({ legs }: Site, family: Family): Promise<Sniffer[]> {
  return Promise.all(legs.map((leg) => sniff(world, leg, FRAGMENTS[family])));
}

/** None was seen; and the eyes were open, for one that is made now is. */
async function expectNoFragments({ hosts, legs }: Site, sniffers: Sniffer[]): Promise<void> {
  expect(sniffers.flatMap(({ packets }) => packets)).toEqual([]);
  for (const [index, host] of hosts.entries()) {
    const whole = await ping(world, legs[index].netns, host.address, { count: 1, size: 3000 });
    expect(whole.received).toBe(1);
    await until('a fragment is seen', () => sniffers[index].packets.length > 0);
  }
}

interface Flow {
  /** Bytes that have arrived. */
  bytes(): number;
  /** Ends it; everything has to have arrived. @returns the longest pause in milliseconds */
  end(): Promise<number>;
}

async function startFlow(from: Guest, to: Guest, address: string): Promise<Flow> {
  const receiver = world.spawn(to.netns, tool('paced', 'receive', address));
  const { port } = JSON.parse(await receiver.line('the receiver listens', () => true)) as { port: number };
  const sender = world.spawn(from.netns, tool('paced', 'send', address, port, RATE));
  await sender.line('the flow begins', (line) => line.includes('sending'));
  const last = (): { bytes: number } => JSON.parse(receiver.lines[receiver.lines.length - 1]) as { bytes: number };
  const bytes = (): number => (receiver.lines.length < 2 ? 0 : last().bytes);
  await until('the flow is under way', () => bytes() > RATE / 4);
  return {
    bytes,
    async end() {
      sender.signal('SIGTERM');
      const sent = JSON.parse(
        await sender.line('the sender tells its hash', (line) => line.includes('sha256')),
      ) as object;
      const arrived = await receiver.line('the receiver tells its hash', (line) => line.includes('sha256'));
      const { gap, ...received } = JSON.parse(arrived) as { gap: number };
      expect(received).toEqual(sent);
      return gap;
    },
  };
}

const UNDERLAYS = [
  { family: 4, options: 'df: set' },
  { family: 4, options: 'df: inherit' },
  { family: 6, options: '' },
] as const;

describe.each(UNDERLAYS)('underlay IPv$family, $options', (underlay) => {
  const { family, options } = underlay;
  /** This one, where it is among so few in the short run. */
  const here = (few: number): unknown[] => cases(UNDERLAYS, few).filter((one) => one === underlay);
  // Each underlay has one of them in the short run, another one each.
  const ways = [
    { inner: 'IPv4', narrow: 1, what: 'a leg behind the router gets narrow' },
    { inner: 'IPv6', narrow: 1, what: 'a leg behind the router gets narrow' },
    { inner: 'IPv4', narrow: 0, what: "the host's own leg gets narrow" },
  ] as const;
  const turn = family === 6 ? 2 : options === 'df: set' ? 0 : 1;
  test.each(cases([...ways.slice(turn), ...ways.slice(0, turn)], 1))(
    '$what: inner $inner goes on, and the NICs of the guests follow',
    async ({ inner, narrow }) => {
      const site = await build(family);
      const [one, two] = site.guests;
      const switches = await startSwitches(site, options);
      for (const guest of site.guests) expect(await mtuOf(guest)).toBe(WIDE - OVERHEAD[family]);
      // IPv6 needs 1280 bytes: a NIC that is set below loses its addresses, and a path below has no IPv6.
      const fits = NARROW - OVERHEAD[family];
      const mtu = inner === 'IPv6' ? 1280 + OVERHEAD[family] : NARROW;
      if (inner === 'IPv6') {
        for (const [index, guest] of site.guests.entries()) await world.address(guest, `fd00:42::${index + 1}/64`);
      }
      const address = inner === 'IPv6' ? 'fd00:42::2' : two.address;
      const fragments = await lookForFragments(site, family);
      const flow = await startFlow(one, two, address);

      await setLeg(site, narrow, mtu);
      const before = flow.bytes();
      await until('the flow goes on', () => flow.bytes() > before + RATE / 2, 10_000);
      // The other host learns of a leg that is not its own by sending something that is too long for it, which it does not.
      const followers = narrow === 1 ? site.guests : [one];
      const isFollowing = async (guest: Guest): Promise<boolean> =>
        (await mtuOf(guest)) === (inner === 'IPv6' ? 1280 : fits);
      for (const guest of followers) await until(`the NIC in ${guest.netns} follows`, () => isFollowing(guest), 5000);
      const gap = await flow.end();
      expect(gap).toBeLessThan(PAUSE_MS);
      console.log(
        `underlay IPv${family} ${options}, inner ${inner}, leg ${narrow + 1}: the longest pause was ${gap} ms`,
      );

      await expectNoFragments(site, fragments);
      for (const sw of switches) {
        const { in: received, out } = accounts(await settledStats(sw));
        expect(out).toBe(received);
      }
    },
  );

  test.each(here(2))('a guest whose MTU is fixed is told by ICMP, and the flow goes on', async () => {
    const site = await build(family);
    const [one, two] = site.guests;
    const wide = WIDE - OVERHEAD[family];
    const [first] = await startSwitches(site, options, `        mtu: ${wide}\n`);
    const told = await sniff(world, one, 'icmp[0] == 3 and icmp[1] == 4');
    const fragments = await lookForFragments(site, family);
    const flow = await startFlow(one, two, two.address);

    await setLeg(site, 1, NARROW);
    const before = flow.bytes();
    await until('the flow goes on', () => flow.bytes() > before + RATE / 2, 10_000);
    expect(await flow.end()).toBeLessThan(PAUSE_MS);

    expect(await mtuOf(one)).toBe(wide);
    const [message] = told.packets;
    expect(message?.ip).toMatchObject({ source: two.address, destination: one.address, length: 576 });
    // Ethernet 14, IP 20, and the MTU stands in the last two bytes of ICMP's eight.
    expect(Buffer.from(message.hex, 'hex').readUInt16BE(14 + 20 + 6)).toBe(NARROW - OVERHEAD[family]);
    expect((await first.stats()).links.vxlan0.drops.mtu_exceeded).toBeGreaterThan(0);
    const route = await world.ip(one.netns, `route get ${two.address}`);
    expect(route).toContain(`mtu ${NARROW - OVERHEAD[family]}`);
    await expectNoFragments(site, fragments);
  });

  test.each(here(1))('a path that is wide again is used again', async () => {
    const site = await build(family);
    const [one] = site.guests;
    await startSwitches(site, options);
    await setLeg(site, 0, NARROW);
    await until('the NIC follows', async () => (await mtuOf(one)) === NARROW - OVERHEAD[family], 5000);
    await setLeg(site, 0, WIDE);
    await until('the NIC follows', async () => (await mtuOf(one)) === WIDE - OVERHEAD[family], 5000);
    await delay(100);
    const whole = await ping(world, one.netns, site.guests[1].address, {
      size: WIDE - OVERHEAD[family] - 28,
      whole: true,
    });
    expect(whole, whole.output).toMatchObject({ sent: 3, received: 3 });
  });
});
