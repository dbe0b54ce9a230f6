/**
 * The zod schemas of the configuration file: one strict object for each kind of mapping in it.
 *
 * Owns which keys there are and what a value must be by itself. Nested mappings and list items stay unknown here:
 * `../read/decode.ts` descends into them one by one, so that a fault in one place hides none in another. Defaults are filled in
 * by `../resolve.ts`, rules across values are in `../rules/`.
 */
import { z } from 'zod';
import { expected, value } from '../../values/value.js';

function mapping(what: string) {
  return z.record(z.string(), z.unknown(), { error: expected(`a mapping of ${what}`) });
}

function object<T extends z.ZodRawShape>(what: string, shape: T) {
  return z.strictObject(shape, { error: expected(what) });
}

export const SWITCH = object('a mapping with the key "bridges"', {
  name: value.switchName.optional(),
  control: value.socketPath.optional(),
  workers: value.workers.optional(),
  busy_poll: value.microseconds.optional(),
  offloads: mapping('offloads to true or false').optional(),
  fdb_size: value.fdbSize.optional(),
  bridges: mapping('bridge names to bridges; {} for none'),
  // Ports that belong to no bridge.
  ports: mapping('port names to ports').nullable().optional(),
});

export const OFFLOADS = object('a mapping of offloads', {
  tso: value.flag.optional(),
  udp_segment: value.flag.optional(),
  tunnel_gso: value.flagOrAuto.optional(),
  udp_gro: value.flag.optional(),
  vnet_header: value.flag.optional(),
});

/** What a TAP port takes, and a link with `host_port: true` for the TAP that stands for the host. */
const nic = {
  mac: value.nicMac.optional(),
  addresses: value.list('addresses such as [192.0.2.1/24]').optional(),
  mtu: value.mtu.optional(),
  persist: value.flag.optional(),
};

export const NIC_KEYS = ['mac', 'addresses', 'mtu', 'persist'] as const;

const vlanList = value.list('VLAN memberships such as [{ vid: 2 }]').optional();

export const BRIDGE = object('a mapping of bridge options', {
  up: value.flag.optional(),
  vlan_filtering: value.flag.optional(),
  vlan_default_pvid: value.pvid.optional(),
  ageing_time: value.seconds.optional(),
  fdb_max_learned: value.count.optional(),
  group_fwd_mask: value.groupForwardMask.optional(),
  mcast_snooping: value.flag.optional(),
  mac_move_limit: value.count.optional(),
  host_port: value.flag.optional(),
  // Of the host port.
  vlans: vlanList,
  mdb: value.list('multicast groups such as { port: tap0, grp: 239.1.1.1 }').optional(),
  // Of the bridge itself.
  fdb: value.list('FDB entries').optional(),
  ...nic,
  // "ports:" with nothing after it is a bridge without ports.
  ports: mapping('port names to ports').nullable().optional(),
});

const anyPort = {
  vlans: vlanList,
  up: value.flag.optional(),
  learning: value.flag.optional(),
  flood: value.flag.optional(),
  mcast_flood: value.flag.optional(),
  bcast_flood: value.flag.optional(),
  isolated: value.flag.optional(),
  locked: value.flag.optional(),
  neigh_suppress: value.flag.optional(),
  neigh_vlan_suppress: value.flag.optional(),
  storm_limit: mapping('limits such as { broadcast: 1000 }').optional(),
  mcast_router: value.mcastRouter.optional(),
  mcast_fast_leave: value.flag.optional(),
  fdb: value.list('FDB entries').optional(),
  ...nic,
};

export const TAP = object('a mapping of port options', {
  type: z.literal('tap'),
  netns: value.netns.optional(),
  ifname: value.netdev.optional(),
  ...anyPort,
});

const remoteList = value.list('addresses such as [192.0.2.2]').optional();

export const VXLAN = object('a mapping of port options', {
  type: z.literal('vxlan'),
  local: value.vtepIp.optional(),
  dev: value.netdev.optional(),
  group: value.groupText.optional(),
  dstport: value.udpPort.optional(),
  vlan_tunnel: value.flag.optional(),
  id: value.vni.optional(),
  remotes: remoteList,
  peers: remoteList,
  srcport: z
    .tuple([value.udpPort, value.udpPort], { error: expected('two UDP ports such as [32768, 61000]') })
    .optional(),
  ttl: value.ttl.optional(),
  tos: value.tos.optional(),
  df: value.choice(['unset', 'set', 'inherit']).optional(),
  udpcsum: value.flag.optional(),
  ageing: value.seconds.optional(),
  maxaddress: value.count.optional(),
  proxy: value.flag.optional(),
  rsc: value.flag.optional(),
  l2miss: value.flag.optional(),
  l3miss: value.flag.optional(),
  host_port: value.flag.optional(),
  neigh: value.list('bindings such as { dst: 198.18.0.3, lladdr: "02:00:00:00:00:01" }').optional(),
  accept_vteps: value.choice(['known', 'any']).optional(),
  reserved_bits: value.choice(['ignore', 'drop']).optional(),
  inner_vlan: value.choice(['drop', 'keep']).optional(),
  ...anyPort,
});

export const VLAN = object('a VLAN membership such as { vid: 2 }', {
  vid: value.vids,
  pvid: value.flag.optional(),
  untagged: value.flag.optional(),
  neigh_suppress: value.flag.optional(),
  tunnel_info: value.vnis.optional(),
  remotes: remoteList,
});

export const STORM_LIMIT = object('a mapping of limits', {
  broadcast: value.framesPerSecond.optional(),
  unknown_unicast: value.framesPerSecond.optional(),
  multicast: value.framesPerSecond.optional(),
});

export const FDB_ENTRY = object('an FDB entry such as { mac: "02:00:00:00:00:01" }', {
  mac: value.mac,
  vlan: value.vid.optional(),
  vni: value.vni.optional(),
  src_vni: value.vni.optional(),
  dst: value.vtepIp.optional(),
  port: value.udpPort.optional(),
  state: value.choice(['static', 'permanent', 'dynamic']).optional(),
  sticky: value.flag.optional(),
  extern_learn: value.flag.optional(),
});

export const NEIGH_ENTRY = object('a binding such as { dst: 198.18.0.3, lladdr: "02:00:00:00:00:01" }', {
  dst: value.ip,
  lladdr: value.nicMac,
  vlan: value.vid.optional(),
  vni: value.vni.optional(),
  router: value.flag.optional(),
});

export const MDB_ENTRY = object('a multicast group such as { port: tap0, grp: 239.1.1.1 }', {
  port: value.linkText,
  grp: value.groupText,
  vid: value.vid.optional(),
  dst: value.ip.optional(),
});

/** Only to find out which of the two a port is. */
export const PORT_TYPE = value.choice(['tap', 'vxlan']);
/** Only to refuse what is no mapping. */
export const PORT = mapping('port options');
