/** RTM_NEWNEIGH and RTM_DELNEIGH: FDB entries (`bridge fdb`), and bindings of addresses (`ip neigh`). */
import type { FdbDelete, FdbFlush, FdbPut, FdbState, LinkRow } from '../api/api.js';
import { ERRNO, NetlinkFault } from '../netlink/fault.js';
import { acknowledgement, type Message, NLM_F } from '../netlink/message.js';
import { type Neighbour, NTF, NUD, readNeighbour } from '../netlink/neigh.js';
import { AF, RTM } from '../netlink/rtnetlink.js';
import { changeBinding } from './binding-change.js';
import { giveBridge } from './own-bridge.js';
import { protocolName } from './protocols.js';
import type { View } from './view.js';
import { mappedVnis, ownVni } from './waiting.js';

const ZERO_MAC = '00:00:00:00:00:00';

/** @returns null: the kernel's */
export async function changeEntry(view: View, request: Message): Promise<Buffer[] | null> {
  const asked = readNeighbour(request.payload);
  const row = asked.index === 0 ? undefined : await view.byIndex(asked.index);
  if (row === undefined) return null;
  if (asked.family !== AF.BRIDGE) return changeBinding(view, request, asked, row);
  // "self" of an interface is the filter of the interface itself.
  const selfOnly = (asked.flags & (NTF.SELF | NTF.MASTER)) === NTF.SELF;
  if (selfOnly && row.type !== 'vxlan' && row.type !== 'geneve' && row.type !== 'bridge') return null;
  if (request.type === RTM.DELNEIGH && (request.flags & NLM_F.BULK) !== 0) {
    const flush = flushOf(asked, row);
    view.waiting.flush(flush);
    await view.client.post('/v1/fdb', flush);
  } else if (request.type === RTM.DELNEIGH) {
    const entry = await deleteOf(view, asked, row);
    if (!view.waiting.del(entry)) await view.client.post('/v1/fdb', entry);
  } else await put(view, asked, row, request.flags);
  return [acknowledgement(request, view.caller.portid)];
}

function need(mac: string | undefined): string {
  if (mac === undefined) throw new NetlinkFault('give the MAC of the entry');
  return mac;
}

/** Keys of an entry that add, delete and replace share. */
async function keyOf(view: View, asked: Neighbour, row: LinkRow) {
  const via = asked.via === undefined ? undefined : (await view.kernel.byIndex(asked.via))?.name;
  if (asked.via !== undefined && via === undefined) throw new NetlinkFault('there is no such device', ERRNO.ENODEV);
  const key = { mac: need(asked.mac), dev: row.ifname, ...(asked.vlan === undefined ? {} : { vlan: asked.vlan }) };
  // A bridge of the kernel does not read the others (br_fdb_add).
  if (!isTunnel(row)) return key;
  return {
    ...key,
    ...(asked.vni === undefined ? {} : { vni: asked.vni }),
    ...(asked.srcVni === undefined ? {} : { src_vni: asked.srcVni }),
    ...(asked.port === undefined ? {} : { port: asked.port }),
    ...(asked.nhid === undefined ? {} : { nhid: asked.nhid }),
    ...(via === undefined ? {} : { via }),
    ...(asked.dst === undefined ? {} : { dst: asked.dst }),
  };
}

/** Of an entry of a bridge that a control program has learned, the kernel ignores the state (br_fdb_external_learn_add): it may roam. */
function stateOf({ state, flags, dst, nhid }: Neighbour): FdbState {
  if ((flags & NTF.EXT_LEARNED) !== 0 && dst === undefined && nhid === undefined) return 'dynamic';
  if ((state & NUD.PERMANENT) !== 0) return 'permanent';
  return (state & NUD.NOARP) !== 0 ? 'static' : 'dynamic';
}

