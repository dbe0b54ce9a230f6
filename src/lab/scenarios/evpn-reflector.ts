/**
 * Lab evpn-reflector: three hosts with overtap, and a host with GoBGP as route reflector. No file names a remote, and no host has a session
 * with another one but the reflector.
 *
 *      g1 198.18.0.1 --- h1 192.0.2.1 ===+
 *      g2 198.18.0.2 --- h2 192.0.2.2 ===+=== 192.0.2.4 rr (GoBGP)
 *      g3 198.18.0.3 --- h3 192.0.2.3 ===+
 */
import type { Seen } from '../checks/findings.js';
import type { Inspection } from '../checks/inspection.js';
import { allReach, pairsOf, transfer } from '../checks/probes.js';
import type { Lab } from '../lab.js';
import type { Host, PlainHost, Station, Topology } from '../setup/topology.js';
import { run } from '../testbed/program.js';
import { inNamespace } from '../testbed/testbed.js';
import { GOBGP, GOBGPD, gobgpReflector } from './bgp-daemons.js';
import { entriesAre, evpnConfig, FLOODS, routesAre, sessionIs, settles } from './evpn-proofs.js';

const NAME = 'evpn-reflector';
const PREFIX = 'ovt-evr';
const NUMBERS = [1, 2, 3];

const hosts = NUMBERS.map(
  (number): Host => ({
    name: `h${number}`,
    netns: `${PREFIX}-h${number}`,
    address: `192.0.2.${number}`,
  }),
);
const guests = hosts.map(
  ({ name }, index): Station => ({
    name: `g${index + 1}`,
    netns: `${PREFIX}-g${index + 1}`,
    ifname: 'eth0',
    address: `198.18.0.${index + 1}`,
    host: name,
    mac: `02:00:00:00:51:1${index + 1}`,
  }),
);
const rr: PlainHost = {
  name: 'rr',
  netns: `${PREFIX}-rr`,
  address: '192.0.2.4',
  what: 'GoBGP: a route reflector',
};
const topology: Topology = {
  hosts,
  plainHosts: [rr],
  stations: guests,
  router: { netns: `${PREFIX}-net`, address: '192.0.2.254' },
};

export const evpnReflector: Lab = {
  name: NAME,
  summary: 'three hosts that know each other by a BGP route reflector (GoBGP) only; it restarts, and no frame is lost',
  topology,
  daemons: [gobgpReflector(rr, hosts)],
  config: (host, files) =>
    evpnConfig(
      NAME,
      host,
      rr,
      guests.filter((guest) => guest.host === host.name),
      files,
    ),
  check,
};

async function check(inspection: Inspection): Promise<void> {
  await inspection.prove('every host has a session with the reflector, and with nobody else', () =>
    each(hosts, (host) => sessionIs(inspection, host.name, rr, 2)),
  );
  await inspection.prove('all guests reach each other', () => allReach(inspection, guests));
  await inspection.prove('every host has the flood list and the MACs of the others by EVPN, and learned none', () =>
    each(hosts, (host) => knowsAll(inspection, host)),
  );
  for (const host of hosts)
    await inspection.prove(`"overtap evpn routes" of ${host.name} has those of all hosts, with their VTEPs`, () =>
      routesAre(inspection, host.name, allRoutes()),
    );
  await checkRestart(inspection);
  await checkShutdown(inspection);
  await inspection.prove('10 MB over TCP, g1 -> g3', () =>
    transfer(inspection, guests[0] as Station, guests[2] as Station),
  );
}

const allRoutes = (): string[] =>
  hosts.flatMap(({ address, name }) => [
    `3 ${address} by ${address}`,
    ...guests.filter((guest) => guest.host === name).map(({ mac }) => `2 ${mac} by ${address}`),
  ]);

/** What a host must know of these others, and no more. */
function knows(inspection: Inspection, host: Host, others: readonly Host[]): Promise<Seen> {
  const isOther = ({ name }: Host): boolean => others.some((one) => one.name === name);
  const macs = hosts
    .filter((one) => one !== host)
    .flatMap((one) =>
      guests
        .filter((guest) => guest.host === one.name)
        .map(({ mac }) => ({ mac, dst: isOther(one) ? [one.address] : [] })),
    );
  return entriesAre(inspection, host.name, [{ mac: FLOODS, dst: others.map(({ address }) => address) }, ...macs]);
}

const othersOf = (host: Host): Host[] => hosts.filter((one) => one !== host);
const knowsAll = (inspection: Inspection, host: Host): Promise<Seen> => knows(inspection, host, othersOf(host));

async function each(some: readonly Host[], proof: (host: Host) => Promise<Seen>): Promise<Seen> {
  const seen = await Promise.all(some.map(async (host) => ({ host, ...(await proof(host)) })));
  return {
    holds: seen.every(({ holds }) => holds),
    seen: seen.map(({ host, seen: words }) => `${host.name}: ${words}`).join('; '),
  };
}

