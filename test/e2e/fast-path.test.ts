/**
 * The fast path as a whole: large transfers with superframes that leave whole or are split, trains and merging, on an underlay
 * with a veth's offloads (column A) and on one like a plain network card (column B), beside the kernel's vxlan device, and
 * with each offload switched off.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { must } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { selfTest } from '../../src/port/self-test.js';
import { cases, long } from '../long.js';
import { World } from './host-testbed.js';
import { type Dump, dump, type Sniffer, sniff } from './sniffer.js';
import { type Guest, type Host, twoHosts } from './topologies.js';
import { numbered, ping, udpEcho } from './traffic.js';
import {
  type Column,
  expectBalance,
  expectTransfer,
  isWhole,
  kernelPeer,
  LONG,
  MB,
  makeGuest,
  setColumn,
  startPair,
  startSwitch,
  tunnelGsoLack,
} from './two-hosts.js';

/** By default superframes leave whole where the underlay takes them so, as column A does: both ways are tested. */
const NO_TUNNEL_GSO = 'offloads: { tunnel_gso: false }\n';
const lacksTunnelGso = (await tunnelGsoLack()) !== null;
const { ioUring } = selfTest();

let world: World;
let hosts: [Host, Host];
/** One a host. */
let guests: [Guest, Guest];

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
});

afterEach(() => world.cleanUp());

async function expectPing(from: Guest, to: Guest): Promise<void> {
  const result = await ping(world, from.netns, to.address);
  expect(result, result.output).toMatchObject({ sent: 3, received: 3, duplicates: 0 });
}

describe('a large transfer arrives with an equal hash', () => {
  /** Whether superframes left whole, or had to be split, shows in what passes. */
  async function expectWhole(wire: Sniffer, whole: boolean): Promise<void> {
    if (whole && !lacksTunnelGso) {
      await until('a whole superframe passes', () => wire.packets.some(isWhole));
    } else {
      await wire.rests(1);
      expect(wire.packets.filter(isWhole)).toEqual([]);
    }
    await wire.stop();
  }

  test.each<{ column: Column; megabytes: number; settings: string; way: string }>([
    { column: 'A', megabytes: long(1000, 50), settings: '', way: 'superframes whole' },
    { column: 'A', megabytes: long(1000, 50), settings: NO_TUNNEL_GSO, way: 'trains' },
    { column: 'B', megabytes: long(1000, 20), settings: '', way: 'single datagrams' },
  ])('$megabytes MB, overtap to overtap, column $column: $way', async ({ column, megabytes, settings, way }) => {
    await setColumn(world, hosts, column);
    const switches = await startPair(world, hosts, [[guests[0]], [guests[1]]], [settings, settings]);
    // As it is sent: what arrives the kernel may have merged.
    const wire = await sniff(world, hosts[0], `${LONG} and src host ${hosts[0].address}`);
    await expectTransfer(world, guests[0], guests[1], 20 * MB, `overtap to overtap, column ${column}, ${way}`);
    if (column === 'A') await expectWhole(wire, settings === '');
    else await wire.rests().then(() => expect(wire.packets).toEqual([]));
    await wire.stop();
    await expectTransfer(world, guests[0], guests[1], megabytes * MB, `overtap to overtap, column ${column}, ${way}`);
    await expectBalance(...switches);
  });

  test.each([
    { megabytes: long(1000, 40), settings: '', way: 'superframes whole' },
    { megabytes: long(300, 20), settings: NO_TUNNEL_GSO, way: 'trains' },
  ])('$megabytes MB to a kernel peer and as much back, column A: $way', async ({ megabytes, settings, way }) => {
    const sw = await startSwitch(world, hosts[0], [hosts[1].address], [guests[0]], settings);
    const peer = await kernelPeer(world, hosts[1], hosts[0].address, guests[1].address);
    const wire = await sniff(world, hosts[0], `${LONG} and src host ${hosts[0].address}`);
    await expectTransfer(world, guests[0], peer, 20 * MB, `overtap to kernel, column A, ${way}`);
    await expectWhole(wire, settings === '');
    await expectTransfer(world, guests[0], peer, megabytes * MB, `overtap to kernel, column A, ${way}`);
    await expectTransfer(world, peer, guests[0], megabytes * MB, `kernel to overtap, column A, ${way}`);
    await expectBalance(sw);
  });
});

