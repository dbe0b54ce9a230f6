/**
 * What the configuration files of several labs are written of, so that the same thing reads the same in all of them.
 */
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

/** The other one of two. */
export function otherOf<T>(pair: readonly T[], one: T): T {
  return pair.find((member) => member !== one) as T;
}

/** A port that is the cable to a NIC, as far as it is the same everywhere. */
export interface Cable {
  /** The port's name. */
  readonly port: string;
  readonly netns: string;
  readonly ifname: string;
  readonly mac: string;
  /** Its addresses with their prefix lengths. */
  readonly addresses: readonly string[];
}

/** The cable to a guest; the port is named after the guest. */
export function cableOf({ name, netns, ifname, mac, address, address6 }: Station): Cable {
  const addresses = [`${address}/24`, ...(address6 === undefined ? [] : [`${address6}/64`])];
  return { port: name, netns, ifname, mac, addresses };
}

/** A tap port under `ports:`, from its line break on; `more` are further lines of it. */
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
