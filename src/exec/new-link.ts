/** RTM_NEWLINK, RTM_SETLINK and RTM_DELLINK of `ip link`: links that are added, changed and deleted. */
import type { LinkOptions, LinkRow } from '../api/api.js';
import { macText } from '../netlink/addresses.js';
import { type Attribute, AttributeMap, writeAttributes } from '../netlink/attributes.js';
import { ERRNO, NetlinkFault, unsupported } from '../netlink/fault.js';
import { acknowledgement, type Message, NLM_F, writeMessage } from '../netlink/message.js';
import { IFF, IFINFO_BYTES, IFLA, INFO } from '../netlink/rtnetlink.js';
import { giveHostPort, setDeviceDown } from './host-device.js';
import { bridgeOptions, portOptions, vxlanOptions } from './link-options.js';
import { type LinkRequestParts, nameOf, partsOf } from './link-request.js';
import { changePort } from './port-change.js';
import { deviceOf, hiddenBridgeOf, refuseHiddenName, type View } from './view.js';
import { addVlanDevice } from './vlan-device.js';

/** What the switch can do nothing about, and need not: names of groups, queues' lengths. */
const HARMLESS: readonly number[] = [IFLA.TXQLEN, IFLA.GROUP, IFLA.NUM_TX_QUEUES, IFLA.NUM_RX_QUEUES, IFLA.EXT_MASK];
/** What names the link. */
const NAMING: readonly number[] = [IFLA.IFNAME, IFLA.ALT_IFNAME];

export const done = (view: View, request: Message): Buffer[] => [acknowledgement(request, view.caller.portid)];

/** @returns null: the link is the kernel's */
export async function newLink(view: View, request: Message): Promise<Buffer[] | null> {
  const parts = partsOf(request);
  const row = await rowOf(view, parts);
  if (row === undefined && (request.flags & NLM_F.CREATE) !== 0) {
    const added = await addLink(view, parts);
    if (added !== null) return added;
  }
  if (row !== undefined && (request.flags & NLM_F.EXCL) !== 0) throw new NetlinkFault('', ERRNO.EEXIST);
  return row === undefined ? changeKernelLink(view, parts) : changeLink(view, parts, row);
}

async function rowOf(view: View, parts: LinkRequestParts): Promise<LinkRow | undefined> {
  if (parts.head.index > 0) return view.byIndex(parts.head.index);
  const name = nameOf(parts);
  return name === undefined ? undefined : view.byName(name);
}

// ---- Adding ----

async function addLink(view: View, parts: LinkRequestParts): Promise<Buffer[] | null> {
  const { request, kind } = parts;
  if (kind === 'vlan') return addVlanDevice(view, parts);
  if (kind !== 'bridge' && kind !== 'vxlan' && kind !== 'tap') return null;
  const name = nameOf(parts);
  if (name === undefined || name === '') throw new NetlinkFault('give the link a name: ip link add NAME type ...');
  refuseHiddenName(name);
  if ((await view.kernel.byName(name)) !== undefined) throw new NetlinkFault('', ERRNO.EEXIST);
  const master = await masterOf(view, parts);
  view.waiting.forget(name);
  const up = (parts.head.flags & IFF.UP) !== 0;
  await view.post({
    op: 'add',
    name,
    type: kind,
    ...(typeof master === 'string' ? { master } : {}),
    // A vxlan device of the kernel may have an address that the host has not yet, as one of IPv6 that is still looked for twice.
    ...(kind === 'vxlan' ? { waits: true } : {}),
    options: {
      ...(await kindOptions(view, parts, kind)),
      ...nicOptions(parts, kind),
      up,
    },
  });
  const options = kind === 'vxlan' ? ownNic(parts.given) : {};
  const added = options.mac === undefined ? undefined : await view.byName(name);
  if (added !== undefined) await giveHostPort(view, added, options);
  if (!up) await setDeviceDown(view, name);
  return done(view, request);
}

async function kindOptions(view: View, { info }: LinkRequestParts, kind: string): Promise<LinkOptions> {
  const data = info?.nested(INFO.DATA) ?? new AttributeMap(Buffer.alloc(0));
  if (kind === 'bridge') return { host_port: true, ...bridgeOptions(data) };
  return kind === 'vxlan' ? vxlanOptions(view, data) : {};
}

