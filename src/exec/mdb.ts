/** RTM_*MDB: `bridge mdb`, of bridges and of vxlan devices. */
import type { LinkRow, MdbAnswer, MdbRequest, MdbRow } from '../api/api.js';
import { ERRNO, NetlinkFault, unsupported } from '../netlink/fault.js';
import { type GroupFacts, type GroupRequest, readGroup, type RouterFacts, writeGroups } from '../netlink/mdb.js';
import { acknowledgement, dumpEnd, type Message, NLM_F } from '../netlink/message.js';
import { IFF, readIfinfo, RTM } from '../netlink/rtnetlink.js';
import { answerMessage, isDump, kernelPart } from './listing.js';
import { giveBridge } from './own-bridge.js';
import { protocolCode, protocolName } from './protocols.js';
import type { View } from './view.js';

/** @returns null: the bridge is the kernel's */
export async function changeGroup(view: View, request: Message): Promise<Buffer[] | null> {
  const asked = readGroup(request.payload);
  const dev = asked.bridge === 0 ? undefined : await view.byIndex(asked.bridge);
  if (dev === undefined) return null;
  if (dev.type !== 'bridge' && dev.type !== 'vxlan')
    throw unsupported(`${dev.ifname} has no groups; give the bridge or a vxlan device as dev`);
  if (request.type === RTM.NEWMDB) await giveBridge(view, dev);
  const isFlush = (request.flags & NLM_F.BULK) !== 0 && request.type === RTM.DELMDB;
  const change = isFlush ? await flushOf(view, asked, dev) : await requestOf(view, request, asked, dev);
  await view.client.post('/v1/mdb', change);
  return [acknowledgement(request, view.caller.portid)];
}

/** What an entry of a vxlan device has beside its group. */
const tunnelOf = ({ dst, dstPort, vni, srcVni }: GroupRequest) => ({
  ...(dst === undefined ? {} : { dst }),
  ...(dstPort === undefined ? {} : { dst_port: dstPort }),
  ...(vni === undefined ? {} : { vni }),
  ...(srcVni === undefined ? {} : { src_vni: srcVni }),
});

function protocolOf({ protocol }: GroupRequest): { proto?: string } {
  if (protocol === undefined) return {};
  return { proto: protocolName(protocol) ?? String(protocol) };
}

async function requestOf(
  view: View,
  { type, flags }: Message,
  asked: GroupRequest,
  { ifname, type: kind }: LinkRow,
): Promise<MdbRequest> {
  const via = asked.via === undefined ? undefined : (await view.kernel.byIndex(asked.via))?.name;
  if (asked.via !== undefined && via === undefined) throw new NetlinkFault('there is no such device', ERRNO.ENODEV);
  const port = await view.need(asked.port);
  const key = {
    dev: ifname,
    port: port.ifname,
    grp: asked.group,
    ...(asked.vid === 0 ? {} : { vid: asked.vid }),
    ...(asked.source === undefined ? {} : { src: asked.source }),
    ...tunnelOf(asked),
    ...(via === undefined ? {} : { via }),
  };
  if (type === RTM.DELMDB) return { op: 'del', ...key };
  if (kind === 'bridge' && asked.port === asked.bridge) refuseOfHost(asked);
  // As the kernel (br_mdb_add), which has no timers of a port that is down; a vxlan device is its own port.
  else if (!asked.permanent && port.type !== 'vxlan' && !(await isRunning(view, port)))
    throw new NetlinkFault('Port is in disabled state and entry is not permanent');
  return {
    op: (flags & NLM_F.REPLACE) !== 0 ? 'replace' : 'add',
    ...key,
    state: asked.permanent ? 'permanent' : 'temp',
    ...(asked.mode === undefined ? {} : { filter_mode: asked.mode }),
    ...(asked.sources === undefined || asked.sources.length === 0 ? {} : { source_list: [...asked.sources] }),
    ...protocolOf(asked),
  };
}

/** The kernel's device tells at once whether it has a carrier. */
async function isRunning(view: View, port: LinkRow): Promise<boolean> {
  const device = await view.device(port);
  if (device === undefined) return port.operstate === 'UP';
  return (readIfinfo(device.message.payload).flags & IFF.RUNNING) !== 0;
}

const L2_GROUP = /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i;

/** What the kernel refuses for the bridge itself as member (br_mdb_config_init, br_mdb_add_group); the switch would take it. */
function refuseOfHost({ group, source, mode, sources, protocol, permanent }: GroupRequest): void {
  const isL2 = L2_GROUP.test(group);
  if (isL2 !== permanent)
    throw new NetlinkFault(
      isL2 ? 'Only permanent L2 entries allowed for the bridge itself' : 'Flags are not allowed for host groups',
    );
  const extra = [source, mode, protocol].some((one) => one !== undefined) || (sources ?? []).length > 0;
  if (extra) throw new NetlinkFault('Extra attributes are not allowed for host groups');
}

