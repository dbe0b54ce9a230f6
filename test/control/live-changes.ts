/**
 * Random changes of a switch, and random documents, for fast-check; and how they are printed. Names and numbers come from
 * small pools, so that changes meet each other. Some changes ask for what cannot be.
 */
import fc from 'fast-check';
import { commandText, formatLinkAdd, formatLinkSet } from '../../src/config/option-words.js';
import type { FdbRequest, LinkRequest, VlanRequest } from '../../src/control/api.js';
import { type Raw, readConfig } from './live-config.js';
import type { Change } from './live-model.js';
import { faultOf } from './live-rules.js';
import { FDB_SIZE } from './live-switch.js';

export const BRIDGES = ['br1', 'br2'];
export const TAPS = ['t1', 't2', 't3'];
export const VXLANS = ['v1', 'v2'];
export const REMOTES = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];
export const UNICAST = ['02:00:00:00:00:0a', '02:00:00:00:00:0b', '02:00:00:00:00:0c'];
export const GROUP = '01:00:5e:00:00:05';
const ZERO = '00:00:00:00:00:00';
/** Of host ports, and of TAPs. */
export const OWN = ['02:00:00:00:01:01', '02:00:00:00:01:02'];
export const VIDS = [1, 2, 3, 4];
/** VNIs of `vlan_tunnel` ports, and of ports with one. */
export const VNIS = [11, 12, 13, 14, 22, 23, 50, 51];

/**
 * A step of a sequence. `failIn`: opening so many devices from now fails; 0: none. `aim`: the change is turned to what is
 * there when its turn comes (`live-aim.ts`), which of it the number says; 0: it is carried out as it stands.
 */
export type Step =
  | { kind: 'change'; change: Change; failIn: number; wrong: boolean; aim: number }
  | { kind: 'wait'; seconds: number };

export interface Sequence {
  document: Raw;
  workers: number;
  steps: Step[];
  /** Chooses the probes. */
  seed: number;
}

// ---- Options

type Option = readonly [key: string, value: unknown];

const SLAVE: Option[] = [
  ['learning', false],
  ['flood', false],
  ['mcast_flood', false],
  ['bcast_flood', false],
  ['isolated', true],
  ['locked', true],
  ['up', false],
  ['storm_limit', { broadcast: 1_000_000 }],
  ['mcast_router', 0],
];
const NIC: Option[] = [
  ['mac', OWN[0]],
  ['mac', OWN[1]],
  ['mtu', 1400],
  ['persist', true],
  ['addresses', ['198.18.0.1/24']],
];
const OPTIONS: Record<'bridge' | 'tap' | 'vxlan', Option[]> = {
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
    ['mac_move_limit', 2],
    ['host_port', true],
    ['host_port', true],
    ...NIC,
  ],
  tap: [...SLAVE, ...NIC, ['ifname', 'nic0'], ['netns', '/proc/self/ns/net']],
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

const some = (options: Option[], maxLength: number): fc.Arbitrary<Raw> =>
  fc.subarray(options, { maxLength }).map((chosen) => Object.fromEntries(chosen));

/** A few options, or the default of one. */
const changed = (type: 'bridge' | 'tap' | 'vxlan'): fc.Arbitrary<Raw> =>
  fc.oneof(
    { weight: 3, arbitrary: some(OPTIONS[type], 2) },
    { weight: 1, arbitrary: fc.constantFrom(...OPTIONS[type]).map(([key]) => ({ [key]: null })) },
  );

const oneOf = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const rarely = <T>(arbitrary: fc.Arbitrary<T>, freq = 4): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq });
/** What is left of an object without its keys that say nothing. */
function without<T>(value: object): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}

/** Whether entries that are put in may move by learning, and age. */
const ROAMING = process.env.OVERTAP_ROAMING !== undefined;

/** Keeps an entry where it is put. */
function lasting(entry: Raw, isTap: boolean): Raw {
  if (ROAMING || entry.state === 'permanent') return entry;
  return isTap ? { ...entry, state: 'static', sticky: true } : { ...entry, state: 'static' };
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
  return without(lasting(given, isTap));
}

