/**
 * Lab dove: an overlay that is told everything, as in DOVE, the system for which Linux' vxlan got these options, and as
 * in docker's overlay network. A switch that lacks an address or a place says so; a control program on its event stream
 * answers; so nothing is flooded and nothing learned. How it is built is in dove-place.ts.
 */
import type { FdbRequest, FdbRow, LinkRequest, NeighRequest } from '../../api/api.js';
import type { ObservedDatagram, ObservedFrame } from '../capture/observed-frame.js';
import type { Sniffer } from '../capture/sniffer.js';
import { type Prober, probeAddress } from '../checks/arp-probe.js';
import { ControlProgram } from '../checks/control-program.js';
import { EventLog } from '../checks/event-log.js';
import type { Seen } from '../checks/findings.js';
import type { Inspection } from '../checks/inspection.js';
import { freshTag, mtuIsRight, reach, SHOUTS, shout, shoutsIn, transfer } from '../checks/probes.js';
import type { Lab } from '../lab.js';
import { type Host, type Station, underlayOf } from '../setup/topology.js';
import { forgetNeighbours, setArpRetry } from '../testbed/namespaces.js';
import { becomesTrue } from '../testbed/wait.js';
import { forgetsSilent, holdsLimit } from './dove-learning.js';
import { config, guests, hosts, NAME, residentsBeyond, router, TOLD, TOLD_VNI, topology } from './dove-place.js';

const ALL_ZEROS = '00:00:00:00:00:00';
const REQUESTS = 20;
/** A probe that must not be answered gets this long: far more than an answer takes here. */
const LOST_LIMIT_MS = 300;
const MEETING_LIMIT_MS = 12_000;
/** Who meets for the first time asks in vain at each hop, and again so many milliseconds later; Linux waits a second. */
const ARP_RETRY_MS = 100;
const LINUX_ARP_RETRY_MS = 1000;

interface Wires {
  readonly underlay: readonly [Sniffer, Sniffer, Sniffer];
  readonly first: Sniffer;
  readonly third: Sniffer;
  readonly router: Sniffer;
}

async function check(inspection: Inspection): Promise<void> {
  // A check that was killed, or a student, may have told the switches of something already.
  await inspection.temporarily(
    () => forgetAll(inspection),
    () => forgetAll(inspection),
  );
  for (const place of [...guests, router]) {
    await inspection.temporarily(
      () => setArpRetry(place, ARP_RETRY_MS),
      () => setArpRetry(place, LINUX_ARP_RETRY_MS),
    );
  }
  const wires: Wires = {
    underlay: hosts.map((host) => inspection.sniffUnderlay(underlayOf(host))) as unknown as Wires['underlay'],
    first: inspection.sniffGuest(guests[0]),
    third: inspection.sniffGuest(guests[2]),
    router: inspection.sniffGuest(router),
  };
  await inspection.prove('the guests have the right MTU by themselves', () => mtuIsRight(inspection, guests));
  await checkMisses(inspection, wires);
  await checkControlProgram(inspection, wires);
  for (const wire of [...wires.underlay, wires.first, wires.third, wires.router]) wire.stop();
  await inspection.prove('maxaddress: the other VNI learns as many addresses as it may, and passes on the rest', () =>
    holdsLimit(inspection),
  );
  await inspection.prove('ageing: it forgets them once they have been silent, and says so', () =>
    forgetsSilent(inspection),
  );
}

// ---- Nobody answers ----------------------------------------------------------------------------

async function checkMisses(inspection: Inspection, wires: Wires): Promise<void> {
  const [from, to] = guests;
  const [host] = hosts;
  const log = await EventLog.open(inspection.client(host.name), ['l2miss', 'l3miss']);
  await inspection.temporarily(
    async () => {},
    () => log.stop(),
  );
  const prober: Prober = { guest: from, nic: wires.first, wire: wires.underlay[0] };
  const told = (): string => log.events.map(describeMiss).join(', ') || 'no event';

  await inspection.prove(`l3miss: ${from.name} asks for ${to.address}, which is told and not flooded`, async () => {
    const { holds, seen } = await probeAddress(inspection, prober, to.address, { requests: 1, mac: null, crossing: 0 });
    const isTold = await log.sees(() => log.of('l3miss').some(({ dst }) => dst === to.address), inspection.signal);
    return { holds: holds && isTold, seen: `${seen}; ${told()}` };
  });
  await inspection.prove(`proxy: with "neigh add", each request is answered once and does not cross`, async () => {
    const add: NeighRequest = { op: 'add', dst: to.address, lladdr: to.mac, dev: TOLD };
    await inspection.client(host.name).post('/v1/neigh', add);
    return probeAddress(inspection, prober, to.address, { requests: REQUESTS, mac: to.mac, crossing: 0 });
  });
  await inspection.prove(`l2miss: a frame to ${to.mac} has no place to go, which is told and not flooded`, async () => {
    await forgetNeighbours(from);
    const received = await lostProbe(inspection, from, to);
    const isTold = await log.sees(() => log.of('l2miss').some(({ mac }) => mac === to.mac), inspection.signal);
    const crossed = toldFrames(wires).length;
    return { holds: received === 0 && isTold && crossed === 0, seen: `${told()}; ${crossed} frames on the underlay` };
  });
  await log.stop();
}

