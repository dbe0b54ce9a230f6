/**
 * Random changes of a switch and sequences of them, for fast-check, with their printed form. Some changes are invalid on
 * purpose.
 */
import fc from 'fast-check';
import type { FdbRequest, LinkRequest, VlanRequest, VlanSetRequest } from '../../../src/api/api.js';
import { commandText, formatLinkAdd, formatLinkSet } from '../../../src/config/options/words.js';
import type { Raw } from './live-config.js';
import {
  BRIDGES,
  changed,
  document,
  EMPTY,
  GROUP,
  OPTIONS,
  OWN,
  oneOf,
  REMOTES,
  rarely,
  STATES,
  some,
  TAPS,
  UNICAST,
  VIDS,
  VNIS,
  VXLANS,
  without,
  ZERO,
} from './live-documents.js';
import type { Change } from './live-model.js';

/**
 * A step of a sequence. `failIn`: opening so many devices from now fails; 0: none. `aim`: the change is turned to what is
 * there when its turn comes (`likely-change.ts`), which of it the number says; 0: it is carried out as it stands.
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

const vlanSet: fc.Arbitrary<VlanSetRequest> = fc
  .record({
    dev: oneOf(...TAPS, ...TAPS, ...VXLANS),
    vid: oneOf(...VIDS),
    more: oneOf(0, 0, 1),
    isolated: rarely(fc.boolean(), 1),
    state: oneOf(...STATES),
    saysState: fc.boolean(),
  })
  .map(({ vid, more, isolated, state, saysState, dev }) =>
    without({
      op: 'set' as const,
      dev,
      vid,
      ...(more === 0 ? {} : { vidEnd: vid + more }),
      isolated,
      ...(saysState || isolated === undefined ? { state } : {}),
    }),
  );

const place = {
  vlan: rarely(oneOf(1, 2, 3), 2),
  vni: rarely(oneOf(...VNIS), 4),
  port: rarely(oneOf(4789, 9999), 6),
};
/** Of entries alone. */
const apart = { src_vni: rarely(oneOf(...VNIS), 5), open: rarely(fc.constant(true), 8) };

const fdbEntry: fc.Arbitrary<FdbRequest> = fc
  .record({
    op: oneOf('add' as const, 'append' as const, 'replace' as const, 'del' as const),
    mac: oneOf(...UNICAST, ...UNICAST, ZERO, ZERO, GROUP, OWN[0]),
    dev: oneOf(...TAPS, ...VXLANS, ...VXLANS),
    other: rarely(oneOf('br1', 'br1', 'v1@host'), 8),
    dst: rarely(oneOf(...REMOTES), 1),
    ...place,
    ...apart,
    state: rarely(oneOf('static' as const, 'permanent' as const, 'dynamic' as const), 1),
    sticky: rarely(fc.constant(true)),
    extern_learn: rarely(fc.constant(true)),
  })
  .map(({ dst, vni, src_vni, port, other, open, state, sticky, extern_learn, ...rest }) => {
    const isVxlan = VXLANS.includes(rest.dev);
    const to = open === true ? {} : { dst: dst ?? REMOTES[0], port };
    const remote = isVxlan && (rest.op !== 'del' || dst !== undefined) ? { ...to, vni, src_vni } : {};
    const how = rest.op === 'del' ? {} : { state, sticky, extern_learn };
    return without<FdbRequest>({ ...rest, ...how, ...remote, dev: other ?? rest.dev });
  });

const fdbFlush: fc.Arbitrary<FdbRequest> = fc
  .record({
    dev: rarely(oneOf(...TAPS, ...VXLANS, 'br1'), 1),
    br: rarely(oneOf(...BRIDGES), 3),
    vlan: place.vlan,
    vni: place.vni,
    dst: rarely(oneOf(...REMOTES), 4),
    state: rarely(
      fc.oneof(
        {
          weight: 4,
          arbitrary: fc.subarray(['static' as const, 'permanent' as const, 'dynamic' as const], { minLength: 1 }),
        },
        { weight: 1, arbitrary: fc.constant('all' as const) },
      ),
      2,
    ),
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
  { kind: 'apply', document: { ...EMPTY, bridges: { br1: { ports: { t1: { type: 'veth' } } } } } },
];

// ---- Sequences

const right: fc.Arbitrary<Change> = fc.oneof(
  { weight: 3, arbitrary: linkAdd.map((request): Change => ({ kind: 'link', request })) },
  { weight: 5, arbitrary: linkSet.map((request): Change => ({ kind: 'link', request })) },
  { weight: 1, arbitrary: linkDel.map((request): Change => ({ kind: 'link', request })) },
  { weight: 4, arbitrary: vlan.map((request): Change => ({ kind: 'vlan', request })) },
  { weight: 2, arbitrary: vlanSet.map((request): Change => ({ kind: 'vlan', request })) },
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
  steps: fc.array(step, { minLength: 1, maxLength: 10, size: 'max' }),
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
