/**
 * Rules of what frames from a port may claim (`arp_guard`, `allowed_macs`, `dhcp_guard`, `ra_guard`), and warnings of settings that
 * contradict each other: the file is valid, and some guest would be cut off.
 */
import { isInSubnet } from '../../wire/ip-address.js';
import type { DecodedBridge, DecodedPort, DecodedSwitch, Item } from '../read/decoded.js';
import { type FaultList, formatPath, type Path } from '../read/faults.js';
import { allPorts } from '../read/decoded.js';

/** Most addresses, and most MACs, of a port: MAX_GUARDED of the data path. */
const MOST = 256;

/** A burst needs its rate. */
function checkPolice({ path, policed }: DecodedPort, faults: FaultList): void {
  for (const key of ['police_in', 'police_out'] as const) {
    for (const [burst, rate] of [['burst', 'rate'] as const, ['pkts_burst', 'pkts_rate'] as const]) {
      if ((policed[key][burst] ?? 0) === 0 || (policed[key][rate] ?? 0) > 0) continue;
      faults.at([...path, key, burst], `is that of a ${rate}, and there is none; give ${rate} too, or remove ${burst}`);
    }
  }
}

/** Bounds the lists of all ports, and checks their limits. */
export function checkGuards(config: DecodedSwitch, faults: FaultList): void {
  for (const port of allPorts(config)) {
    checkPolice(port, faults);
    const { path, claimList, macList } = port;
    for (const [key, list] of [['arp_guard', claimList] as const, ['allowed_macs', macList] as const]) {
      if (list.length <= MOST) continue;
      faults.at([...path, key], `has ${list.length} items; a port has ${MOST} at most: give prefixes, or leave it out`);
    }
  }
}

/** Input: a configuration without faults. */
export function lookForContradictions(config: DecodedSwitch, faults: FaultList): void {
  for (const port of allPorts(config)) lookAtPort(port, faults);
  for (const bridge of config.bridgeList) {
    lookForServers(bridge, faults);
    lookForClosedInstances(bridge, faults);
    if (bridge.given.vlan_filtering !== true) lookForSharedClaims(bridge, faults);
  }
}

function lookAtPort({ given, path, claimList, macList, addressList, entryList }: DecodedPort, faults: FaultList): void {
  if (claimList.length > 0) {
    for (const { path: at, value } of addressList) {
      if (claimList.some((claim) => covers(claim.value, value.address))) continue;
      warn(
        faults,
        at,
        `${value.address} is not in arp_guard of the port, so nobody finds the guest there; add it there`,
      );
    }
  }
  if (macList.length === 0) return;
  const isAllowed = (mac: string): boolean => macList.some(({ value }) => value === mac);
  const mac = 'mac' in given ? given.mac : undefined;
  if (mac !== undefined && !isAllowed(mac))
    warn(
      faults,
      [...path, 'mac'],
      `${mac} is not in allowed_macs of the port, so no frame of the guest enters; add it there`,
    );
  for (const entry of entryList) {
    if (isAllowed(entry.mac) || entry.given.dst !== undefined) continue;
    warn(
      faults,
      entry.path,
      `${entry.mac} is not in allowed_macs of the port, so no frame from it enters; add it there`,
    );
  }
}

function covers(claim: string, address: string): boolean {
  const [of = '', prefix] = claim.split('/');
  return prefix === undefined ? of === address : isInSubnet(address, { address: of, prefix: Number(prefix) });
}

/** Without a trusted port no server is heard. The host's own port is one. */
function lookForServers({ given, path, portList, name }: DecodedBridge, faults: FaultList): void {
  if (given.host_port === true || portList.length === 0 || portList.some((port) => port.given.trusted === true)) return;
  const words = { dhcp_guard: 'DHCP server', ra_guard: 'router' };
  for (const key of ['dhcp_guard', 'ra_guard'] as const) {
    if (given[key] !== true) continue;
    warn(
      faults,
      [...path, key],
      `no port of ${name} is trusted, so no ${words[key]} is heard; set trusted: true on its port`,
    );
  }
}

/** A port is disabled in an instance until somebody says otherwise: without a state at any port, none of its VLANs passes a frame. */
function lookForClosedInstances({ given, globalList, name, portList }: DecodedBridge, faults: FaultList): void {
  if (given.mst_enabled !== true || given.vlan_filtering !== true || portList.length === 0) return;
  const said = new Set(portList.flatMap((port) => port.instanceList.map(({ value }) => value.msti)));
  for (const { path, value } of globalList) {
    const { msti = 0 } = value;
    if (msti === 0 || said.has(msti)) continue;
    said.add(msti);
    const message = `instance ${msti} is disabled at every port of ${name}, so no frame of its VLANs passes; give ports a state there (mst)`;
    warn(faults, [...path, 'msti'], message);
  }
}

/** One address on two ports of a domain: either guest may take it from the other. */
function lookForSharedClaims({ portList }: DecodedBridge, faults: FaultList): void {
  const holders = new Map<string, Path>();
  for (const { claimList, path } of portList) {
    for (const { path: at, value } of new Map(
      claimList.map((claim): [string, Item<string>] => [claim.value, claim]),
    ).values()) {
      const other = holders.get(value);
      if (other === undefined) holders.set(value, path);
      else if (!value.includes('/'))
        warn(
          faults,
          at,
          `${value} is in arp_guard of ${formatPath(other)} too, so either guest may take it from the other`,
        );
    }
  }
}

function warn(faults: FaultList, path: Path, message: string): void {
  faults.warn(path, 'contradiction', message);
}
