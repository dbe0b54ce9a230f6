/**
 * The underlays that several test files use, and the YAML of the ports on them. No switch is started here.
 */
import type { End, World } from './host-testbed.js';

/** A host: a namespace with an underlay NIC. */
export interface Host extends End {
  /** Its underlay address, without prefix length. */
  readonly address: string;
}

/** Two hosts on one cable: 192.0.2.1 and 192.0.2.2. */
export async function twoHosts(world: World): Promise<[Host, Host]> {
  const netns = [await world.netns('h1'), await world.netns('h2')];
  const [one, two] = netns.map((name, index) => ({ netns: name, ifname: 'eth0', address: `192.0.2.${index + 1}` }));
  await world.veth(one, two);
  for (const host of [one, two]) await world.address(host, `${host.address}/24`);
  return [one, two];
}

/** Three hosts in subnets of their own, joined by a router: 10.9.1.2, 10.9.2.2 and 10.9.3.2. No bridge is involved. */
export async function threeHosts(world: World): Promise<[Host, Host, Host]> {
  const router = await world.netns('router');
  await world.exec(router, ['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);
  const add = async (number: number): Promise<Host> => {
    const host: Host = { netns: await world.netns(`h${number}`), ifname: 'eth0', address: `10.9.${number}.2` };
    const far = { netns: router, ifname: `to${number}` };
    await world.veth(host, far);
    await world.address(host, `${host.address}/24`);
    await world.address(far, `10.9.${number}.1/24`);
    await world.ip(host.netns, `route add default via 10.9.${number}.1`);
    return host;
  };
  return [await add(1), await add(2), await add(3)];
}

/** A guest: a namespace with one NIC on a switch. */
export interface Guest extends End {
  readonly address: string;
  readonly mac: string;
}

/** YAML of a guest's tap port, to stand under `ports:`. `vlans` is a flow sequence; without it, no key. */
export function tapPort(port: string, guest: Guest & { address6?: string }, vlans?: string): string {
  const addresses = [guest.address, ...(guest.address6 === undefined ? [] : [guest.address6])];
  const prefixed = addresses.map((address) => `"${address}/${address.includes(':') ? 64 : 24}"`);
  return `      ${port}:
        type: tap
        netns: ${guest.netns}
        ifname: ${guest.ifname}
        mac: "${guest.mac}"
        addresses: [${prefixed.join(', ')}]
${vlans === undefined ? '' : `        vlans: ${vlans}\n`}`;
}

/** YAML of a filtering bridge br1 with these ports. */
export function filteringBridge(...ports: string[]): string {
  return `  br1:\n    vlan_filtering: true\n    ports:\n${ports.join('')}`;
}

/** YAML of a bridge br1 that leaves VLANs alone. */
export function plainBridge(...ports: string[]): string {
  return `  br1:\n    ports:\n${ports.join('')}`;
}

/** YAML of a vxlan port vxlan0 that maps VLANs to VNIs. */
export function tunnelPort(local: string, remotes: readonly string[], mapping: Record<number, number>): string {
  const rows = Object.entries(mapping).map(([vid, vni]) => `          - { vid: ${vid}, tunnel_info: ${vni} }\n`);
  return `      vxlan0:
        type: vxlan
        local: ${local}
        vlan_tunnel: true
        vlans:
${rows.join('')}        remotes: [${remotes.join(', ')}]
`;
}

/** YAML of a vxlan port vxlan0 with one VNI. */
export function singlePort(local: string, remotes: readonly string[], id: number): string {
  return `      vxlan0: { type: vxlan, local: ${local}, id: ${id}, remotes: [${remotes.join(', ')}] }\n`;
}

/** The YAML value of a port in one VLAN, without tags. */
export function access(vid: number): string {
  return `[{ vid: ${vid}, pvid: true, untagged: true }]`;
}
