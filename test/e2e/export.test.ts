/** sFlow and IPFIX from a real switch to Debian's nfcapd, and a collector that is not there. */
import { mkdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { LONG } from '../long.js';
import { World } from './host-testbed.js';
import { sniff } from './sniffer.js';
import { accounts, settledStats } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { ping } from './traffic.js';
import { makeGuest, succeed, VNI } from './two-hosts.js';

const PINGS = 20;
const IPFIX = 4739;

let world: World;
let hosts: [Host, Host];
let guests: [Guest, Guest];

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
});

afterEach(() => world.cleanUp());

async function startBoth(settings: string) {
  const start = (index: 0 | 1, more: string) => {
    const [own, far] = [hosts[index], hosts[1 - index]];
    const ports = [tapPort('tap0', guests[index]), singlePort(own.address, [far.address], VNI)];
    return world.startSwitch(own.netns, `host${index + 1}`, `${plainBridge(...ports)}${more}`);
  };
  const [first] = await Promise.all([start(0, settings), start(1, '')]);
  return first;
}

describe('exports', () => {
  // nfcapd is installed for the long tests.
  test.each(LONG ? [''] : [])('nfcapd has each frame of a flow, by its inner addresses', async () => {
    const [, far] = hosts;
    const folder = world.path('flows');
    mkdirSync(folder);
    const collector = world.spawn(far.netns, ['nfcapd', '-p', String(IPFIX), '-w', folder, '-t', '3600']);
    await until('nfcapd listens', async () => {
      return (await succeed(world, far.netns, ['cat', '/proc/net/udp', '/proc/net/udp6'])).includes(
        `:${IPFIX.toString(16).toUpperCase()}`,
      );
    });
    const sflow = await sniff(world, far, 'udp dst port 6343');
    const ipfix = await sniff(world, far, `udp dst port ${IPFIX}`);
    const sw = await startBoth(`sflow: ['${far.address}:6343']
sflow_sampling: 1
sflow_polling: 1
ipfix: ['${far.address}:${IPFIX}']
ipfix_sampling: 1
ipfix_inactive_timeout: 1
`);
    await until('templates and counters have come', () => sflow.packets.length > 0 && ipfix.packets.length > 0);
    const before = ipfix.packets.length;
    const { received } = await ping(world, guests[0].netns, guests[1].address, { count: PINGS });
    expect(received).toBe(PINGS);
    await until('the flows have come', () => ipfix.packets.length > before);
    // A switch that stops exports what it has left.
    await sw.stop();
    await collector.stop('SIGTERM');
    const listed = await succeed(world, far.netns, [
      'nfdump',
      '-R',
      folder,
      '-q',
      '-N',
      '-A',
      'srcip,dstip,proto',
      '-o',
      'fmt:%sa %da %pr %pkt %byt',
      'proto icmp',
    ]);
    const rows = listed
      .trim()
      .split('\n')
      .map((row) => row.trim().split(/\s+/).join(' '))
      .sort();
    const [one, two] = guests.map(({ address }) => address);
    expect(rows).toEqual([`${one} ${two} 1 ${PINGS} ${PINGS * 84}`, `${two} ${one} 1 ${PINGS} ${PINGS * 84}`]);
  });

  test('to a collector that is not there, or whose port is closed, cost the switch nothing', async () => {
    const [own, far] = hosts;
    // ICMP port unreachable; no route; no neighbour.
    const collectors = `['${far.address}:9', '203.0.113.1:9', '192.0.2.77:9']`;
    const sw = await startBoth(
      `sflow: ${collectors}\nsflow_sampling: 1\nsflow_polling: 1\nipfix: ${collectors}\nipfix_sampling: 1\nipfix_cache: 16\nipfix_inactive_timeout: 1\n`,
    );
    const refused = await sniff(world, own, 'icmp[icmptype] == icmp-unreach');
    expect(await ping(world, guests[0].netns, guests[1].address, { count: PINGS })).toMatchObject({ received: PINGS });
    await until('the far host has refused some', () => refused.packets.length > 0);
    await world.ip(own.netns, 'link set eth0 down');
    await world.ip(own.netns, 'link set eth0 up');
    await until(
      'guests reach each other',
      async () => (await ping(world, guests[0].netns, guests[1].address, { count: 1 })).received === 1,
    );
    const { in: received, out } = accounts(await settledStats(sw));
    expect(out).toBe(received);
    expect((await sw.stop()).ended.status).toBe(0);
  });
});
