/**
 * Lab dove: an overlay under central control, as in DOVE, for which Linux' vxlan got these options, and in docker's overlay
 * network. A switch reports each unknown address or MAC as a miss event, and a control program on its event stream adds the
 * entry. So nothing is flooded and nothing is learned. The topology is in dove-place.ts.
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
import { CONTROLLED, CONTROLLED_VNI, guests, hosts, residentsBeyond, router, place } from './dove-place.js';

const ALL_ZEROS = '00:00:00:00:00:00';
const REQUESTS = 20;
/** Time limit of a probe that must not be answered: much longer than an answer takes. */
const LOST_LIMIT_MS = 300;
const MEETING_LIMIT_MS = 12_000;
/** The first ARP request on each hop is lost. The kernel repeats it after this many milliseconds (default: a second). */
const ARP_RETRY_MS = 100;
const LINUX_ARP_RETRY_MS = 1000;

interface Wires {
  readonly underlay: readonly [Sniffer, Sniffer, Sniffer];
  readonly first: Sniffer;
  readonly third: Sniffer;
  readonly router: Sniffer;
}

async function check(inspection: Inspection): Promise<void> {
  // A killed check, or a user, may have added entries already.
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
  await inspection.prove('the guests have the right MTU without configuration', () => mtuIsRight(inspection, guests));
  await checkMisses(inspection, wires);
  await checkControlProgram(inspection, wires);
  for (const wire of [...wires.underlay, wires.first, wires.third, wires.router]) wire.stop();
  await inspection.prove('maxaddress: the other VNI learns as many MACs as it may, and forwards the rest', () =>
    holdsLimit(inspection),
  );
  await inspection.prove('ageing: it deletes the entries of silent MACs, with an event for each', () =>
    forgetsSilent(inspection),
  );
}

// ---- Without a control program ------------------------------------------------------------------

