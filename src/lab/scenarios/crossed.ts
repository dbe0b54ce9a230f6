/**
 * The common part of the labs with two bridges: four guests in two subnets, with both subnets on both bridges, and one cable
 * between the bridges.
 *
 *     10.0.0.1  h1 --.                                   .-- h3  10.0.0.2
 *                     bridge1 --- vxlan0 === vxlan0 --- bridge2
 *     10.0.1.1  h2 --'                                   '-- h4  10.0.1.2
 *
 * Each bridge belongs to the switch of a host of its own. The cable is a tunnel with one VNI, which carries frames unchanged,
 * as the veth pair between two Linux bridges does.
 */
import type { SwitchFiles } from '../setup/state.js';
import type { Host, Station, Topology } from '../setup/topology.js';
import { cableOf, otherOf, tapPort, twoHosts } from './yaml-fragments.js';

/** The VNI of the cable. */
export const CABLE_VNI = 100;

export interface CrossedOptions {
  readonly lab: string;
  readonly prefix: string;
  /** VLANs of the two subnets: guests on access ports, the cable as trunk. Without them the bridges do not filter VLANs. */
  readonly vlans?: readonly [number, number];
}

export interface CrossedGuest extends Station {
  /** Its subnet, the first (0) or the second (1). */
  readonly subnet: 0 | 1;
}

export interface Crossed {
  readonly topology: Topology;
  /** h1 to h4. */
  readonly guests: readonly [CrossedGuest, CrossedGuest, CrossedGuest, CrossedGuest];
  config(host: Host, files: SwitchFiles): string;
}

/** Creates hosts, guests and configuration files of such a lab. */
export function crossed(options: CrossedOptions): Crossed {
  const hosts = twoHosts(options.prefix, (number) => `host${number}`);
  const guest = (number: number): CrossedGuest => {
    const subnet = number % 2 === 1 ? 0 : 1;
    const side = number <= 2 ? 0 : 1;
    return {
      name: `h${number}`,
      netns: `${options.prefix}-h${number}`,
      ifname: 'eth0',
      address: `10.0.${subnet}.${side + 1}`,
      host: hosts[side].name,
      mac: `02:00:00:00:0${subnet}:0${side + 1}`,
      subnet,
    };
  };
  const guests = [guest(1), guest(2), guest(3), guest(4)] as const;
  const topology = { hosts, stations: guests };
  return { topology, guests, config: (host, files) => config(options, hosts, guests, host, files) };
}

function config(
  options: CrossedOptions,
  hosts: readonly Host[],
  guests: readonly CrossedGuest[],
  host: Host,
  files: SwitchFiles,
): string {
  const { vlans } = options;
  const access = ({ subnet }: CrossedGuest): string[] =>
    vlans ? [`vlans: [{ vid: ${vlans[subnet]}, pvid: true, untagged: true }]`] : [];
  const taps = guests
    .filter((guest) => guest.host === host.name)
    .map((guest) => tapPort(cableOf(guest), ...access(guest)));
  const trunk = vlans
    ? `
        vlans:                           # a trunk: both VLANs, each frame with its tag
          - { vid: ${vlans[0]} }
          - { vid: ${vlans[1]} }`
    : '';
  return `# Lab ${options.lab}, host ${host.name}.
name: ${host.name}
control: ${files.socket}
bridges:
  bridge${hosts.indexOf(host) + 1}:
    vlan_filtering: ${vlans !== undefined}
    ports:${taps.join('')}
      vxlan0:                            # the cable to the other bridge
        type: vxlan
        id: ${CABLE_VNI}
        local: ${host.address}
        dstport: 4789
        remotes: [${otherOf(hosts, host).address}]${trunk}
`;
}
