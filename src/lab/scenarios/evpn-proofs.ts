/** What the labs with EVPN share: the configuration of a host, and proofs about what its switch has heard. */
import type { FdbRow } from '../../api/api.js';
import type { Seen } from '../checks/findings.js';
import type { Inspection } from '../checks/inspection.js';
import type { SwitchFiles } from '../setup/state.js';
import type { Host, Station } from '../setup/topology.js';
import { becomesTrue } from '../testbed/wait.js';
import { ASN } from './bgp-daemons.js';
import { cableOf, tapPort } from './yaml-fragments.js';

export const VNI = 10_010;
export const TUNNEL = 'vxlan0';
export const FLOODS = '00:00:00:00:00:00';

/** BGP needs a second or two after a change; far more on a busy machine. */
export const BGP_LIMIT_MS = 15_000;

/** @param guests of the host, in VLAN 10, which travels in the VNI */
export function evpnConfig(
  lab: string,
  host: Host,
  neighbor: Host,
  guests: readonly Station[],
  files: SwitchFiles,
): string {
  const access = 'vlans: [{ vid: 10, pvid: true, untagged: true }]';
  return `# Lab ${lab}, host ${host.name}. No remote is named: BGP EVPN brings flood list, MACs and addresses.
name: ${host.name}
control: ${files.socket}
evpn:
  asn: ${ASN}
  duplicates: { moves: 1000, seconds: 180 }    # a guest may move as often as the lab is checked
  neighbors: [{ address: ${neighbor.address}, connect_retry: 1 }]    # ${neighbor.name}
bridges:
  br0:
    vlan_filtering: true
    ports:${guests.map((guest) => tapPort(cableOf(guest), access)).join('')}
      ${TUNNEL}:
        type: vxlan
        local: ${host.address}
        dstport: 4789
        evpn: true
        vlan_tunnel: true
        neigh_suppress: true
        vlans: [{ vid: 10, tunnel_info: ${VNI} }]
`;
}

/** Waits until a look finds what it should. @param look its failures; none: it holds */
export async function settles(
  inspection: Inspection,
  look: () => Promise<{ failures: readonly string[]; good: string }>,
  limitMs: number = BGP_LIMIT_MS,
): Promise<Seen> {
  let last: Awaited<ReturnType<typeof look>> = { failures: ['nothing was seen'], good: '' };
  const holds = await becomesTrue(
    async () => {
      last = await look();
      return last.failures.length === 0;
    },
    { limitMs, everyMs: 50, signal: inspection.signal },
  );
  return { holds, seen: holds ? last.good : last.failures.join('; ') };
}

const textOf = ({ dst = 'here', flags, proto, state, ifname }: FdbRow): string =>
  [ifname, dst, state, ...flags, ...(proto === undefined ? [] : [proto])].join(' ');

/** Entries of the tunnel that were not put in by BGP, such as learned ones, are a failure. */
const isByBgp = ({ flags, proto }: FdbRow): boolean => flags.includes('extern_learn') && proto === 'bgp';

/** Proves that a host's FDB leads to these VTEPs for these MACs, by BGP, and that no entry of the tunnel was learned from frames. */
export function entriesAre(
  inspection: Inspection,
  host: string,
  wanted: readonly { readonly mac: string; readonly dst: readonly string[] }[],
): Promise<Seen> {
  return settles(inspection, async () => {
    const rows = (await inspection.client(host).get('/v1/fdb')).filter(({ ifname, dst }) => ifname === TUNNEL && dst);
    const learned = rows.filter((row) => !isByBgp(row));
    const failures = learned.map((row) => `${row.mac} is not by BGP: ${textOf(row)}`);
    for (const { mac, dst } of wanted) {
      const found = rows.filter((row) => row.mac === mac);
      const [is, should] = [found.map((row) => String(row.dst)), dst].map((list) => [...list].sort().join(', '));
      if (is !== should) failures.push(`${mac} leads to ${is || 'nowhere'} instead of ${should || 'nowhere'}`);
    }
    const good = wanted.map(({ mac, dst }) => `${mac} dst ${dst.join(', ') || 'none'}`).join('; ');
    return { failures, good: `${good}: extern_learn proto bgp` };
  });
}

/** Proves that a host has these routes, each as `TYPE KEY by VTEP`. Own routes have its own address. */
export function routesAre(inspection: Inspection, host: string, wanted: readonly string[]): Promise<Seen> {
  return settles(inspection, async () => {
    const { routes } = await inspection.client(host).get('/v1/evpn/routes');
    const found = new Set(
      routes.map(({ type, mac, ip, next_hop }) => `${type} ${type === 2 ? mac : ip} by ${next_hop}`),
    );
    const failures = wanted.filter((one) => !found.has(one)).map((one) => `no route ${one}`);
    return { failures, good: `${routes.length} paths, among them ${wanted.join(', ')}` };
  });
}

/** Proves that the session of a host with its neighbour is there, with at least this many routes and none stale. */
export function sessionIs(inspection: Inspection, host: string, neighbor: Host, routes: number): Promise<Seen> {
  return settles(inspection, async () => {
    const rows = await inspection.client(host).get('/v1/evpn/neighbors');
    const [row] = rows;
    const seen = rows.map(
      ({ address, state, received, accepted, sent, stale }) =>
        `${address} ${state}, ${received} received, ${accepted} accepted, ${sent} sent, ${stale} stale`,
    );
    const isThere =
      rows.length === 1 &&
      row?.address === neighbor.address &&
      row.state === 'established' &&
      row.stale === 0 &&
      row.received >= routes;
    return { failures: isThere ? [] : [seen.join('; ') || 'no neighbour'], good: seen.join('; ') };
  });
}