async function checkMisses(inspection: Inspection, wires: Wires): Promise<void> {
  const [from, to] = guests;
  const [host] = hosts;
  const log = await EventLog.open(inspection.client(host.name), ['l2miss', 'l3miss']);
  await inspection.temporarily(
    async () => {},
    () => log.stop(),
  );
  const prober: Prober = { guest: from, nic: wires.first, wire: wires.underlay[0] };
  const events = (): string => log.events.map(describeMiss).join(', ') || 'no event';

  await inspection.prove(`l3miss: a request of ${from.name} for ${to.address} is reported, not flooded`, async () => {
    const { holds, seen } = await probeAddress(inspection, prober, to.address, { requests: 1, mac: null, crossing: 0 });
    const isReported = await log.sees(() => log.of('l3miss').some(({ dst }) => dst === to.address), inspection.signal);
    return { holds: holds && isReported, seen: `${seen}; ${events()}` };
  });
  await inspection.prove(`proxy: with "neigh add", each request is answered once and not flooded`, async () => {
    const add: NeighRequest = { op: 'add', dst: to.address, lladdr: to.mac, dev: CONTROLLED };
    await inspection.client(host.name).post('/v1/neigh', add);
    return probeAddress(inspection, prober, to.address, { requests: REQUESTS, mac: to.mac, crossing: 0 });
  });
  await inspection.prove(`l2miss: a frame to the unknown MAC ${to.mac} is reported, not flooded`, async () => {
    await forgetNeighbours(from);
    const received = await lostProbe(inspection, from, to);
    const isReported = await log.sees(() => log.of('l2miss').some(({ mac }) => mac === to.mac), inspection.signal);
    const crossed = framesOnUnderlay(wires).length;
    return {
      holds: received === 0 && isReported && crossed === 0,
      seen: `${events()}; ${crossed} frames on the underlay`,
    };
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

// ---- With control programs ----------------------------------------------------------------------

async function checkControlProgram(inspection: Inspection, wires: Wires): Promise<void> {
  const [first, second, third] = guests;
  await forgetAll(inspection);
  const programs: ControlProgram[] = [];
  for (const host of hosts) {
    const program = await ControlProgram.start(inspection.client(host.name), CONTROLLED, residentsBeyond(host));
    await inspection.temporarily(
      async () => {},
      () => program.stop(),
    );
    programs.push(program);
  }
  await shortCuts(inspection, false);
  const claim = 'with a control program that answers the misses, the guests of a subnet reach each other';
  // Otherwise every further claim would fail by its time-out.
  if (!(await inspection.prove(claim, () => meet(inspection, first, second)))) return;
  await inspection.prove('without rsc, packets to the other subnet go by the router', () =>
    goesByRouter(inspection, wires),
  );
  await shortCuts(inspection, true);
  await inspection.prove('rsc: they go directly to the host of their destination, and none to the router', () =>
    goesStraight(inspection, wires),
  );
  await inspection.prove('10 MB over TCP inside the subnet', () => transfer(inspection, first, second));
  await inspection.prove('10 MB over TCP to the other subnet', () => transfer(inspection, first, third));
  await inspection.prove('learning off: the switches have the entries of the control programs and no others', () =>
    hasControlledEntries(inspection, programs),
  );
  await inspection.prove('no frame was flooded: each one on the underlay went only to the host of its MAC', async () =>
    nothingFlooded(wires),
  );
}

/** Probes until one is answered, since the first ones wait for entries; then proves that no further probe is lost. */
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
  const request: LinkRequest = { op: 'set', name: CONTROLLED, options: { rsc } };
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

/** A series of shouts at one NIC, in words. */
function hop(frames: readonly ObservedFrame[]): string {
  const kinds = frames.map(({ source, destination, ttl }) => `${source} > ${destination} ttl ${ttl}`);
  return `${frames.length} x ${[...new Set(kinds)].join(', ')}`;
}

/** Sends a series from the first guest to the third. @returns the shouts at each NIC on the way, and the TTL at the start */
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
  // The router's one NIC shows received and sent frames.
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
  // The first frames still go by the router: they cause the misses.
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
  // With the router as source MAC, but the TTL unchanged, as with Linux.
  const straight = series(router.mac, to.mac, ttl);
  const expected = [series(from.mac, router.mac, ttl), straight, '0 x ', straight, straight];
  return { holds: met.holds && seen.join() === expected.join(), seen: [met.seen, ...seen].join('; ') };
}

// ---- Entries, and frames on the underlay --------------------------------------------------------

/** Ends the control programs and compares the entries of the switches with their tables. */
async function hasControlledEntries(inspection: Inspection, programs: readonly ControlProgram[]): Promise<Seen> {
  for (const program of programs) await program.stop();
  const failures: string[] = [];
  let entries = 0;
  for (const host of hosts) {
    const table = residentsBeyond(host);
    for (const row of await rowsOf(inspection, host)) {
      const isRight = row.state !== 'dynamic' && table.some(({ mac, vtep }) => mac === row.mac && vtep === row.dst);
      if (isRight) entries++;
      else failures.push(`${host.name}: ${row.mac} dst ${row.dst} ${row.state}`);
    }
  }
  const neighbours = programs.reduce((sum, { answered }) => sum + answered.neighbours, 0);
  const seen = `${neighbours} neighbours added after l3miss, ${entries} FDB entries after l2miss`;
  const holds = neighbours > 0 && entries > 0 && failures.length === 0;
  return { holds, seen: `${seen}; ${failures.length === 0 ? 'none learned' : `but also ${failures.join(', ')}`}` };
}

async function rowsOf(inspection: Inspection, host: Host): Promise<FdbRow[]> {
  return (await inspection.client(host.name).get('/v1/fdb')).filter(({ ifname }) => ifname === CONTROLLED);
}

/** The datagrams of the controlled VNI on the underlay, each from the capture of its sending host. */
function framesOnUnderlay({ underlay }: Wires): ObservedDatagram[] {
  return hosts.flatMap(({ address }, index) => {
    const wire = underlay[index] as Sniffer;
    wire.drain();
    return wire.tunnel.filter(({ from, vni }) => from === address && vni === CONTROLLED_VNI);
  });
}

function nothingFlooded(wires: Wires): Seen {
  const vteps = new Map(hosts.flatMap((host) => residentsBeyond(host).map(({ mac, vtep }) => [mac, vtep])));
  const all = framesOnUnderlay(wires);
  const flooded = all.filter(({ frame, to }) => vteps.get(frame.destination) !== to);
  const examples = flooded.slice(0, 3).map(({ frame, to }) => `${frame.destination} to ${to}`);
  const rest = flooded.length === 0 ? '' : `: ${examples.join(', ')}`;
  return {
    holds: all.length > 0 && flooded.length === 0,
    seen: `${all.length} frames on the underlay, ${flooded.length} of them to another host than that of their MAC${rest}`,
  };
}

/** Deletes all entries and neighbours of switches and guests in the controlled VNI. */
async function forgetAll(inspection: Inspection): Promise<void> {
  for (const host of hosts) {
    const client = inspection.client(host.name);
    for (const { dst, ifname } of await client.get('/v1/neigh')) {
      const del: NeighRequest = { op: 'del', dst, dev: CONTROLLED };
      if (ifname === CONTROLLED) await client.post('/v1/neigh', del);
    }
    for (const { mac, dst } of await rowsOf(inspection, host)) {
      const del: FdbRequest = { op: 'del', mac, dev: CONTROLLED };
      await client.post('/v1/fdb', mac === ALL_ZEROS && dst !== undefined ? { ...del, dst } : del);
    }
  }
  for (const place of [...guests, router]) await forgetNeighbours(place);
}

export const dove: Lab = { ...place, check };
