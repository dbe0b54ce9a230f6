/** RTM_GETLINK: one link, or the kernel's links and the switch's. */
import type { LinkRow, VlansAnswer } from '../api/api.js';
import { type Attribute, AttributeMap, writeAttributes } from '../netlink/attributes.js';
import { dumpEnd, type Message, NLM_F, writeMessage } from '../netlink/message.js';
import { AF, IFINFO_BYTES, IFLA, INFO, readIfinfo, RTM } from '../netlink/rtnetlink.js';
import { linkOf } from './kernel.js';
import { bridgePayload, devicePayload, linkPayload } from './link-messages.js';
import { deviceOf, type View } from './view.js';
import { bridgeSpec, EXT_MASK, instanceSpec, isInAfBridge } from './vlan-messages.js';

/** A message of an answer to `request`. */
export function answerMessage(view: View, request: Message, type: number, payload: Buffer, flags = 0): Buffer {
  return writeMessage({ type, flags, seq: request.seq, pid: view.caller.portid, payload });
}

/** What the kernel answers to a dump, for the same program; empty where it refuses. */
export async function kernelPart(view: View, request: Message): Promise<Buffer[]> {
  const { messages } = await view.kernel.request(request.type, request.flags, request.payload);
  return messages.map(({ type, payload }) => answerMessage(view, request, type, payload, NLM_F.MULTI));
}

export const isDump = ({ flags }: Message): boolean => (flags & NLM_F.DUMP) === NLM_F.DUMP;

/** @returns the answer; null: it is the kernel's affair */
export async function getLink(view: View, request: Message): Promise<Buffer[] | null> {
  const head = readIfinfo(request.payload);
  const given = new AttributeMap(request.payload.subarray(IFINFO_BYTES));
  if (isDump(request)) return head.family === AF.BRIDGE ? dumpBridges(view, request, given) : dumpLinks(view, request);
  const name = given.text(IFLA.IFNAME) ?? given.text(IFLA.ALT_IFNAME);
  const row =
    head.index > 0 ? await view.byIndex(head.index) : name === undefined ? undefined : await view.byName(name);
  if (row === undefined) return null;
  const withCounters = ((given.u32(IFLA.EXT_MASK) ?? 0) & EXT_MASK.SKIP_STATS) === 0;
  return [answerMessage(view, request, RTM.NEWLINK, await payloadOf(view, await view.current(row), withCounters))];
}

/** As the kernel would tell a link, or as a whole. */
async function payloadOf(view: View, row: LinkRow, withCounters: boolean): Promise<Buffer> {
  const device = await view.device(row);
  if (device !== undefined) return devicePayload(view, row, device);
  if (!withCounters) return linkPayload(view, row);
  const { links } = await view.client.get('/v1/stats');
  return linkPayload(view, row, links[row.ifname]);
}

async function dumpLinks(view: View, request: Message): Promise<Buffer[]> {
  const rows = await view.links();
  // The kernel would filter by what it knows.
  const given = new AttributeMap(request.payload.subarray(IFINFO_BYTES));
  const kept = given.all.filter(({ type }) => type !== IFLA.MASTER && type !== IFLA.LINKINFO);
  const payload = Buffer.concat([request.payload.subarray(0, IFINFO_BYTES), writeAttributes(kept)]);
  const { messages, last } = await view.kernel.request(RTM.GETLINK, request.flags, payload);
  await view.kernel.links();
  const out: Buffer[] = [];
  const isWanted = filterOf(given);
  const tell = (own: Buffer): void => {
    if (isWanted(own)) out.push(answerMessage(view, request, RTM.NEWLINK, own, NLM_F.MULTI));
  };
  const told = new Set<LinkRow>();
  for (const message of messages) {
    const link = linkOf(message);
    const row = rows.find((one) => deviceOf(one) === link.name);
    if (row !== undefined) told.add(row);
    tell(row === undefined ? message.payload : await devicePayload(view, row, link));
  }
  const { links } = await view.client.get('/v1/stats');
  for (const row of rows) {
    if (told.has(row)) continue;
    tell(await linkPayload(view, row, links[row.ifname]));
  }
  return [...out, writeMessage({ ...last, seq: request.seq, pid: view.caller.portid })];
}

/** Kinds that no kernel lacks a name for here; by another one the kernel does not filter, and the program does. */
const KINDS: readonly string[] = [
  'bridge',
  'vxlan',
  'geneve',
  'veth',
  'tun',
  'vlan',
  'dummy',
  'vrf',
  'bond',
  'macvlan',
];
/** As an index: links without a master. */
const NO_MASTER = 0xffff_ffff;

/** By master and kind, as link_dump_filtered() of the kernel: programs leave an empty object in JSON for each link too many. */
function filterOf(given: AttributeMap): (payload: Buffer) => boolean {
  const master = given.u32(IFLA.MASTER) ?? 0;
  const kind = given.nested(IFLA.LINKINFO)?.text(INFO.KIND);
  const wanted = kind !== undefined && KINDS.includes(kind) ? kind : undefined;
  if (master === 0 && wanted === undefined) return () => true;
  return (payload) => {
    const own = new AttributeMap(payload.subarray(IFINFO_BYTES));
    const isOfMaster = master === 0 || (own.u32(IFLA.MASTER) ?? NO_MASTER) === master;
    return isOfMaster && (wanted === undefined || own.nested(IFLA.LINKINFO)?.text(INFO.KIND) === wanted);
  };
}

/** Of family AF_BRIDGE: ports of bridges, and with a mask of VLANs the bridges too. */
async function dumpBridges(view: View, request: Message, given: AttributeMap): Promise<Buffer[]> {
  const mask = given.u32(IFLA.EXT_MASK) ?? 0;
  const { messages } = await view.kernel.request(RTM.GETLINK, request.flags, request.payload);
  await view.kernel.links();
  const out = messages.map(({ type, payload }) => answerMessage(view, request, type, payload, NLM_F.MULTI));
  const withVlans = (mask & (EXT_MASK.VLANS | EXT_MASK.VLANS_COMPRESSED)) !== 0;
  const asked = withVlans || (mask & EXT_MASK.MST) !== 0;
  const vlans = asked ? await view.client.get('/v1/vlans') : undefined;
  for (const row of await view.links()) {
    if (!isInAfBridge(row, withVlans)) continue;
    const spec = vlans === undefined ? undefined : specOf(row, vlans, mask);
    out.push(answerMessage(view, request, RTM.NEWLINK, await bridgePayload(view, row, spec), NLM_F.MULTI));
  }
  return [...out, dumpEnd(request, view.caller.portid)];
}

/** The attributes of IFLA_AF_SPEC that a mask (RTEXT_FILTER_*) asks for. */
function specOf(row: LinkRow, vlans: VlansAnswer, mask: number): Attribute[] {
  const isCompressed = (mask & EXT_MASK.VLANS_COMPRESSED) !== 0;
  const ofVlans = isCompressed || (mask & EXT_MASK.VLANS) !== 0 ? bridgeSpec(row, vlans, isCompressed) : [];
  return (mask & EXT_MASK.MST) === 0 ? ofVlans : [...ofVlans, ...instanceSpec(row, vlans)];
}
