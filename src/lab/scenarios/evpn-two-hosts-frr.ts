/**
 * Lab evpn-two-hosts-frr: host h1 runs overtap with its own BGP speaker, host h2 has a VTEP of the kernel, which FRR's zebra and bgpd serve. No
 * file names a remote. Guest m has a NIC at both hosts with one MAC and one address; it is at the host where its NIC is up.
 *
 *      a 198.18.0.1 ---+                                        +--- b 198.18.0.2
 *                      +--- h1 192.0.2.1 ==== 192.0.2.2 h2 br0 -+
 *      m 198.18.0.3 ---+        overtap    VNI 10010    FRR     +--- (m after its move)
 */
import { join } from 'node:path';
import type { EvpnRouteRow } from '../../api/api.js';
import type { Seen } from '../checks/findings.js';
import type { Inspection } from '../checks/inspection.js';
import { allReach, mtuIsRight, pairsOf, reach, transfer } from '../checks/probes.js';
import type { Lab } from '../lab.js';
import { KERNEL_BRIDGE, KERNEL_VXLAN } from '../setup/kernel-vtep.js';
import { type PlainHost, type Station, type Topology, underlayOf } from '../setup/topology.js';
import { forgetNeighbours } from '../testbed/namespaces.js';
import { must } from '../testbed/program.js';
import { inNamespace } from '../testbed/testbed.js';
import { becomesTrue } from '../testbed/wait.js';
import { FRR_FOLDER, frr, vtysh } from './bgp-daemons.js';
import { BGP_LIMIT_MS, entriesAre, evpnConfig, FLOODS, routesAre, sessionIs, settles, VNI } from './evpn-proofs.js';
import { twoHosts } from './yaml-fragments.js';

const NAME = 'evpn-two-hosts-frr';
const PREFIX = 'ovt-evf';
const [h1, bare] = twoHosts(PREFIX, (number) => `h${number}`);
/** Of h2's bridge, by which FRR learns the addresses of its guests. */
const BRIDGE_ADDRESS = '198.18.0.254';
const MOVED_NIC = 'eth1';

function station(name: string, number: number, host: string): Station {
  const mac = `02:00:00:00:51:0${number}`;
  return { name, netns: `${PREFIX}-${name}`, ifname: 'eth0', address: `198.18.0.${number}`, host, mac };
}
const [a, b, m] = [station('a', 1, 'h1'), station('b', 2, 'h2'), station('m', 3, 'h1')];
const guests = [a, b, m];

const nic = ({ netns, mac, address, name }: Station, ifname: string) => ({
  port: `to-${name}`,
  netns,
  ifname,
  mac,
  address: `${address}/24`,
});
const h2: PlainHost = {
  ...bare,
  what: 'FRR: zebra and bgpd',
  vtep: {
    vni: VNI,
    address: `${BRIDGE_ADDRESS}/24`,
    nics: [nic(b, 'eth0'), { ...nic(m, MOVED_NIC), isDown: true }],
  },
};
const topology: Topology = { hosts: [h1], plainHosts: [h2], stations: guests };

export const evpnTwoHostsFrr: Lab = {
  name: NAME,
  summary: 'BGP EVPN between overtap and FRR with the VTEP of the kernel: no remote is named, and a guest moves',
  topology,
  daemons: frr(h2, [h1]),
  config: (host, files) => evpnConfig(NAME, host, h2, [a, m], files),
  check,
};

async function check(inspection: Inspection): Promise<void> {
  const floods = { mac: FLOODS, dst: [h2.address] };
  await inspection.prove('the two have a session', () => sessionIs(inspection, 'h1', h2, 1));
  await inspection.prove('the guests have the MTU that the underlay allows', () => mtuIsRight(inspection, guests));
  await inspection.prove('all guests reach each other', () => allReach(inspection, guests));
  await inspection.prove('h1 has the flood list and the MAC of b by EVPN, and nothing learned from the tunnel', () =>
    entriesAre(inspection, 'h1', [floods, { mac: b.mac, dst: [h2.address] }]),
  );
  await inspection.prove('the kernel of h2 has the flood list and the MACs of a and m by EVPN', () =>
    kernelHas(inspection, [FLOODS, a.mac, m.mac]),
  );
  await inspection.prove('"overtap evpn routes" has those of both', () =>
    routesAre(inspection, 'h1', [
      ...[h1, h2].map(({ address }) => `3 ${address} by ${address}`),
      ...[a, m].map(({ mac }) => `2 ${mac} by ${h1.address}`),
      `2 ${b.mac} by ${h2.address}`,
    ]),
  );
  await inspection.prove('FRR has them too', () => frrHas(inspection, [a, m, b]));
  await checkSuppression(inspection);
  await checkMove(inspection);
  for (const [from, to] of pairsOf([a, b]))
    await inspection.prove(`10 MB over TCP, ${from.name} -> ${to.name}`, () => transfer(inspection, from, to));
}