/** `bridge mdb flush`. */
async function flushOf(view: View, asked: GroupRequest, { ifname }: LinkRow): Promise<MdbRequest> {
  return {
    op: 'flush',
    dev: ifname,
    ...(asked.port === 0 ? {} : { port: (await view.need(asked.port)).ifname }),
    ...(asked.vid === 0 ? {} : { vid: asked.vid }),
    ...(asked.hasState ? { state: asked.permanent ? 'permanent' : 'temp' } : {}),
    ...protocolOf(asked),
    ...tunnelOf(asked),
  };
}

/** @returns null: the kernel's */
export async function getGroups(view: View, request: Message): Promise<Buffer[] | null> {
  if (!isDump(request)) return getGroup(view, request);
  const out = await kernelPart(view, request);
  const mdb = await view.client.get('/v1/mdb');
  const places = await placesOf(view);
  for (const row of await view.links()) {
    if (row.type !== 'bridge' && row.type !== 'vxlan') continue;
    for (const payload of groupsOf(row, mdb, places)) {
      out.push(answerMessage(view, request, RTM.NEWMDB, payload, NLM_F.MULTI));
    }
  }
  return [...out, dumpEnd(request, view.caller.portid)];
}

/** `bridge mdb get`. */
async function getGroup(view: View, request: Message): Promise<Buffer[] | null> {
  const asked = readGroup(request.payload);
  const dev = asked.bridge === 0 ? undefined : await view.byIndex(asked.bridge);
  if (dev === undefined) return null;
  const { mdb } = await view.client.get('/v1/mdb');
  const found = mdb.filter(
    (row) =>
      row.grp === asked.group &&
      (row.vid ?? 0) === asked.vid &&
      row.src === asked.source &&
      (asked.srcVni === undefined || row.src_vni === asked.srcVni),
  );
  const [payload] = groupsOf(dev, { mdb: found, router: [] }, await placesOf(view));
  if (payload === undefined || !found.some((row) => row.dev === dev.ifname))
    throw new NetlinkFault('there is no such group', ERRNO.ENOENT);
  return [answerMessage(view, request, RTM.NEWMDB, payload)];
}

/** Indices of links of the switch, and of the kernel's devices. */
export interface Places {
  readonly own: ReadonlyMap<string, number>;
  readonly devices: ReadonlyMap<string, number>;
}

export async function placesOf(view: View): Promise<Places> {
  const devices = new Map((await view.kernel.links()).map(({ name, index }) => [name, index]));
  const own = new Map<string, number>();
  for (const row of await view.links()) own.set(row.ifname, await view.indexOf(row));
  return { own, devices };
}

/** As the kernel: a bridge has a message even without groups; a vxlan device with groups alone. */
export function groupsOf(link: LinkRow, { mdb, router }: MdbAnswer, places: Places): Buffer[] {
  const { ifname, type } = link;
  const groups = mdb
    .filter(({ dev }) => dev === ifname)
    .map((row) => (hasSources(link, row) ? factsOf(row, places) : withoutSources(factsOf(row, places))));
  const routers = router
    .filter(({ dev }) => dev === ifname)
    .map(
      (row): RouterFacts => ({
        port: places.own.get(row.port) ?? 0,
        permanent: row.type === 'permanent',
        vid: row.vid,
        timer: row.timer,
      }),
    );
  if (groups.length === 0 && type !== 'bridge') return [];
  return writeGroups(places.own.get(ifname) ?? 0, groups, routers);
}

/** As the kernel, which tells sources of a bridge whose version of IGMP or MLD has them (__mdb_fill_info). */
function hasSources({ type, mcast_igmp_version, mcast_mld_version }: LinkRow, { grp }: MdbRow): boolean {
  if (type !== 'bridge') return true;
  return grp.includes(':') ? mcast_mld_version === 2 : mcast_igmp_version === 3;
}

const withoutSources = ({ mode: _mode, sources: _sources, ...facts }: GroupFacts): GroupFacts => facts;

function factsOf(row: MdbRow, { own, devices }: Places): GroupFacts {
  return {
    port: own.get(row.port) ?? 0,
    permanent: row.state === 'permanent',
    vid: row.vid,
    group: row.grp,
    source: row.src,
    mode: row.filter_mode,
    sources: row.source_list,
    protocol: protocolCode(row.protocol),
    starExclude: row.flags.includes('added_by_star_ex'),
    blocked: row.flags.includes('blocked'),
    timer: row.timer,
    dst: row.dst,
    dstPort: row.dst_port,
    vni: row.vni,
    srcVni: row.src_vni,
    via: row.via === undefined ? undefined : devices.get(row.via),
  };
}
