/** Options of a bridge (IFLA_BR_*) and of its ports (IFLA_BRPORT_*), in the order of linux/if_link.h. */
import { unsupported } from './fault.js';
import { bytesOf, choice, fixed, flag, key, number, numberOf, type Options, type Row } from './option-table.js';

const ignored = (attr: number, word: string, value: Buffer): Row => ({ attr, word, value, ignored: true });
const shown = (attr: number, value: (row: Options) => Buffer): Row => ({ attr, value });

/** Priority 0x8000 and the MAC, as the kernel's bridge without STP. */
function bridgeId(row: Options): Buffer {
  const mac = Buffer.from(String(row.address ?? '').replaceAll(':', ''), 'hex');
  return Buffer.concat([Buffer.from([0x80, 0]), mac, Buffer.alloc(6)]).subarray(0, 8);
}

/** `8000.02:00:00:00:00:01`, of a bridge with a spanning tree. */
function identifierOf(id: unknown): Buffer | null {
  return typeof id === 'string' ? Buffer.from(id.replaceAll(/[.:]/g, ''), 'hex') : null;
}

/** A flag in a word of four bytes; the kernel has 2 for a tree that a daemon runs. */
const wideFlag = {
  read: (value: Buffer): boolean => numberOf(4, value) !== 0,
  write: (value: unknown): Buffer => bytesOf(4, value === true ? 1 : 0),
};

const PROTOCOLS = { '802.1Q': 0x8100, '802.1ad': 0x88a8 };

/** Keys by bits of IFLA_BR_MULTI_BOOLOPT (linux/if_bridge.h). */
const MULTI_KEYS = [
  'no_linklocal_learn',
  'mcast_vlan_snooping',
  'mst_enabled',
  'mdb_offload_fail_notification',
  'fdb_local_vlan_0',
] as const;
const MULTI_KNOWN: readonly string[] = ['mcast_vlan_snooping', 'mst_enabled', 'fdb_local_vlan_0'];

/** `struct br_boolopt_multi`: values, and which of them are meant. */
function multiBytes(row: Options): Buffer {
  const bits = MULTI_KEYS.reduce((sum, name, bit) => sum | (row[name] === true ? 1 << bit : 0), 0);
  return Buffer.concat([bytesOf(4, bits), bytesOf(4, (1 << MULTI_KEYS.length) - 1)]);
}

export const BRIDGE_OPTIONS: readonly Row[] = [
  key(1, 'forward_delay', number(4), 1500),
  key(2, 'hello_time', number(4), 200),
  key(3, 'max_age', number(4), 2000),
  key(4, 'ageing_time', number(4, 100), 300),
  key(5, 'stp_state', wideFlag, false),
  key(6, 'priority', number(2), 0x8000),
  key(7, 'vlan_filtering', flag, false),
  key(8, 'vlan_protocol', choice(PROTOCOLS, 'be16'), '802.1Q'),
  key(9, 'group_fwd_mask', number(2), 0),
  shown(10, (row) => identifierOf(row.root_id) ?? bridgeId(row)),
  shown(11, (row) => identifierOf(row.bridge_id) ?? bridgeId(row)),
  shown(12, () => bytesOf(2, 0)),
  shown(13, ({ root_path_cost }) => bytesOf(4, Number(root_path_cost ?? 0))),
  shown(14, () => bytesOf(1, 0)),
  shown(15, () => bytesOf(1, 0)),
  shown(16, () => bytesOf(8, 0)),
  shown(17, () => bytesOf(8, 0)),
  shown(18, () => bytesOf(8, 0)),
  shown(19, () => bytesOf(8, 0)),
  fixed(20, 'group_address', Buffer.from('0180c2000000', 'hex')),
  fixed(22, 'mcast_router', bytesOf(1, 1)),
  key(23, 'mcast_snooping', flag, true),
  key(24, 'mcast_query_use_ifaddr', flag, false),
  key(25, 'mcast_querier', flag, false),
  ignored(26, 'mcast_hash_elasticity', bytesOf(4, 16)),
  key(27, 'mcast_hash_max', number(4), 4096),
  key(28, 'mcast_last_member_count', number(4), 2),
  key(29, 'mcast_startup_query_count', number(4), 2),
  key(30, 'mcast_last_member_interval', number(8), 100),
  key(31, 'mcast_membership_interval', number(8), 26_000),
  key(32, 'mcast_querier_interval', number(8), 25_500),
  key(33, 'mcast_query_interval', number(8), 12_500),
  key(34, 'mcast_query_response_interval', number(8), 1000),
  key(35, 'mcast_startup_query_interval', number(8), 3125),
  fixed(36, 'nf_call_iptables', bytesOf(1, 0)),
  fixed(37, 'nf_call_ip6tables', bytesOf(1, 0)),
  fixed(38, 'nf_call_arptables', bytesOf(1, 0)),
  key(39, 'vlan_default_pvid', number(2), 1),
  ignored(41, 'vlan_stats_enabled', bytesOf(1, 0)),
  ignored(42, 'mcast_stats_enabled', bytesOf(1, 0)),
  key(43, 'mcast_igmp_version', number(1), 2),
  key(44, 'mcast_mld_version', number(1), 1),
  ignored(45, 'vlan_stats_per_port', bytesOf(1, 0)),
  shown(46, multiBytes),
  shown(48, ({ fdb_n_learned }) => bytesOf(4, Number(fdb_n_learned ?? 0))),
  key(49, 'fdb_max_learned', number(4), 0),
];

