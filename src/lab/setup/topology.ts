/**
 * Owns the topology of a lab as data, and creates underlay and routes from it. It never starts a switch.
 *
 *   two hosts:    h1 eth0 ======== eth0 h2            one veth pair, one subnet
 *
 *   more hosts:   h1 eth0 === to-h1 +-----+           a namespace that only routes. Each host has a /32 and
 *                 h2 eth0 === to-h2 | net |           reaches the others through it, without a bridge: the labs
 *                 h3 eth0 === to-h3 +-----+           must run on kernels without the bridge module.
 *
 *   one segment:  h1 eth0 --- h1 +-----+              for an underlay with multicast, which plain routes do not
 *                 h2 eth0 --- h2 | net |              carry: the namespace runs one more overtap, and the hosts'
 *                 h3 eth0 --- h3 +-----+              NICs are its ports.
 */
import { addAddress, addRoute, addVeth, type End, enableForwarding } from '../testbed/namespaces.js';
import { refuseIfInterrupted } from '../testbed/wait.js';
import { addKernelVtep, type KernelVtep } from './kernel-vtep.js';
import type { SwitchFiles } from './state.js';

/** The underlay NIC of every host. */
export const UNDERLAY_NIC = 'eth0';

/** A host: a namespace with an underlay address, in which one switch runs. */
export interface Host {
  readonly name: string;
  readonly netns: string;
  /** Its underlay address, without prefix length. */
  readonly address: string;
}

/** A host of the underlay without a switch: others' programs run there. */
export interface PlainHost extends Host {
  /** What it is, in a few words, for people. */
  readonly what: string;
  readonly vtep?: KernelVtep;
}

/** A namespace with an overlay address: a guest, or a host with a host port. The check runs an agent there. */
export interface Station {
  readonly name: string;
  readonly netns: string;
  readonly ifname: string;
  /** IPv4 address in the overlay, without prefix length. */
  readonly address: string;
  /** Its prefix length; absent: 24. */
  readonly prefix?: number;
  /** Additional IPv6 address in the overlay, in a /64. */
  readonly address6?: string;
  /** Name of the host whose switch, or kernel, has its port. */
  readonly host: string;
  /** MAC of its NIC, set by the configuration of the switch. */
  readonly mac: string;
}

/** A virtual machine at a port of its host's switch. */
export interface Machine {
  readonly name: string;
  /** Name of the host whose switch has its port, of the machine's name. */
  readonly host: string;
  /** The host's namespace, where QEMU runs. */
  readonly netns: string;
  /** IPv4 address in the overlay, without prefix length, in a /24. */
  readonly address: string;
  readonly mac: string;
  /** By QEMU's socket to a port of type qemu, or by a macvtap on the TAP of a port of type tap. */
  readonly attachment: 'socket' | 'macvtap';
}

/** A route of a guest or of an overlay router. */
export interface Route {
  readonly from: End;
  readonly to: string;
  readonly via: string;
}

/** The switch of the underlay, in a namespace of its own. */
export interface Segment {
  readonly name: string;
  readonly netns: string;
}

export interface Topology {
  readonly hosts: readonly Host[];
  /** Hosts without a switch. */
  readonly plainHosts?: readonly PlainHost[];
  readonly stations: readonly Station[];
  /** Virtual machines: no namespaces, so they are no stations. */
  readonly machines?: readonly Machine[];
  /** The namespace that routes between more than two hosts, and its address. */
  readonly router?: { readonly netns: string; readonly address: string };
  /** Instead of `router`: the switch that joins the hosts in one subnet and carries multicast between them. */
  readonly segment?: Segment;
  /** Routers of the overlay: namespaces that forward IPv4 between NICs of a switch. */
  readonly overlayRouters?: readonly { readonly netns: string }[];
  /** Routes of guests and overlay routers; the configuration files give them addresses only. */
  readonly routes?: readonly Route[];
}

/** Hosts with and without a switch. */
export function allHosts({ hosts, plainHosts = [] }: Topology): readonly Host[] {
  return [...hosts, ...plainHosts];
}

/** All namespaces of a topology without duplicates, hosts first. */
export function namespacesOf(topology: Topology): string[] {
  const places = [...allHosts(topology), ...topology.stations, ...(topology.overlayRouters ?? [])];
  const names = places.map((place) => place.netns);
  if (topology.router) names.push(topology.router.netns);
  if (topology.segment) names.push(topology.segment.netns);
  return [...new Set(names)];
}

