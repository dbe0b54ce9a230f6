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
import { readyLab } from '../file/ready.js';
import type { Host, Station } from '../setup/topology.js';
import type { End } from '../testbed/namespaces.js';
import type { Cable } from './yaml-fragments.js';

export const NAME = 'dove';
const PREFIX = 'ovt-dove';

/** The VNI without learning and flooding, and its port on every host. */
export const CONTROLLED_VNI = 42;
export const CONTROLLED = 'vxlan0';
/** The port of the VNI with learning, on the first two hosts. */
export const LEARNING = 'vxlan1';
/** Number of MACs that this port may learn, and its ageing time in seconds. */
export const MAX_ADDRESSES = 4;
export const AGEING = 300;

type Three<T> = readonly [T, T, T];

/** The lab without its check, which is in dove.ts. */
export const place = readyLab(NAME);
export const { topology } = place;
export const hosts = topology.hosts as unknown as Three<Host>;
export const guests = topology.stations as unknown as Three<Station>;

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

/** The addresses behind the other hosts: the table of a host's control program. */
export function residentsBeyond(own: Host): Resident[] {
  const vtepOf = (name: string): string => (hosts.find((one) => one.name === name) as Host).address;
  const all: Resident[] = [
    ...guests.map((one) => ({ address: one.address, mac: one.mac, vtep: vtepOf(one.host) })),
    ...gateways.map((address) => ({ address, mac: router.mac, vtep: hosts[2].address, router: true })),
  ];
  return all.filter(({ vtep }) => vtep !== own.address);
}
