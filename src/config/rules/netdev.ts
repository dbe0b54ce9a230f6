/**
 * Rules between netdev ports and the underlay of vxlan ports: an interface that the tunnels use must stay the host's, and datagrams to a
 * multicast group would enter the bridge by it, to be sent to the group again.
 */
import { isTunnelPort } from '../options/kinds.js';
import { allPorts, type DecodedPort, type DecodedSwitch, type DecodedVxlan } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';
import { groupsOf } from './vxlan.js';

export function checkUnderlays(config: DecodedSwitch, faults: FaultList): void {
  const ports = allPorts(config);
  const tunnels = ports.filter((port) => isTunnelPort(port));
  for (const port of ports) if (port.type === 'netdev') checkUnderlay(port, tunnels, faults);
}

function checkUnderlay(
  port: DecodedPort & { type: 'netdev' },
  tunnels: readonly DecodedVxlan[],
  faults: FaultList,
): void {
  const { netns, ifname = port.name, host } = port.given;
  if (netns !== undefined) return;
  for (const tunnel of tunnels) {
    const { name, given } = tunnel;
    if (given.dev !== ifname) continue;
    const fault = (message: string): void => faults.at([...port.path, 'type'], message);
    if (host !== true)
      fault(
        `the tunnels of ${name} use ${ifname}, and the host would get nothing from it; set host: true, or give ${name} another dev`,
      );
    else if (groupsOf(tunnel).length > 0)
      fault(
        `datagrams to the group of ${name} would come in by ${ifname} and be sent to it again; give one of them another interface`,
      );
  }
}
