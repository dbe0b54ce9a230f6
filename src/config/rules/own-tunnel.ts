/**
 * Warns of remotes in the subnet of a NIC that the switch creates in its own namespace. Unless a better route exists, datagrams
 * to them come back by that NIC and are dropped as `own_tunnel`. The file remains valid.
 */
import { isInSubnet } from '../../wire/ip-address.js';
import { hasOwnNic, isTunnelPort } from '../options/kinds.js';
import { allPorts, type DecodedPort, type DecodedSwitch, type DecodedVxlan } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';
import type { NicAddress } from '../types.js';
import { remoteLists } from './vxlan.js';

interface OwnNic {
  name: string;
  /** The port where the datagrams come back. */
  place: string;
  addresses: readonly NicAddress[];
}

/** Input: a configuration without faults. */
export function lookForOwnTunnel(config: DecodedSwitch, faults: FaultList): void {
  const nics = ownNics(config);
  if (nics.length === 0) return;
  for (const port of allPorts(config)) if (isTunnelPort(port)) lookAtRemotes(port, nics, faults);
}

function lookAtRemotes(port: DecodedVxlan, nics: readonly OwnNic[], faults: FaultList): void {
  const { dev } = port.given;
  for (const { path, value } of remoteLists(port)) {
    for (const { name, place, addresses } of nics) {
      // A port with `dev` sends by that device only.
      const subnet = dev === undefined || dev === name ? addresses.find((one) => isInSubnet(value, one)) : undefined;
      if (subnet === undefined || subnet.address === value) continue;
      const where = `${value} is in the subnet of ${name}, ${subnet.address}/${subnet.prefix}, so the route to it leads into ${place}`;
      faults.warn(
        path,
        'own_tunnel',
        `${where} of this switch, which does not carry its own tunnel (own_tunnel); reach the remote by another device`,
      );
    }
  }
}

/** NICs that routes of the host may lead to: host ports, and TAPs in the switch's own namespace. */
function ownNics({ bridgeList, portList }: DecodedSwitch): OwnNic[] {
  const nics: OwnNic[] = [];
  for (const bridge of bridgeList) {
    const place = `bridge ${bridge.name}`;
    if (bridge.given.host_port === true) nics.push({ name: bridge.name, place, addresses: valuesOf(bridge) });
    for (const port of bridge.portList) {
      const name = hasOwnNic(port) ? (port.given.ifname ?? port.name) : port.name;
      if (isTunnelPort(port) ? port.given.host_port === true : isHere(port))
        nics.push({ name, place, addresses: valuesOf(port) });
    }
  }
  for (const port of portList)
    if (hasOwnNic(port) && isHere(port))
      nics.push({ name: port.given.ifname ?? port.name, place: `port ${port.name}`, addresses: valuesOf(port) });
  return nics.filter(({ addresses }) => addresses.length > 0);
}

function isHere(port: DecodedPort): boolean {
  return hasOwnNic(port) && port.given.netns === undefined;
}

function valuesOf({ addressList }: { addressList: readonly { value: NicAddress }[] }): NicAddress[] {
  return addressList.map(({ value }) => value);
}
