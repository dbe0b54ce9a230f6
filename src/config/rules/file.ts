/**
 * Rules across the values of a file, and rules for the whole file: names, NICs, VNIs, limits.
 *
 * Runs on decoded values before defaults are filled in, so that every fault has a position. Changes nothing. Rules for a single
 * list or port are in the other files of rules/.
 */
import { netnsRemedy } from '../../text/netns.js';
import { Refusal } from '../../values/address.js';
import { rangeLength } from '../../values/id-range.js';
import { quote } from '../../values/show.js';
import { readDeviceName } from '../../values/value.js';
import { nexthopsById } from '../entries/nexthops.js';
import { isTunnelPort, namesInterface, PORT_KINDS } from '../options/kinds.js';
import { NIC_KEYS } from '../options/table.js';
import {
  allPorts,
  type DecodedBridge,
  type DecodedPort,
  type DecodedSwitch,
  type DecodedVxlan,
} from '../read/decoded.js';
import { type FaultList, formatPath, type Path } from '../read/faults.js';
import type { HostFacts } from '../read/host-facts.js';
import { checkBackups } from './backups.js';
import { checkEvpn } from './evpn.js';
import { checkFdb, checkFdbSize } from './fdb.js';
import { checkGateways } from './gateways.js';
import { checkGuards, lookForContradictions } from './guards.js';
import { lookAtHost } from './host.js';
import { checkLiveness } from './liveness.js';
import { checkUnderlays } from './netdev.js';
import { checkNexthops } from './nexthops.js';
import { checkEtcd } from './peers.js';
import { checkPortStates } from './port-state.js';
import { checkPortSecurity } from './port-security.js';
import { lookForOwnTunnel } from './own-tunnel.js';
import { readTables } from './tables.js';
import { checkHostVlans, checkVlanGlobals, checkVlans } from './vlan.js';
import { checkSharedSending, checkVxlan, dstportOf, localOf } from './vxlan.js';
import { checkMirrors } from './mirror.js';
import { checkCrossConnect } from './xconnect.js';

/** Bridges and ports of one file. */
export const MAX_LINKS = 1000;
/** VLAN memberships of all ports of one file, ranges expanded. */
export const MAX_MEMBERSHIPS = 500_000;

/** What the rules need from the host. */
export interface Machine extends HostFacts {
  /** Whether a network namespace exists, by name (as of `ip netns`) or path. */
  netnsExists(nameOrPath: string): boolean;
}

/** Runs all rules across values. */
export function checkRules(config: DecodedSwitch, machine: Machine, faults: FaultList): void {
  checkLinks(config, faults);
  checkNics(config, machine, faults);
  checkDescriptors(config, faults);
  checkSharedVnis(config, faults);
  checkEncapsulations(config, faults);
  checkUnderlays(config, faults);
  const tunnels = allPorts(config).filter((port) => isTunnelPort(port));
  checkSharedSending(tunnels, faults);
  checkLiveness(tunnels, faults);
  const fits = checkMemberships(config, faults);
  for (const bridge of config.bridgeList) {
    checkHostNic(bridge, faults);
    for (const port of bridge.portList) checkPort(port, bridge, faults);
    checkAddresses(bridge, faults);
    checkHostVlans(bridge, faults);
    checkVlanGlobals(bridge, faults);
    checkCrossConnect(bridge, faults);
    checkBackups(bridge, faults);
  }
  checkMirrors(config.bridgeList, faults);
  checkPortStates(config, faults);
  checkDrivers(config, faults);
  checkEtcd(config, faults);
  checkEvpn(config, faults);
  for (const port of config.portList) checkPort(port, undefined, faults);
  checkKinds(config, faults);
  checkGuards(config, faults);
  checkGateways(config, faults);
  // Entries are checked against the expanded memberships.
  if (!fits) return;
  checkNexthops(config, faults);
  const nexthops = nexthopsById(config.nexthopList.map(({ value }) => value));
  for (const bridge of config.bridgeList) checkFdb(bridge.portList, bridge, nexthops, faults);
  checkFdb(config.portList, undefined, nexthops, faults);
  checkFdbSize(config, faults);
  readTables(config, faults);
  if (faults.count > 0) return;
  lookAtHost(allPorts(config), machine, faults);
  lookForOwnTunnel(config, faults);
  lookForContradictions(config, faults);
}

