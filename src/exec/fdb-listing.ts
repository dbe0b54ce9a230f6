/** RTM_GETNEIGH: FDB entries of a switch beside the kernel's, and its bindings. */
import type { FdbRow, LinkRow, NeighRow } from '../api/api.js';
import { ERRNO, NetlinkFault } from '../netlink/fault.js';
import { dumpEnd, type Message, NLM_F } from '../netlink/message.js';
import { type Neighbour, NDMSG_BYTES, NTF, NUD, readNeighbour, writeNeighbour } from '../netlink/neigh.js';
import { AF, IFINFO_BYTES, IFLA, RTM } from '../netlink/rtnetlink.js';
import { AttributeMap } from '../netlink/attributes.js';
import { answerMessage, isDump, kernelPart } from './listing.js';
import { isVirtual, type View } from './view.js';
import { protocolCode } from './protocols.js';

/** @returns null: the kernel answers alone */
export async function getNeigh(view: View, request: Message): Promise<Buffer[] | null> {
  if (!isDump(request)) return getEntry(view, request);
  if (request.payload[0] === AF.BRIDGE) return dumpFdb(view, request);
  return dumpBindings(view, request);
}

/** What a dump asks for. */
interface Wanted {
  readonly index: number;
  readonly master: number | undefined;
}

/** Bytes of an attribute with 32 bits. */
const U32_ATTRIBUTE = 8;

/** Older programs, and zebra, send the head of a link's message (valid_fdb_dump_legacy of the kernel tells them by their lengths). */
function wantedOf({ payload }: Message, strict: boolean): Wanted {
  const index = payload.length >= 8 ? payload.readInt32LE(4) : 0;
  const isNeighbour = strict || payload.length === NDMSG_BYTES || payload.length === NDMSG_BYTES + U32_ATTRIBUTE;
  const at = isNeighbour ? NDMSG_BYTES : IFINFO_BYTES;
  if (payload.length <= at) return { index, master: undefined };
  const given = new AttributeMap(payload.subarray(at));
  return { index, master: given.u32(isNeighbour ? 9 : IFLA.MASTER) };
}

async function dumpFdb(view: View, request: Message): Promise<Buffer[]> {
  const { index, master } = wantedOf(request, view.caller.strict);
  const isOfKernel = !isVirtual(index) && !isVirtual(master ?? 0);
  const out = isOfKernel ? await kernelPart(view, request) : [];
  await view.kernel.links();
  const indices = await indicesOf(view);
  const bridge =
    master === undefined || master === 0 ? undefined : [...indices.values()].find((one) => one.index === master);
  if (master === undefined || master === 0 || bridge !== undefined) {
    const query = bridge === undefined ? '' : `?br=${encodeURIComponent(bridge.row.ifname)}`;
    const there = await view.client.get(`/v1/fdb${query}` as '/v1/fdb');
    const waiting = bridge === undefined ? view.waiting.rows() : [];
    for (const entry of waiting.length === 0 ? there : there.concat(waiting)) {
      for (const one of entryMessages(entry, indices)) {
        if (index !== 0 && one.index !== index) continue;
        out.push(answerMessage(view, request, RTM.NEWNEIGH, writeNeighbour(one), NLM_F.MULTI));
      }
    }
  }
  return [...out, dumpEnd(request, view.caller.portid)];
}

interface Indexed {
  readonly row: LinkRow;
  readonly index: number;
}

/** Links by name: each of very many entries names two. */
type Indices = ReadonlyMap<string, Indexed>;

async function indicesOf(view: View): Promise<Indices> {
  const out = new Map<string, Indexed>();
  for (const row of await view.links()) out.set(row.ifname, { row, index: await view.indexOf(row) });
  return out;
}

/** The kernel's states. */
function stateOf({ state }: FdbRow): number {
  return state === 'permanent' ? NUD.PERMANENT : state === 'static' ? NUD.NOARP : NUD.REACHABLE;
}

const flagsOf = ({ flags }: FdbRow): number =>
  (flags.includes('sticky') ? NTF.STICKY : 0) |
  (flags.includes('extern_learn') ? NTF.EXT_LEARNED : 0) |
  (flags.includes('offload') ? NTF.OFFLOADED : 0) |
  (flags.includes('router') ? NTF.ROUTER : 0);

/**
 * An entry as the kernel has it: of the bridge, and behind a vxlan device one of the device as well. Only what was learned is
 * in both; an entry with a remote was added to the device, one without to the bridge.
 * @param isAsked a single one is asked for: the bridge forwards by an entry with a remote, too
 */
