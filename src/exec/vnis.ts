/** RTM_*TUNNEL: `bridge vni`. */
import type { StatsAnswer, VlansAnswer, VlansRequest, VniRange } from '../api/api.js';
import { unsupported } from '../netlink/fault.js';
import { acknowledgement, dumpEnd, type Message, NLM_F } from '../netlink/message.js';
import { RTM } from '../netlink/rtnetlink.js';
import { readVnis, type VniFacts, writeVnis } from '../netlink/vni.js';
import { answerMessage, isDump, kernelPart } from './listing.js';
import type { View } from './view.js';

/** Entries of one message. */
const MOST_ENTRIES = 256;

/** @returns null: the device is the kernel's */
export async function changeVnis(view: View, request: Message): Promise<Buffer[] | null> {
  const asked = readVnis(request.payload);
  const row = asked.index === 0 ? undefined : await view.byIndex(asked.index);
  if (row === undefined) return null;
  if (row.vlan_tunnel !== true)
    throw unsupported(`${row.ifname} has no VNIs of VLANs; add the device with "external vnifilter"`);
  const isGone = request.type === RTM.DELTUNNEL;
  const { vnis } = isGone ? { vnis: undefined } : await view.client.get('/v1/vlans');
  for (const one of asked.entries) {
    const changes = isGone ? [deletion(row.ifname, one)] : additions(row.ifname, one, vnis);
    for (const change of changes) await view.client.post('/v1/vlans', change);
  }
  return [acknowledgement(request, view.caller.portid)];
}

const rangeOf = ({ vni, vniEnd }: VniFacts): { vni: number; vniEnd?: number } =>
  vniEnd === undefined ? { vni } : { vni, vniEnd };

const deletion = (dev: string, one: VniFacts): VlansRequest => ({ op: 'vni_del', dev, ...rangeOf(one) });

/**
 * A VNI without an address is one that the device takes. The switch takes those of its VLANs, so that there is nothing to do for
 * one that no VLAN is mapped to yet.
 */
function additions(dev: string, one: VniFacts, vnis: VlansAnswer['vnis']): VlansRequest[] {
  if (one.address !== undefined) {
    const isGroup = one.address.includes(':')
      ? one.address.toLowerCase().startsWith('ff')
      : Number(one.address.split('.')[0]) >> 4 === 14;
    return [{ op: 'vni_add', dev, ...rangeOf(one), [isGroup ? 'group' : 'remote']: one.address }];
  }
  const { vni, vniEnd = vni } = one;
  const mapped = vnis?.find(({ ifname }) => ifname === dev)?.vnis ?? [];
  return mapped.flatMap((range): VlansRequest[] => {
    const first = Math.max(vni, range.vni);
    const last = Math.min(vniEnd, range.vniEnd ?? range.vni);
    if (first > last) return [];
    return [{ op: 'vni_add', dev, ...rangeOf({ vni: first, ...(last === first ? {} : { vniEnd: last }) }) }];
  });
}

/** @returns null: it is the kernel's affair */
export async function getVnis(view: View, request: Message): Promise<Buffer[] | null> {
  if (!isDump(request)) return null;
  const asked = readVnis(request.payload);
  const row = asked.index === 0 ? undefined : await view.byIndex(asked.index);
  if (asked.index !== 0 && row === undefined) return null;
  // A kernel without vxlan devices refuses; then there are none.
  const out = row === undefined ? await kernelPart(view, request) : [];
  const { vnis = [] } = await view.client.get('/v1/vlans');
  const stats = asked.withStats ? await view.client.get('/v1/stats') : undefined;
  await view.kernel.links();
  for (const one of row === undefined ? await view.links() : [row]) {
    if (one.type !== 'vxlan' || one.vlan_tunnel !== true) continue;
    const ranges = vnis.find(({ ifname }) => ifname === one.ifname)?.vnis ?? [];
    const entries = ranges.flatMap((range) => factsOf(range, stats && (stats.links[one.ifname]?.vnis ?? {})));
    for (let from = 0; from < entries.length; from += MOST_ENTRIES) {
      const payload = writeVnis(await view.indexOf(one), entries.slice(from, from + MOST_ENTRIES));
      out.push(answerMessage(view, request, RTM.NEWTUNNEL, payload, NLM_F.MULTI));
    }
  }
  return [...out, dumpEnd(request, view.caller.portid)];
}

/** As the kernel: with counters each VNI is an entry of its own. */
export function factsOf(range: VniRange, counted: StatsAnswer['vnis'] | undefined): VniFacts[] {
  const { vni, vniEnd = vni, group, remote } = range;
  const address = group ?? remote;
  if (counted === undefined) return [{ vni, vniEnd: range.vniEnd, address }];
  return Array.from({ length: vniEnd - vni + 1 }, (_none, at) => ({
    vni: vni + at,
    address,
    stats: counted[vni + at] ?? {},
  }));
}
