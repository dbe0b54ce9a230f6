/** RTM_GETSTATS: counters of VLANs (`bridge -s vlan`), and of links without a device (`ip stats`). */
import type { LinkRow, StatsAnswer, VlansAnswer } from '../api/api.js';
import { bytesAttribute } from '../netlink/attributes.js';
import { dumpEnd, type Message, NLM_F } from '../netlink/message.js';
import { RTM } from '../netlink/rtnetlink.js';
import { isWanted, readStatsRequest, STATS_ATTR, type VlanXstats, vlanXstats, writeStats } from '../netlink/stats.js';
import { counterBytes } from './link-messages.js';
import { answerMessage, isDump, kernelPart } from './listing.js';
import type { View } from './view.js';
import { isInAfBridge, VLAN_FLAG, vlanFlags } from './vlan-messages.js';

/** VLANs of one message. */
const MOST_VLANS = 256;
const NOTHING = { rx_bytes: 0, rx_packets: 0, tx_bytes: 0, tx_packets: 0 };

/** @returns null: it is the kernel's affair */
export async function getStats(view: View, request: Message): Promise<Buffer[] | null> {
  const asked = readStatsRequest(request.payload);
  if (asked === null) return null;
  const row = asked.index === 0 ? undefined : await view.byIndex(asked.index);
  const isOfOne = !isDump(request);
  if (isOfOne && (row === undefined || (await view.device(row)) !== undefined)) return null;
  const out = isOfOne ? [] : await kernelPart(view, request);
  if (!isOfOne) await view.kernel.links();
  const facts = { stats: await view.client.get('/v1/stats'), vlans: await view.client.get('/v1/vlans') };
  for (const one of isOfOne && row !== undefined ? [row] : await view.links()) {
    for (const payload of await payloadsOf(view, one, asked.mask, facts)) {
      out.push(answerMessage(view, request, RTM.NEWSTATS, payload, isOfOne ? 0 : NLM_F.MULTI));
    }
  }
  return isOfOne ? out.slice(0, 1) : [...out, dumpEnd(request, view.caller.portid)];
}

async function payloadsOf(
  view: View,
  row: LinkRow,
  mask: number,
  { stats, vlans }: { stats: StatsAnswer; vlans: VlansAnswer },
): Promise<Buffer[]> {
  const index = await view.indexOf(row);
  const out: Buffer[] = [];
  if (isWanted(mask, STATS_ATTR.LINK_64) && (await view.device(row)) === undefined) {
    const counters = bytesAttribute(STATS_ATTR.LINK_64, counterBytes(stats.links[row.ifname]).long);
    out.push(writeStats(index, mask, [counters]));
  }
  const attr = row.type === 'bridge' ? STATS_ATTR.LINK_XSTATS : STATS_ATTR.LINK_XSTATS_SLAVE;
  if (!isWanted(mask, attr) || !isInAfBridge(row, true)) return out;
  const all = vlansOf(row, vlans, stats);
  for (let from = 0; from < all.length; from += MOST_VLANS) {
    out.push(writeStats(index, mask, [vlanXstats(attr, all.slice(from, from + MOST_VLANS))]));
  }
  return out;
}

function vlansOf(row: LinkRow, { vlans }: VlansAnswer, stats: StatsAnswer): VlanXstats[] {
  const counted = stats.links[row.ifname]?.vlans;
  // A VLAN of the host's port of the bridge, and no mere sum of its ports.
  const own = row.type === 'bridge' ? VLAN_FLAG.MASTER | VLAN_FLAG.BRENTRY : 0;
  return (vlans.find(({ ifname }) => ifname === row.ifname)?.vlans ?? []).flatMap(({ vlan, vlanEnd = vlan, flags }) =>
    Array.from({ length: vlanEnd - vlan + 1 }, (_none, at) => ({
      vid: vlan + at,
      flags: vlanFlags(flags) | own,
      ...(counted?.[vlan + at] ?? NOTHING),
    })),
  );
}