const body = fc.record({
  home: oneOf('absent', 'br1', 'br1', 'br1', 'br2', 'none'),
  tap: some(plain('tap'), 2),
  vxlan: some(plain('vxlan'), 3),
  id: oneOf(0, 0, 0, 0, 11),
  vlans: rarely(
    fc.array(fc.record({ vid: oneOf(...VIDS), pvid: fc.boolean(), untagged: fc.boolean() }), { maxLength: 3 }),
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
  return once.map((vlan) => ({ vid: vlan.vid, pvid: vlan.vid === pvid, untagged: vlan.untagged }));
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

// ---- Requests

const names = { bridge: BRIDGES, tap: TAPS, vxlan: VXLANS };
const type = oneOf('bridge' as const, 'tap' as const, 'tap' as const, 'vxlan' as const, 'vxlan' as const);

const linkAdd: fc.Arbitrary<LinkRequest> = type.chain((kind) =>
  fc
    .record({
      name: oneOf(...names[kind]),
      master: rarely(oneOf(...BRIDGES), 2),
      options: some(OPTIONS[kind], 2),
      carries: oneOf<Raw>({ id: 50 }, { id: 11 }, { vlan_tunnel: true }, { vlan_tunnel: true }),
    })
    .map(({ carries, ...rest }) =>
      without({
        op: 'add' as const,
        type: kind,
        ...rest,
        ...(kind === 'bridge' ? { master: undefined } : {}),
        options: kind === 'vxlan' ? { ...rest.options, ...carries } : rest.options,
      }),
    ),
);

const linkSet: fc.Arbitrary<LinkRequest> = type.chain((kind) =>
  fc
    .record({
      name: oneOf(...names[kind]),
      master: kind === 'bridge' ? fc.constant(undefined) : rarely(oneOf(...BRIDGES, null), 2),
      options: fc.oneof({ weight: 3, arbitrary: changed(kind) }, { weight: 1, arbitrary: fc.constant({}) }),
    })
    .map((rest) => without({ op: 'set' as const, ...rest })),
);

const linkDel: fc.Arbitrary<LinkRequest> = oneOf(...BRIDGES, ...TAPS, ...VXLANS).map((name) => ({ op: 'del', name }));

const vlan: fc.Arbitrary<VlanRequest> = fc
  .record({
    op: oneOf('add' as const, 'add' as const, 'del' as const),
    dev: oneOf(...TAPS, ...VXLANS, ...VXLANS, 'br1'),
    vid: oneOf(...VIDS),
    more: oneOf(0, 0, 0, 1, 2),
    pvid: rarely(fc.boolean(), 2),
    untagged: rarely(fc.boolean(), 2),
    tunnel: rarely(oneOf(10, 10, 10, 11), 2),
  })
  .map(({ vid, more, tunnel, dev, ...rest }) => {
    const maps = tunnel !== undefined && VXLANS.includes(dev);
    const end = more === 0 ? {} : { vidEnd: vid + more, ...(maps ? { tunidEnd: vid + tunnel + more } : {}) };
    return without({ dev, vid, ...rest, ...(maps ? { tunid: vid + tunnel } : {}), ...end });
  });

const place = {
  vlan: rarely(oneOf(1, 2, 3), 2),
  vni: rarely(oneOf(...VNIS), 4),
  port: rarely(oneOf(4789, 9999), 6),
};

const fdbEntry: fc.Arbitrary<FdbRequest> = fc
  .record({
    op: oneOf('add' as const, 'append' as const, 'replace' as const, 'del' as const),
    mac: oneOf(...UNICAST, ...UNICAST, ZERO, ZERO, GROUP, OWN[0]),
    dev: oneOf(...TAPS, ...VXLANS, ...VXLANS),
    other: rarely(oneOf('br1', 'v1@host'), 12),
    dst: rarely(oneOf(...REMOTES), 1),
    ...place,
    state: rarely(oneOf('static' as const, 'permanent' as const, 'dynamic' as const), 1),
    sticky: rarely(fc.constant(true)),
    extern_learn: rarely(fc.constant(true)),
  })
  .map(({ dst, vni, port, other, ...rest }) => {
    const isVxlan = VXLANS.includes(rest.dev);
    const remote = isVxlan && (rest.op !== 'del' || dst !== undefined) ? { dst: dst ?? REMOTES[0], vni, port } : {};
    const entry = { ...rest, ...remote, dev: other ?? rest.dev };
    return without(rest.op === 'del' ? entry : lasting({ state: 'permanent', ...without<Raw>(entry) }, !isVxlan));
  });

const fdbFlush: fc.Arbitrary<FdbRequest> = fc
  .record({
    dev: rarely(oneOf(...TAPS, ...VXLANS, 'br1'), 1),
    br: rarely(oneOf(...BRIDGES), 3),
    vlan: place.vlan,
    vni: place.vni,
    dst: rarely(oneOf(...REMOTES), 4),
    state: rarely(fc.subarray(['static' as const, 'permanent' as const, 'dynamic' as const], { minLength: 1 }), 2),
  })
  .map((rest) => without({ op: 'flush' as const, ...rest }));

/** What cannot be asked for, whatever the switch is like. */
const WRONG: Change[] = [
  { kind: 'link', request: { op: 'set', name: 't1', options: { mtu: 5 } } },
  { kind: 'link', request: { op: 'set', name: 'v1', options: { dstport: 0 } } },
  { kind: 'link', request: { op: 'set', name: 'br1', options: { nonsense: 1 } } },
  { kind: 'link', request: { op: 'set', name: 't1', options: { type: 'vxlan' } } },
  { kind: 'link', request: { op: 'add', name: 'much too long a name', type: 'tap' } },
  { kind: 'link', request: { op: 'add', name: '__proto__', type: 'tap' } },
  { kind: 'link', request: { op: 'add', name: 't9', type: 'tap', master: 'nobody' } },
  { kind: 'link', request: { op: 'add', name: 't9', type: 'tap', options: { netns: '/nowhere' } } },
  { kind: 'link', request: { op: 'set', name: 'v1', options: { local: '192.0.2.100', remotes: ['2001:db8::1'] } } },
  { kind: 'link', request: { op: 'del', name: 'nobody' } },
  { kind: 'vlan', request: { op: 'add', dev: 't1', vid: 4095 } },
  { kind: 'vlan', request: { op: 'add', dev: 't1', vid: 3, vidEnd: 2 } },
  { kind: 'vlan', request: { op: 'add', dev: 't1', vid: 2, tunid: 12 } },
  { kind: 'vlan', request: { op: 'add', dev: 'v1', vid: 2, vidEnd: 3, tunid: 12, tunidEnd: 14 } },
  { kind: 'fdb', request: { op: 'add', dev: 't1', mac: 'nonsense' } },
  { kind: 'fdb', request: { op: 'del', dev: 't1', mac: 'nonsense' } },
  { kind: 'fdb', request: { op: 'add', dev: 'nobody', mac: UNICAST[0] } },
  { kind: 'fdb', request: { op: 'flush', dev: 'nobody' } },
  { kind: 'fdb', request: { op: 'flush', br: 't1' } },
  { kind: 'apply', document: { ...EMPTY, workers: 7 } },
  { kind: 'apply', document: { ...EMPTY, bridges: { br1: { ports: { t1: { type: 'tun' } } } } } },
];

// ---- Sequences

const right: fc.Arbitrary<Change> = fc.oneof(
  { weight: 3, arbitrary: linkAdd.map((request): Change => ({ kind: 'link', request })) },
  { weight: 5, arbitrary: linkSet.map((request): Change => ({ kind: 'link', request })) },
  { weight: 1, arbitrary: linkDel.map((request): Change => ({ kind: 'link', request })) },
  { weight: 4, arbitrary: vlan.map((request): Change => ({ kind: 'vlan', request })) },
  { weight: 6, arbitrary: fdbEntry.map((request): Change => ({ kind: 'fdb', request })) },
  { weight: 2, arbitrary: fdbFlush.map((request): Change => ({ kind: 'fdb', request })) },
  { weight: 1, arbitrary: document.map((made): Change => ({ kind: 'apply', document: made })) },
);

export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constant('change' as const),
      change: right,
      failIn: oneOf(0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3),
      wrong: fc.constant(false),
      aim: fc.nat(40),
    }),
  },
  {
    weight: 1,
    arbitrary: oneOf(...WRONG).map((change) => ({ kind: 'change' as const, change, failIn: 0, wrong: true, aim: 0 })),
  },
  { weight: 2, arbitrary: oneOf(1, 55, 400).map((seconds) => ({ kind: 'wait' as const, seconds })) },
);