function describeMiss(event: EventLog['events'][number]): string {
  if (event.event === 'l2miss') return `l2miss ${event.mac} dev ${event.ifname}`;
  return event.event === 'l3miss' ? `l3miss ${event.dst} dev ${event.ifname}` : event.event;
}

async function lostProbe(inspection: Inspection, from: Station, to: Station): Promise<number> {
  const ask = { from: from.address, to: to.address, count: 1, timeoutMs: LOST_LIMIT_MS, untilLost: false };
  return (await inspection.agent(from).ask('ping', ask)).received;
}

// ---- The control program answers ---------------------------------------------------------------

async function checkControlProgram(inspection: Inspection, wires: Wires): Promise<void> {
  const [first, second, third] = guests;
  await forgetAll(inspection);
  const programs: ControlProgram[] = [];
  for (const host of hosts) {
    const program = await ControlProgram.start(inspection.client(host.name), TOLD, residentsBeyond(host));
    await inspection.temporarily(
      async () => {},
      () => program.stop(),
    );
    programs.push(program);
  }
  await shortCuts(inspection, false);
  const claim = 'with a control program that answers the misses, the guests of a subnet reach each other';
  // Without that, every further claim of it would only wait for its time-out.
  if (!(await inspection.prove(claim, () => meet(inspection, first, second)))) return;
  await inspection.prove('without rsc, what is for the other subnet goes by the router', () =>
    goesByRouter(inspection, wires),
  );
  await shortCuts(inspection, true);
  await inspection.prove('rsc: it goes straight to its host, and the router sees none of it', () =>
    goesStraight(inspection, wires),
  );
  await inspection.prove('10 MB over TCP inside the subnet', () => transfer(inspection, first, second));
  await inspection.prove('10 MB over TCP to the other subnet', () => transfer(inspection, first, third));
  await inspection.prove('learning off: the switches know what they were told, and nothing else', () =>
    knowsWhatWasTold(inspection, programs),
  );
  await inspection.prove('not one frame was flooded: each that crossed went to the host of its MAC alone', async () =>
    nothingFlooded(wires),
  );
}

/** Probes until one is answered, as long as the first ones have to wait for what must be told, and then without a loss. */
async function meet(inspection: Inspection, from: Station, to: Station): Promise<Seen> {
  const start = performance.now();
  const isAnswered = async (): Promise<boolean> => (await lostProbe(inspection, from, to)) > 0;
  await becomesTrue(isAnswered, { limitMs: MEETING_LIMIT_MS, everyMs: 1, signal: inspection.signal });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const there = await reach(inspection, from, to);
  const back = await reach(inspection, to, from);
  return { holds: there.holds && back.holds, seen: `after ${seconds} s: ${there.seen}; back: ${back.seen}` };
}

async function shortCuts(inspection: Inspection, rsc: boolean): Promise<void> {
  const request: LinkRequest = { op: 'set', name: TOLD, options: { rsc } };
  await inspection.temporarily(
    async () => {
      for (const { name } of hosts) await inspection.client(name).post('/v1/links', request);
    },
    async () => {
      for (const { name } of hosts)
        await inspection.client(name).post('/v1/links', { ...request, options: { rsc: true } });
    },
  );
}

/** One hop of a series of shouts, as a NIC shows it. */
function hop(frames: readonly ObservedFrame[]): string {
  const kinds = frames.map(({ source, destination, ttl }) => `${source} > ${destination} ttl ${ttl}`);
  return `${frames.length} x ${[...new Set(kinds)].join(', ')}`;
}

/** A series from the first guest to the third, as it was sent, came to the router, crossed to the host, and arrived. */
async function follow(inspection: Inspection, wires: Wires): Promise<{ hops: ObservedFrame[][]; ttl: number }> {
  const [from, , to] = guests;
  const mark = freshTag();
  await shout(inspection, from, to.address, mark);
  await wires.third.sees(() => shoutsIn(wires.third, mark).length >= SHOUTS, inspection.signal);
  const [first, second] = wires.underlay;
  const sent = shoutsIn(wires.first, mark);
  const hops = [
    sent,
    shoutsIn(first, mark, hosts[0].address),
    shoutsIn(wires.router, mark),
    shoutsIn(second, mark),
    shoutsIn(wires.third, mark),
  ];
  return { hops, ttl: sent[0]?.ttl ?? 0 };
}

const series = (source: string, destination: string, ttl: number): string =>
  `${SHOUTS} x ${source} > ${destination} ttl ${ttl}`;

async function goesByRouter(inspection: Inspection, wires: Wires): Promise<Seen> {
  const [from, , to] = guests;
  const met = await meet(inspection, from, to);
  const { hops, ttl } = await follow(inspection, wires);
  const seen = hops.map(hop);
  const arrived = series(router.mac, to.mac, ttl - 1);
  // The router's one NIC shows both its ways.
  const expected = [
    series(from.mac, router.mac, ttl),
    series(from.mac, router.mac, ttl),
    `${2 * SHOUTS} x ${from.mac} > ${router.mac} ttl ${ttl}, ${router.mac} > ${to.mac} ttl ${ttl - 1}`,
    arrived,
    arrived,
  ];
  return { holds: met.holds && seen.join() === expected.join(), seen: [met.seen, ...seen].join('; ') };
}

