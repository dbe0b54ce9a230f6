/** Events of a switch as messages of rtnetlink's groups: `ip monitor` and `bridge monitor`. */
import type { EventEntry, MdbRow, SwitchEvent } from '../api/api.js';
import { NUD, NTF, writeNeighbour } from '../netlink/neigh.js';
import { writeMessage } from '../netlink/message.js';
import { AF, IFF, readIfinfo, RTM, writeIfinfo } from '../netlink/rtnetlink.js';
import { stringAttribute, writeAttributes } from '../netlink/attributes.js';
import type { Caller, Conversation } from './exchange.js';
import { datagrams, WORD } from './exchange.js';
import { Kernel } from './kernel.js';
import { bridgePayload, devicePayload, linkPayload } from './link-messages.js';
import { groupsOf, placesOf } from './mdb.js';
import { type RangeWatch, vlanWatch, vniWatch } from './range-watch.js';
import type { Switches } from './switches.js';
import { deviceOf, View, virtualIndex } from './view.js';

/** RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_MDB, RTNLGRP_BRVLAN and RTNLGRP_TUNNEL (linux/rtnetlink.h). */
const GROUP = { LINK: 1, NEIGH: 3, MDB: 26, BRVLAN: 33, TUNNEL: 35 } as const;
const KINDS = {
  [GROUP.LINK]: ['link'],
  [GROUP.NEIGH]: ['learned', 'moved', 'aged', 'deleted', 'added', 'changed'],
  [GROUP.MDB]: ['mdb'],
  // A change of its VLANs is one of the link.
  [GROUP.BRVLAN]: ['link'],
  [GROUP.TUNNEL]: ['link'],
} as const;

type Group = keyof typeof KINDS;
const isGroup = (group: number): group is Group => group in KINDS;
const IFNAME = 3;
/** Bytes of events that wait for a program, as one that is stopped; beyond that they are lost, as from the kernel. */
const MAX_UNREAD = 1024 * 1024;

/** Sends events of the group until the program has gone. */
export async function bringEvents(
  switches: Pick<Switches, 'of'>,
  caller: Caller,
  groups: Buffer,
  conversation: Pick<Conversation, 'ask' | 'say' | 'unread'>,
  gone: AbortSignal,
): Promise<void> {
  const group = groups.length >= 4 ? groups.readUInt32LE(0) : 0;
  if (!isGroup(group)) return;
  const here = await switches.of(caller.netns);
  if (here === undefined) return;
  const view = (): View => new View(here.client, new Kernel(conversation), caller, here.links);
  const watch = watchOf(group);
  await watch?.begin(view());
  for await (const event of here.client.events(gone, { kinds: [...KINDS[group]] })) {
    if (conversation.unread > MAX_UNREAD) continue;
    const messages = watch === null ? await messagesOf(view(), event) : await watch.messagesOf(view(), event);
    for (const message of messages) if (message !== null) conversation.say(WORD.ANSWER, datagrams([message]));
  }
}

/** What has to be compared with what was there before; null: events say all. */
const watchOf = (group: Group): RangeWatch | null =>
  group === GROUP.BRVLAN ? vlanWatch() : group === GROUP.TUNNEL ? vniWatch() : null;

async function messagesOf(view: View, event: SwitchEvent): Promise<(Buffer | null)[]> {
  if (event.event === 'link') return linkMessages(view, event);
  if (event.event === 'mdb') return [await groupMessage(view, event)];
  if (!('state' in event) || !('mac' in event)) return [];
  const isGone = event.event === 'aged' || event.event === 'deleted';
  return [await neighMessage(view, event, isGone ? RTM.DELNEIGH : RTM.NEWNEIGH)];
}

const told = (type: number, payload: Buffer): Buffer => writeMessage({ type, flags: 0, seq: 0, pid: 0, payload });

/** The link itself, and a port of a bridge once more of family AF_BRIDGE, as the kernel tells them. */
async function linkMessages(view: View, event: Extract<SwitchEvent, { event: 'link' }>): Promise<Buffer[]> {
  if (event.change === 'deleted') return goneMessages(view, event.ifname, event.type);
  const row = (await view.links()).find(({ ifname }) => ifname === event.ifname);
  if (row === undefined) return [];
  const device = await view.device(row);
  // A device of another namespace is not of this one.
  if (device === undefined && deviceOf(row) !== undefined) return [];
  const own = device === undefined ? await linkPayload(view, row) : await devicePayload(view, row, device);
  const ofBridge = row.master === undefined ? [] : [told(RTM.NEWLINK, await bridgePayload(view, row))];
  return [told(RTM.NEWLINK, own), ...ofBridge];
}

const isTunnel = (type: string): boolean => type === 'vxlan' || type === 'geneve';

/** The end of a device is told by the kernel; an interface that was attached goes on without its bridge. */
async function goneMessages(view: View, ifname: string, type: string): Promise<Buffer[]> {
  const name = stringAttribute(IFNAME, ifname);
  if (isTunnel(type)) {
    const own = writeIfinfo({ index: virtualIndex(ifname), flags: IFF.BROADCAST | IFF.MULTICAST });
    return [told(RTM.DELLINK, Buffer.concat([own, writeAttributes([name])]))];
  }
  const device = type === 'netdev' ? await view.kernel.byName(ifname) : undefined;
  if (device === undefined) return [];
  const { index, message } = device;
  const ofBridge = writeIfinfo({ family: AF.BRIDGE, index, flags: readIfinfo(message.payload).flags });
  return [told(RTM.DELLINK, Buffer.concat([ofBridge, writeAttributes([name])])), told(RTM.NEWLINK, message.payload)];
}

/** What has gone is told as the event has it. */
async function groupMessage(view: View, event: Extract<SwitchEvent, { event: 'mdb' }>): Promise<Buffer | null> {
  const dev = (await view.links()).find(({ ifname }) => ifname === event.dev);
  if (dev === undefined) return null;
  const gone: MdbRow = { ...event, state: 'temp', protocol: 'unspec', flags: [] };
  const isSame = (row: MdbRow): boolean =>
    row.dev === event.dev &&
    row.port === event.port &&
    row.grp === event.grp &&
    row.vid === event.vid &&
    row.dst === event.dst &&
    (event.src === undefined || row.src === event.src) &&
    (event.src_vni === undefined || row.src_vni === event.src_vni);
  const there = event.change === 'added' ? (await view.client.get('/v1/mdb')).mdb.find(isSame) : undefined;
  const facts = { mdb: [there ?? gone], router: [] };
  const [payload] = groupsOf(dev, facts, await placesOf(view));
  const type = event.change === 'added' ? RTM.NEWMDB : RTM.DELMDB;
  return payload === undefined ? null : writeMessage({ type, flags: 0, seq: 0, pid: 0, payload });
}

async function neighMessage(view: View, entry: EventEntry, type: number): Promise<Buffer | null> {
  const index = await view.indexOfName(entry.ifname);
  if (index === 0) return null;
  const master = await view.indexOfName(entry.master);
  const state = entry.state === 'permanent' ? NUD.PERMANENT : entry.state === 'static' ? NUD.NOARP : NUD.REACHABLE;
  const payload = writeNeighbour({
    family: AF.BRIDGE,
    index,
    ...(entry.dst === undefined && master !== 0 ? { master } : {}),
    state,
    flags: entry.dst === undefined ? 0 : NTF.SELF,
    mac: entry.mac,
    dst: entry.dst,
    vlan: entry.vlan,
  });
  return writeMessage({ type, flags: 0, seq: 0, pid: 0, payload });
}
