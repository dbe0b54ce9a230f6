/**
 * Guards with real kernels as guests: forged ARP and neighbour discovery, a false DHCP server and a false router, all written in bytes or
 * run as programs. Each attack is also shown to work where the guard is off.
 */
import { afterEach, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { expectReach, give, startWith } from './live-support.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { type Guest, plainBridge, tapPort } from './topologies.js';
import { inject } from './traffic.js';
import { succeed } from './two-hosts.js';

/** For programs of the guests on a busy machine. */
const PATIENCE_MS = 60_000;

let world: World;

afterEach(() => world.cleanUp());

async function guest(number: number): Promise<Guest> {
  return {
    netns: await world.netns(`guest${number}`, { ipv6: true }),
    ifname: 'eth0',
    address: `198.18.0.${number}`,
    mac: `02:00:00:00:00:0${number}`,
  };
}

/** Until duplicate address detection is over a kernel neither uses nor defends its link-local address. */
const settled = (...guests: Guest[]): Promise<unknown> =>
  Promise.all(
    guests.map(({ netns, ifname }) =>
      until(
        `${netns} has a link-local address`,
        async () => {
          const shown = await succeed(world, netns, ['ip', '-6', 'address', 'show', 'dev', ifname, 'scope', 'link']);
          return shown.includes('fe80::') && !shown.includes('tentative');
        },
        PATIENCE_MS,
      ),
    ),
  );

const drops = async (sw: RunningSwitch, reason: string): Promise<number> => (await settledStats(sw)).drops[reason] ?? 0;

/** 198.18.0.2 is at 02:00:00:00:00:03, says guest 3 to guest 1; and fe80::ff:fe00:2 likewise. */
const FORGED = [
  '020000000001 020000000003 0806 0001 0800 0604 0002 020000000003 c6120002 020000000001 c6120001',
  '020000000001 020000000003 86dd 60000000 0020 3a ff fe80000000000000000000fffe000002 fe80000000000000000000fffe000001' +
    '88 00 1b19 60000000 fe80000000000000000000fffe000002 0201 020000000003',
].map((hex) => hex.replaceAll(' ', ''));
/** The same to all, behind a tag, and as probes. */
const FURTHER = [
  'ffffffffffff 020000000003 0806 0001 0800 0604 0001 020000000003 c6120002 000000000000 c6120002',
  'ffffffffffff 020000000003 8100 0064 0806 0001 0800 0604 0001 020000000003 c6120002 000000000000 c6120002',
  'ffffffffffff 020000000003 0806 0001 0800 0604 0001 020000000003 00000000 000000000000 c6120002',
  '3333ff000002 020000000003 86dd 60000000 0018 3a ff 00000000000000000000000000000000 ff0200000000000000000001ff000002' +
    '87 00 7d23 00000000 fe80000000000000000000fffe000002',
].map((hex) => hex.replaceAll(' ', ''));

test('a guest that forges addresses gets nobody else’s traffic', async () => {
  world = new World();
  const host = await world.netns('host');
  const [alice, bob, mallory] = [await guest(1), await guest(2), await guest(3)];
  const ports = [alice, bob, mallory].map((one, at) => tapPort(`tap${at + 1}`, one));
  const sw = await startWith(world, host, 'host1', `bridges:\n${plainBridge(...ports)}`);
  await give(sw, 'link set tap3 type bridge_slave arp_guard 198.18.0.3,fe80::ff:fe00:3');
  await settled(alice, bob, mallory);
  await expectReach(world, alice, bob);
  await succeed(world, alice.netns, ['ping', '-n', '-c', '1', '-I', 'eth0', 'fe80::ff:fe00:2']);
  const places = async (): Promise<string[]> => {
    const rows = await Promise.all(['-4', '-6'].map((family) => succeed(world, alice.netns, ['ip', family, 'neigh'])));
    return [/^198\.18\.0\.2 .* lladdr (\S+)/m, /^fe80::ff:fe00:2 .* lladdr (\S+)/m].map(
      (row) => row.exec(rows.join('\n'))?.[1] ?? '',
    );
  };
  expect(await places()).toEqual([bob.mac, bob.mac]);
  const before = await drops(sw, 'arp_guard');
  const all = [...FORGED, ...FURTHER];
  await inject(world, mallory, ...all);
  await until('all are refused', async () => (await drops(sw, 'arp_guard')) >= before + all.length, PATIENCE_MS);
  expect(await drops(sw, 'arp_guard')).toBe(before + all.length);
  expect(await places()).toEqual([bob.mac, bob.mac]);
  // What is its own passes.
  await expectReach(world, mallory, bob);

  await give(sw, 'link set tap3 type bridge_slave arp_guard none');
  // A kernel believes no second change within a second.
  await until(
    'the kernel of alice believes them without a guard',
    async () => {
      await inject(world, mallory, ...FORGED);
      return (await places()).every((mac) => mac === mallory.mac);
    },
    PATIENCE_MS,
  );
});

/** From fe80::ff:fe00:3: a router for half an hour. */
const ADVERTISED =
  '3333 00000001 020000000003 86dd 60000000 0018 3a ff fe80000000000000000000fffe000003 ff020000000000000000000000000001' +
  '8600 3319 40000708 00000000 00000000 0101 020000000003';

test('a false DHCP server and a false router are not heard', async () => {
  world = new World();
  const host = await world.netns('host');
  const [alice, mallory] = [await guest(1), await guest(3)];
  const ports = [alice, mallory].map((one, at) => tapPort(`tap${at === 0 ? 1 : 3}`, one));
  const guards = `  br1:\n    dhcp_guard: true\n    ra_guard: true\n    ports:\n${ports.join('')}`;
  const sw = await startWith(world, host, 'host1', `bridges:\n${guards}`);
  const leases = world.file('leases', '');
  const conf = `start 198.18.0.100\nend 198.18.0.110\ninterface eth0\nlease_file ${leases}\n`;
  const server = world.spawn(mallory.netns, ['busybox', 'udhcpd', '-f', world.file('udhcpd.conf', conf)]);
  await until('the server is there', async () =>
    (await succeed(world, mallory.netns, ['ss', '-ulnH'])).includes(':67') ? true : undefined,
  );
  const ask = (tries: number): Promise<{ status: number | null; stdout: string; stderr: string }> =>
    world.exec(alice.netns, `busybox udhcpc -n -q -f -t ${tries} -T 1 -i eth0 -s /bin/true`.split(' '));
  const routes = (): Promise<string> => succeed(world, alice.netns, ['ip', '-6', 'route', 'show', 'default']);
  // A namespace may have it off.
  await succeed(world, alice.netns, ['sysctl', '-qw', 'net.ipv6.conf.eth0.accept_ra=2']);
  const frame = ADVERTISED.replaceAll(' ', '');

  const refused = await ask(2);
  expect(refused.status, refused.stderr).toBe(1);
  const offers = await drops(sw, 'dhcp_guard');
  expect(offers).toBeGreaterThan(0);
  await inject(world, mallory, frame);
  await until('it is refused', async () => (await drops(sw, 'dhcp_guard')) === offers + 1, PATIENCE_MS);
  expect(await routes()).toBe('');

  await give(sw, 'link set tap3 type bridge_slave trusted on');
  // It ends with the first answer.
  const leased = await ask(20);
  expect(leased.status, leased.stderr).toBe(0);
  expect(leased.stderr + leased.stdout).toMatch(/lease of 198\.18\.0\.1\d\d obtained/);
  await inject(world, mallory, frame);
  await until('alice has a router', async () => (await routes()).includes('via fe80::ff:fe00:3'), PATIENCE_MS);
  expect(await drops(sw, 'dhcp_guard')).toBe(offers + 1);
  await server.stop('SIGTERM');
});
