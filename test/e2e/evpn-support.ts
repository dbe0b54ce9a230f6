/** What the tests of EVPN share: hosts on one underlay, guests, the kernel's VTEP beside FRR, and reflectors. */
import { fileURLToPath } from 'node:url';
import type { FdbRow } from '../../src/api/api.js';
import { until } from '../../src/lab/testbed/wait.js';
import type { World } from './host-testbed.js';
import { RunningSwitch, switchCommand } from './switch.js';

export const VNI = 10010;
export const FLOODS = '00:00:00:00:00:00';

export interface Guest {
  netns: string;
  /** Name of its port. */
  port: string;
  mac: string;
  address: string;
}

/** @param number last byte of its addresses; @param place first byte of its MAC's last three: guests that move have the same in two places */
export async function guest(world: World, label: string, number: number): Promise<Guest> {
  return {
    netns: await world.netns(label),
    port: label,
    mac: `02:00:00:00:51:${number.toString(16).padStart(2, '0')}`,
    address: `198.18.0.${number}`,
  };
}

/** A TAP in the guest's namespace, in VLAN 10. */
function tapOf({ netns, port, mac, address }: Guest): string {
  const vlans = 'vlans: [{ vid: 10, pvid: true, untagged: true }]';
  return `      ${port}: { type: tap, ifname: eth0, netns: ${netns}, mac: "${mac}", addresses: [${address}/24], ${vlans} }`;
}

export interface Edge {
  name: string;
  netns: string;
  local: string;
  guests: readonly Guest[];
  /** Keys of `evpn` but for `asn`, in YAML. */
  evpn: string;
  /** Name of the vxlan port. */
  vxlan?: string;
  /** Further keys of that port, in YAML. */
  more?: string;
}

/** Writes its file. @returns the path */
export function edgeFile(world: World, { name, local, guests, evpn, vxlan: port = 'vx0', more }: Edge): string {
  const vxlan = `type: vxlan, local: ${local}, evpn: true, vlan_tunnel: true, neigh_suppress: true${more === undefined ? '' : `, ${more}`}`;
  return world.file(
    `${name}.yaml`,
    `name: ${name}
control: ${world.control(name)}
evpn: { asn: 65000, ${evpn} }
bridges:
  br0:
    vlan_filtering: true
    ports:
${guests.map(tapOf).join('\n')}
      ${port}: { ${vxlan}, vlans: [{ vid: 10, tunnel_info: ${VNI} }] }
`,
  );
}

/** SIGPWR ends the thread of its speaker. */
export async function startEdge(world: World, edge: Edge): Promise<RunningSwitch> {
  const [node, ...words] = switchCommand(edgeFile(world, edge));
  const hook = fileURLToPath(new URL('preload/end-speaker.cjs', import.meta.url));
  const program = world.spawn(edge.netns, [node as string, '--require', hook, ...words]);
  const sw = new RunningSwitch(program, world.control(edge.name));
  await sw.ready();
  return sw;
}

/** The entries of a MAC: port, VTEP, flags and protocol. */
export async function entriesOf(sw: RunningSwitch, mac: string): Promise<string[]> {
  const text = ({ ifname, dst, flags, proto }: FdbRow): string =>
    [ifname, ...(dst === undefined ? [] : [dst]), ...flags, ...(proto === undefined ? [] : [proto])].join(' ');
  return (await sw.fdb()).filter((row) => row.mac === mac).map(text);
}

/** Whether one ping is answered. */
export async function reaches(world: World, from: string, to: string): Promise<boolean> {
  return (await world.exec(from, ['ping', '-n', '-c', '1', '-W', '1', to])).status === 0;
}

/** Waits until each guest reaches each other one. */
export async function allReach(world: World, guests: readonly Guest[]): Promise<void> {
  for (const from of guests)
    for (const to of guests)
      if (from !== to)
        await until(`${from.address} reaches ${to.address}`, () => reaches(world, from.netns, to.address));
}

/** The kernel's VTEP with a bridge and ports for guests, as FRR expects it; the bridge has an address in the guests' subnet. */
export async function kernelVtep(world: World, netns: string, local: string, guests: readonly Guest[]): Promise<void> {
  for (const words of [
    'link add br0 address 02:00:00:00:52:fe type bridge',
    'link set br0 up',
    `link add vx0 type vxlan id ${VNI} local ${local} dstport 4789 nolearning`,
    'link set vx0 master br0 up',
    'link set dev vx0 type bridge_slave neigh_suppress on learning off',
    'addr add 198.18.0.254/24 dev br0',
  ])
    await world.ip(netns, words);
  for (const { netns: inside, port, mac, address } of guests) {
    await world.veth({ netns, ifname: port }, { netns: inside, ifname: 'eth0' });
    await world.ip(netns, `link set ${port} master br0`);
    await world.ip(inside, `link set eth0 address ${mac}`);
    await world.address({ netns: inside, ifname: 'eth0' }, `${address}/24`);
  }
}

/** FRR beside a kernel's VTEP. */
export function frrEdge(local: string, neighbor: string, ...words: string[]): string {
  return [
    'router bgp 65000',
    ` bgp router-id ${local}`,
    ' no bgp default ipv4-unicast',
    ' timers bgp 1 3',
    ` neighbor ${neighbor} remote-as 65000`,
    ` neighbor ${neighbor} timers connect 1`,
    ...words.map((word) => ` neighbor ${neighbor} ${word}`),
    ' address-family l2vpn evpn',
    `  neighbor ${neighbor} activate`,
    '  advertise-all-vni',
    ' exit-address-family',
  ].join('\n');
}
