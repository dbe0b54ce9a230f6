/**
 * Symmetric routing beside FRR and the kernel's VRF, in the long form only: FRR's zebra and bgpd in a virtual machine with Debian's kernel, since
 * that of the host may have no VRF devices. Each side has a subnet that the other one has not; prefixes cross by type 5 (RFC 9136), guests by
 * MAC/IP routes with two labels (RFC 9135 section 5). Where FRR or QEMU is missing the tests fail, and say so.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EvpnRouteRow } from '../../src/api/api.js';
import type { RouteRow } from '../../src/api/route.js';
import { until } from '../../src/lab/testbed/wait.js';
import { frrEdge } from './evpn-support.js';
import { World } from './host-testbed.js';
import { KernelVm } from './kernel-vm.js';
import { HostPlace, move, type Place } from './places.js';
import { sniff } from './sniffer.js';
import type { RunningSwitch } from './switch.js';
import type { Host } from './topologies.js';
import { MB } from './two-hosts.js';

const DAEMONS = ['zebra', 'bgpd'].map((name) => `/usr/lib/frr/${name}`);
const [L3, OURS, THEIRS] = [5050, 1010, 1020];
const [OWN_MAC, OWN_ROUTER] = ['02:00:00:00:61:09', '02:00:00:00:50:01'];
const [PEER_MAC, PEER_ROUTER] = ['02:00:00:00:62:09', '02:00:00:00:50:02'];
const [OWN, PEER] = ['10.0.1.9', '10.0.2.9'];

const world = new World();
let host: Host;
let machine: KernelVm;
let sw: RunningSwitch;
let here: Place;
let there: Place;

/** The bridge and vxlan device of a VNI in the VRF. */
const segment = (vni: number, words: string): string[] => [
  `ip link add br${vni} type bridge`,
  `ip link set br${vni} master red`,
  `ip link set br${vni} ${words} up`,
  `ip link add vx${vni} type vxlan id ${vni} local ${machine.address} dstport 4789 nolearning`,
  `ip link set vx${vni} master br${vni} up`,
  `bridge link set dev vx${vni} learning off neigh_suppress on`,
];

async function makeVrf(): Promise<void> {
  await machine.do(
    'sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0',
    'ip link add red type vrf table 1000',
    'ip link set red up',
    ...segment(L3, `address ${PEER_ROUTER}`),
    ...segment(THEIRS, 'address 02:00:00:00:62:01'),
    `ip address add 10.0.2.1/24 dev br${THEIRS}`,
  );
  there = await machine.place('g20');
  await machine.do(
    'ip link add p20 type veth peer name eth0 netns g20',
    `ip link set p20 master br${THEIRS} up`,
    `ip -n g20 link set eth0 address ${PEER_MAC} mtu 1450 up`,
    `ip -n g20 address add ${PEER}/24 dev eth0`,
    'ip -n g20 route add default via 10.0.2.1',
  );
}

const BGPD = `${frrEdge('192.0.2.2', '192.0.2.1')}
router bgp 65000 vrf red
 bgp router-id 192.0.2.2
 address-family ipv4 unicast
  redistribute connected
 exit-address-family
 address-family l2vpn evpn
  advertise ipv4 unicast
 exit-address-family
`;

/** Its programs run as root there: the machine knows no other user. */
async function startFrr(): Promise<void> {
  const file = (path: string, text: string): string =>
    `printf '%s\\n' ${text
      .trimEnd()
      .split('\n')
      .map((line) => `'${line}'`)
      .join(' ')} > ${path}`;
  await machine.do(
    'mkdir -p /etc/frr /run/frr /var/tmp',
    '{ [ -e /var/run/frr ] || ln -s /run/frr /var/run/frr; }',
    file('/etc/passwd', 'root:x:0:0::/root:/bin/sh'),
    file('/etc/group', 'root:x:0:\nfrrvty:x:107:root'),
    file('/etc/frr/zebra.conf', `vrf red\n vni ${L3}\nexit-vrf`),
    file('/etc/frr/bgpd.conf', BGPD),
  );
  for (const daemon of DAEMONS) {
    const name = daemon.slice(daemon.lastIndexOf('/') + 1);
    await machine.do(`${daemon} -d -f /etc/frr/${name}.conf -u root -g root -A 127.0.0.1`);
    await until(`${name} runs`, async () => (await machine.try(`pidof ${name}`)).trim() !== '');
  }
}

