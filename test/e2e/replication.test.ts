/**
 * A frame that is flooded to a thousand remotes: exactly one datagram for each, counted by libpcap where they arrive,
 * while guests of the same switch go on with a transfer of their own.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { type Guest, type Host, twoHosts } from './topologies.js';
import { BROADCAST, experimentalFrame, inject, tool } from './traffic.js';
import { expectBalance, expectTransfer, MB, makeGuest, startSwitch, succeed } from './two-hosts.js';

const REMOTES = 1000;
/** VXLAN with a frame of the experimental EtherType inside: nothing but the frames of this test. */
const FILTER = 'udp dst port 4789 and dst net 10.9.0.0/16 and udp[28:2] = 0x88b5';

/** Without a line of the counter. */
const REST_MS = 500;
const PATIENCE_MS = 5000;

interface Count {
  total: number;
  distinct: number;
  least: number;
  most: number;
}

const world = new World();
let hosts: [Host, Host];
/** The first one sends what is flooded; the others talk to each other. */
let guests: [Guest, Guest, Guest];
let sw: RunningSwitch;
let counter: Program;

beforeAll(async () => {
  hosts = await twoHosts(world);
  const [own, far] = hosts;
  await world.ip(far.netns, 'route add local 10.9.0.0/16 dev lo');
  await world.ip(own.netns, `route add 10.9.0.0/16 via ${far.address}`);
  guests = [await makeGuest(world, 1), await makeGuest(world, 2), await makeGuest(world, 3)];
  const remotes = Array.from({ length: REMOTES }, (_, n) => `10.9.${Math.floor(n / 250)}.${(n % 250) + 1}`);
  sw = await startSwitch(world, own, remotes, guests);
  // libpcap keeps 64 KiB for each packet of a NIC that takes superframes: a busy machine would lose some of so many then.
  await succeed(world, far.netns, ['ethtool', '-K', far.ifname, 'tso', 'off', 'gso', 'off']);
  counter = world.spawn(far.netns, tool('destinations', far.ifname, FILTER));
  await counter.line('the capture begins', (line) => line.includes('ready'));
});

afterAll(() => world.cleanUp());

/** The count, once it does not change any more: the tool prints nothing then. Below what is due there is more patience. */
async function rest(due: number): Promise<Count> {
  let lines = 0;
  let since = performance.now();
  return until('the count comes to rest', () => {
    if (counter.lines.length !== lines) {
      lines = counter.lines.length;
      since = performance.now();
    }
    // The first line is no count.
    const { total, ...more } = JSON.parse(counter.lines[lines - 1]) as Partial<Count>;
    const limit = (total ?? 0) >= due ? REST_MS : PATIENCE_MS;
    return total !== undefined && performance.now() - since > limit && ({ total, ...more } as Count);
  });
}

async function broadcast(frames: number, text: string): Promise<void> {
  const { mac: source } = guests[0];
  const frame = (number: number): string =>
    experimentalFrame({ destination: BROADCAST, source, text: `${text} ${number}` });
  for (let number = 0; number < frames; number++) await inject(world, guests[0], frame(number));
}

test('one broadcast frame is 1,000 datagrams, one for each remote', async () => {
  await broadcast(1, 'once');
  expect(await rest(REMOTES)).toEqual({ total: REMOTES, distinct: REMOTES, least: 1, most: 1 });
  await expectBalance(sw);
});

test('20 more are 20,000 more, while two guests move 100 MB after 100 MB with equal hashes', async () => {
  let flooding = true;
  const passing = async (): Promise<number> => {
    let transfers = 0;
    do {
      await expectTransfer(world, guests[1], guests[2], 100 * MB, 'TAP to TAP beside floods');
      transfers++;
    } while (flooding);
    return transfers;
  };
  const passed = passing();
  // Whoever fails first is heard below.
  passed.catch(() => undefined);
  await until('the transfer has begun', async () => (await sw.stats()).links.tap1.rx_bytes > 10 * MB);
  await broadcast(20, 'again').finally(() => {
    flooding = false;
  });
  expect(await passed).toBeGreaterThan(0);
  expect(await rest(21 * REMOTES)).toEqual({ total: 21 * REMOTES, distinct: REMOTES, least: 21, most: 21 });
  expect((await settledStats(sw)).drops).toEqual({});
  await expectBalance(sw);
});