/** MAC and MTU: of the link's device. @param kind a vxlan device without a host port has neither */
function nicOptions({ given }: LinkRequestParts, kind: string): LinkOptions {
  const refused = given.all.find(({ type }) => !KNOWN.includes(type));
  if (refused !== undefined)
    throw unsupported(`overtap has no attribute ${refused.type} of a link; leave this option out`);
  if (kind === 'vxlan') return {};
  const mac = given.bytes(IFLA.ADDRESS);
  const mtu = given.u32(IFLA.MTU);
  return { ...(mac === undefined ? {} : { mac: macText(mac) }), ...(mtu === undefined ? {} : { mtu }) };
}

const KNOWN: readonly number[] = [
  ...NAMING,
  ...HARMLESS,
  IFLA.LINKINFO,
  IFLA.MASTER,
  IFLA.ADDRESS,
  IFLA.MTU,
  IFLA.AF_SPEC,
];

/** The bridge that a request names; null: none from now on; undefined: it says nothing of one, or one of the kernel's. */
async function masterOf(view: View, { given }: LinkRequestParts): Promise<string | null | undefined> {
  const index = given.u32(IFLA.MASTER);
  if (index === undefined) return undefined;
  if (index === 0) return null;
  const row = await view.byIndex(index);
  if (row === undefined) return undefined;
  if (row.type !== 'bridge') throw unsupported(`${row.ifname} is no bridge; give the bridge as master`);
  return row.ifname;
}

// ---- Changing ----

/** A device that is no link of the switch: it may become a port. */
async function changeKernelLink(view: View, parts: LinkRequestParts): Promise<Buffer[] | null> {
  const master = await masterOf(view, parts);
  if (typeof master !== 'string') return null;
  const { request, info } = parts;
  const rest = parts.given.all.filter(({ type }) => type !== IFLA.MASTER);
  const failed = await kernelPart(view, parts, rest);
  if (failed !== null) return failed;
  const name = parts.head.index > 0 ? (await view.kernel.byIndex(parts.head.index))?.name : nameOf(parts);
  if (name === undefined) throw new NetlinkFault('no such link', ERRNO.ENODEV);
  const slave = info?.nested(INFO.SLAVE_DATA);
  const options = slave === undefined ? {} : await portOptions(view, slave);
  await view.post({ op: 'add', name, type: 'netdev', master, options });
  return done(view, request);
}

/** Gives the kernel what is its own. @returns its refusal; null: done, or nothing was to be done */
async function kernelPart(
  view: View,
  parts: LinkRequestParts,
  attributes: readonly Attribute[],
): Promise<Buffer[] | null> {
  const { request, head } = parts;
  const says = attributes.some(({ type }) => !NAMING.includes(type) && type !== IFLA.EXT_MASK);
  if (!says && head.change === 0 && (request.flags & NLM_F.CREATE) === 0) return null;
  const payload = Buffer.concat([request.payload.subarray(0, IFINFO_BYTES), writeAttributes(attributes)]);
  const { errno, last } = await view.kernel.request(request.type, request.flags, payload);
  view.kernel.changed();
  return errno === 0 ? null : [writeMessage({ ...last, seq: request.seq, pid: view.caller.portid })];
}

async function changeLink(view: View, parts: LinkRequestParts, row: LinkRow): Promise<Buffer[] | null> {
  const { request, given, head } = parts;
  const device = await view.device(row);
  const isOwn = row.type !== 'netdev';
  refuseMove(parts, row, device?.name ?? row.ifname);
  if (!isOwn && device !== undefined) {
    const failed = await kernelPart(
      view,
      parts,
      given.all.filter(({ type }) => type !== IFLA.MASTER && !isSlave(parts, type)),
    );
    if (failed !== null) return failed;
  } else if (device !== undefined) {
    const mine: readonly number[] = [IFLA.MASTER, IFLA.LINKINFO, IFLA.MTU, IFLA.ADDRESS];
    const failed = await kernelPart(
      view,
      parts,
      given.all.filter(({ type }) => !mine.includes(type)),
    );
    if (failed !== null) return failed;
  } else refuseUnknown(given);
  const options: Record<string, unknown> = {
    ...(await givenOptions(view, parts, row)),
    ...(isOwn && device !== undefined ? ownNic(given) : {}),
  };
  if (row.type === 'vxlan' && device === undefined && given.has(IFLA.ADDRESS))
    await giveHostPort(view, row, ownNic(given));
  if (isOwn && (head.change & IFF.UP) !== 0) options.up = (head.flags & IFF.UP) !== 0;
  // An interface that goes to another namespace leaves its bridge, as in the kernel.
  await changePort(view, row, isMoved(given) ? null : await masterOf(view, parts), options);
  return done(view, request);
}

