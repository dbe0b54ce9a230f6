/**
 * Whether an address is free the owner says, not the table: a guest's probes go to the one VTEP that the owner is behind, the
 * owner's own kernel defends its address, and an address whose owner is gone can be taken at once. The remotes are kernels.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { type End, World } from './host-testbed.js';
import { give } from './live-support.js';
import { sniff } from './sniffer.js';
import type { RunningSwitch } from './switch.js';
import { type Guest, type Host, threeHosts } from './topologies.js';
import { BROADCAST, inject, ping } from './traffic.js';
import { makeGuest } from './two-hosts.js';

const VNI = 42;
const OWNER = { mac: '02:00:00:00:00:92', address: '198.18.0.92', address6: '2001:db8:42::92' };
const MINE6 = '2001:db8:42::1';
/** ARP requests from 0.0.0.0, and what answers them. */
const ARP_PROBES = 'arp[6:2] = 1 and arp[14:4] = 0';
const ARP_ANSWERS = 'arp[6:2] = 2 and arp[24:4] = 0';
/** Solicitations from :: as well. */
const PROBES = `(${ARP_PROBES}) or (icmp6 and ip6[40] = 135 and ip6[8:4] = 0 and ip6[20:4] = 0)`;

const world = new World();
let guest: Guest;
let sw: RunningSwitch;
let owner: End;
let bystander: End;

beforeAll(async () => {
  const [here, ...kernels] = await threeHosts(world);
  [owner, bystander] = await Promise.all(kernels.map((host, index) => kernelPeer(host, here, index)));
  await world.address(owner, `${OWNER.address}/24`);
  await world.address(owner, `${OWNER.address6}/64`);
  const plain = await makeGuest(world, 1);
  guest = { ...plain, netns: await world.netns('six', { ipv6: true }) };
  const remotes = kernels.map(({ address }) => address).join(', ');
  sw = await world.startSwitch(
    here.netns,
    'host1',
    `  br0:
    vlan_filtering: true
    ports:
      tap1: { type: tap, netns: ${guest.netns}, ifname: ${guest.ifname}, mac: "${guest.mac}", addresses: [${guest.address}/24, "${MINE6}/64"] }
      vxlan0: { type: vxlan, local: ${here.address}, id: ${VNI}, remotes: [${remotes}], neigh_suppress: true }
`,
  );
  // All have asked for their own addresses, those of the link too: what is seen from here on is the test's.
  for (const end of [guest, owner, bystander])
    await until(`${end.netns} has its addresses`, async () => {
      const { stdout } = await world.exec(end.netns, ['ip', '-6', 'address', 'show', 'dev', end.ifname]);
      return stdout.includes('fe80:') && !stdout.includes('tentative');
    });
  for (const address of [OWNER.address, OWNER.address6]) {
    const { received, output } = await ping(world, guest.netns, address);
    expect(received, output).toBe(3);
  }
});

afterAll(() => world.cleanUp());

async function kernelPeer(host: Host, remote: Host, index: number): Promise<End> {
  const mac = index === 0 ? OWNER.mac : '02:00:00:00:00:93';
  const vxlan = `type vxlan id ${VNI} local ${host.address} remote ${remote.address} dstport 4789`;
  await world.ip(host.netns, `link add vx0 address ${mac} ${vxlan}`);
  await world.exec(host.netns, ['sysctl', '-qw', 'net.ipv6.conf.vx0.disable_ipv6=0']);
  await world.ip(host.netns, 'link set vx0 up');
  return { netns: host.netns, ifname: 'vx0' };
}

const hex = (text: string): string => text.replaceAll(':', '');
const words = (address: string): string =>
  address
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join('');

/** An ARP probe of the guest (RFC 5227). */
const probe = (address: string): string =>
  `${hex(BROADCAST)}${hex(guest.mac)}0806000108000604 0001${hex(guest.mac)}00000000000000000000${words(address)}`.replaceAll(
    ' ',
    '',
  );

async function addressState(address: string): Promise<string[]> {
  const [{ addr_info: all }] = await world.ipJson<{ addr_info: Record<string, unknown>[] }[]>(
    guest.netns,
    `address show dev ${guest.ifname}`,
  );
  const found = all.find(({ local }) => local === address) ?? {};
  return ['tentative', 'dadfailed'].filter((flag) => found[flag] === true);
}

test('probes go to the owner alone, which answers, until it is gone', async () => {
  const [atOwner, elsewhere] = await Promise.all([owner, bystander].map((end) => sniff(world, end, PROBES)));
  const atGuest = await sniff(world, guest, ARP_ANSWERS);

  await inject(world, guest, probe(OWNER.address));
  await until('the owner defends its IPv4 address', () => atGuest.packets.length > 0);
  await world.ip(guest.netns, `-6 address add ${OWNER.address6}/64 dev ${guest.ifname}`);
  await until('the guest finds the IPv6 address taken', async () =>
    (await addressState(OWNER.address6)).includes('dadfailed'),
  );
  await world.ip(guest.netns, `-6 address del ${OWNER.address6}/64 dev ${guest.ifname}`);
  await atOwner.rests(2);
  expect([atGuest.packets.length, atOwner.packets.length, elsewhere.packets.length]).toEqual([1, 2, 0]);

  // The owner goes without a word; its bindings are there for minutes still.
  await world.ip(owner.netns, `address del ${OWNER.address}/24 dev vx0`);
  await world.ip(owner.netns, `-6 address del ${OWNER.address6}/64 dev vx0`);
  await inject(world, guest, probe(OWNER.address));
  await world.ip(guest.netns, `-6 address add ${OWNER.address6}/64 dev ${guest.ifname}`);
  await until('the guest has the IPv6 address', async () => {
    const { stdout } = await world.exec(guest.netns, ['ip', '-6', 'address', 'show', 'to', OWNER.address6]);
    return stdout.includes(OWNER.address6) && (await addressState(OWNER.address6)).length === 0;
  });
  await atOwner.rests(4);
  expect([atGuest.packets.length, atOwner.packets.length, elsewhere.packets.length]).toEqual([1, 4, 0]);

  // Where nothing is known, everybody is asked.
  await inject(world, guest, probe('198.18.0.77'));
  await elsewhere.rests(1);
  expect(elsewhere.packets).toHaveLength(1);
});

test('a VLAN for which it is switched off asks every remote', async () => {
  const elsewhere = await sniff(world, bystander, ARP_PROBES);
  // The owner is known again.
  await world.address(owner, `${OWNER.address}/24`);
  await world.exec(guest.netns, ['ip', 'neighbour', 'flush', 'dev', guest.ifname]);
  await until(
    'the owner is known',
    async () => (await ping(world, guest.netns, OWNER.address, { count: 1 })).received === 1,
  );
  const asked = elsewhere.packets.length;
  await inject(world, guest, probe(OWNER.address));
  await give(sw, 'vlan set dev vxlan0 vid 1 neigh_suppress off');
  await inject(world, guest, probe(OWNER.address));
  await elsewhere.rests(asked + 1);
  expect(elsewhere.packets).toHaveLength(asked + 1);
  expect(await sw.json('-d vlan show dev vxlan0')).toMatchObject([{ vlans: [{ vlan: 1, neigh_suppress: false }] }]);
  expect(await give(sw, `apply -c ${world.path('host1.yaml')} --dry-run`)).toMatch(/neigh_vlan_suppress off/);
});
