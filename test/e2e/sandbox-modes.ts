/**
 * Hosts and sandboxes that a switch is tried in: how it is started there, and what its guest has to do by itself. The far end is the
 * kernel's vxlan device.
 */
import { chownSync } from 'node:fs';
import { dirname } from 'node:path';
import { World } from './host-testbed.js';
import { type Refusal, refusing, startConfined } from './refuse.js';
import { compileSandbox, confined, NOBODY, unitSettings } from './service-sandbox.js';
import type { RunningSwitch } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { kernelPeer, makeGuest, VNI } from './two-hosts.js';

/** What is made once for all sandboxes. */
export interface Means {
  /** A scratch folder. */
  folder: string;
  /** Of compileRefusals. */
  library: string;
  /** A device file like /dev/net/tun that all users may open. */
  tun: string;
}

export interface Sandbox {
  readonly name: string;
  /** What stands before the command line of the switch. */
  before(means: Means, refusedLog: string): string[];
  /** The unit's sandbox replaces the command line; this is its drop-ins. */
  readonly unit?: readonly string[];
  /** The NIC is a TAP of the host that was made for the user of the switch. */
  readonly hasOwnTap?: boolean;
}

const refused = (name: string, ...refusals: Refusal[]): Sandbox => ({
  name,
  before: ({ library }, log) => refusing(library, refusals, log),
});

/** As gVisor's source has it: TAPs take few flags; what it accepts of sockets and ignores is refused here. */
const OF_GVISOR: Refusal[] = [
  ...(['IFF_VNET_HDR', 'IFF_MULTI_QUEUE', 'TUNSETPERSIST', 'TUNSETOFFLOAD', 'TUNSETVNETHDRSZ'] as const),
  ...(['TUNGETVNETHDRSZ', 'TUNGETDEVNETNS', 'UDP_SEGMENT', 'UDP_GRO', 'SO_RCVBUFFORCE', 'SETNS'] as const),
  ...(['IP_MULTICAST_ALL', 'IP_MTU_DISCOVER', 'IP_MTU', 'SO_ATTACH_FILTER'] as const),
];
/** A container of OpenVZ 7, whose kernel is a 3.10. */
const OF_OPENVZ: Refusal[] = [
  ...(['IFF_VNET_HDR', 'IFF_MULTI_QUEUE', 'TUNSETPERSIST', 'TUNSETOFFLOAD', 'TUNGETDEVNETNS'] as const),
  ...(['UDP_SEGMENT', 'UDP_GRO', 'SO_RCVBUFFORCE', 'UDP_NO_CHECK6_RX', 'IP_MULTICAST_ALL'] as const),
  ...(['IP_MTU_DISCOVER', 'SETNS=EPERM'] as const),
];
/** Options of UDP sockets that only plain ones have not. */
const OPTIONS: Refusal[] = [
  ...(['IP_RECVTOS', 'IPV6_RECVTCLASS', 'UDP_NO_CHECK6_RX', 'IP_MULTICAST_ALL', 'SO_ATTACH_FILTER'] as const),
  ...(['IP_MTU_DISCOVER', 'IPV6_MTU_DISCOVER', 'IP_MTU', 'SO_REUSEPORT', 'SO_BINDTODEVICE', 'IP_TTL'] as const),
  ...(['SO_NO_CHECK', 'IPV6_AUTOFLOWLABEL', 'SO_DOMAIN'] as const),
];

/** With another device file in place of /dev/net/tun. */
const mounted = (node: string): string[] => [
  ...['unshare', '-m', '--propagation', 'slave', 'sh', '-c'],
  ...['mount --bind "$0" /dev/net/tun && exec "$@"', node],
];
const POWERLESS = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--bounding-set=-all', '--'];

