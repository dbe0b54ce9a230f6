/** How the BGP speakers of others are started in a lab: FRR's zebra and bgpd beside a kernel's VTEP, and GoBGP as a route reflector. */
import { join } from 'node:path';
import type { Daemon } from '../setup/daemons.js';
import type { Host } from '../setup/topology.js';

export const ASN = 65_000;

const FRR = '/usr/lib/frr';

/** The folder of FRR in the lab's. `vtysh --vty_socket` wants it. */
export const FRR_FOLDER = 'frr';

function frrDaemon(name: string, { netns }: Host, text: string): Daemon {
  const path = `${FRR}/${name}`;
  return {
    name,
    netns,
    tools: [
      { path, package: 'frr' },
      { path: '/usr/bin/vtysh', package: 'frr' },
    ],
    folder: FRR_FOLDER,
    user: 'frr',
    file: `${name}.conf`,
    text,
    command: (folder) => [
      path,
      ...['-i', join(folder, `${name}.pid`), '-z', join(folder, 'zserv.api'), '--vty_socket', folder],
      ...['-u', 'frr', '-g', 'frr', '-P', '0'],
    ],
    question: (folder) => [...vtysh(folder), '-d', name, '-c', 'show version'],
  };
}

/** The command line of FRR's shell, without its commands. */
export const vtysh = (folder: string): string[] => ['/usr/bin/vtysh', '--vty_socket', folder];

/** zebra and bgpd, which serve the VTEP of the kernel and speak with these neighbours. */
export function frr(host: Host, neighbors: readonly Host[]): Daemon[] {
  const each = (line: (address: string) => string): string => neighbors.map(({ address }) => line(address)).join('\n');
  const bgpd = `router bgp ${ASN}
 bgp router-id ${host.address}
 no bgp default ipv4-unicast
 timers bgp 1 3
${each((address) => ` neighbor ${address} remote-as ${ASN}\n neighbor ${address} timers connect 1`)}
 address-family l2vpn evpn
${each((address) => `  neighbor ${address} activate`)}
  advertise-all-vni
  no dup-addr-detection
 exit-address-family
`;
  return [frrDaemon('zebra', host, ''), frrDaemon('bgpd', host, bgpd)];
}

export const GOBGPD = 'gobgpd';

/** The command line of GoBGP's shell, without its words. */
export const GOBGP = '/usr/bin/gobgp';

/** A route reflector of these clients, which dial it. It keeps its routes over a restart for 30 s (RFC 4724); `-r` says that it has restarted. */
export function gobgpReflector(host: Host, clients: readonly Host[]): Daemon {
  const client = ({ address }: Host): string => `
[[neighbors]]
  [neighbors.config]
    neighbor-address = "${address}"
    peer-as = ${ASN}
  [neighbors.timers.config]
    hold-time = 9
    keepalive-interval = 3
    idle-hold-time-after-reset = 1
  [neighbors.transport.config]
    passive-mode = true
  [neighbors.route-reflector.config]
    route-reflector-client = true
    route-reflector-cluster-id = "${host.address}"
  [neighbors.graceful-restart.config]
    enabled = true
    restart-time = 30
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "l2vpn-evpn"
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = true
`;
  return {
    name: GOBGPD,
    netns: host.netns,
    tools: [
      { path: '/usr/bin/gobgpd', package: 'gobgpd' },
      { path: GOBGP, package: 'gobgpd' },
    ],
    folder: 'gobgp',
    file: 'gobgpd.toml',
    text: `[global.config]
  as = ${ASN}
  router-id = "${host.address}"
${clients.map(client).join('')}`,
    command: () => ['/usr/bin/gobgpd', '--api-hosts', '127.0.0.1:50051'],
    question: () => [GOBGP, 'global'],
  };
}
