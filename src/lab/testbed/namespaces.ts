/**
 * Owns the verbs of the plumbing: network namespaces, veth pairs, addresses and routes, by the `ip` command. It never
 * remembers what it made; that is the state file's.
 */
import { existsSync } from 'node:fs';
import { run } from './command.js';

/** Where `ip netns` keeps the names. */
const NETNS_DIR = '/run/netns';

/** One end of a veth pair. */
export interface End {
  readonly netns: string;
  readonly ifname: string;
}

export function namespaceExists(name: string): boolean {
  return existsSync(`${NETNS_DIR}/${name}`);
}

/** Makes a namespace with its loopback up. */
export async function addNamespace(name: string): Promise<void> {
  await run('ip', ['netns', 'add', name]);
  await run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
}

/** Deletes a namespace; its NICs go with it. One that is not there is no error. */
export async function deleteNamespace(name: string): Promise<void> {
  if (namespaceExists(name)) await run('ip', ['netns', 'del', name]);
}

/** Makes a veth pair between two namespaces, both ends up. */
export async function addVeth(a: End, b: End): Promise<void> {
  const peer = ['peer', 'name', b.ifname, 'netns', b.netns];
  await run('ip', ['-n', a.netns, 'link', 'add', a.ifname, 'type', 'veth', ...peer]);
  for (const end of [a, b]) await run('ip', ['-n', end.netns, 'link', 'set', end.ifname, 'up']);
}

/** @param address with its prefix length */
export async function addAddress(end: End, address: string): Promise<void> {
  await run('ip', ['-n', end.netns, 'address', 'add', address, 'dev', end.ifname]);
}

/**
 * Sets a route. One that is there already, as a check that was killed may leave behind, is no error.
 * @param via the next hop; left out: the destination is on the link
 */
export async function addRoute(end: End, destination: string, via?: string): Promise<void> {
  const hop = via === undefined ? [] : ['via', via];
  await run('ip', ['-n', end.netns, 'route', 'replace', destination, ...hop, 'dev', end.ifname]);
}

/** Deletes a route. One that is not there is no error. */
export async function deleteRoute(end: End, destination: string): Promise<void> {
  await run('ip', ['-n', end.netns, 'route', 'flush', 'exact', destination, 'dev', end.ifname]);
}

/** A neighbour that is never asked for and never forgotten. */
export async function addNeighbour(end: End, address: string, mac: string): Promise<void> {
  const binding = [address, 'lladdr', mac, 'dev', end.ifname, 'nud', 'permanent'];
  await run('ip', ['-n', end.netns, 'neigh', 'replace', ...binding]);
}

export async function deleteNeighbour(end: End, address: string): Promise<void> {
  await run('ip', ['-n', end.netns, 'neigh', 'del', address, 'dev', end.ifname]);
}

/** Forgets every neighbour that is not permanent, also those that were asked for in vain. */
export async function forgetNeighbours(end: End): Promise<void> {
  await run('ip', ['-n', end.netns, 'neigh', 'flush', 'dev', end.ifname]);
}

/** Sets after how many milliseconds without an answer a NIC's namespace asks for an IPv4 neighbour again. Linux: 1000. */
export async function setArpRetry(end: End, ms: number): Promise<void> {
  await run('ip', ['-n', end.netns, 'ntable', 'change', 'name', 'arp_cache', 'dev', end.ifname, 'retrans', String(ms)]);
}

/** The multicast groups that a NIC has joined, of both families. */
export async function groupsOf(end: End): Promise<string[]> {
  const text = await run('ip', ['-n', end.netns, '-json', 'maddress', 'show', 'dev', end.ifname]);
  const [row] = JSON.parse(text || '[]') as { maddr: { address?: string }[] }[];
  return (row?.maddr ?? []).flatMap(({ address }) => (address === undefined ? [] : [address]));
}

/**
 * Makes a router of a namespace: one that tells nobody of a shorter way, so that what a lab has routed stays routed.
 * Written to /proc, because a fresh machine need not have `sysctl`.
 */
export async function enableForwarding(netns: string): Promise<void> {
  const silence = 'for file in /proc/sys/net/ipv4/conf/*/send_redirects; do echo 0 > $file; done';
  const forward = 'echo 1 > /proc/sys/net/ipv4/ip_forward';
  await run('ip', ['netns', 'exec', netns, 'sh', '-c', `${silence}; ${forward}`]);
}
