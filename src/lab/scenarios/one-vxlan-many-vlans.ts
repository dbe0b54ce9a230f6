/**
 * Lab one-vxlan-many-vlans: one vxlan port carries every VLAN of a filtering bridge, each in its own VNI, and the key of the
 * FDB is <MAC, VNI>. The check captures on the wire.
 *
 *        ns2 (VLAN 2) --.                                   .-- ns2 (VLAN 2)
 *                        br1 --- vxlan0 ====== vxlan0 --- br1
 *        ns3 (VLAN 3) --'        VLAN 2 <-> VNI 2          '-- ns3 (VLAN 3)
 *                                VLAN 3 <-> VNI 3
 */
import type { ObservedDatagram } from '../capture/observed-frame.js';
import type { Sniffer } from '../capture/sniffer.js';
import type { Seen } from '../checks/findings.js';
import type { Inspection } from '../checks/inspection.js';
import { neverMeet } from '../checks/isolation.js';
import { heardOnce, mtuIsRight, reach, transfer } from '../checks/probes.js';
import type { Lab } from '../lab.js';
import type { SwitchFiles } from '../setup/state.js';
import { type Host, type Station, underlayOf } from '../setup/topology.js';

const PREFIX = 'ovt-1vmv';
const VLANS = [2, 3] as const;

const hosts: readonly Host[] = [1, 2].map((n) => ({
  name: `h${n}`,
  netns: `${PREFIX}-h${n}`,
  address: `192.0.2.${n}`,
}));

interface Guest extends Station {
  readonly vlan: number;
}

/** Guest ns2 of host 1 is 100.0.1.1, ns3 of host 2 is 100.0.2.2. */
function guest(host: Host, number: number, vlan: number): Guest {
  return {
    name: `${host.name}-ns${vlan}`,
    netns: `${host.netns}-ns${vlan}`,
    ifname: `tap${vlan - 1}_1`,
    address: `100.0.${vlan - 1}.${number}`,
    host: host.name,
    mac: `02:00:00:00:0${vlan}:0${number}`,
    vlan,
  };
}

const guests: readonly Guest[] = hosts.flatMap((host, index) => VLANS.map((vlan) => guest(host, index + 1, vlan)));

function config(host: Host, files: SwitchFiles): string {
  const remote = hosts.find((other) => other !== host) as Host;
  const taps = guests
    .filter((one) => one.host === host.name)
    .map(
      (one) => `
      tap${one.vlan - 1}_0:                          # the port of guest ${one.name}
        type: tap
        netns: ${one.netns}
        ifname: ${one.ifname}
        mac: ${one.mac}
        addresses: [${one.address}/24]
        vlans: [{ vid: ${one.vlan}, pvid: true, untagged: true }]`,
    );
  return `# Lab one-vxlan-many-vlans, host ${host.name}.
name: ${host.name}
control: ${files.socket}
bridges:
  br1:
    vlan_filtering: true
    ports:${taps.join('')}
      vxlan0:                          # one port for all VNIs
        type: vxlan
        local: ${host.address}
        dstport: 4789
        vlan_tunnel: true
        vlans:
          - { vid: 2, tunnel_info: 2 }
          - { vid: 3, tunnel_info: 3 }
        remotes: [${remote.address}]
`;
}

const vlanOf = new Map(guests.map((one) => [one.mac, one.vlan]));
const ofVlan = (vlan: number): Guest[] => guests.filter((one) => one.vlan === vlan);