// ---- What h2 knows ----

const inH2 = (words: readonly string[]): Promise<string> => must(inNamespace(h2.netns, words));

/** @param wanted MACs whose entries must lead to h1; only EVPN can have put them in, since the device does not learn */
function kernelHas(inspection: Inspection, wanted: readonly string[]): Promise<Seen> {
  return settles(inspection, async () => {
    const text = await inH2(['bridge', 'fdb', 'show', 'dev', KERNEL_VXLAN]);
    const lines = text.split('\n').filter((line) => line.includes(`dst ${h1.address} `));
    const failures = wanted.flatMap((mac) => {
      const line = lines.find((one) => one.startsWith(mac));
      if (line === undefined) return [`${mac} does not lead to h1`];
      // zebra puts the flood list in without the word.
      return mac === FLOODS || line.includes('extern_learn') ? [] : [`not by EVPN: ${line}`];
    });
    return { failures, good: `${lines.length} entries of ${KERNEL_VXLAN} lead to ${h1.address}, extern_learn` };
  });
}

/** The device's own table says nothing here: FRR 8.4 leaves the former entry of a guest that has come from elsewhere in it. */
function isAtPort(inspection: Inspection): Promise<Seen> {
  const port = `to-${m.name}`;
  return settles(inspection, async () => {
    const lines = (await inH2(['bridge', 'fdb', 'show', 'br', KERNEL_BRIDGE])).split('\n');
    const line = lines.find((one) => one.startsWith(`${m.mac} dev ${port} `) && !one.includes('permanent'));
    return { failures: line === undefined ? [`the bridge of h2 has no ${m.mac} at ${port}`] : [], good: line ?? '' };
  });
}

function frrHas(inspection: Inspection, stations: readonly Station[]): Promise<Seen> {
  return settles(inspection, async () => {
    const command = [...vtysh(join(inspection.folder, FRR_FOLDER)), '-c', 'show bgp l2vpn evpn route type macip'];
    const text = await inH2(command);
    const failures = stations.filter(({ mac }) => !text.includes(`[${mac}]`)).map(({ name }) => `no route of ${name}`);
    return { failures, good: `${stations.map(({ name, mac }) => `${name} [${mac}]`).join(', ')}` };
  });
}

// ---- Suppression ----

async function checkSuppression(inspection: Inspection): Promise<void> {
  await inspection.prove('h1 has the address of b, and the kernel of h2 that of a, by MAC/IP routes', () =>
    bindings(inspection),
  );
  for (const [from, to] of pairsOf([a, b]))
    await inspection.prove(
      `${from.name} asks for the MAC of ${to.name}, and the request does not enter the tunnel`,
      () => isSuppressed(inspection, from, to),
    );
}

/** FRR tells the address of a guest once its own bridge has talked with the guest: here by a probe that nobody answers. */
async function bindings(inspection: Inspection): Promise<Seen> {
  const ask = { from: b.address, to: BRIDGE_ADDRESS, count: 1, timeoutMs: 100, untilLost: true };
  await inspection.agent(b).ask('ping', ask);
  return settles(inspection, async () => {
    const here = await inspection.client('h1').get('/v1/neigh');
    const there = await inH2(['ip', 'neigh', 'show', 'dev', KERNEL_BRIDGE]);
    const row = here.find(({ dst }) => dst === b.address);
    const line = there.split('\n').find((one) => one.startsWith(`${a.address} `)) ?? '';
    const failures: string[] = [];
    if (row?.lladdr !== b.mac || row.origin !== 'extern_learn') failures.push(`h1 has no binding of ${b.address}`);
    if (!line.includes(`lladdr ${a.mac} extern_learn`)) failures.push(`h2 has no neighbour ${a.address}`);
    return { failures, good: `h1: ${b.address} ${row?.lladdr} ${row?.origin}; h2: ${line.trim()}` };
  });
}

