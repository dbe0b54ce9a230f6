/** RTM_*TUNNEL: `bridge vni`. */
import type { LinkRow, StatsAnswer, VlansRequest, VniRange } from '../api/api.js';
import { ERRNO, NetlinkFault, unsupported } from '../netlink/fault.js';
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
  const { vnis = [] } = isGone ? {} : await view.client.get('/v1/vlans');
  const mapped = vnis.find(({ ifname }) => ifname === row.ifname)?.vnis ?? [];
  for (const one of asked.entries) {
    if (one.vniEnd !== undefined && one.vniEnd < one.vni)
      throw new NetlinkFault(`the range ${one.vni}-${one.vniEnd} is reversed; give ${one.vniEnd}-${one.vni}`);
    for (const change of isGone ? deletions(view, row, one) : await additions(view, row, one, mapped))
      await view.client.post('/v1/vlans', change);
  }
  return [acknowledgement(request, view.caller.portid)];
}

const rangeOf = ({ vni, vniEnd }: VniFacts): { vni: number; vniEnd?: number } =>
  vniEnd === undefined ? { vni } : { vni, vniEnd };

function deletions({ waiting }: View, { ifname }: LinkRow, one: VniFacts): VlansRequest[] {
  const { vni, vniEnd = vni } = one;
  const count = Math.min(vniEnd - vni + 1, MOST_WAITING);
  const gone = Array.from({ length: count }, (_none, at) => waiting.delVni(ifname, vni + at)).filter(Boolean).length;
  return gone === vniEnd - vni + 1 ? [] : [{ op: 'vni_del', dev: ifname, ...rangeOf(one) }];
}

/** The address of VNIs: a group, or the one remote. */
export function vniAddition(dev: string, one: VniFacts, address: string): VlansRequest {
  const isGroup = address.includes(':')
    ? address.toLowerCase().startsWith('ff')
    : Number(address.split('.')[0]) >> 4 === 14;
  return { op: 'vni_add', dev, ...rangeOf(one), [isGroup ? 'group' : 'remote']: address };
}

/**
 * A VNI without an address is one that the device takes. The switch takes those of its VLANs; what is said of one that no VLAN is
 * mapped to yet waits for that.
 */
async function additions(
  view: View,
  row: LinkRow,
  one: VniFacts,
  mapped: readonly VniRange[],
): Promise<VlansRequest[]> {
  const { vni, vniEnd = vni, address } = one;
  const parts = mapped.flatMap((range) => {
    const first = Math.max(vni, range.vni);
    const last = Math.min(vniEnd, range.vniEnd ?? range.vni);
    return first > last ? [] : [{ vni: first, ...(last === first ? {} : { vniEnd: last }) }];
  });
  const covered = parts.reduce((sum, part) => sum + (part.vniEnd ?? part.vni) - part.vni + 1, 0);
  if (covered < vniEnd - vni + 1) await keep(view, row, one, parts);
  return parts.map((part) =>
    address === undefined ? { op: 'vni_add', dev: row.ifname, ...part } : vniAddition(row.ifname, part, address),
  );
}

/** VNIs of one request that may wait: longer ranges are of devices that take all. */
const MOST_WAITING = 4096;

async function keep(view: View, row: LinkRow, { vni, vniEnd = vni, address }: VniFacts, mapped: readonly VniFacts[]) {
  if (vniEnd - vni >= MOST_WAITING) {
    if (address === undefined) return;
    throw new NetlinkFault(`map VLANs of ${row.ifname} to these VNIs first; at most ${MOST_WAITING} wait for that`);
  }
  const waits = Array.from({ length: vniEnd - vni + 1 }, (_none, at) => vni + at).filter(
    (one) => !mapped.some((part) => one >= part.vni && one <= (part.vniEnd ?? part.vni)),
  );
  for (const one of waits) await refuseInUse(view, row, one);
  for (const one of waits)
    view.waiting.putVni({ dev: row.ifname, vni: one, ...(address === undefined ? {} : { address }) });
}

/** As vxlan_vni_in_use of the kernel: devices of one port and address share no VNI. */
async function refuseInUse(view: View, { ifname, dstport, local }: LinkRow, vni: number): Promise<void> {
  const holders = view.waiting.holdersOf(vni).filter((dev) => dev !== ifname);
  if (holders.length === 0) return;
  const rows = await view.links();
  const other = rows.find((row) => holders.includes(row.ifname) && row.dstport === dstport && row.local === local);
  if (other !== undefined) throw new NetlinkFault(`${other.ifname} takes VNI ${vni} already`, ERRNO.EEXIST);
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
    const there = ranges.flatMap((range) => factsOf(range, stats && (stats.links[one.ifname]?.vnis ?? {})));
    const entries = [...there, ...view.waiting.vnisOf(one.ifname)];
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