/** The subnet of a station's overlay address. */
export function subnetOf(station: Station): string {
  const { prefix = 24 } = station;
  return `${textOf(bitsOf(station.address) & maskOf(prefix))}/${prefix}`;
}

/** The broadcast address of its subnet. */
export function broadcastOf({ address, prefix = 24 }: Station): string {
  return textOf(bitsOf(address) | ~maskOf(prefix));
}

const maskOf = (prefix: number): number => (prefix === 0 ? 0 : -1 << (32 - prefix));
const bitsOf = (address: string): number => address.split('.').reduce((bits, part) => (bits << 8) | Number(part), 0);
const textOf = (bits: number): string => [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.');

export function underlayOf(host: Host): End {
  return { netns: host.netns, ifname: UNDERLAY_NIC };
}

/**
 * The configuration of the switch that joins the hosts. It creates their underlay NICs with addresses.
 * @param streams sockets of the hosts whose cables have weather
 */
export function segmentConfig(
  segment: Segment,
  hosts: readonly Host[],
  files: SwitchFiles,
  streams: ReadonlyMap<string, string> = new Map(),
): string {
  const port = ({ name, netns, address }: Host): string =>
    streams.has(name)
      ? `
      ${name}:                             # its cable has weather
        type: qemu
        connect: ${streams.get(name)}`
      : `
      ${name}:
        type: tap
        netns: ${netns}
        ifname: ${UNDERLAY_NIC}
        addresses: [${address}/24]`;
  return `# The underlay: a switch that joins the hosts in one subnet. It has no tunnels.
name: ${segment.name}
control: ${files.socket}
bridges:
  underlay:
    ports:${hosts.map(port).join('')}
`;
}

/**
 * Joins the hosts' namespaces by a veth pair or a router; with a segment its switch does that.
 * @param stormy hosts whose cables have weather: their NICs are there already
 */
export async function buildUnderlay(
  topology: Topology,
  stormy: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<void> {
  const { segment, router } = topology;
  const hosts = allHosts(topology);
  if (segment) await addressStormy(hosts, stormy);
  else if (router) await joinByRouter(hosts, router, stormy, signal);
  else if (hosts.length > 1) await joinByPair(hosts, stormy);
}

/** Makes the devices of the kernel on hosts without a switch. @throws LabError LAB_LACKS_TOOL, LAB_COMMAND_FAILED; Interrupted */
export async function furnishPlainHosts({ plainHosts = [] }: Topology, signal?: AbortSignal): Promise<void> {
  for (const host of plainHosts) {
    refuseIfInterrupted(signal);
    if (host.vtep !== undefined) await addKernelVtep(host, host.vtep);
  }
}

async function addressStormy(hosts: readonly Host[], stormy: ReadonlySet<string>): Promise<void> {
  for (const host of hosts) if (stormy.has(host.name)) await addAddress(underlayOf(host), `${host.address}/24`);
}

async function joinByPair(hosts: readonly Host[], stormy: ReadonlySet<string>): Promise<void> {
  const [first, second] = hosts;
  if (!first || !second || hosts.length !== 2) throw new RangeError('a single veth pair joins exactly two hosts');
  if (!stormy.has(first.name)) await addVeth(underlayOf(first), underlayOf(second));
  for (const host of hosts) await addAddress(underlayOf(host), `${host.address}/24`);
}

async function joinByRouter(
  hosts: readonly Host[],
  router: { readonly netns: string; readonly address: string },
  stormy: ReadonlySet<string>,
  signal: AbortSignal | undefined,
): Promise<void> {
  await enableForwarding(router.netns);
  for (const host of hosts) {
    refuseIfInterrupted(signal);
    const near = underlayOf(host);
    const far = { netns: router.netns, ifname: `to-${host.name}` };
    if (!stormy.has(host.name)) await addVeth(near, far);
    await addAddress(near, `${host.address}/32`);
    await addAddress(far, `${router.address}/32`);
    await addRoute(far, `${host.address}/32`);
    await addRoute(near, `${router.address}/32`);
    await addRoute(near, 'default', router.address);
  }
}

/** Turns on forwarding in the overlay routers and sets the routes. The switches must run: they create the NICs. */
export async function furnishOverlay(topology: Topology, signal?: AbortSignal): Promise<void> {
  for (const { netns } of topology.overlayRouters ?? []) await enableForwarding(netns);
  for (const { from, to, via } of topology.routes ?? []) {
    refuseIfInterrupted(signal);
    await addRoute(from, to, via);
  }
}