export const sequence: fc.Arbitrary<Sequence> = fc.record({
  document,
  workers: oneOf(1, 1, 2),
  steps: fc.array(step, { minLength: 1, maxLength: 12, size: 'max' }),
  seed: fc.nat(1 << 20),
});

// ---- Printing

/** A sequence as somebody would have typed it. */
export function textOf({ document: start, workers, steps, seed }: Sequence): string {
  const lines = steps.map((one) => {
    if (one.kind === 'wait') return `(${one.seconds} s pass)`;
    const note = one.failIn === 0 ? '' : `   (opening number ${one.failIn} fails)`;
    return changeText(one.change) + note;
  });
  const head = `overtap run: ${JSON.stringify(start)}, ${workers} engine${workers === 1 ? '' : 's'}, probes ${seed}`;
  return [head, ...lines].map((line) => `    ${line}`).join('\n');
}

export function changeText(change: Change): string {
  try {
    return wordsOf(change);
  } catch {
    return JSON.stringify(change); // asks for what has no words
  }
}

function wordsOf(change: Change): string {
  if (change.kind === 'apply') return `apply ${JSON.stringify(change.document)}`;
  if (change.kind === 'link') {
    const { request } = change;
    if (request.op === 'del') return `link del ${request.name}`;
    if (request.op === 'add') return commandText(formatLinkAdd(request.name, request.type, request));
    return commandText(formatLinkSet(request.name, typeOf(request.name), request));
  }
  const { op, ...words } = change.request;
  const text = Object.entries(words).map(([key, value]) => `${key} ${Array.isArray(value) ? value.join(',') : value}`);
  return `${change.kind} ${op} ${text.join(' ')}`;
}

function typeOf(name: string): 'bridge' | 'tap' | 'vxlan' {
  if (BRIDGES.includes(name)) return 'bridge';
  return VXLANS.includes(name) ? 'vxlan' : 'tap';
}