async function check(inspection: Inspection): Promise<void> {
  const wire = inspection.sniffUnderlay(underlayOf(hosts[0] as Host));
  await inspection.prove('the guests have the right MTU without configuration', () => mtuIsRight(inspection, guests));
  for (const vlan of VLANS) {
    const [one, other] = ofVlan(vlan) as [Guest, Guest];
    for (const [from, to] of [[one, other] as const, [other, one] as const]) {
      const claim = `VLAN ${vlan} reaches across the hosts, ${from.name} -> ${to.name}`;
      await inspection.prove(claim, () => reach(inspection, from, to));
    }
  }
  for (const vlan of VLANS) {
    const [from, ...friends] = ofVlan(vlan) as [Guest, ...Guest[]];
    const rest = guests.filter((one) => one.vlan !== vlan);
    const claim = `a broadcast of VLAN ${vlan} stays in VLAN ${vlan}`;
    await inspection.prove(claim, () => heardOnce(inspection, from, 'broadcast', friends, rest));
  }
  const claim = 'VLAN 2 and VLAN 3 do not reach each other, even with routes and static neighbours';
  await inspection.prove(claim, () =>
    neverMeet(inspection, wire, isolated, (from, seen) => seen.vni === vlanOf.get(from.mac)),
  );
  await inspection.prove('the wire carries VLAN 2 in VNI 2 and VLAN 3 in VNI 3', () => wireIsRight(inspection, wire));
  wire.stop();
  for (const vlan of VLANS) {
    const [from, to] = ofVlan(vlan) as [Guest, Guest];
    await inspection.prove(`10 MB over TCP in VLAN ${vlan}`, () => transfer(inspection, from, to));
  }
  for (const host of hosts) {
    const title = `the FDB of ${host.name} holds the other host's MACs, each under its VNI`;
    await inspection.prove(title, () => fdbIsRight(inspection, host));
  }
}

/** Ordered pairs of guests in different VLANs, on one host and across. */
const isolated = guests.flatMap((from) =>
  guests.filter((to) => to.vlan !== from.vlan).map((to) => [from, to] as const),
);

async function wireIsRight(inspection: Inspection, wire: Sniffer): Promise<Seen> {
  const passed = (host: Host, vlan: number): boolean =>
    wire.tunnel.some((seen) => seen.from === host.address && seen.vni === vlan);
  const expected = hosts.flatMap((host) => VLANS.map((vlan) => ({ host, vlan })));
  await wire.sees(() => expected.every(({ host, vlan }) => passed(host, vlan)), inspection.signal);

  const failures = expected
    .filter(({ host, vlan }) => !passed(host, vlan))
    .map(({ host, vlan }) => `no datagram from ${host.name} in VNI ${vlan}`);
  const count = (what: string, wrong: (seen: ObservedDatagram) => boolean): void => {
    const found = wire.tunnel.filter(wrong);
    const vnis = [...new Set(found.map((seen) => seen.vni ?? 'none'))].join(', ');
    if (found.length > 0) failures.push(`${found.length} datagrams ${what} (VNI ${vnis})`);
  };
  count('with reserved bits set', (seen) => seen.reserved !== 0);
  count('without a mapped VNI', (seen) => !VLANS.some((vlan) => vlan === seen.vni));
  count("outside the VNI of their guest's VLAN", (seen) => vlanOf.get(seen.frame.source) !== seen.vni);
  count('with an inner tag', (seen) => seen.frame.vid !== null);

  const tally = VLANS.map((vlan) => `${wire.tunnel.filter((seen) => seen.vni === vlan).length} in VNI ${vlan}`);
  const good = `${wire.tunnel.length} datagrams: ${tally.join(', ')}; all reserved bits zero, no inner tag`;
  return { holds: failures.length === 0, seen: failures.length === 0 ? good : failures.join('; ') };
}

async function fdbIsRight(inspection: Inspection, host: Host): Promise<Seen> {
  const rows = await inspection.client(host.name).get('/v1/fdb');
  const remote = hosts.find((other) => other !== host) as Host;
  const macs = new Set(guests.filter((one) => one.host === remote.name).map((one) => one.mac));
  const found = rows.filter((row) => macs.has(row.mac) && row.ifname === 'vxlan0');
  const isRight = (one: Guest): boolean =>
    found.some(
      (row) => row.mac === one.mac && row.vni === one.vlan && row.vlan === one.vlan && row.dst === remote.address,
    );
  const holds = found.length === macs.size && guests.filter((one) => macs.has(one.mac)).every(isRight);
  const seen = found.map((row) => `${row.mac} vlan ${row.vlan} vni ${row.vni} dst ${row.dst}`).join(', ');
  return { holds, seen: seen || 'no entry' };
}

export const oneVxlanManyVlans: Lab = {
  name: 'one-vxlan-many-vlans',
  summary: 'two hosts, one vxlan port for all VLANs: VLAN 2 in VNI 2, VLAN 3 in VNI 3, separated',
  topology: { hosts, stations: guests },
  config,
  check,
};