async function goesStraight(inspection: Inspection, wires: Wires): Promise<Seen> {
  const [from, , to] = guests;
  // The first frames still go by the router: it is they that make the switches ask.
  const [near, far] = [inspection.client(hosts[0].name), inspection.client(hosts[1].name)];
  const knows = async (client: typeof near, { address, mac }: Station): Promise<boolean> => {
    const neighbours = await client.get('/v1/neigh');
    const places = await client.get('/v1/fdb');
    return neighbours.some(({ dst }) => dst === address) && places.some((row) => row.mac === mac);
  };
  const bothKnow = async (): Promise<boolean> => {
    await lostProbe(inspection, from, to);
    return (await knows(near, to)) && (await knows(far, from));
  };
  await becomesTrue(bothKnow, { limitMs: MEETING_LIMIT_MS, everyMs: 1, signal: inspection.signal });
  const met = await meet(inspection, from, to);
  const { hops, ttl } = await follow(inspection, wires);
  const seen = hops.map(hop);
  // As if the router had sent it; its time to live stays, as with Linux.
  const straight = series(router.mac, to.mac, ttl);
  const expected = [series(from.mac, router.mac, ttl), straight, '0 x ', straight, straight];
  return { holds: met.holds && seen.join() === expected.join(), seen: [met.seen, ...seen].join('; ') };
}

// ---- What is known, and what has crossed -------------------------------------------------------

/** Ends the control programs, and compares what the switches know with what their tables have. */
async function knowsWhatWasTold(inspection: Inspection, programs: readonly ControlProgram[]): Promise<Seen> {
  for (const program of programs) await program.stop();
  const failures: string[] = [];
  let places = 0;
  for (const host of hosts) {
    const table = residentsBeyond(host);
    for (const row of await toldRows(inspection, host)) {
      const isRight = row.state !== 'dynamic' && table.some(({ mac, vtep }) => mac === row.mac && vtep === row.dst);
      if (isRight) places++;
      else failures.push(`${host.name}: ${row.mac} dst ${row.dst} ${row.state}`);
    }
  }
  const neighbours = programs.reduce((sum, { told }) => sum + told.neighbours, 0);
  const seen = `${neighbours} answers to l3miss, ${places} places told in answer to l2miss`;
  const holds = neighbours > 0 && places > 0 && failures.length === 0;
  return { holds, seen: `${seen}; ${failures.length === 0 ? 'none learned' : `but also ${failures.join(', ')}`}` };
}

async function toldRows(inspection: Inspection, host: Host): Promise<FdbRow[]> {
  return (await inspection.client(host.name).get('/v1/fdb')).filter(({ ifname }) => ifname === TOLD);
}

/** What has crossed in the VNI where everything is told, by the wire of the host that sent it. */
function toldFrames({ underlay }: Wires): ObservedDatagram[] {
  return hosts.flatMap(({ address }, index) => {
    const wire = underlay[index] as Sniffer;
    wire.drain();
    return wire.tunnel.filter(({ from, vni }) => from === address && vni === TOLD_VNI);
  });
}

function nothingFlooded(wires: Wires): Seen {
  const vteps = new Map(hosts.flatMap((host) => residentsBeyond(host).map(({ mac, vtep }) => [mac, vtep])));
  const all = toldFrames(wires);
  const flooded = all.filter(({ frame, to }) => vteps.get(frame.destination) !== to);
  const examples = flooded.slice(0, 3).map(({ frame, to }) => `${frame.destination} to ${to}`);
  const rest = flooded.length === 0 ? '' : `: ${examples.join(', ')}`;
  return {
    holds: all.length > 0 && flooded.length === 0,
    seen: `${all.length} frames crossed, ${flooded.length} of them not to the one host of their MAC${rest}`,
  };
}

/** Takes switches and guests back to where nobody has told them of anything. */
async function forgetAll(inspection: Inspection): Promise<void> {
  for (const host of hosts) {
    const client = inspection.client(host.name);
    for (const { dst, ifname } of await client.get('/v1/neigh')) {
      const del: NeighRequest = { op: 'del', dst, dev: TOLD };
      if (ifname === TOLD) await client.post('/v1/neigh', del);
    }
    for (const { mac, dst } of await toldRows(inspection, host)) {
      const del: FdbRequest = { op: 'del', mac, dev: TOLD };
      await client.post('/v1/fdb', mac === ALL_ZEROS && dst !== undefined ? { ...del, dst } : del);
    }
  }
  for (const place of [...guests, router]) await forgetNeighbours(place);
}

export const dove: Lab = {
  name: NAME,
  summary: 'a control program on the event stream tells the switches all they need: nothing flooded, nothing learned',
  topology,
  config,
  check,
};
