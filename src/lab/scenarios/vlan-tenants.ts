/**
 * Lab vlan-tenants: the two bridges of lab two-bridges, with a VLAN for each tenant: access ports for the guests, a trunk
 * between the bridges. Routes at both ends, which join the subnets there, join nothing here.
 *
 *     tenant A  VLAN 10  h1 --.                                   .-- h3  VLAN 10
 *                              bridge1 --- vxlan0 === vxlan0 --- bridge2
 *     tenant B  VLAN 20  h2 --'         tags 10 and 20            '-- h4  VLAN 20
 *
 * The trunk carries both VLANs in one VNI with inner 802.1Q tags. (Lab one-vxlan-many-vlans instead has a VNI for each VLAN
 * and no tags.)
 */

import type { ObservedDatagram } from '../capture/observed-frame.js';
import type { Sniffer } from '../capture/sniffer.js';
import type { Seen } from '../checks/findings.js';
import type { Inspection } from '../checks/inspection.js';
import { neverMeet } from '../checks/isolation.js';
import { countShouts, freshTag, heardOnce, SHOUTS, type ShoutKind, shoutsIn } from '../checks/probes.js';
import { type FileChecks, readyLab } from '../file/ready.js';
import type { Lab } from '../lab.js';
import { underlayOf } from '../setup/topology.js';
import { CABLE_VNI, type CrossedGuest, crossedGuests } from './crossed.js';
import { otherOf } from './yaml-fragments.js';

const NAME = 'vlan-tenants';
const VLANS = [10, 20] as const;

export const vlanTenants: Lab = readyLab(NAME, check);
const { topology } = vlanTenants;
const guests = crossedGuests(topology);

const vlanOf = new Map(guests.map((guest) => [guest.mac, VLANS[guest.subnet]]));
const tenants = ([0, 1] as const).map((subnet) => ({
  name: subnet === 0 ? 'A' : 'B',
  vlan: VLANS[subnet],
  members: guests.filter((guest) => guest.subnet === subnet) as [CrossedGuest, CrossedGuest],
  others: guests.filter((guest) => guest.subnet !== subnet),
}));
type Tenant = (typeof tenants)[number];
const strangers = guests.flatMap((from) =>
  guests.filter((to) => to.subnet !== from.subnet).map((to) => [from, to] as const),
);

interface Wires {
  readonly trunk: Sniffer;
  readonly guest: ReadonlyMap<CrossedGuest, Sniffer>;
}

async function check(inspection: Inspection, words: FileChecks): Promise<void> {
  const wires: Wires = {
    trunk: inspection.sniffUnderlay(underlayOf(topology.hosts[0])),
    guest: new Map(guests.map((guest) => [guest, inspection.sniffGuest(guest)])),
  };
  await words.look();
  for (const kind of ['broadcast', 'multicast'] as const) {
    for (const tenant of tenants) {
      for (const from of tenant.members) {
        const claim = `each ${kind} of ${from.name} stays with tenant ${tenant.name}`;
        await inspection.prove(claim, () => staysInside(inspection, wires, tenant, from, kind));
      }
    }
  }
  await inspection.prove('the tenants do not reach each other, even with routes and static neighbours', () =>
    neverMeet(inspection, wires.trunk, strangers, isTagged),
  );
  await inspection.prove("no frame of the other tenant passed a guest's NIC", async () => nothingForeign(wires));
  await inspection.prove("the trunk carries every frame with its tenant's tag", async () => trunkIsRight(wires.trunk));
  for (const wire of [wires.trunk, ...wires.guest.values()]) wire.stop();
  await words.move();
}

/** Whether a datagram of the trunk carries its guest's frame with the tag of its VLAN. */
function isTagged(from: { readonly mac: string }, seen: ObservedDatagram): boolean {
  return seen.vni === CABLE_VNI && seen.frame.vid === vlanOf.get(from.mac);
}

/** Proves that each shout arrives once inside the tenant, once on the trunk with its tag, and not at the other tenant. */
async function staysInside(
  inspection: Inspection,
  wires: Wires,
  tenant: Tenant,
  from: CrossedGuest,
  kind: ShoutKind,
): Promise<Seen> {
  const mark = freshTag();
  const heard = await heardOnce(inspection, from, kind, [otherOf(tenant.members, from)], tenant.others, mark);
  const failures = heard.holds ? [] : [heard.seen];
  const crossing = shoutsIn(wires.trunk, mark);
  const tagged = crossing.filter(({ vid }) => vid === tenant.vlan).length;
  if (crossing.length !== SHOUTS || tagged !== SHOUTS) {
    failures.push(`${crossing.length} of ${SHOUTS} on the trunk, ${tagged} with tag ${tenant.vlan}`);
  }
  for (const other of tenant.others) {
    const leaked = countShouts(wires.guest.get(other) as Sniffer, mark);
    if (leaked > 0) failures.push(`${leaked} at the NIC of ${other.name}`);
  }
  const none = tenant.others.map(({ name }) => name).join(' and ');
  const good = `${heard.seen}; on the trunk ${SHOUTS} with tag ${tenant.vlan}, at the NICs of ${none} 0`;
  return { holds: failures.length === 0, seen: failures.length === 0 ? good : failures.join('; ') };
}

/** Proves that all frames at the guests' NICs during the check were untagged and of the guest's own tenant. */
function nothingForeign({ guest: wires }: Wires): Seen {
  const failures: string[] = [];
  let own = 0;
  for (const [guest, wire] of wires) {
    wire.drain();
    const isOwn = ({ source }: { source: string }): boolean => vlanOf.get(source) === VLANS[guest.subnet];
    const foreign = wire.frames.filter((frame) => !isOwn(frame));
    own += wire.frames.length - foreign.length;
    const sources = [...new Set(foreign.map(({ source }) => source))].join(', ');
    if (foreign.length > 0) failures.push(`${foreign.length} at ${guest.name}, from ${sources}`);
    if (wire.frames.some(({ vid }) => vid !== null)) failures.push(`tagged frames at ${guest.name}`);
  }
  const good = `${own} frames at four NICs, all untagged and of the guest's own tenant`;
  return { holds: own > 0 && failures.length === 0, seen: failures.length === 0 ? good : failures.join('; ') };
}

function trunkIsRight(trunk: Sniffer): Seen {
  trunk.drain();
  const wrong = trunk.tunnel.filter((seen) => !isTagged({ mac: seen.frame.source }, seen) || seen.reserved !== 0);
  const count = (vlan: number): number => trunk.tunnel.filter(({ frame }) => frame.vid === vlan).length;
  const tally = VLANS.map((vlan) => `${count(vlan)} with tag ${vlan}`).join(', ');
  const tags = [...new Set(wrong.map(({ frame, vni }) => `${frame.source} tag ${frame.vid ?? 'none'} VNI ${vni}`))];
  const bad = `${wrong.length} are wrong: ${tags.slice(0, 3).join('; ')}`;
  return {
    holds: wrong.length === 0 && VLANS.every((vlan) => count(vlan) > 0),
    seen: `${trunk.tunnel.length} datagrams in VNI ${CABLE_VNI}: ${tally}${wrong.length > 0 ? `; ${bad}` : ''}`,
  };
}