/** IFLA_LINKINFO says something of a port of a bridge, not of the device. */
const isSlave = ({ info }: LinkRequestParts, type: number): boolean =>
  type === IFLA.LINKINFO && info?.has(INFO.SLAVE_DATA) === true;

const isMoved = (given: AttributeMap): boolean => given.has(IFLA.NET_NS_FD) || given.has(IFLA.NET_NS_PID);

/** A device under another name, or in another namespace, would be one that no command finds as the link. @param present its name */
function refuseMove({ given }: LinkRequestParts, row: LinkRow, present: string): void {
  const isOwn = row.type !== 'netdev';
  if (isOwn && isMoved(given)) {
    throw unsupported(
      `${row.ifname} belongs to the switch and stays in its namespace; a port of type tap takes "netns"`,
    );
  }
  const name = given.text(IFLA.IFNAME);
  if (name === undefined || name === present) return;
  throw unsupported(
    isOwn
      ? `overtap renames no link; delete ${row.ifname} and add it under the other name`
      : `${row.ifname} is a port of ${row.master ?? 'the switch'}; take it out before you rename it: ip link set ${row.ifname} nomaster`,
  );
}

function refuseUnknown(given: AttributeMap): void {
  const refused = given.all.find(({ type }) => !KNOWN.includes(type));
  if (refused !== undefined)
    throw unsupported(`overtap has no attribute ${refused.type} of a link; leave this option out`);
}

function ownNic(given: AttributeMap): LinkOptions {
  const mac = given.bytes(IFLA.ADDRESS);
  const mtu = given.u32(IFLA.MTU);
  return { ...(mac === undefined ? {} : { mac: macText(mac) }), ...(mtu === undefined ? {} : { mtu }) };
}

async function givenOptions(view: View, { info, kind }: LinkRequestParts, row: LinkRow): Promise<LinkOptions> {
  const slave = info?.nested(INFO.SLAVE_DATA);
  if (slave !== undefined) {
    if (row.master === undefined) throw new NetlinkFault(`${row.ifname} is no port of a bridge`);
    return portOptions(view, slave, row);
  }
  const data = info?.nested(INFO.DATA);
  if (data === undefined || kind === undefined) return {};
  if (kind !== row.type) {
    if (row.type === 'netdev') return {};
    throw unsupported(`${row.ifname} is of type ${row.type}, not ${kind}`);
  }
  return kind === 'bridge' ? bridgeOptions(data) : kind === 'vxlan' ? vxlanOptions(view, data, row) : {};
}

// ---- Deleting ----

/** @returns null: the link is the kernel's */
export async function deleteLink(view: View, request: Message): Promise<Buffer[] | null> {
  const parts = partsOf(request);
  const row = await rowOf(view, parts);
  if (row === undefined) return null;
  if (row.type === 'netdev' && (await view.device(row)) !== undefined) {
    const failed = await kernelPart(view, { ...parts, head: { ...parts.head, change: 1 } }, parts.given.all);
    if (failed !== null) return failed;
  }
  await removeLink(view, row);
  return done(view, request);
}

export async function removeLink(view: View, row: LinkRow): Promise<void> {
  for (const name of await goneWith(view, row)) {
    await view.post({ op: 'del', name });
    view.waiting.forget(name);
  }
}

/** A bridge gives its interfaces back, as the kernel's does; and what was added on top of it goes too. */
async function goneWith(view: View, row: LinkRow): Promise<string[]> {
  const hidden = hiddenBridgeOf(row);
  if (row.type !== 'bridge') return [row.ifname, ...(hidden === undefined ? [] : [hidden])];
  const ports = (await view.links()).filter(({ master }) => master === row.ifname);
  const gone = ports.filter((port) => port.type === 'netdev' || isVlanDevice(port, row));
  return [...gone.map(({ ifname }) => ifname), row.ifname];
}

const isVlanDevice = (port: LinkRow, bridge: LinkRow): boolean =>
  port.type === 'tap' && deviceOf(port) !== undefined && port.ifname.startsWith(`${bridge.ifname}.`);
