/** RTM_SETLINK and RTM_DELLINK of family AF_BRIDGE: `bridge link set`, `bridge mst set`, `bridge vlan add` and `bridge vlan del`. */
import type { LinkRow, MstRequest, VlanRequest } from '../api/api.js';
import { SwitchRefused } from '../client/client.js';
import { AttributeMap } from '../netlink/attributes.js';
import { NetlinkFault, unsupported } from '../netlink/fault.js';
import { acknowledgement, type Message } from '../netlink/message.js';
import { IFINFO_BYTES, IFLA, readIfinfo, RTM } from '../netlink/rtnetlink.js';
import { portOptions } from './link-options.js';
import { changePort } from './port-change.js';
import { settle } from './settle.js';
import type { View } from './view.js';
import { PORT_STATES } from '../values/port-state.js';
import { BRIDGE_SPEC, MST, MST_ENTRY, TUNNEL, VLAN_FLAG } from './vlan-messages.js';

/** Of BRIDGE_SPEC.FLAGS. */
const SELF = 2;
const MASTER = 1;
/** VLANs of one request. */
const MAX_ITEMS = 4096;

/** @returns null: the port is the kernel's */
export async function changeBridge(view: View, request: Message): Promise<Buffer[] | null> {
  const { index } = readIfinfo(request.payload);
  const row = await view.byIndex(index);
  if (row === undefined) return null;
  const given = new AttributeMap(request.payload.subarray(IFINFO_BYTES));
  const spec = given.nested(IFLA.AF_SPEC);
  const options = given.nested(IFLA.PROTINFO);
  const flags = spec?.u16(BRIDGE_SPEC.FLAGS) ?? 0;
  if (options !== undefined) await changeOptions(view, row, options, flags);
  if (spec?.has(BRIDGE_SPEC.MODE) === true) throw unsupported('overtap has no hwmode; leave it out');
  const op = request.type === RTM.DELLINK ? 'del' : 'add';
  for (const change of [...readVlans(spec, op, row), ...readInstances(spec, row)]) await carryOut(view, change);
  if (op === 'add') await settle(view, row);
  return [acknowledgement(request, view.caller.portid)];
}

async function carryOut(view: View, change: VlanRequest | MstRequest): Promise<void> {
  try {
    await view.client.post('/v1/vlans', change);
  } catch (error) {
    // br_vlan_info() of the kernel: a VLAN that is not there is deleted without a word. Scripts rely on it with VLAN 1.
    const isAway = change.op === 'del' && error instanceof SwitchRefused && error.code === 'not_found';
    if (!isAway) throw error;
  }
}

async function changeOptions(view: View, row: LinkRow, given: AttributeMap, flags: number): Promise<void> {
  // As the kernel: "self" alone is for the device, which is no bridge port's affair.
  if ((flags & (SELF | MASTER)) === SELF && row.type !== 'vxlan') throw unsupported('give "master" instead of "self"');
  if (row.master === undefined) throw new NetlinkFault(`${row.ifname} is no port of a bridge`);
  await changePort(view, row, undefined, await portOptions(view, given, row));
}

/** VLANs and tunnels, ranges put together from their two ends. */
export function readVlans(spec: AttributeMap | undefined, op: 'add' | 'del', { ifname }: LinkRow): VlanRequest[] {
  const changes: VlanRequest[] = [];
  let begin: { flags: number; vid: number } | undefined;
  let tunnelBegin: { vid: number; tunid: number } | undefined;
  for (const { type, value } of (spec?.all ?? []).slice(0, MAX_ITEMS)) {
    if (type === BRIDGE_SPEC.VLAN_INFO) {
      const info = readVlanInfo(value);
      if ((info.flags & VLAN_FLAG.RANGE_BEGIN) !== 0) begin = info;
      else changes.push(membership(op, ifname, info, begin));
      if ((info.flags & VLAN_FLAG.RANGE_BEGIN) === 0) begin = undefined;
    } else if (type === BRIDGE_SPEC.TUNNEL_INFO) {
      const info = readTunnelInfo(value);
      if ((info.flags & VLAN_FLAG.RANGE_BEGIN) !== 0) tunnelBegin = info;
      else {
        changes.push(mapping(op, ifname, info, tunnelBegin));
        tunnelBegin = undefined;
      }
    }
  }
  if (begin !== undefined || tunnelBegin !== undefined) throw new NetlinkFault('a range of VLANs has no end');
  return changes;
}

/** States of the port in instances of the spanning tree: `bridge mst set`. */
export function readInstances(spec: AttributeMap | undefined, { ifname }: LinkRow): MstRequest[] {
  const entries = spec?.nested(BRIDGE_SPEC.MST)?.all ?? [];
  return entries.slice(0, MAX_ITEMS).flatMap(({ type, value }): MstRequest[] => {
    if (type !== MST_ENTRY) return [];
    const given = new AttributeMap(value);
    const [msti, state] = [given.u16(MST.MSTI), PORT_STATES[given.u8(MST.STATE) ?? -1]];
    if (msti === undefined || state === undefined) throw new NetlinkFault('give an instance and a state from 0 to 4');
    return [{ op: 'mst', dev: ifname, msti, state }];
  });
}

function membership(
  op: 'add' | 'del',
  dev: string,
  { flags, vid }: { flags: number; vid: number },
  begin: { vid: number } | undefined,
): VlanRequest {
  if (((flags & VLAN_FLAG.RANGE_END) !== 0) !== (begin !== undefined))
    throw new NetlinkFault('a range has no beginning');
  const range = begin === undefined ? { vid } : { vid: begin.vid, vidEnd: vid };
  if (op === 'del') return { op, dev, ...range };
  return { op, dev, ...range, pvid: (flags & VLAN_FLAG.PVID) !== 0, untagged: (flags & VLAN_FLAG.UNTAGGED) !== 0 };
}

function mapping(
  op: 'add' | 'del',
  dev: string,
  { vid, tunid, flags }: { vid: number; tunid: number; flags: number },
  begin: { vid: number; tunid: number } | undefined,
): VlanRequest {
  if (((flags & VLAN_FLAG.RANGE_END) !== 0) !== (begin !== undefined))
    throw new NetlinkFault('a range has no beginning');
  if (begin === undefined) return { op, dev, vid, tunid };
  return { op, dev, vid: begin.vid, vidEnd: vid, tunid: begin.tunid, tunidEnd: tunid };
}

function readVlanInfo(value: Buffer): { flags: number; vid: number } {
  if (value.length < 4) throw new NetlinkFault('a VLAN is too short');
  return { flags: value.readUInt16LE(0), vid: value.readUInt16LE(2) };
}

function readTunnelInfo(value: Buffer): { flags: number; vid: number; tunid: number } {
  const given = new AttributeMap(value);
  const [vid, tunid] = [given.u16(TUNNEL.VID), given.u32(TUNNEL.ID)];
  if (vid === undefined || tunid === undefined) throw new NetlinkFault('tunnel_info needs a VLAN and a VNI');
  return { vid, tunid, flags: given.u16(TUNNEL.FLAGS) ?? 0 };
}
