/**
 * Lab point-to-point: the smallest VXLAN network. Two hosts, one VNI, one remote, no guests: each host has an address on the
 * host port of its tunnel, as on a vxlan device of the kernel.
 *
 *        10.0.42.1                   10.0.42.2
 *         vxlan0 ===== VNI 42 ====== vxlan0
 *        192.0.2.1                   192.0.2.2
 */
import type { Seen } from '../checks/findings.js';
import type { Inspection } from '../checks/inspection.js';
import { mtuIsRight, reach, transfer } from '../checks/probes.js';
import type { Lab } from '../lab.js';
import type { SwitchFiles } from '../setup/state.js';
import type { Host, Station } from '../setup/topology.js';
import { otherOf } from './yaml-fragments.js';

const VNI = 42;
const ALL_ZEROS = '00:00:00:00:00:00';

const hosts: readonly Host[] = [1, 2].map((n) => ({
  name: `h${n}`,
  netns: `ovt-p2p-h${n}`,
  address: `192.0.2.${n}`,
}));

const stations: readonly Station[] = hosts.map((host, index) => ({
  name: host.name,
  netns: host.netns,
  ifname: 'vxlan0',
  address: `10.0.42.${index + 1}`,
  host: host.name,
  mac: `02:00:00:00:42:0${index + 1}`,
}));

function config(host: Host, files: SwitchFiles): string {
  const station = stations.find((one) => one.host === host.name) as Station;
  return `# Lab point-to-point, host ${host.name}.
name: ${host.name}
control: ${files.socket}
bridges:
  br0:
    vlan_filtering: false
    ports:
      vxlan0:
        type: vxlan
        id: ${VNI}
        local: ${host.address}
        remotes: [${otherOf(hosts, host).address}]
        host_port: true                # the host itself gets a NIC named vxlan0
        mac: ${station.mac}
        addresses: [${station.address}/24]
`;
}

async function check(inspection: Inspection): Promise<void> {
  await inspection.prove('vxlan0 has the right MTU without configuration', () => mtuIsRight(inspection, stations));
  for (const host of hosts) {
    const claim = `the FDB of ${host.name} holds the all-zeros entry for the remote`;
    await inspection.prove(claim, () => holdsEntry(inspection, host, ALL_ZEROS));
  }
  for (const from of stations) {
    const to = otherOf(stations, from);
    const claim = `${from.name} reaches ${to.name} by the addresses on vxlan0`;
    await inspection.prove(claim, () => reach(inspection, from, to));
  }
  for (const host of hosts) {
    const far = stations.find((station) => station.host !== host.name) as Station;
    const claim = `the FDB of ${host.name} holds the learned entry of ${far.name}`;
    await inspection.prove(claim, () => holdsEntry(inspection, host, far.mac));
  }
  const [from, to] = stations as [Station, Station];
  await inspection.prove('10 MB over TCP', () => transfer(inspection, from, to));
}

/** Proves that the FDB has exactly one entry of a MAC, with the remote; a guest's entry must be learned. */
async function holdsEntry(inspection: Inspection, host: Host, mac: string): Promise<Seen> {
  const rows = await inspection.client(host.name).get('/v1/fdb');
  const remote = otherOf(hosts, host).address;
  const found = rows.filter((row) => row.mac === mac && row.ifname === 'vxlan0');
  const right = found.filter((row) => row.dst === remote && (mac === ALL_ZEROS || row.state === 'dynamic'));
  const seen = found.map((row) => `${row.mac} dev ${row.ifname} dst ${row.dst} ${row.state}`).join(', ');
  return { holds: found.length === 1 && right.length === 1, seen: seen || `no entry among ${rows.length}` };
}

export const pointToPoint: Lab = {
  name: 'point-to-point',
  summary: 'two hosts, one VNI, an address on the tunnel itself',
  topology: { hosts, stations },
  config,
  check,
};
