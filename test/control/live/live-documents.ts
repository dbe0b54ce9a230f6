/**
 * Random options and documents of a switch, for fast-check. Names and numbers come from small pools, so that changes collide
 * with existing values.
 */
import fc from 'fast-check';
import { type Raw, readConfig } from './live-config.js';
import { faultOf } from './live-rules.js';
import { FDB_SIZE } from './live-switch.js';

export const BRIDGES = ['br1', 'br2'];
export const TAPS = ['t1', 't2', 't3'];
export const VXLANS = ['v1', 'v2'];
export const REMOTES = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];
export const UNICAST = ['02:00:00:00:00:0a', '02:00:00:00:00:0b', '02:00:00:00:00:0c'];
export const GROUP = '01:00:5e:00:00:05';
export const ZERO = '00:00:00:00:00:00';
/** Of host ports, and of TAPs. */
export const OWN = ['02:00:00:00:01:01', '02:00:00:00:01:02'];
export const VIDS = [1, 2, 3, 4];
/** Of a VLAN at a port: those that differ for frames. */
export const STATES = ['blocking' as const, 'learning' as const, 'forwarding' as const];
/** VNIs of `vlan_tunnel` ports, and of ports with one. */
export const VNIS = [11, 12, 13, 14, 22, 23, 50, 51];

// ---- Options

type Option = readonly [key: string, value: unknown];

const SLAVE: Option[] = [
  ['learning', false],
  ['flood', false],
  ['mcast_flood', false],
  ['bcast_flood', false],
  ['isolated', true],
  ['locked', true],
  ['mab', true],
  ['mab', true],
  ['group_fwd_mask', 0x4000],
  ['up', false],
  ['state', 'blocking'],
  ['state', 'learning'],
  ['storm_limit', { broadcast: 1_000_000 }],
  ['mcast_router', 0],
  ['mcast_to_unicast', true],
  ['mcast_max_groups', 3],
  ['mss_clamp', 'auto'],
  ['mirror_ports', ['tap1']],
  ['arp_guard', ['198.18.0.0/16', '::/0']],
  ['allowed_macs', [...UNICAST, ...OWN, '02:00:00:00:0f:01']],
  ['trusted', true],
  ['cost', 7],
  ['priority', 3],
  ['bpdu_guard', true],
  ['edge', 'on'],
  ['stp', false],
  ['cvlan_map', ['10-19:2', '20:3']],
  ['police_in', { pkts_rate: 1_000_000 }],
  ['police_out', { rate: 100_000_000_000, burst: 1_000_000_000 }],
];
const NIC: Option[] = [
  ['mac', OWN[0]],
  ['mac', OWN[1]],
  ['mtu', 1400],
  ['persist', true],
  ['addresses', ['198.18.0.1/24']],
];
export const OPTIONS: Record<'bridge' | 'tap' | 'vxlan', Option[]> = {
  bridge: [
    ['vlan_filtering', true],
    ['vlan_filtering', true],
    ['vlan_filtering', true],
    ['vlan_default_pvid', 0],
    ['vlan_default_pvid', 2],
    ['ageing_time', 0],
    ['ageing_time', 60],
    ['fdb_max_learned', 1],
    ['group_fwd_mask', 0x4000],
    ['mcast_snooping', false],
    ['mcast_vlan_snooping', true],
    ['mcast_hash_max', 100],
    ['mac_move_limit', 2],
    ['dhcp_guard', true],
    ['ra_guard', true],
    ['loop_guard', false],
    ['stp_state', true],
    ['stp_version', 'stp'],
    ['priority', 4096],
    ['forward_delay', 400],
    ['host_port', true],
    ['host_port', true],
    ...NIC,
  ],
  tap: [...SLAVE, ...NIC, ['hairpin', true], ['ifname', 'nic0'], ['netns', '/proc/self/ns/net']],
  vxlan: [
    ...SLAVE,
    ...NIC,
    ['id', 50],
    ['id', 11],
    ['vlan_tunnel', true],
    ['vlan_tunnel', false],
    ['local', '192.0.2.100'],
    ['dstport', 4790],
    ['remotes', [REMOTES[0]]],
    ['remotes', [REMOTES[0], REMOTES[1]]],
    ['peers', [REMOTES[2]]],
    ['ttl', 9],
    ['tos', 8],
    ['srcport', [40_000, 40_001]],
    ['df', 'set'],
    ['ageing', 50],
    ['maxaddress', 1],
    ['accept_vteps', 'any'],
    ['inner_vlan', 'keep'],
    ['host_port', true],
    ['host_port', true],
  ],
};

/** Options that a link of a document may well have: nothing that hangs on others. */
const plain = (type: 'bridge' | 'tap' | 'vxlan'): Option[] =>
  OPTIONS[type].filter((option) => !NIC.includes(option) && !['id', 'vlan_tunnel', 'ifname'].includes(option[0]));

export const some = (options: Option[], maxLength: number): fc.Arbitrary<Raw> =>
  fc.subarray(options, { maxLength }).map((chosen) => withLock(Object.fromEntries(chosen)));

/** A port whose guests ask to be let in is locked, and learns who asks: without these most would be refused. */
function withLock(options: Raw): Raw {
  if (options.mab !== true) return options;
  const { learning: _, ...rest } = options;
  return { ...rest, locked: true };
}

/** A few options, or the default of one. */
export const changed = (type: 'bridge' | 'tap' | 'vxlan'): fc.Arbitrary<Raw> =>
  fc.oneof(
    { weight: 3, arbitrary: some(OPTIONS[type], 2) },
    { weight: 1, arbitrary: fc.constantFrom(...OPTIONS[type]).map(([key]) => ({ [key]: null })) },
  );

