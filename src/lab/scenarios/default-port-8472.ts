/**
 * Lab default-port-8472: a tunnel on UDP port 8472, which Linux used before IANA assigned 4789 to VXLAN. The configuration
 * has no remote; it is added to the running switch, as with `bridge fdb append`. Before that nothing leaves the host.
 *
 *     10.0.21.1  g1 --- br0 --- vxlan21 ====== vxlan21 --- br0 --- g2  10.0.21.2
 *                         VNI 100, UDP 8472; remote by
 *        overtap fdb append 00:00:00:00:00:00 dev vxlan21 dst 192.0.2.2
 */
import type { FdbRequest } from '../../api/api.js';
import { VXLAN_PORT } from '../../wire/vxlan.js';
import type { Sniffer } from '../capture/sniffer.js';
import type { Seen } from '../checks/findings.js';
import type { Inspection } from '../checks/inspection.js';
import { reach } from '../checks/probes.js';
import { type FileChecks, readyLab } from '../file/ready.js';
import type { Lab } from '../lab.js';
import { type Host, type Station, underlayOf } from '../setup/topology.js';
import { forgetNeighbours } from '../testbed/namespaces.js';
import { otherOf } from './yaml-fragments.js';

const NAME = 'default-port-8472';
const DEV = 'vxlan21';
const VNI = 100;
const PORT = 8472;
const ALL_ZEROS = '00:00:00:00:00:00';
/** Much longer than an answer takes. */
const PROBE_LIMIT_MS = 400;

export const defaultPort8472: Lab = readyLab(NAME, check);
const hosts = defaultPort8472.topology.hosts as unknown as readonly [Host, Host];
const guests = defaultPort8472.topology.stations as unknown as readonly [Station, Station];

interface Wires {
  /** Captures datagrams to port 8472. */
  readonly own: Sniffer;
  /** Captures datagrams to port 4789, which must not occur. */
  readonly assigned: Sniffer;
  /** Captures frames at the NIC of the first guest. */
  readonly guest: Sniffer;
}

async function check(inspection: Inspection, words: FileChecks): Promise<void> {
  // A killed check, or a user, may have added remotes already.
  for (const host of hosts) await forget(inspection, host);
  const underlay = underlayOf(hosts[0]);
  const wires: Wires = {
    own: inspection.sniffUnderlay(underlay, PORT),
    assigned: inspection.sniffUnderlay(underlay, VXLAN_PORT),
    guest: inspection.sniffGuest(guests[0]),
  };
  const [from, to] = guests;
  await words.look();
  await inspection.prove('before the append, g1 does not reach g2 and nothing leaves the host', () =>
    isCutOff(inspection, wires),
  );
  for (const host of hosts) {
    const { address } = otherOf(hosts, host);
    const claim = `${host.name} takes "fdb append ${ALL_ZEROS} dev ${DEV} dst ${address}" while it runs`;
    await inspection.prove(claim, () => append(inspection, host, address));
  }
  // The kernel would repeat its unanswered ARP request only a second later.
  await forgetNeighbours(from);
  await inspection.prove('after the append, g1 reaches g2', () => reach(inspection, from, to));
  await inspection.prove('and g2 reaches g1', () => reach(inspection, to, from));
  await inspection.prove(`the wire shows VNI ${VNI} on UDP port ${PORT}, nothing on ${VXLAN_PORT}`, () =>
    portIsRight(inspection, wires),
  );
  for (const wire of [wires.own, wires.assigned, wires.guest]) wire.stop();
  await words.move();
}

/** The first guest sends an ARP request, which its NIC shows, and no datagram leaves its host. */
async function isCutOff(inspection: Inspection, wires: Wires): Promise<Seen> {
  const [from, to] = guests;
  const ask = { from: from.address, to: to.address, count: 1, timeoutMs: PROBE_LIMIT_MS, untilLost: false };
  const { received } = await inspection.agent(from).ask('ping', ask);
  const hasAsked = (): boolean => wires.guest.frames.some(({ source }) => source === from.mac);
  const asked = await wires.guest.sees(hasAsked, inspection.signal);
  wires.own.drain();
  const left = wires.own.tunnel.length;
  return {
    holds: received === 0 && asked && left === 0,
    seen: `${received} of 1 probes answered, ${asked ? 'a' : 'no'} request at the guest's NIC, ${left} datagrams on the wire`,
  };
}

async function append(inspection: Inspection, host: Host, dst: string): Promise<Seen> {
  const request: FdbRequest = { op: 'append', mac: ALL_ZEROS, dev: DEV, dst };
  await inspection.temporarily(
    () => inspection.client(host.name).post('/v1/fdb', request),
    () => forget(inspection, host),
  );
  const remotes = await remotesOf(inspection, host);
  return { holds: remotes.length === 1 && remotes[0] === dst, seen: `fdb show: dst ${remotes.join(', ') || 'none'}` };
}

/** The remotes of the all-zeros entry in `fdb show`: the flood list. */
async function remotesOf(inspection: Inspection, host: Host): Promise<string[]> {
  const rows = await inspection.client(host.name).get('/v1/fdb');
  return rows.flatMap(({ mac, ifname, dst }) =>
    mac === ALL_ZEROS && ifname === DEV && dst !== undefined ? [dst] : [],
  );
}

/** Removes the remotes and learned entries of a switch, as before any append. */
async function forget(inspection: Inspection, host: Host): Promise<void> {
  const client = inspection.client(host.name);
  const remove = (dst: string): FdbRequest => ({ op: 'del', mac: ALL_ZEROS, dev: DEV, dst });
  for (const dst of await remotesOf(inspection, host)) await client.post('/v1/fdb', remove(dst));
  const flush: FdbRequest = { op: 'flush', dev: DEV };
  await client.post('/v1/fdb', flush);
}

async function portIsRight(inspection: Inspection, { own, assigned }: Wires): Promise<Seen> {
  const passed = (host: Host): boolean => own.tunnel.some((seen) => seen.from === host.address);
  const bothWays = await own.sees(() => hosts.every(passed), inspection.signal);
  assigned.drain();
  const wrong = own.tunnel.filter((seen) => seen.vni !== VNI || seen.reserved !== 0).length;
  const elsewhere = assigned.tunnel.length;
  const ways = bothWays ? 'both ways' : 'not both ways';
  const astray = wrong > 0 ? `, ${wrong} of them not in VNI ${VNI}` : `, all in VNI ${VNI}`;
  return {
    holds: bothWays && wrong === 0 && elsewhere === 0,
    seen: `${own.tunnel.length} datagrams to port ${PORT}, ${ways}${astray}; ${elsewhere} to port ${VXLAN_PORT}`,
  };
}