function checkPort(port: DecodedPort, bridge: DecodedBridge | undefined, faults: FaultList): void {
  checkAddresses(port, faults);
  if (isTunnelPort(port)) {
    checkVxlan(port, faults);
    checkHostNic(port, faults);
  }
  checkVlans(port, bridge, faults);
  checkPortSecurity(port, faults);
}

/** Containers need their bridge at the start. */
function checkDrivers({ docker, cni, bridgeList }: DecodedSwitch, faults: FaultList): void {
  for (const [key, driver] of Object.entries({ docker, cni })) {
    const bridge = driver?.bridge;
    if (bridge === undefined || bridgeList.some(({ name }) => name === bridge)) continue;
    faults.at([key, 'bridge'], `there is no bridge ${quote(bridge)}; containers join one of "bridges"`);
  }
}

/** The rules of the kinds of ports. */
function checkKinds(config: DecodedSwitch, faults: FaultList): void {
  const ports = allPorts(config);
  const known = new Map<string, DecodedPort | null>(linkPaths(config).map((path) => [String(path.at(-1)), null]));
  for (const bridge of config.bridgeList) known.delete(bridge.name);
  for (const port of ports) known.set(port.name, port);
  for (const port of ports) {
    PORT_KINDS[port.type].check?.(port.name, port, (name) => known.get(name), {
      fault: (key, message) => faults.at([...port.path, key], message),
      missing: (key, message) => faults.missing([...port.path, key], message),
    });
  }
}

/** All links named by the file, valid or not. */
function linkPaths(config: DecodedSwitch): Path[] {
  const attached = Object.entries(config.given.bridges ?? {}).flatMap(([bridge, body]) => {
    const path = ['bridges', bridge];
    const ports = (body as { ports?: unknown } | null)?.ports;
    const names = typeof ports === 'object' && ports !== null && !Array.isArray(ports) ? Object.keys(ports) : [];
    return [path, ...names.map((name) => [...path, 'ports', name])];
  });
  return [...attached, ...Object.keys(config.given.ports ?? {}).map((name) => ['ports', name])];
}

function checkLinks(config: DecodedSwitch, faults: FaultList): void {
  const paths = linkPaths(config);
  const over = paths[MAX_LINKS];
  if (over !== undefined) {
    faults.atKey(over, `there are ${paths.length} bridges and ports; a switch has at most ${MAX_LINKS}: use several`);
  }
  const seen = new Map<string, Path>();
  for (const path of paths) {
    const name = String(path.at(-1));
    const read = readDeviceName(name);
    const other = seen.get(name);
    if (read instanceof Refusal) faults.atKey(path, read.message);
    if (other !== undefined) {
      faults.atKey(path, `${quote(name)} names ${formatPath(other)} already; link names are used once in a switch`);
    } else {
      seen.set(name, path);
    }
  }
}

/** NIC names are unique in a namespace. A namespace may be created later. */
function checkNics(config: DecodedSwitch, machine: Machine, faults: FaultList): void {
  const seen = new Map<string, Path>();
  const claim = (netns: string, ifname: string, path: Path): void => {
    const key = `${netns} ${ifname}`;
    const other = seen.get(key);
    if (other === undefined) seen.set(key, path);
    // Duplicate link names are reported elsewhere.
    else if (other.at(-1) !== path.at(-1)) {
      faults.at(
        [...path, 'ifname'],
        `${quote(ifname)} is the NIC of ${formatPath(other)} in the same namespace; give another ifname`,
      );
    }
  };
  // Host ports first: their names are fixed, so the fault is reported at a tap port.
  for (const link of [...config.bridgeList, ...allPorts(config)]) {
    if ('host_port' in link.given && link.given.host_port === true) claim('', link.name, link.path);
  }
  for (const port of allPorts(config)) {
    if (!namesInterface(port)) continue;
    const { netns, ifname } = port.given;
    if (netns !== undefined && !machine.netnsExists(netns)) {
      const message = `network namespace ${quote(netns)} does not exist; the port waits for it${netnsRemedy(netns)}`;
      faults.warn([...port.path, 'netns'], 'absent', message);
    }
    if (port.rejected.has('netns') || port.rejected.has('ifname') || hasDescriptor(port)) continue;
    claim(netnsKey(netns), ifname ?? port.name, port.path);
  }
}

/** The NIC of a descriptor is named by whoever made it. */
function hasDescriptor({ given }: DecodedPort): boolean {
  return 'fd' in given && given.fd !== undefined;
}