/** Asks for a known address and for an unused one: that request shows that the capture would have seen the other. */
async function isSuppressed(inspection: Inspection, from: Station, to: Station): Promise<Seen> {
  const wire = inspection.sniffUnderlay(underlayOf(h1));
  const requests = (target: string): number =>
    wire.tunnel.filter(({ frame }) => frame.source === from.mac && isRequest(frame.neigh, target)).length;
  await forgetNeighbours(from);
  const talk = await reach(inspection, from, to, 3);
  const unused = '198.18.0.99';
  const ask = { from: from.address, to: unused, count: 1, timeoutMs: 50, untilLost: true };
  await inspection.agent(from).ask('ping', ask);
  const isSeen = await wire.sees(() => requests(unused) > 0, inspection.signal);
  const crossed = requests(to.address);
  wire.stop();
  return {
    holds: talk.holds && isSeen && crossed === 0,
    seen: `${talk.seen}; ${crossed} requests for ${to.address} on the wire, ${isSeen ? 'but one' : 'and none'} for ${unused}`,
  };
}

const isRequest = (neigh: { kind: string; address: string } | null, target: string): boolean =>
  neigh?.kind === 'request' && neigh.address === target;

// ---- The move ----

async function checkMove(inspection: Inspection): Promise<void> {
  const back = () => moveTo(m.ifname, MOVED_NIC);
  await inspection.prove('m moves to h2, and both reach it there', () =>
    moves(inspection, async () => inspection.temporarily(() => moveTo(MOVED_NIC, m.ifname), back)),
  );
  await inspection.prove('its entry on h1 leads to h2, and the bridge of h2 has it at its own port', async () => {
    const here = await entriesAre(inspection, 'h1', [{ mac: m.mac, dst: [h2.address] }]);
    const there = await isAtPort(inspection);
    return { holds: here.holds && there.holds, seen: `${here.seen}; ${there.seen}` };
  });
  await inspection.prove('its route has a higher sequence number than that of h1 before', () =>
    tellsWith(inspection, 1),
  );
  await inspection.prove('m moves back, and both reach it', () => moves(inspection, () => inspection.undoAll()));
  await inspection.prove('h1 tells it again, and FRR has taken its route back', () => tellsAgain(inspection));
}

async function moveTo(up: string, down: string): Promise<void> {
  await must(['ip', '-n', m.netns, 'link', 'set', down, 'down']);
  await must(['ip', '-n', m.netns, 'link', 'set', up, 'up']);
}

/** Moves it, has it speak as virtual machines do after a migration, and measures until others reach it. */
async function moves(inspection: Inspection, move: () => Promise<void>): Promise<Seen> {
  await move();
  const start = performance.now();
  const once = async (from: Station, to: Station): Promise<boolean> => {
    const ask = { from: from.address, to: to.address, count: 1, timeoutMs: 100, untilLost: true };
    return (await inspection.agent(from).ask('ping', ask)).received === 1;
  };
  const { signal } = inspection;
  const failures: string[] = [];
  for (const other of [a, b])
    if (!(await becomesTrue(() => once(m, other), { limitMs: BGP_LIMIT_MS, everyMs: 1, signal })))
      failures.push(`m does not reach ${other.name}`);
  for (const other of [a, b])
    if (!(await becomesTrue(() => once(other, m), { limitMs: BGP_LIMIT_MS, everyMs: 1, signal })))
      failures.push(`${other.name} does not reach m`);
  const ms = Math.round(performance.now() - start);
  if (failures.length > 0) return { holds: false, seen: failures.join('; ') };
  const { holds, seen } = await allReach(inspection, guests);
  return { holds, seen: `after ${ms} ms; ${seen}` };
}

/** The MAC route of m, by next hop. */
async function routesOfM(inspection: Inspection): Promise<Map<string, EvpnRouteRow>> {
  const { routes } = await inspection.client('h1').get('/v1/evpn/routes?type=2');
  return new Map(routes.flatMap((row) => (row.mac === m.mac && row.ip === undefined ? [[row.next_hop, row]] : [])));
}

/** @param least of the sequence number of FRR's route (RFC 7432 section 7.7) */
function tellsWith(inspection: Inspection, least: number): Promise<Seen> {
  return settles(inspection, async () => {
    const row = (await routesOfM(inspection)).get(h2.address);
    const sequence = row?.mobility?.sequence ?? 0;
    const seen = row === undefined ? 'no route by h2' : `by ${h2.address}, sequence number ${sequence}`;
    return { failures: row !== undefined && sequence >= least ? [] : [seen], good: seen };
  });
}

/** Its number is that of a new route if FRR had taken its own back before m spoke: then there was nothing to be higher than. */
function tellsAgain(inspection: Inspection): Promise<Seen> {
  return settles(inspection, async () => {
    const routes = await routesOfM(inspection);
    const seen = `routes by ${[...routes.keys()].join(', ') || 'nobody'}`;
    const isRight = routes.size === 1 && routes.has(h1.address);
    return { failures: isRight ? [] : [seen], good: seen };
  });
}