// ---- The reflector restarts ----

async function checkRestart(inspection: Inspection): Promise<void> {
  await inspection.prove('the reflector is killed and starts again, and no probe between guests is lost', () =>
    losesNothing(inspection, async () => {
      const how = await inspection.endDaemon(GOBGPD, 'SIGKILL');
      const stale = await settles(inspection, () => areStale(inspection));
      await inspection.startDaemon(GOBGPD, '-r');
      const again = await each(hosts, (host) => sessionIs(inspection, host.name, rr, 4));
      return { holds: how === 'killed' && stale.holds && again.holds, seen: `${stale.seen}; ${again.seen}` };
    }),
  );
}

/** Whether all hosts have lost the session, and keep its routes. */
async function areStale(inspection: Inspection): Promise<{ failures: string[]; good: string }> {
  const rows = await Promise.all(hosts.map(({ name }) => inspection.client(name).get('/v1/evpn/neighbors')));
  const isStale = rows.every(([row]) => row?.state !== 'established' && (row?.stale ?? 0) >= 4);
  const seen = rows.map(([row], index) => `${hosts[index]?.name} ${row?.state}, ${row?.stale} stale`).join(', ');
  return { failures: isStale ? [] : [seen], good: `meanwhile ${seen}` };
}

/** Probes between all guests, without a pause, until something is done. */
async function losesNothing(inspection: Inspection, work: () => Promise<Seen>): Promise<Seen> {
  let isDone = false;
  const streams = pairsOf(guests).map(async ([from, to]) => {
    let [sent, received] = [0, 0];
    while (!isDone) {
      const ask = { from: from.address, to: to.address, count: 1, timeoutMs: 1000, untilLost: false };
      const answer = await inspection.agent(from).ask('ping', ask);
      sent += answer.sent;
      received += answer.received;
      await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY_MS));
    }
    return { sent, received };
  });
  const start = performance.now();
  const done = await work().finally(() => {
    isDone = true;
  });
  const ms = Math.round(performance.now() - start);
  const counts = await Promise.all(streams);
  const [sent, received] = [
    counts.reduce((sum, one) => sum + one.sent, 0),
    counts.reduce((sum, one) => sum + one.received, 0),
  ];
  return {
    holds: done.holds && sent > 0 && sent === received,
    seen: `${received} of ${sent} probes answered in ${ms} ms; ${done.seen}`,
  };
}

const PROBE_EVERY_MS = 20;

// ---- A session ends for good ----

async function checkShutdown(inspection: Inspection): Promise<void> {
  const [h1, h2, h3] = hosts as [Host, Host, Host];
  await inspection.prove(
    'the reflector ends the session of h1: its routes are flushed at once, on both sides',
    async () => {
      await inspection.temporarily(
        () => endSession(inspection, h1),
        () => tell(h1, 'enable'),
      );
      const alone = await knows(inspection, h1, []);
      const rest = await each([h2, h3], (host) =>
        knows(
          inspection,
          host,
          othersOf(host).filter((one) => one !== h1),
        ),
      );
      return { holds: alone.holds && rest.holds, seen: `h1: ${alone.seen}; ${rest.seen}` };
    },
  );
  await inspection.prove('the others go on', () => allReach(inspection, guests.slice(1)));
  await inspection.prove('h1 is let in again, and all reach each other', async () => {
    await inspection.undoAll();
    const known = await each(hosts, (host) => knowsAll(inspection, host));
    const talk = await allReach(inspection, guests);
    return { holds: known.holds && talk.holds, seen: talk.holds ? known.seen : talk.seen };
  });
}

const tell = async ({ address }: Host, word: 'enable' | 'disable'): Promise<void> => {
  await gobgp('neighbor', address, word);
};

/**
 * Has the reflector end the session of a host. Now and then GoBGP 3.10 takes that for the end of a session that comes back, and keeps the routes
 * as stale ("S" in its list): then the session is let in and ended once more.
 */
async function endSession(inspection: Inspection, host: Host): Promise<void> {
  for (let tries = 0; tries < ENDS; tries++) {
    if (tries > 0) {
      await tell(host, 'enable');
      await sessionIs(inspection, host.name, rr, 4);
    }
    await tell(host, 'disable');
    for (let looks = 0; looks < 20; looks++) {
      if (!(await gobgp('global', 'rib', '-a', 'evpn')).includes(`rd:${host.address}:`)) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

const ENDS = 4;

/** Its program gives up after a second, which on a busy machine says nothing: it is asked again. */
async function gobgp(...words: string[]): Promise<string> {
  for (let tries = 1; ; tries++) {
    const { status, stdout, stderr } = await run(inNamespace(rr.netns, [GOBGP, ...words]));
    if (status === 0 && !stderr.includes('deadline')) return stdout;
    if (tries === 20) throw new Error(`gobgp ${words.join(' ')}: ${stderr || stdout}`);
  }
}
