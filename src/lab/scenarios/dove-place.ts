/**
 * Topology and configuration of lab dove: three hosts, two subnets of guests in one VNI, a router with one NIC, and a second
 * bridge in a VNI with learning. The tables of the control programs come from the same data.
 *
 *     10.0.0.1  g1 --.            .-- g2  10.0.0.2
 *                     h1 ====== h2
 *                       \\    // '-- g3  10.0.1.2
 *                         h3
 *                         '-- r  10.0.0.254 and 10.0.1.254
 */
import type { Resident } from '../checks/control-program.js';
import type { SwitchFiles } from '../setup/state.js';
import type { Host, Route, Station, Topology } from '../setup/topology.js';
import type { End } from '../testbed/namespaces.js';
import { type Cable, cableOf, otherOf, tapPort } from './yaml-fragments.js';

export const NAME = 'dove';
const PREFIX = 'ovt-dove';

/** The VNI without learning and flooding, and its port on every host. */
export const CONTROLLED_VNI = 42;
export const CONTROLLED = 'vxlan0';
/** The VNI with learning, on the first two hosts, and its port. */
const LEARNING_VNI = 43;
export const LEARNING = 'vxlan1';
/** Number of MACs that this port may learn, and its ageing time in seconds. */
export const MAX_ADDRESSES = 4;
export const AGEING = 300;

const host = (number: number): Host => ({
  name: `h${number}`,
  netns: `${PREFIX}-h${number}`,
  address: `192.0.2.${number}`,
});
export const hosts = [host(1), host(2), host(3)] as const;

const guest = (number: number, on: Host, address: string): Station => ({
  name: `g${number}`,
  netns: `${PREFIX}-g${number}`,
  ifname: 'eth0',
  address,
  host: on.name,
  mac: `02:00:00:00:00:0${number}`,
});
export const guests = [
  guest(1, hosts[0], '10.0.0.1'),
  guest(2, hosts[1], '10.0.0.2'),
  guest(3, hosts[1], '10.0.1.2'),
] as const;

const gateways = ['10.0.0.254', '10.0.1.254'] as const;
export const router: Cable = {
  port: 'r',
  netns: `${PREFIX}-r`,
  ifname: 'eth0',
  mac: '02:00:00:00:00:fe',
  addresses: gateways.map((address) => `${address}/24`),
};

/** The second NICs of the first two guests, in the VNI with learning. */
const learner = (number: 1 | 2): Cable => ({
  port: `g${number}-b`,
  netns: `${PREFIX}-g${number}`,
  ifname: 'eth1',
  mac: `02:00:00:00:02:0${number}`,
  addresses: [`10.0.2.${number}/24`],
});
export const learners = [learner(1), learner(2)] as const satisfies readonly End[];

const gatewayOf = ({ address }: Station): string => (address.startsWith('10.0.0.') ? gateways[0] : gateways[1]);
const routes: readonly Route[] = guests.map((one) => ({ from: one, to: 'default', via: gatewayOf(one) }));

export const topology: Topology = {
  hosts,
  stations: guests,
  router: { netns: `${PREFIX}-net`, address: '192.0.2.254' },
  overlayRouters: [router],
  routes,
};

/** The addresses behind the other hosts: the table of a host's control program. */
export function residentsBeyond(own: Host): Resident[] {
  const vtepOf = (name: string): string => (hosts.find((one) => one.name === name) as Host).address;
  const all: Resident[] = [
    ...guests.map((one) => ({ address: one.address, mac: one.mac, vtep: vtepOf(one.host) })),
    ...gateways.map((address) => ({ address, mac: router.mac, vtep: hosts[2].address, router: true })),
  ];
  return all.filter(({ vtep }) => vtep !== own.address);
}

export function config(own: Host, files: SwitchFiles): string {
  const cables = own === hosts[2] ? [router] : guests.filter((one) => one.host === own.name).map(cableOf);
  return `# Lab ${NAME}, host ${own.name}.
name: ${own.name}
control: ${files.socket}
bridges:
  br0:
    ports:${cables.map((cable) => tapPort(cable)).join('')}
      ${CONTROLLED}:                            # a control program adds all entries
        type: vxlan
        id: ${CONTROLLED_VNI}
        local: ${own.address}
        dstport: 4789
        accept_vteps: any                # it has no entry with another host yet
        learning: false
        l2miss: true                     # report unknown MACs
        l3miss: true                     # report unknown addresses
        proxy: true                      # answer requests for known addresses
        rsc: true                        # and send to them directly, not by the router
${secondBridge(own)}`;
}

function secondBridge(own: Host): string {
  const index = hosts.indexOf(own as (typeof hosts)[number]);
  const cable = learners[index];
  if (cable === undefined) return '';
  return `  br1:
    ports:${tapPort(cable)}
      ${LEARNING}:
        type: vxlan
        id: ${LEARNING_VNI}
        local: ${own.address}
        dstport: 4789
        remotes: [${otherOf(hosts.slice(0, 2), own).address}]
        maxaddress: ${MAX_ADDRESSES}                    # MACs that it may learn
        ageing: ${AGEING}                      # seconds without a frame until an entry is deleted
`;
}
