/**
 * The scene "routed": guest 1 and guest 2 are in two subnets, and the switch of each host routes between them. With two hosts both have
 * both subnets and the same router, so a packet is routed where its sender is, and crosses the tunnel in the subnet of its destination
 * (RFC 9135 section 4).
 *
 * overtap has a gateway in each of two VLANs. The kernel has two bridges, each with the router's address and MAC, a vxlan device for each,
 * and forwards between them. Two such kernels cannot ask for a guest of the other one, whose answer the router there would keep: so
 * they are told the neighbours. overtap passes such answers on itself.
 */
import { addAddress } from '../../../lab/testbed/namespaces.js';
import { must } from '../../../lab/testbed/program.js';
import { devicesIn } from '../proof/counters.js';
import type { TunnelCounters } from '../proof/path.js';
import { type Guest, type Host, NIC, ROUTER_MAC, type Site, VNI } from '../site/site.js';
import { startOvertap } from './overtap.js';
import type { RunningSwitch } from './variant.js';

const NUMBERS = [1, 2] as const;
const FORWARD =
  'echo 1 >/proc/sys/net/ipv4/ip_forward; for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e $f ] || echo 0 >$f; done';

/** VLAN of a guest's subnet in overtap. */
const vidOf = (number: number): number => number * 10;
/** VNI of a guest's subnet. */
const vniOf = (number: number): number => VNI + number - 1;

/** Number of a guest: that of its subnet. */
function numberOf(site: Site, guest: Guest): number {
  return site.guests.indexOf(guest) + 1;
}

/** Starts overtap in a host, with a gateway in each VLAN. */
export async function attachRoutedOvertap(site: Site, host: Host): Promise<RunningSwitch> {
  const { program, client } = await startOvertap(site, host, (socket) => configuration(site, host, socket));
  const tunnel = async (): Promise<TunnelCounters> => {
    const { links, tunnel_gso: superframes = 0 } = await client.get('/v1/stats');
    const { tx_bytes: txBytes, rx_bytes: rxBytes } = links.vxlan0;
    return { txBytes, rxBytes, superframes };
  };
  return { processes: [program], ...(host.uplink === undefined ? {} : { tunnel }) };
}

function portOf(host: Host, guest: Guest): string {
  return `tap${host.guests.indexOf(guest)}`;
}

function configuration(site: Site, host: Host, socket: string): string {
  const access = (number: number): string => `vlans: [{ vid: ${vidOf(number)}, pvid: true, untagged: true }]`;
  const mtu = host.uplink === undefined ? `, mtu: ${site.guestMtu}` : '';
  const ports = host.guests.map((guest) => {
    const nic = `ifname: ${NIC}, mac: "${guest.mac}", addresses: [${guest.address}/24]${mtu}`;
    return `${portOf(host, guest)}: { type: tap, netns: ${guest.netns}, ${nic}, ${access(numberOf(site, guest))} }`;
  });
  for (const number of NUMBERS)
    ports.push(`gw${number}: { type: gateway, addresses: [${site.routerOf(number)}/24], ${access(number)} }`);
  if (host.uplink !== undefined) {
    const { address, remote } = host.uplink;
    const vlans = NUMBERS.map((number) => `{ vid: ${vidOf(number)}, tunnel_info: ${vniOf(number)} }`).join(', ');
    const way = `local: "${address}", remotes: ["${remote}"]`;
    ports.push(`vxlan0: { type: vxlan, ${way}, vlan_tunnel: true, vlans: [${vlans}] }`);
  }
  const lines = ports.map((port) => `      ${port}\n`).join('');
  return `name: ${host.name}\ncontrol: ${socket}\nbridges:\n  br0:\n    vlan_filtering: true\n    ports:\n${lines}`;
}

/** Creates two bridges in a host, and has its kernel forward between them. */
export async function attachRoutedKernel(site: Site, host: Host): Promise<RunningSwitch> {
  await must(['ip', 'netns', 'exec', host.netns, 'sh', '-c', FORWARD]);
  const pairs = await site.addGuestPairs(host);
  for (const number of NUMBERS) await addSubnet(site, host, number);
  for (const [index, guest] of host.guests.entries())
    await must(['ip', '-n', host.netns, 'link', 'set', pairs[index], 'master', `br${numberOf(site, guest)}`]);
  await tellNeighbours(site, host, pairs);
  const tunnel = async (): Promise<TunnelCounters> => {
    const { vxlan1, vxlan2 } = devicesIn(host.netns);
    return { txBytes: vxlan1.txBytes + vxlan2.txBytes, rxBytes: vxlan1.rxBytes + vxlan2.rxBytes, superframes: null };
  };
  return { processes: [], ...(host.uplink === undefined ? {} : { tunnel }) };
}

async function addSubnet(site: Site, host: Host, number: number): Promise<void> {
  const link = (...words: string[]) => must(['ip', '-n', host.netns, 'link', ...words]);
  const bridge = `br${number}`;
  await link('add', bridge, 'address', ROUTER_MAC, 'mtu', `${site.guestMtu}`, 'type', 'bridge');
  await link('set', bridge, 'up');
  await addAddress({ netns: host.netns, ifname: bridge }, `${site.routerOf(number)}/24`);
  if (host.uplink === undefined) return;
  const { address, remote } = host.uplink;
  const vxlan = ['id', `${vniOf(number)}`, 'local', address, 'remote', remote, 'dstport', '4789'];
  await link('add', `vxlan${number}`, 'mtu', `${site.guestMtu}`, 'type', 'vxlan', ...vxlan);
  await link('set', `vxlan${number}`, 'master', bridge, 'up');
}

/** The guests and the MAC behind guest 2: their MACs, and where these are. */
async function tellNeighbours(site: Site, host: Host, pairs: readonly string[]): Promise<void> {
  const rows = site.guests.map(({ address, mac }, index) => ({ address, mac, number: index + 1 }));
  for (const { address, mac, number } of [...rows, { ...site.behind, number: 2 }]) {
    const at = host.guests.indexOf(site.guests[number - 1]);
    const port = at < 0 ? `vxlan${number}` : pairs[at];
    await must(['ip', '-n', host.netns, 'neigh', 'replace', address, 'lladdr', mac, 'dev', `br${number}`]);
    await must(['bridge', '-n', host.netns, 'fdb', 'replace', mac, 'dev', port, 'master', 'static']);
  }
}