/** Attributes of a bridge that `BRIDGE_OPTIONS` does not read. */
export const BRIDGE_FDB_FLUSH = 21;
export const BRIDGE_MULTI_BOOLOPT = 46;

/** Of a request: the keys that are meant. @throws NetlinkFault for one that a switch has not, and that is switched on */
export function readMultiOptions(value: Buffer): Record<string, boolean> {
  const [bits, mask] = [numberOf(4, value), value.length >= 8 ? value.readUInt32LE(4) : 0];
  const options: Record<string, boolean> = {};
  for (let bit = 0; bit < 32; bit++) {
    const word = MULTI_KEYS[bit] ?? `option ${bit}`;
    if (((mask >>> bit) & 1) === 0) continue;
    const isOn = ((bits >>> bit) & 1) === 1;
    if (MULTI_KNOWN.includes(word)) options[word] = isOn;
    else if (isOn) throw unsupported(`overtap has no ${word} on a bridge; leave this option out`);
  }
  return options;
}

/** The kernel's states. A port without carrier is disabled. */
export const STATES = ['disabled', 'listening', 'learning', 'forwarding', 'blocking'];

function stateOf({ operstate, state }: Options): Buffer {
  const known = STATES.indexOf(String(state));
  return bytesOf(1, operstate !== 'UP' ? 0 : known >= 0 ? known : 3);
}

export const PORT_OPTIONS: readonly Row[] = [
  shown(1, stateOf),
  key(2, 'priority', number(2), 32),
  key(3, 'cost', number(4), 2),
  key(4, 'hairpin', flag, false),
  key(5, 'bpdu_guard', flag, false),
  key(6, 'root_block', flag, false),
  key(7, 'mcast_fast_leave', flag, false),
  key(8, 'learning', flag, true),
  key(9, 'flood', flag, true),
  fixed(10, 'proxy_arp', bytesOf(1, 0)),
  fixed(12, 'proxy_arp_wifi', bytesOf(1, 0)),
  shown(13, (row) => bridgeId({ address: row.master_address })),
  shown(14, (row) => bridgeId({ address: row.master_address })),
  shown(15, ({ port_no }) => bytesOf(2, 0x8000 | Number(port_no ?? 1))),
  shown(16, () => bytesOf(2, 0)),
  shown(17, ({ port_no }) => bytesOf(2, 0x8000 | Number(port_no ?? 1))),
  shown(18, ({ port_no }) => bytesOf(2, Number(port_no ?? 1))),
  shown(19, () => bytesOf(1, 0)),
  shown(20, () => bytesOf(1, 0)),
  shown(21, () => bytesOf(8, 0)),
  shown(22, () => bytesOf(8, 0)),
  shown(23, () => bytesOf(8, 0)),
  key(25, 'mcast_router', number(1), 1),
  key(27, 'mcast_flood', flag, true),
  key(28, 'mcast_to_unicast', flag, false),
  key(29, 'vlan_tunnel', flag, false),
  key(30, 'bcast_flood', flag, true),
  key(31, 'group_fwd_mask', number(2), 0),
  key(32, 'neigh_suppress', flag, false),
  key(33, 'isolated', flag, false),
  shown(37, () => bytesOf(4, 512)),
  shown(38, () => bytesOf(4, 0)),
  key(39, 'locked', flag, false),
  key(40, 'mab', flag, false),
  shown(41, ({ mcast_n_groups }) => bytesOf(4, Number(mcast_n_groups ?? 0))),
  key(42, 'mcast_max_groups', number(4), 0),
  key(43, 'neigh_vlan_suppress', flag, false),
  key(44, 'backup_nhid', number(4), 0),
  key(45, 'neigh_forward_grat', flag, false),
];

export const PORT_FLUSH = 24;
/** An interface index; 0: none. */
export const PORT_BACKUP_PORT = 34;
export const PORT_STATE = 1;
export const PORT_VLAN_TUNNEL = 29;
