/**
 * Lab two-bridges: two bridges joined by one cable, without VLANs, and two subnets with guests on both. All four guests are
 * in one broadcast domain; the subnets are separated only because the guests have no routes to each other's. With routes at
 * both ends the guests reach each other without a router.
 *
 * The picture is in crossed.ts.
 */

import type { ObservedDatagram } from '../capture/observed-frame.js';
import type { Sniffer } from '../capture/sniffer.js';
import type { Seen } from '../checks/findings.js';
import type { Inspection } from '../checks/inspection.js';
import { allReach, pairsOf } from '../checks/probes.js';
import { type FileChecks, readyLab } from '../file/ready.js';
import type { Lab } from '../lab.js';
import { subnetOf, underlayOf } from '../setup/topology.js';
import { addRoute, deleteRoute } from '../testbed/namespaces.js';
import { CABLE_VNI, type CrossedGuest, crossedGuests } from './crossed.js';

const NAME = 'two-bridges';
/** Much longer than an answer takes; all pairs wait at the same time. */
const PROBE_LIMIT_MS = 400;
const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const ETHERTYPE_ARP = 0x0806;

export const twoBridges: Lab = readyLab(NAME, check);
const { topology } = twoBridges;
const guests = crossedGuests(topology);

const pairs = pairsOf<CrossedGuest>(guests);
/** Pairs in one subnet, so across the bridges. */
/** Pairs in different subnets, on one bridge and across. */
const isolated = pairs.filter(([from, to]) => from.subnet !== to.subnet);
const guestsOf = (subnet: 0 | 1): CrossedGuest[] => guests.filter((guest) => guest.subnet === subnet);
const [firstSubnet, secondSubnet] = [subnetOf(guests[0]), subnetOf(guests[1])];
const otherSubnet = (guest: CrossedGuest): string => (guest.subnet === 0 ? secondSubnet : firstSubnet);

async function check(inspection: Inspection, words: FileChecks): Promise<void> {
  // A killed check may have left its routes.
  for (const guest of guests) await deleteRoute(guest, otherSubnet(guest));
  const wire = inspection.sniffUnderlay(underlayOf(topology.hosts[0]));
  await words.look();
  const both = `${firstSubnet} and ${secondSubnet}`;
  await inspection.prove(`${both} do not reach each other without routes`, () => unroutable(inspection));
  await addRoutes(inspection, 0);
  await inspection.prove(`nor with routes in ${firstSubnet} only`, () => unanswered(inspection, wire));
  await addRoutes(inspection, 1);
  await inspection.prove('with routes on both ends all guests reach each other', () => allReach(inspection, guests));
  await inspection.undoAll();
  await inspection.prove('and without the routes not any longer', () => unroutable(inspection));
  await inspection.prove('the cable carries frames unchanged: one VNI, no tags', () => cableIsPlain(inspection, wire));
  wire.stop();
  await words.move();
}

/** Adds on-link routes to the other subnet at both guests of a subnet. */
async function addRoutes(inspection: Inspection, subnet: 0 | 1): Promise<void> {
  for (const guest of guestsOf(subnet)) {
    await inspection.temporarily(
      () => addRoute(guest, otherSubnet(guest)),
      () => deleteRoute(guest, otherSubnet(guest)),
    );
  }
}

interface Attempt {
  readonly from: CrossedGuest;
  readonly name: string;
  readonly received: number;
  readonly error: string | null;
}

/** Sends one probe from each guest to both guests of the other subnet. */
function attemptAll(inspection: Inspection): Promise<Attempt[]> {
  return Promise.all(
    isolated.map(async ([from, to]) => {
      const ask = { from: from.address, to: to.address, count: 1, timeoutMs: PROBE_LIMIT_MS, untilLost: false };
      const { received, error } = await inspection.agent(from).ask('ping', ask);
      return { from, name: `${from.name} -> ${to.name}`, received, error };
    }),
  );
}

/** Proves that no guest has a route: its own kernel refuses each probe, so the switch gets none. */
async function unroutable(inspection: Inspection): Promise<Seen> {
  const attempts = await attemptAll(inspection);
  const failures = attempts.flatMap(({ name, received, error }) => {
    if (received > 0) return [`${name}: answered`];
    return error?.includes('ENETUNREACH') ? [] : [`${name}: not answered, but sent (${error ?? 'no error'})`];
  });
  const good = `${attempts.length} pairs tried, none had a route (ENETUNREACH)`;
  return { holds: failures.length === 0, seen: failures.length === 0 ? good : failures.join('; ') };
}

/** Proves that with routes in the first subnet only, probes of its guests cross the cable, and no answer returns. */
async function unanswered(inspection: Inspection, wire: Sniffer): Promise<Seen> {
  wire.drain();
  const start = wire.tunnel.length;
  const attempts = await attemptAll(inspection);
  const failures = attempts.filter(({ received }) => received > 0).map(({ name }) => `${name}: answered`);
  for (const { from, name, error } of attempts) {
    if (from.subnet === 0 && error !== null) failures.push(`${name}: not sent (${error})`);
  }
  for (const guest of guestsOf(0)) {
    const crossed = await wire.sees(() => wire.tunnel.slice(start).some(isAttemptOf(guest)), inspection.signal);
    if (!crossed) failures.push(`${guest.name}: no probe to the other subnet crossed the cable`);
  }
  const names = guestsOf(0).map(({ name }) => name);
  const good = `${attempts.length} pairs tried, none answered; the probes of ${names.join(' and ')} crossed the cable`;
  return { holds: failures.length === 0, seen: failures.length === 0 ? good : failures.join('; ') };
}

/** Matches a frame of a guest to a guest of the other subnet, or its ARP request if the MAC is still unknown. */
function isAttemptOf(guest: CrossedGuest): (seen: ObservedDatagram) => boolean {
  const targets = guestsOf(guest.subnet === 0 ? 1 : 0).map(({ mac }) => mac);
  return ({ frame }) =>
    frame.source === guest.mac &&
    (targets.includes(frame.destination) || (frame.destination === BROADCAST && frame.etherType === ETHERTYPE_ARP));
}

async function cableIsPlain(inspection: Inspection, wire: Sniffer): Promise<Seen> {
  const hasPassed = (guest: CrossedGuest): boolean => wire.tunnel.some(({ frame }) => frame.source === guest.mac);
  const allPassed = await wire.sees(() => guests.every(hasPassed), inspection.signal);
  const isPlain = (seen: ObservedDatagram): boolean =>
    seen.vni === CABLE_VNI && seen.reserved === 0 && seen.frame.vid === null;
  const wrong = wire.tunnel.filter((seen) => !isPlain(seen)).length;
  const silent = guests.filter((guest) => !hasPassed(guest)).map(({ name }) => name);
  const missing = silent.length > 0 ? `; no frame of ${silent.join(', ')}` : '';
  const good = `${wire.tunnel.length} datagrams of all four guests in VNI ${CABLE_VNI}, without inner tag`;
  const bad = `${wrong} of ${wire.tunnel.length} datagrams have another VNI or a tag${missing}`;
  return { holds: allPassed && wrong === 0, seen: allPassed && wrong === 0 ? good : bad };
}