/** A descriptor has one reader. */
function checkDescriptors(config: DecodedSwitch, faults: FaultList): void {
  const seen = new Map<string | number, Path>();
  for (const port of allPorts(config)) {
    const fd = 'fd' in port.given ? port.given.fd : undefined;
    if (fd === undefined) continue;
    const other = seen.get(fd);
    if (other === undefined) seen.set(fd, port.path);
    else
      faults.at(
        [...port.path, 'fd'],
        `${fd} is the NIC of ${formatPath(other)}; give each port a descriptor of its own`,
      );
  }
}

/** Canonical text for the name and the usual paths of a namespace; '' is the switch's own. */
function netnsKey(netns: string | undefined): string {
  if (netns === undefined) return '';
  return netns.includes('/') ? netns.replace(/^\/run\/netns\//, '/var/run/netns/') : `/var/run/netns/${netns}`;
}

/** NIC options require a NIC. */
function checkHostNic(link: DecodedBridge | DecodedVxlan, faults: FaultList): void {
  if (link.given.host_port === true || link.rejected.has('host_port')) return;
  for (const key of NIC_KEYS) {
    if (link.given[key] === undefined) continue;
    faults.at(
      [...link.path, key],
      `goes on the host port, and ${link.name} has none; set host_port: true or remove ${key}`,
    );
  }
}

function checkAddresses(link: DecodedBridge | DecodedPort, faults: FaultList): void {
  const seen = new Set<string>();
  for (const { path, value } of link.addressList) {
    const text = `${value.address}/${value.prefix}`;
    if (seen.has(text)) faults.at(path, `${text} is given twice; remove one of the two`);
    seen.add(text);
  }
}

/** Datagrams are matched by local address, port and VNI: two vxlan ports must differ in at least one. */
function checkSharedVnis(config: DecodedSwitch, faults: FaultList): void {
  const endpoints = new Map<string, Map<number, string>>();
  for (const port of allPorts(config)) {
    if (!isTunnelPort(port) || port.rejected.has('local') || port.rejected.has('dstport')) continue;
    const endpoint = `${localOf(port)} ${dstportOf(port)}`;
    const holders = endpoints.get(endpoint) ?? new Map<number, string>();
    endpoints.set(endpoint, holders);
    for (const { first, last, path } of vnisOf(port)) {
      for (let vni = first; vni <= last; vni++) {
        const holder = holders.get(vni) ?? port.name;
        holders.set(vni, holder);
        if (holder === port.name) continue;
        faults.at(
          path,
          `VNI ${vni} is on port ${holder} too, with the same local address and dstport; give one of them another`,
        );
        break;
      }
    }
  }
}

/** A socket has the datagrams of one encapsulation. */
function checkEncapsulations(config: DecodedSwitch, faults: FaultList): void {
  const holders = new Map<string, DecodedVxlan>();
  for (const port of allPorts(config)) {
    if (!isTunnelPort(port) || port.rejected.has('local') || port.rejected.has('dstport')) continue;
    const dstport = dstportOf(port);
    const endpoint = `${localOf(port)} ${dstport}`;
    const holder = holders.get(endpoint) ?? port;
    holders.set(endpoint, holder);
    if (holder.type === port.type) continue;
    faults.atKey(
      port.path,
      `is a ${port.type} port at the local address and dstport (${dstport}) of the ${holder.type} port ${holder.name}; give one of them another dstport`,
    );
  }
}

function vnisOf(port: DecodedVxlan): { first: number; last: number; path: Path }[] {
  const { id, vlan_tunnel } = port.given;
  if (id !== undefined) return [{ first: id, last: id, path: [...port.path, 'id'] }];
  if (vlan_tunnel !== true) return [];
  return (port.vlanList ?? []).flatMap(({ vid, given, path }) => {
    const range = given.tunnel_info;
    const sound = range !== undefined && rangeLength(range) === rangeLength(vid);
    return sound ? [{ ...range, path: [...path, 'tunnel_info'] }] : [];
  });
}

/** @returns whether the file is small enough to expand */
function checkMemberships(config: DecodedSwitch, faults: FaultList): boolean {
  let count = 0;
  for (const link of [...config.bridgeList, ...allPorts(config)]) {
    for (const vlan of link.vlanList ?? []) count += rangeLength(vlan.vid);
    if (count <= MAX_MEMBERSHIPS) continue;
    faults.at(
      [...link.path, 'vlans'],
      `up to here the ports have more than ${MAX_MEMBERSHIPS} VLAN memberships; give fewer`,
    );
    return false;
  }
  return true;
}