beforeAll(async () => {
  host = { netns: await world.netns('host'), ifname: 'vnet0', address: '192.0.2.1' };
  machine = await KernelVm.boot(world, host, world.path('eth1.net'), 'vnet2', DAEMONS);
  await makeVrf();
  const guest = await world.netns('g10');
  const access = (vid: number): string => `vlans: [{ vid: ${vid}, pvid: true, untagged: true }]`;
  [sw] = await Promise.all([
    world.startSwitch(
      host.netns,
      'sw',
      `  br0:
    vlan_filtering: true
    ports:
      guest: { type: tap, ifname: eth0, netns: ${guest}, mac: "${OWN_MAC}", addresses: [${OWN}/24], ${access(10)} }
      gw10: { type: gateway, vrf: red, addresses: [10.0.1.1/24], ${access(10)} }
      gw50: { type: gateway, vrf: red, mac: "${OWN_ROUTER}", ${access(50)} }
      vx0:
        type: vxlan
        local: ${host.address}
        dstport: 4789
        evpn: true
        vlan_tunnel: true
        neigh_suppress: true
        vlans: [{ vid: 10, tunnel_info: ${OURS} }, { vid: 50, tunnel_info: ${L3} }]
evpn: { asn: 65000, neighbors: [{ address: ${machine.address}, connect_retry: 1 }] }
`,
    ),
    startFrr(),
  ]);
  await world.ip(guest, 'route add default via 10.0.1.1');
  here = new HostPlace(world, guest);
}, 240_000);

afterAll(() => world.cleanUp());

/** What FRR has put into the kernel's table of the VRF: it is read there, since its own shell needs PAM. */
const kernelRoutes = (): Promise<string> => machine.do('ip route show vrf red proto bgp');
const learned = async (): Promise<string[]> =>
  (await sw.json<RouteRow[]>('route show')).flatMap(({ dst, protocol }) => (protocol === 'evpn' ? [dst] : [])).sort();
const routesOf = (type: number): Promise<EvpnRouteRow[]> => sw.json<EvpnRouteRow[]>(`evpn routes type ${type}`);

describe('FRR with a VRF and a VNI of layer 3', () => {
  test('prefixes cross both ways, with the MAC of the other router', async () => {
    await until('FRR has our prefix', async () => (await kernelRoutes()).includes('10.0.1.0/24'), 60_000);
    await until('we have that of FRR', async () => (await learned()).includes('10.0.2.0/24'));
    const theirs = (await routesOf(5)).find(({ prefix }) => prefix === '10.0.2.0/24');
    expect(theirs).toMatchObject({
      l3vni: L3,
      next_hop: machine.address,
      router_mac: PEER_ROUTER,
      neighbor: machine.address,
    });
    expect(await kernelRoutes()).toMatch(
      new RegExp(`^10\\.0\\.1\\.0/24 .*via ${host.address} dev br${L3} .*onlink`, 'm'),
    );
    const neighbour = await machine.do(`ip neigh show dev br${L3}`);
    expect(neighbour).toContain(`${host.address} lladdr ${OWN_ROUTER} extern_learn`);
  });

  test('a guest behind our gateway reaches one in the VRF, by the VNI of layer 3 alone', async () => {
    const wire = await sniff(world, host, 'udp port 4789', 128);
    await until('the guests reach each other', async () => (await here.ping(PEER, 1)) === 1);
    expect(await here.ping(PEER, 10)).toBe(10);
    expect(await there.ping(OWN, 10)).toBe(10);
    await wire.rests(40);
    await wire.stop();
    const routed = wire.vxlan.filter(({ inner }) => inner.readUInt16BE(12) === 0x0800);
    expect(routed.length).toBeGreaterThanOrEqual(40);
    const macs = new Set(routed.map(({ vni, inner }) => `${vni} ${inner.toString('hex', 0, 12)}`));
    const [a, b] = [OWN_ROUTER, PEER_ROUTER].map((mac) => mac.replaceAll(':', ''));
    expect([...macs].sort()).toEqual([`${L3} ${a}${b}`, `${L3} ${b}${a}`]);
    for (const [from, to, address] of [
      [here, there, PEER],
      [there, here, OWN],
    ] as const) {
      const { sent, received } = await move(from, to, address, 2 * MB);
      expect(received).toEqual({ bytes: 2 * MB, sha256: sent });
    }
  });

  test('guests cross as MAC/IP routes with two labels, which are host routes', async () => {
    await until('we have a host route', async () => (await learned()).includes(PEER));
    const theirs = (await routesOf(2)).find(({ ip }) => ip === PEER);
    expect(theirs).toMatchObject({ mac: PEER_MAC, vni: THEIRS, l3vni: L3, router_mac: PEER_ROUTER, imported: [L3] });
    const mine = (await routesOf(2)).find(({ ip }) => ip === OWN);
    expect(mine).toMatchObject({ mac: OWN_MAC, vni: OURS, l3vni: L3, router_mac: OWN_ROUTER });
    expect([...(mine?.route_targets ?? [])].sort()).toEqual([`65000:${OURS}`, `65000:${L3}`]);
    await until('FRR has one', async () => (await kernelRoutes()).includes(`${OWN} `));
    console.log(await kernelRoutes());
    expect(await here.ping(PEER, 10)).toBe(10);
    expect(await there.ping(OWN, 10)).toBe(10);
  });

  test('all of it goes with the session', async () => {
    await machine.do('kill $(pidof bgpd)');
    await until('our table is empty', async () => (await learned()).length === 0, 60_000);
    expect(await here.ping(PEER, 1, '-w 1')).toBe(0);
  });
});
