/** RTM_GETVLAN: VLANs of all ports and bridges, as `bridge -d vlan show` and `bridge vlan global show` ask for them. */
import type { GlobalRange, LinkRow, StatsAnswer, VlanRange, VlansAnswer } from '../api/api.js';
import type { Attribute } from '../netlink/attributes.js';
import { dumpEnd, type Message, NLM_F } from '../netlink/message.js';
import { RTM } from '../netlink/rtnetlink.js';
import { globalEntry, readVlanDump, VLAN_DUMP, type VlanFacts, vlanEntry, writeVlans } from '../netlink/vlan-db.js';
import { answerMessage, kernelPart } from './listing.js';
import type { View } from './view.js';
import { isInAfBridge } from './vlan-messages.js';

/** Entries of one message: programs put messages of one link together. */
const MOST_ENTRIES = 256;
const NOTHING = { rx_bytes: 0, rx_packets: 0, tx_bytes: 0, tx_packets: 0 };

/** @returns null: the link is the kernel's */
export async function getVlans(view: View, request: Message): Promise<Buffer[] | null> {
  const asked = readVlanDump(request.payload);
  if (asked === null) return null;
  const row = asked.index === 0 ? undefined : await view.byIndex(asked.index);
  if (asked.index !== 0 && row === undefined) return null;
  const out = row === undefined ? await kernelPart(view, request) : [];
  const stats = (asked.dumpFlags & VLAN_DUMP.STATS) !== 0 ? await view.client.get('/v1/stats') : undefined;
  const vlans = await view.client.get('/v1/vlans');
  await view.kernel.links();
  const isGlobal = (asked.dumpFlags & VLAN_DUMP.GLOBAL) !== 0;
  for (const one of row === undefined ? await view.links() : [row]) {
    if (!isInAfBridge(one, true)) continue;
    const entries = isGlobal ? globalsOf(one, vlans) : entriesOf(one, vlans, stats);
    for (let from = 0; from < entries.length; from += MOST_ENTRIES) {
      const payload = writeVlans(await view.indexOf(one), entries.slice(from, from + MOST_ENTRIES));
      out.push(answerMessage(view, request, RTM.NEWVLAN, payload, NLM_F.MULTI));
    }
  }
  return [...out, dumpEnd(request, view.caller.portid)];
}

/** Of a bridge; the listing of the switch has flags as numbers. */
function globalsOf(row: LinkRow, { globals }: VlansAnswer): Attribute[] {
  const ranges = globals?.find(({ ifname }) => ifname === row.ifname)?.vlans ?? [];
  return ranges.map((one: GlobalRange) => {
    const { vlan, vlanEnd, ...options } = one;
    const flags = { mcast_snooping: options.mcast_snooping !== 0, mcast_querier: options.mcast_querier !== 0 };
    return globalEntry({ vid: vlan, vidEnd: vlanEnd }, { ...options, ...flags });
  });
}

/** As the kernel: with counters each VLAN is an entry of its own. */
function entriesOf(row: LinkRow, { vlans }: VlansAnswer, stats: StatsAnswer | undefined): Attribute[] {
  const ranges = vlans.find(({ ifname }) => ifname === row.ifname)?.vlans ?? [];
  if (stats === undefined) return ranges.map((range) => vlanEntry(factsOf(range)));
  const counted = stats.links[row.ifname]?.vlans;
  return ranges.flatMap((range) => {
    const { vlan, vlanEnd = vlan } = range;
    return Array.from({ length: vlanEnd - vlan + 1 }, (_none, at) => {
      const counters = counted?.[vlan + at] ?? NOTHING;
      return vlanEntry({ ...factsOf(range), vid: vlan + at, vidEnd: undefined, counters });
    });
  });
}

export const factsOf = (range: VlanRange): VlanFacts => ({
  vid: range.vlan,
  vidEnd: range.vlanEnd,
  pvid: range.flags.includes('PVID'),
  untagged: range.flags.includes('Egress Untagged'),
  neighSuppress: range.neigh_suppress === true,
  state: range.state ?? 'forwarding',
  mcastRouter: range.mcast_router ?? 1,
  mcastGroups: range.mcast_n_groups,
  mcastMaxGroups: range.mcast_max_groups,
});
