/** Common parts of the labs' hosts and configuration files, so that all labs write them the same way. */
import type { Host, Station } from '../setup/topology.js';

/** Two hosts on one underlay subnet, 192.0.2.1 and .2. */
export function twoHosts(prefix: string, name: (number: number) => string): readonly [Host, Host] {
  const host = (number: number): Host => ({
    name: name(number),
    netns: `${prefix}-${name(number)}`,
    address: `192.0.2.${number}`,
  });
  return [host(1), host(2)];
}

/** The other member of a pair. */
export function otherOf<T>(pair: readonly T[], one: T): T {
  return pair.find((member) => member !== one) as T;
}

/** A tap port and its NIC. */
export interface Cable {
  /** Name of the port. */
  readonly port: string;
  readonly netns: string;
  readonly ifname: string;
  readonly mac: string;
  /** Addresses of the NIC, with prefix lengths. */
  readonly addresses: readonly string[];
}

/** The tap port of a guest, named after the guest. */
export function cableOf({ name, netns, ifname, mac, address, address6 }: Station): Cable {
  const addresses = [`${address}/24`, ...(address6 === undefined ? [] : [`${address6}/64`])];
  return { port: name, netns, ifname, mac, addresses };
}

/** The YAML of a tap port under `ports:`, starting with a line break. @param more further lines of the port */
export function tapPort(cable: Cable, ...more: readonly string[]): string {
  const lines = [
    `${cable.port}:`,
    '  type: tap',
    `  netns: ${cable.netns}`,
    `  ifname: ${cable.ifname}`,
    `  mac: ${cable.mac}`,
    `  addresses: [${cable.addresses.join(', ')}]`,
    ...more.map((line) => `  ${line}`),
  ];
  return lines.map((line) => `\n      ${line}`).join('');
}