function entryMessages(entry: FdbRow, indices: Indices, isAsked = false): Neighbour[] {
  const port = indices.get(entry.ifname);
  if (port === undefined) return [];
  const base = {
    family: AF.BRIDGE,
    index: port.index,
    state: stateOf(entry),
    mac: entry.mac,
    age: entry.updated ?? 0,
    locked: entry.flags.includes('locked'),
    protocol: entry.proto === undefined ? undefined : protocolCode(entry.proto),
  };
  const isFar = entry.dst !== undefined || entry.nhid !== undefined;
  const out: Neighbour[] = [];
  const master = indices.get(entry.master)?.index;
  if (master !== undefined && (!isFar || isAsked || entry.state === 'dynamic')) {
    out.push({ ...base, flags: flagsOf(entry), vlan: entry.vlan, master });
  }
  if (isFar)
    out.push({
      ...base,
      flags: NTF.SELF | flagsOf(entry),
      dst: entry.dst,
      nhid: entry.nhid,
      ...numbers(entry, port.row),
    });
  return out;
}

/** VNIs of a device's entry, as vxlan_fdb_info of the kernel gives them: those that are not the device's own. */
function numbers({ vni, src_vni, port }: FdbRow, row: LinkRow): Partial<Neighbour> {
  const external = row.vlan_tunnel === true;
  return {
    port,
    vni: src_vni !== undefined || (vni !== undefined && vni !== row.id && !external) ? vni : undefined,
    srcVni: external ? (src_vni ?? vni) : undefined,
  };
}

/** `bridge fdb get`. */
async function getEntry(view: View, request: Message): Promise<Buffer[] | null> {
  const asked = readNeighbour(request.payload);
  if (asked.family !== AF.BRIDGE || asked.mac === undefined) return null;
  const at = asked.index !== 0 ? asked.index : (asked.master ?? 0);
  const row = at === 0 ? undefined : await view.byIndex(at);
  if (row === undefined) return null;
  const place = `${row.type === 'bridge' ? 'br' : 'dev'}=${encodeURIComponent(row.ifname)}`;
  const vlan = asked.vlan === undefined ? '' : `&vlan=${asked.vlan}`;
  const there = await view.client.get(`/v1/fdb?mac=${asked.mac}&${place}${vlan}` as '/v1/fdb');
  const isWaiting = ({ mac, ifname }: FdbRow): boolean => mac === asked.mac && ifname === row.ifname;
  const found = there.length > 0 ? there : view.waiting.rows().filter(isWaiting);
  const indices = await indicesOf(view);
  const wantsSelf = (asked.flags & NTF.SELF) !== 0 && (asked.flags & NTF.MASTER) === 0;
  const all = found.flatMap((entry) => entryMessages(entry, indices, true));
  const one = all.find(({ flags }) => ((flags & NTF.SELF) !== 0) === wantsSelf) ?? all[0];
  if (one === undefined) throw new NetlinkFault('there is no such entry', ERRNO.ENOENT);
  return [answerMessage(view, request, RTM.NEWNEIGH, writeNeighbour(one))];
}

const BINDING_STATES = {
  permanent: NUD.PERMANENT,
  reachable: NUD.REACHABLE,
  stale: NUD.STALE,
  noarp: NUD.NOARP,
} as const;

/** `ip neigh`: bindings of ports without a device are shown as theirs; those of others the kernel has too. */
async function dumpBindings(view: View, request: Message): Promise<Buffer[] | null> {
  const family = request.payload[0] ?? 0;
  const index = request.payload.length >= 8 ? request.payload.readInt32LE(4) : 0;
  const rows = await view.client.get('/v1/neigh');
  if (rows.length === 0) return null;
  const out = await kernelPart(view, request);
  await view.kernel.links();
  const indices = await indicesOf(view);
  for (const row of rows) {
    const one = bindingMessage(row, indices);
    if (one === undefined || (family !== AF.UNSPEC && one.family !== family) || (index !== 0 && one.index !== index))
      continue;
    out.push(answerMessage(view, request, RTM.NEWNEIGH, writeNeighbour(one), NLM_F.MULTI));
  }
  return [...out, dumpEnd(request, view.caller.portid)];
}

function bindingMessage({ dst, lladdr, ifname, state, router }: NeighRow, indices: Indices): Neighbour | undefined {
  const port = indices.get(ifname);
  if (port === undefined || !isVirtual(port.index)) return undefined;
  const family = dst.includes(':') ? AF.INET6 : AF.INET;
  const flags = router === true ? NTF.ROUTER : 0;
  return { family, index: port.index, state: BINDING_STATES[state], flags, dst, mac: lladdr };
}