describe('on a plain underlay', () => {
  /** Of a transfer each way, in MB. */
  const CAPTURED = long(15, 5);

  /** What the host sends, as the network card gets it: what comes in may have been merged by the kernel. */
  const capture = (host: Host, file: string): Promise<Dump> => dump(world, host, file, ['-Q', 'out', 'ip']);

  async function smallFrames(from: Guest, to: Guest): Promise<void> {
    for (const size of [1, 18, 200, 1400]) {
      const echoed = await udpEcho(world, from.netns, to.netns, to.address, { size, count: 20 });
      expect(echoed).toEqual({ equal: 20, different: 0, lost: 0 });
    }
    // Bursts of equal frames, which leave as trains.
    const { received } = await numbered(world, from.netns, to.netns, to.address, { flows: 2, count: 500 });
    expect(received).toEqual({ received: 1000, late: 0, twice: 0, flows: 2 });
  }

  test('no outer datagram is over 1500 bytes or a fragment, and no checksum, inner or outer, is wrong', async () => {
    await setColumn(world, hosts, 'B');
    const switches = await startPair(world, hosts, [[guests[0]], [guests[1]]]);
    const files = hosts.map((_, index) => world.path(`sent-by-${index}.pcap`));
    const captures = await Promise.all(hosts.map((host, index) => capture(host, files[index])));
    await expectTransfer(world, guests[0], guests[1], CAPTURED * MB, 'captured, column B');
    await expectTransfer(world, guests[1], guests[0], CAPTURED * MB, 'captured, column B, back');
    await smallFrames(guests[0], guests[1]);
    const said = await Promise.all(captures.map((each) => each.stop(CAPTURED * MB)));
    await expectBalance(...switches);

    for (const [index, file] of files.entries()) {
      const text = await must(['tcpdump', '-r', file, '-n', '-vv', 'udp', 'port', '4789']);
      const lines = (pattern: RegExp): string[] => text.match(pattern) ?? [];
      // 1 MB is over 700 segments, and the other way come the acknowledgements.
      expect(lines(/ VXLAN, flags \[I\] \(0x08\), vni 42$/gm).length, said[index]).toBeGreaterThan(CAPTURED * 690);
      expect(lines(/cksum 0x[0-9a-f]+ \(correct\)/g).length, said[index]).toBeGreaterThan(CAPTURED * 690);
      expect(lines(/.*cksum 0x[0-9a-f]+ \(incorrect.*/g)).toEqual([]);
      expect(lines(/.*bad udp cksum.*/g)).toEqual([]);
      expect(lines(/.*udp sum ok.*/g).length).toBeGreaterThan(CAPTURED * 33);
      expect(lines(/.*bad cksum.*/g)).toEqual([]);
      expect(await must(['tcpdump', '-r', file, '-n', `ip[2:2] > 1500`])).toBe('');
      expect(await must(['tcpdump', '-r', file, '-n', 'ip[6:2] & 0x3fff != 0'])).toBe('');
    }
  });
});

/** What the switch says it uses. */
interface Used {
  vnet_header: boolean;
  tso: boolean;
  udp_segment: boolean;
  tunnel_gso: boolean | 'auto';
  io_uring: boolean;
  udp_gro: boolean;
  packet_ring: boolean;
}

describe('each offload can be switched off', () => {
  const AUTO = lacksTunnelGso ? false : 'auto';
  const ON: Used = {
    vnet_header: true,
    tso: true,
    udp_segment: true,
    tunnel_gso: AUTO,
    udp_gro: true,
    packet_ring: true,
    io_uring: ioUring,
  };
  const OFF: Used = {
    vnet_header: false,
    tso: false,
    udp_segment: false,
    tunnel_gso: false,
    udp_gro: false,
    packet_ring: false,
    io_uring: false,
  };
  const ALL_OFF =
    '{ tso: false, udp_segment: false, tunnel_gso: false, udp_gro: false, packet_ring: false, vnet_header: false, io_uring: false }';
  interface Side {
    offloads: string;
    used: Used;
  }
  const WITHOUT: Record<string, Side> = {
    tso: { offloads: '{ tso: false }', used: { ...ON, tso: false, tunnel_gso: false } },
    // What is long and single on the wire is not wanted then either, unless it is asked for.
    udp_segment: { offloads: '{ udp_segment: false }', used: { ...ON, udp_segment: false, tunnel_gso: false } },
    tunnel_gso: { offloads: '{ tunnel_gso: false }', used: { ...ON, tunnel_gso: false } },
    udp_gro: { offloads: '{ udp_gro: false }', used: { ...ON, udp_gro: false } },
    io_uring: { offloads: '{ io_uring: false }', used: { ...ON, io_uring: false } },
    // Without the header in front of a frame there is no telling that it is a superframe.
    vnet_header: {
      offloads: '{ vnet_header: false }',
      used: { ...ON, vnet_header: false, tso: false, tunnel_gso: false },
    },
    'any of them': { offloads: ALL_OFF, used: OFF },
  };
  const WITH_ALL: Side = { offloads: '{}', used: ON };
  const FORCED: Record<string, Side> = {
    'tunnel_gso: true': { offloads: '{ tunnel_gso: true }', used: { ...ON, tunnel_gso: !lacksTunnelGso } },
    'tunnel_gso: true, without udp_segment': {
      offloads: '{ tunnel_gso: true, udp_segment: false }',
      used: { ...ON, udp_segment: false, tunnel_gso: !lacksTunnelGso },
    },
  };
  /** At the least, of a transfer of 20 MB by guests whose NICs have an MTU of 1450. */
  const SEGMENTS = Math.ceil((20 * MB) / 1450);

  async function expectTraffic(sides: readonly [Side, Side], label: string): Promise<void> {
    const settings = sides.map(({ offloads }) => `offloads: ${offloads}\n`) as [string, string];
    const switches = await startPair(world, hosts, [[guests[0]], [guests[1]]], settings);
    for (const [index, sw] of switches.entries()) {
      const line = await sw.logged('what is used', ({ msg }) => msg === 'engine');
      expect(line).toMatchObject({ workers: 1, ...sides[index].used });
    }
    const [one, two] = guests;
    await expectPing(one, two);
    // Longer than any datagram of the underlay: what the kernel or a network card would take apart.
    const wire = await sniff(world, hosts[0], `${LONG} and src host ${hosts[0].address}`);
    await expectTransfer(world, one, two, 20 * MB, label);
    const frames = (await switches[0].stats()).links.tap0.rx_packets;
    if (sides[0].used.tso) expect(frames).toBeLessThan(SEGMENTS / 4);
    else expect(frames).toBeGreaterThanOrEqual(SEGMENTS);
    const { udp_segment, tunnel_gso, tso } = sides[0].used;
    const whole = tso && tunnel_gso !== false;
    if (whole) await until('a whole superframe passes', () => wire.packets.some(isWhole));
    else if (udp_segment) await until('a train passes', () => wire.packets.length > 0);
    // Also of what comes last.
    await wire.rests();
    if (!whole) expect(wire.packets.filter(isWhole)).toEqual([]);
    if (!udp_segment) expect(wire.packets.filter((packet) => !isWhole(packet))).toEqual([]);
    await wire.stop();
    await expectTransfer(world, two, one, 20 * MB, `${label}, back`);
    await expectBalance(...switches);
  }

  test('20 MB each way with all of them, by default', () => expectTraffic([WITH_ALL, WITH_ALL], 'all on'));

  test.each(cases(Object.entries(WITHOUT), 2))('20 MB each way without %s on both hosts', async (name, side) => {
    await expectTraffic([side, side], `without ${name}`);
  });

  test.each(cases(Object.entries(FORCED), 1))('20 MB each way with %s on both hosts', async (name, side) => {
    await expectTraffic([side, side], name);
  });

  test.each(cases(['A', 'B'] as const, 1))('20 MB each way from all off to all on, column %s', async (column) => {
    await setColumn(world, hosts, column);
    await expectTraffic([WITHOUT['any of them'], WITH_ALL], `all off to all on, column ${column}`);
  });
});

/** Of the transfer within a host, in MB. */
const LENGTH = long(200, 50);

test(`between guests of one host, ${LENGTH} MB pass as the superframes that they are`, async () => {
  const sw = await startSwitch(world, hosts[0], [hosts[1].address], guests);
  await expectTransfer(world, guests[0], guests[1], LENGTH * MB, 'TAP to TAP');
  const { links } = await sw.stats();
  const frames = { sent: links.tap0.rx_packets, delivered: links.tap1.tx_packets };
  console.log(
    `TAP to TAP, frames: ${JSON.stringify(frames)}; as segments it would be ${Math.ceil((LENGTH * MB) / 1398)}`,
  );
  expect(links.tap1.tx_bytes).toBeGreaterThan(LENGTH * MB);
  expect(frames.delivered).toBeLessThan((LENGTH * MB) / 1450 / 8);
  await expectBalance(sw);
});
