/**
 * A guest that owns its namespace (root of a user namespace of its own, with no right over anything else) turns against the
 * switch: it sends messages to the switch's netlink sockets there, and renames and deletes its NICs all the time.
 */
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describe, type Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { long } from '../long.js';
import { expectBalanced, statsOf } from './faults-support.js';
import { World } from './host-testbed.js';
import { Bystanders, clientOf, startWith } from './live-support.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { type Guest, plainBridge, tapPort } from './topologies.js';
import { makeGuest } from './two-hosts.js';

const JUNK = fileURLToPath(new URL('tools/netlink-junk.py', import.meta.url));
/** Looks at the NICs, and changes of them, while it attacks. */
const LOOKS = long(3000, 100);
const CHANGES = LOOKS / 5;
const NICS = 8;
const RATE = 500;

let world: World;
let bystanders: [Guest, Guest];
let attacker: Program;

beforeEach(async () => {
  world = new World();
  bystanders = [await makeGuest(world, 1), await makeGuest(world, 2)];
});

afterEach(() => world.cleanUp());

/** Starts a program that is root in its own user and network namespace only, and a switch with NICs there. */
async function startWithAttacker(command: string[]): Promise<RunningSwitch> {
  const host = await world.netns('host');
  attacker = world.spawn(host, ['unshare', '--user', '--map-root-user', '--net', ...command]);
  await attacker.line('the attacker is there', (line) => line === 'here');
  const nics = Array.from({ length: NICS }, (_, number): Guest => {
    const [address, mac] = [`198.18.0.${10 + number}`, `02:00:00:00:01:0${number}`];
    return { netns: `/proc/${attacker.pid}/ns/net`, ifname: `eth${number}`, address, mac };
  });
  const ports = [...bystanders, ...nics].map((guest, number) => tapPort(`tap${number}`, guest));
  return startWith(world, host, 'host1', `bridges:\n${plainBridge(...ports)}`);
}

/** The switch runs, told nothing of failures, and its accounts balance. */
async function expectSound(sw: RunningSwitch): Promise<void> {
  expectBalanced(await settledStats(sw));
  expect(sw.log().filter(({ level }) => level >= 50)).toEqual([]);
  const { ended } = await sw.stop();
  expect(ended.status, describe(ended)).toBe(0);
}

test('one that fills the netlink sockets of the switch is not listened to', async () => {
  const file = world.path('pid');
  const sw = await startWithAttacker(['python3', JUNK, file]);
  const pair = await Bystanders.begin(world, bystanders[0], bystanders[1], RATE);
  writeFileSync(file, `${sw.program.pid}\n`);
  const tried = (): number => Number(attacker.lines.at(-1)?.split(' ')[0]);
  await until('it attacks', () => tried() > 1000);
  const client = clientOf(sw);
  const before = tried();
  for (let look = 0; look < LOOKS; look++) {
    const rows = await client.get('/v1/links');
    const taps = rows.filter(({ type }) => type === 'tap');
    expect(taps.map(({ operstate }) => operstate)).toEqual(taps.map(() => 'UP'));
  }
  for (let change = 0; change < CHANGES; change++) {
    const mtu = 1400 - (change % 7);
    await client.post('/v1/links', {
      op: 'set',
      name: 'tap3',
      options: { mtu, addresses: [`198.18.1.${change % 250}/24`] },
    });
    const rows = await client.get('/v1/links');
    expect(rows.find(({ ifname }) => ifname === 'tap3')).toMatchObject({ mtu, operstate: 'UP' });
  }
  await until('it has gone on', () => tried() > before + 1000);
  await pair.expectAll();
  await expectSound(sw);
});

test('one that renames, moves and deletes its NICs all the time harms only itself', async () => {
  const script = `unshare --net sh -c "while kill -0 $$; do sleep 1; done" >/dev/null 2>&1 & cell=$!
    echo here
    i=0
    while :; do
      for n in 0 1 2 3; do ip link set eth$n name other$n; ip link set other$n name eth$n; ip link set eth$n up; done
      for n in 4 5; do ip link del eth$n; done
      for n in 6 7; do
        ip link set eth$n netns $cell
        nsenter --net=/proc/$cell/ns/net ip link set eth$n netns $$
        ip link set eth$n up
      done
      i=$((i+1)); echo $i
    done 2>/dev/null`;
  const sw = await startWithAttacker(['sh', '-c', script]);
  const pair = await Bystanders.begin(world, bystanders[0], bystanders[1], RATE);
  const rounds = (): number => Number(attacker.lines.at(-1));
  const goal = rounds() + long(1000, 10);
  const client = clientOf(sw);
  while (rounds() < goal) {
    const rows = await client.get('/v1/links');
    expect(rows.filter(({ type }) => type === 'tap').length).toBe(NICS + 2);
    await delay(20);
  }
  expect((await statsOf(sw)).links.tap0.rx_packets).toBeGreaterThan(0);
  await attacker.stop('SIGKILL');
  await pair.expectAll();
  await expectSound(sw);
});
