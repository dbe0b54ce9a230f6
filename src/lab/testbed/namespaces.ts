/**
 * Network namespaces, veth pairs, addresses, routes and neighbours, set by the `ip` command. It keeps no record of what it
 * created; the callers do.
 */
import { existsSync } from 'node:fs';
import { must } from './program.js';

/** The folder of named namespaces of `ip netns`. */
export const NETNS_DIR = '/run/netns';

/** One end of a veth pair. */
export interface End {
  readonly netns: string;
  readonly ifname: string;
}

export function namespaceExists(name: string): boolean {
  return existsSync(`${NETNS_DIR}/${name}`);
}

/** All steps run in one shell, since starting a program takes as long as a step. */
const MAKE = 'ip netns add "$1" && exec ip netns exec "$1" sh -ec "$2"';
const SILENCE = 'for f in all default; do echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done; ';

/**
 * Creates a namespace with its loopback up.
 * @param ipv6 whether IPv6 is on; without it, NICs send no neighbour discovery and no router solicitations
 */
export async function addNamespace(name: string, { ipv6 = true } = {}): Promise<void> {
  await must(['sh', '-c', MAKE, 'sh', name, `${ipv6 ? '' : SILENCE}ip link set lo up`], {
    name: `ip netns add ${name}`,
  });
}

/** Deletes a namespace with its NICs. No error if it does not exist. */
export async function deleteNamespace(name: string): Promise<void> {
  if (namespaceExists(name)) await must(['ip', 'netns', 'del', name]);
}

const VETH = 'ip link add "$2" netns "$1" type veth peer name "$4" netns "$3"';
const VETH_UP = 'ip -n "$1" link set "$2" up && exec ip -n "$3" link set "$4" up';

/** Creates a veth pair between two namespaces, with both ends up and the kernel's default offloads. */
export async function addVeth(a: End, b: End): Promise<void> {
  await must(['sh', '-c', `${VETH} && ${VETH_UP}`, 'sh', a.netns, a.ifname, b.netns, b.ifname], {
    name: `ip -n ${a.netns} link add ${a.ifname} type veth`,
  });
}

/** On Debian's defaults both would have addresses of their own, and send router solicitations and MLD reports from their MACs. */
const QUIET = 'echo 1 > "/proc/sys/net/ipv6/conf/$1/disable_ipv6"; echo 1 > "/proc/sys/net/ipv6/conf/$2/disable_ipv6"';

/** Creates a macvtap that passes all frames of a TAP, and has its MAC; both up and without IPv6. */
export async function addMacvtap(tap: End, name: string): Promise<void> {
  const ip = ['ip', '-n', tap.netns, 'link'];
  await must([...ip, 'add', 'link', tap.ifname, 'name', name, 'type', 'macvtap', 'mode', 'passthru']);
  await must(['ip', 'netns', 'exec', tap.netns, 'sh', '-ec', QUIET, 'sh', tap.ifname, name]);
  await must([...ip, 'set', name, 'up']);
}

/** @param address with its prefix length */
export async function addAddress(end: End, address: string): Promise<void> {
  // Without duplicate address detection the address can be used at once.
  const flags = address.includes(':') ? ['nodad'] : [];
  await must(['ip', '-n', end.netns, 'address', 'add', address, 'dev', end.ifname, ...flags]);
}

export async function setMtu(end: End, mtu: number): Promise<void> {
  await must(['ip', '-n', end.netns, 'link', 'set', end.ifname, 'mtu', String(mtu)]);
}

/**
 * Sets a route. No error if it exists: a killed check may have left it.
 * @param via the next hop; without it, the destination is on the link
 */
export async function addRoute(end: End, destination: string, via?: string): Promise<void> {
  const hop = via === undefined ? [] : ['via', via];
  await must(['ip', '-n', end.netns, 'route', 'replace', destination, ...hop, 'dev', end.ifname]);
}

/** Deletes a route. No error if it does not exist. */
export async function deleteRoute(end: End, destination: string): Promise<void> {
  await must(['ip', '-n', end.netns, 'route', 'flush', 'exact', destination, 'dev', end.ifname]);
}

/** Sets a permanent neighbour, for which the kernel sends no ARP or ND. */
export async function addNeighbour(end: End, address: string, mac: string): Promise<void> {
  const binding = [address, 'lladdr', mac, 'dev', end.ifname, 'nud', 'permanent'];
  await must(['ip', '-n', end.netns, 'neigh', 'replace', ...binding]);
}

export async function deleteNeighbour(end: End, address: string): Promise<void> {
  await must(['ip', '-n', end.netns, 'neigh', 'del', address, 'dev', end.ifname]);
}

/** Deletes all neighbours that are not permanent, including failed ones, so that the kernel asks again at once. */
export async function forgetNeighbours(end: End): Promise<void> {
  await must(['ip', '-n', end.netns, 'neigh', 'flush', 'dev', end.ifname]);
}

/** Sets the interval of repeated ARP requests of a NIC, in milliseconds (kernel's default: 1000). */
export async function setArpRetry(end: End, ms: number): Promise<void> {
  await must([
    'ip',
    '-n',
    end.netns,
    'ntable',
    'change',
    'name',
    'arp_cache',
    'dev',
    end.ifname,
    'retrans',
    String(ms),
  ]);
}

/** The multicast groups that a NIC has joined, IPv4 and IPv6. */
export async function groupsOf(end: End): Promise<string[]> {
  const text = await must(['ip', '-n', end.netns, '-json', 'maddress', 'show', 'dev', end.ifname]);
  const [row] = JSON.parse(text || '[]') as { maddr: { address?: string }[] }[];
  return (row?.maddr ?? []).flatMap(({ address }) => (address === undefined ? [] : [address]));
}

/**
 * Makes a namespace an IPv4 router that sends no ICMP redirects, so that guests keep using it. Writes to /proc, since
 * `sysctl` may not be installed.
 */
export async function enableForwarding(netns: string): Promise<void> {
  const silence = 'for file in /proc/sys/net/ipv4/conf/*/send_redirects; do echo 0 > $file; done';
  const forward = 'echo 1 > /proc/sys/net/ipv4/ip_forward';
  await must(['ip', 'netns', 'exec', netns, 'sh', '-c', `${silence}; ${forward}`]);
}