/** The first one is what all others are compared with. */
export const SANDBOXES: readonly Sandbox[] = [
  { name: 'root, nothing refused', before: () => [] },
  refused('gVisor-like: all that its TAPs and sockets lack', ...OF_GVISOR),
  refused('OpenVZ-like: a 3.10 kernel in a container', ...OF_OPENVZ),
  { name: 'the unit with `namespaces.conf`: user, capabilities, seccomp', before: () => [], unit: ['namespaces.conf'] },
  { name: 'the unit alone: no SYS_ADMIN', before: () => [], unit: [] },
  {
    name: 'root without SYS_ADMIN',
    before: () => ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin', '--'],
  },
  {
    name: 'uid 65534 without capabilities, a TAP made for it',
    before: ({ tun }) => [...mounted(tun), ...POWERLESS],
    hasOwnTap: true,
  },
  refused('`IFF_VNET_HDR`', 'IFF_VNET_HDR'),
  refused('`TUNSETOFFLOAD`', 'TUNSETOFFLOAD'),
  refused('`UDP_SEGMENT`', 'UDP_SEGMENT'),
  refused('`UDP_GRO`', 'UDP_GRO'),
  refused('`UDP_SEGMENT` and `UDP_GRO`', 'UDP_SEGMENT', 'UDP_GRO'),
  refused('`IFF_MULTI_QUEUE`', 'IFF_MULTI_QUEUE'),
  refused('`TUNSETPERSIST`, `TUNSETVNETHDRSZ`', 'TUNSETPERSIST', 'TUNSETVNETHDRSZ'),
  refused('`TUNGETDEVNETNS`', 'TUNGETDEVNETNS'),
  refused('`SO_RCVBUFFORCE`', 'SO_RCVBUFFORCE'),
  refused('IPv6 sockets', 'IPV6'),
  refused('netlink sockets', 'NETLINK'),
  refused('`setns`', 'SETNS'),
  refused('all other options of UDP sockets', ...OPTIONS),
  refused('`recvmmsg`, `sendmmsg`', 'RECVMMSG'),
];

export interface Tried {
  readonly world: World;
  readonly sandbox: Sandbox;
  readonly guest: Guest;
  readonly peer: Guest;
  readonly sw: RunningSwitch;
}

/** Starts a switch in a sandbox, in a world of its own. Its guest sets up what the switch may not. */
export async function startIn(sandbox: Sandbox, means: Means): Promise<Tried> {
  const world = new World();
  try {
    const hosts = await twoHosts(world);
    const peer = await kernelPeer(world, hosts[1], hosts[0].address, '198.18.0.9');
    const made = await makeGuest(world, 1);
    const guest = sandbox.hasOwnTap ? { ...made, netns: hosts[0].netns, ifname: 'tap0' } : made;
    if (sandbox.hasOwnTap) await world.ip(guest.netns, `tuntap add dev tap0 mode tap user ${NOBODY}`);
    if (sandbox.hasOwnTap) await world.ip(guest.netns, 'link set tap0 mtu 1450');
    const nic = sandbox.hasOwnTap ? '      tap0: { type: tap }\n' : tapPort('tap0', guest);
    const sw = await start(world, hosts, sandbox, means, nic);
    await world.ip(guest.netns, `addr replace ${guest.address}/24 dev ${guest.ifname}`);
    await world.ip(guest.netns, `link set ${guest.ifname} up`);
    return { world, sandbox, guest, peer, sw };
  } catch (error) {
    await world.cleanUp();
    throw error;
  }
}

async function start(
  world: World,
  hosts: [Host, Host],
  sandbox: Sandbox,
  means: Means,
  nic: string,
): Promise<RunningSwitch> {
  // With tunnel_gso, which few kernels have, trains would not show.
  const offloads = 'offloads: { tunnel_gso: false }\n';
  const yaml = `${plainBridge(nic, singlePort(hosts[0].address, [hosts[1].address], VNI))}${offloads}`;
  const config = world.config('sw', yaml);
  if (sandbox.unit === undefined) {
    if (sandbox.hasOwnTap) chownSync(dirname(config), NOBODY, NOBODY);
    return startConfined(world, hosts[0].netns, 'sw', config, sandbox.before(means, world.path('refused')));
  }
  chownSync(dirname(config), NOBODY, NOBODY);
  const settings = unitSettings(sandbox.unit);
  const program = compileSandbox(means.folder, settings);
  const inside = confined(program, settings, []);
  return startConfined(world, hosts[0].netns, 'sw', config, [...mounted(means.tun), ...inside]);
}