async function put(view: View, asked: Neighbour, row: LinkRow, flags: number): Promise<void> {
  const key = await keyOf(view, asked, row);
  const protocol = asked.protocol === undefined ? undefined : protocolName(asked.protocol);
  const request: FdbPut = {
    op: (flags & NLM_F.APPEND) !== 0 ? 'append' : (flags & NLM_F.REPLACE) !== 0 ? 'replace' : 'add',
    ...key,
    state: stateOf(asked),
    ...((asked.flags & NTF.STICKY) !== 0 ? { sticky: true } : {}),
    ...((asked.flags & NTF.EXT_LEARNED) !== 0 ? { extern_learn: true } : {}),
    ...((asked.flags & NTF.ROUTER) !== 0 ? { router: true } : {}),
    ...((asked.flags & NTF.USE) !== 0 ? { use: true } : {}),
    ...(asked.activityNotify ? { activity_notify: true } : {}),
    ...(asked.inactive ? { inactive: true } : {}),
    ...(asked.norefresh ? { norefresh: true } : {}),
    ...(protocol === undefined ? {} : { proto: protocol as NonNullable<FdbPut['proto']> }),
  };
  if (await waitsForVlan(view, row, request)) {
    view.waiting.put(request);
    return;
  }
  await giveBridge(view, row);
  const op = isTunnel(row) && request.mac !== ZERO_MAC ? await opBeside(view, request, asked) : request.op;
  if (op !== null) await view.client.post('/v1/fdb', { ...request, op });
}

/** An entry of a VNI that no VLAN of the device is mapped to. */
async function waitsForVlan(view: View, row: LinkRow, request: FdbPut): Promise<boolean> {
  const vni = ownVni(request);
  if (row.vlan_tunnel !== true || vni === undefined) return false;
  return !mappedVnis(await view.client.get('/v1/vlans'), row.ifname)(vni);
}

const isTunnel = ({ type }: LinkRow): boolean => type === 'vxlan' || type === 'geneve';

/**
 * The kernel has two tables where a switch has one: that of the bridge ("master") and that of the vxlan device ("self"). Scripts
 * fill both for one MAC: the half that says the remote is the entry, whichever comes first.
 * @returns null: the entry is there already
 */
async function opBeside(
  view: View,
  { op, mac, dev, dst, nhid }: FdbPut,
  asked: Neighbour,
): Promise<FdbPut['op'] | null> {
  const there = await view.client.get(`/v1/fdb?mac=${mac}&dev=${encodeURIComponent(dev)}` as '/v1/fdb');
  const far = there.filter((entry) => entry.dst !== undefined || entry.nhid !== undefined);
  const saysRemote = dst !== undefined || nhid !== undefined;
  const isMaster = (asked.flags & NTF.MASTER) !== 0;
  if (isMaster && !saysRemote && far.some(({ state }) => state !== 'dynamic')) return null;
  if (saysRemote && op === 'add' && there.length > 0 && far.length === 0) return 'replace';
  return op;
}

async function deleteOf(view: View, asked: Neighbour, row: LinkRow): Promise<FdbDelete> {
  return { op: 'del', ...(await keyOf(view, asked, row)) };
}

/** Bits of a flush: only those of the mask are meant. */
const bit = (mask: number | undefined, value: number, of: number): boolean | undefined =>
  ((mask ?? 0) & of) === 0 ? undefined : (value & of) !== 0;

function flushOf(asked: Neighbour, row: LinkRow): FdbFlush {
  const states: FdbState[] = [];
  const [permanent, noarp] = [
    bit(asked.stateMask, asked.state, NUD.PERMANENT),
    bit(asked.stateMask, asked.state, NUD.NOARP),
  ];
  // A permanent entry of the kernel is static, too (fdb_to_nud; BR_FDB_LOCAL comes with BR_FDB_STATIC): "nostatic" leaves it.
  if (permanent !== false && noarp !== false) states.push('permanent');
  if (permanent !== true && noarp !== false) states.push('static');
  if (permanent !== true && noarp !== true) states.push('dynamic');
  const flag = (of: number): boolean | undefined => bit(asked.flagsMask, asked.flags, of);
  const flags = {
    extern_learn: flag(NTF.EXT_LEARNED),
    sticky: flag(NTF.STICKY),
    router: flag(NTF.ROUTER),
    offloaded: flag(NTF.OFFLOADED),
  };
  const given = {
    vlan: asked.vlan,
    vni: asked.vni,
    src_vni: asked.srcVni,
    dst: asked.dst,
    port: asked.port,
    nhid: asked.nhid,
    ...flags,
  };
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const place = row.type === 'bridge' ? { br: row.ifname } : { dev: row.ifname };
  return { op: 'flush', ...place, state: states, ...said };
}
