/**
 * The common part of the labs with three hosts: tunnels between all hosts over a routed underlay, one bridge without VLANs
 * on each host, one VNI, head-end replication.
 */
import type { SwitchFiles } from '../setup/state.js';
import type { Host, Station, Topology } from '../setup/topology.js';
import { cableOf, tapPort } from './yaml-fragments.js';

export interface MeshOptions {
  readonly lab: string;
  readonly prefix: string;
  readonly vni: number;
  /** Underlay address of a host, by its number. */
  underlay(number: number): string;
  /** Numbers of the hosts, from which their and their guests' addresses follow. */
  readonly numbers: readonly number[];
  readonly router: string;
  /** Names of the guests on each host. */
  readonly guests: readonly string[];
  /** Overlay address of a guest, by the number of its host and its index in `guests`. */
  overlay(number: number, guest: number): string;
  /** Additional IPv6 address of a guest. */
  overlay6?(number: number, guest: number): string;
  /** Further options of the vxlan port, one line each. */
  readonly tunnel?: readonly string[];
}

export interface Mesh {
  readonly topology: Topology;
  config(host: Host, files: SwitchFiles): string;
}

const hex = (n: number): string => n.toString(16).padStart(2, '0');

/** Creates hosts, guests and configuration files of such a lab. */
export function mesh(options: MeshOptions): Mesh {
  const hosts = options.numbers.map((number, index) => ({
    name: `h${index + 1}`,
    netns: `${options.prefix}-h${index + 1}`,
    address: options.underlay(number),
  }));
  const stations = hosts.flatMap((host, index) =>
    options.guests.map((name, guest): Station => {
      const number = options.numbers[index] as number;
      const address = options.overlay(number, guest);
      return {
        name: `${host.name}-${name}`,
        netns: `${host.netns}-${name}`,
        ifname: 'eth0',
        address,
        host: host.name,
        mac: `02:00:00:00:${hex(number)}:${hex(guest + 1)}`,
        ...(options.overlay6 ? { address6: options.overlay6(number, guest) } : {}),
      };
    }),
  );
  const topology = { hosts, stations, router: { netns: `${options.prefix}-net`, address: options.router } };
  return { topology, config: (host, files) => config(options, topology, host, files) };
}

function config(options: MeshOptions, topology: Topology, host: Host, files: SwitchFiles): string {
  const guests = topology.stations.filter((station) => station.host === host.name);
  const taps = guests.map((guest) => tapPort(cableOf(guest)));
  const remotes = topology.hosts.filter((other) => other !== host).map((other) => other.address);
  const more = (options.tunnel ?? []).map((line) => `\n        ${line}`).join('');
  return `# Lab ${options.lab}, host ${host.name}.
name: ${host.name}
control: ${files.socket}
bridges:
  br0:
    ports:${taps.join('')}
      vxlan0:
        type: vxlan
        id: ${options.vni}
        local: ${host.address}
        dstport: 4789
        remotes: [${remotes.join(', ')}]     # the flood list${more}
`;
}
