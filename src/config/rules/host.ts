/**
 * Warnings about a vxlan port on this host: devices and addresses that do not exist yet, and remotes that are addresses of this
 * host. The file remains valid.
 */

import { quote } from '../../values/show.js';
import { isTunnelPort } from '../options/kinds.js';
import type { DecodedPort, DecodedVxlan } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';
import { type HostFacts, isOfHost } from '../read/host-facts.js';
import { remoteLists } from './vxlan.js';

/** Warns of missing devices and addresses, and of addresses left out of lists. Input: ports without faults. */
export function lookAtHost(ports: readonly DecodedPort[], machine: HostFacts, faults: FaultList): void {
  // Read once: the file may have a thousand ports.
  const addresses = machine.addresses();
  const host: HostFacts = { hasDevice: (name) => machine.hasDevice(name), addresses: () => addresses };
  for (const port of ports) if (isTunnelPort(port)) lookAtPort(port, host, faults);
}

function lookAtPort(port: DecodedVxlan, host: HostFacts, faults: FaultList): void {
  const { dev, local } = port.given;
  if (dev !== undefined && host.hasDevice(dev) === false) {
    faults.warn([...port.path, 'dev'], 'absent', `there is no device ${quote(dev)}; the port waits for it`);
  }
  const addresses = host.addresses();
  if (local !== undefined && addresses !== undefined && !isOfHost(local, dev, addresses)) {
    faults.warn(
      [...port.path, 'local'],
      'absent',
      `no device of this host has the address ${local}; the port waits for it`,
    );
  }
  for (const { path, value } of remoteLists(port)) {
    if (!isOwnRemote(port, value, host)) continue;
    const whose = local === undefined ? 'an address of this host' : "the port's own local address";
    faults.warn(path, 'own_address', `${value} is ${whose} and is left out, so one list can serve all hosts`);
  }
}

/** Whether an address in a list of remotes is the port's own: its `local`, or without one any address of the host. */
export function isOwnRemote({ given: { local, dev } }: DecodedVxlan, address: string, host: HostFacts): boolean {
  if (local !== undefined) return address === local;
  const addresses = host.addresses();
  return addresses !== undefined && isOfHost(address, dev, addresses);
}