export const oneOf = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
export const rarely = <T>(arbitrary: fc.Arbitrary<T>, freq = 4): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq });
/** What is left of an object without its keys that say nothing. */
export function without<T>(value: object): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}

// ---- Documents

const entry = fc.record({
  mac: oneOf(...UNICAST),
  vlan: rarely(oneOf(1, 2, 3)),
  dst: oneOf(...REMOTES),
  port: rarely(oneOf(4789, 9999)),
  state: rarely(oneOf('static' as const, 'permanent' as const, 'dynamic' as const)),
  sticky: rarely(fc.constant(true)),
  extern_learn: rarely(fc.constant(true)),
  many: rarely(oneOf(ZERO, GROUP)),
});

/** An entry's fields, fit for its port; null: it would have no place. */
function entryFor(
  { many, mac, dst, port, ...rest }: typeof entry extends fc.Arbitrary<infer T> ? T : never,
  isTap: boolean,
  isFiltering: boolean,
): Raw {
  const { vlan, ...how } = rest;
  const place = isFiltering ? { vlan } : {};
  const given = isTap ? { mac, ...place, ...how } : { mac: many ?? mac, dst, port, ...place, ...how };
  return without(given);
}

const body = fc.record({
  home: oneOf('absent', 'br1', 'br1', 'br1', 'br2', 'none'),
  tap: some(plain('tap'), 2),
  vxlan: some(plain('vxlan'), 3),
  id: oneOf(0, 0, 0, 0, 11),
  vlans: rarely(
    fc.array(
      fc.record({
        vid: oneOf(...VIDS),
        pvid: fc.boolean(),
        untagged: fc.boolean(),
        isolated: rarely(fc.boolean(), 2),
        state: rarely(oneOf(...STATES), 4),
      }),
      { maxLength: 3 },
    ),
    1,
  ),
  mapped: fc.subarray([2, 3, 4], { minLength: 1 }),
  ownRemotes: rarely(oneOf(...REMOTES)),
  entries: fc.array(entry, { maxLength: 2 }),
});
type Body = typeof body extends fc.Arbitrary<infer T> ? T : never;

function membersOf({ vlans }: Body): Raw[] | undefined {
  if (vlans === undefined) return undefined;
  const once = vlans.filter(({ vid }, at) => vlans.findIndex((other) => other.vid === vid) === at);
  const pvid = once.find((vlan) => vlan.pvid)?.vid;
  return once.map((vlan) => without({ ...vlan, pvid: vlan.vid === pvid }));
}

function portOf(name: string, fields: Body, isFiltering: boolean, isMaster: boolean): Raw {
  const fdb = isMaster ? fields.entries.map((one) => entryFor(one, TAPS.includes(name), isFiltering)) : [];
  const list = fdb.length === 0 ? {} : { fdb };
  const vlans = membersOf(fields);
  if (TAPS.includes(name)) return without({ type: 'tap', ...fields.tap, vlans, ...list });
  const own0 = name === 'v1' ? 50 : 51;
  if (!isFiltering)
    return without({ type: 'vxlan', id: fields.id === 0 ? own0 : fields.id, ...fields.vxlan, vlans, ...list });
  const own = fields.ownRemotes === undefined ? {} : { remotes: [fields.ownRemotes] };
  const base = name === 'v1' || fields.id !== 0 ? 10 : 20;
  const mapped = fields.mapped.map((vid) => ({ vid, tunnel_info: vid + base, ...own }));
  return { type: 'vxlan', vlan_tunnel: true, ...fields.vxlan, vlans: mapped, ...list };
}

/** Documents, most of them sound. */
export const document: fc.Arbitrary<Raw> = fc
  .record({
    br1: some(plain('bridge'), 4),
    br2: rarely(some(plain('bridge'), 3), 2),
    ports: fc.tuple(...[...TAPS, ...VXLANS].map(() => body)),
  })
  .map(({ br1, br2, ports }) => {
    const bridges: Record<string, Raw & { ports: Raw }> = { br1: { ...br1, ports: {} } };
    if (br2 !== undefined) bridges.br2 = { ...br2, ports: {} };
    const free: Raw = {};
    for (const [at, name] of [...TAPS, ...VXLANS].entries()) {
      const fields = ports[at];
      const home = bridges[fields.home];
      if (fields.home === 'absent') continue;
      if (home === undefined) free[name] = portOf(name, fields, false, false);
      else home.ports[name] = portOf(name, fields, home.vlan_filtering === true, true);
    }
    return withoutBadEntries({ name: 'live', fdb_size: FDB_SIZE, bridges, ports: free });
  });

/** Leaves out the entries that have no place. */
function withoutBadEntries(made: Raw): Raw {
  const bodies = Object.values(made.bridges as Record<string, { ports: Record<string, Raw> }>);
  for (const one of bodies.flatMap(({ ports }) => Object.values(ports))) {
    const { fdb } = one;
    if (fdb === undefined) continue;
    one.fdb = [];
    for (const entry of fdb as Raw[]) {
      (one.fdb as Raw[]).push(entry);
      if (faultOf(readConfig(made)) !== null) (one.fdb as Raw[]).pop();
    }
    if ((one.fdb as Raw[]).length === 0) delete one.fdb;
  }
  return made;
}

/** One without links. */
export const EMPTY: Raw = { name: 'live', fdb_size: FDB_SIZE, bridges: {} };
