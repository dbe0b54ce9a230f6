/** Random small switches and random frames: the egress copies equal those of the reference model. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { destinationPort, destinationRemote } from '../../../src/dataplane/state/destination.js';
import { fidParts } from '../../../src/dataplane/state/fid.js';
import { FdbReader, FLAG_LOCKED, FLAG_PERMANENT, FLAG_PINNED, FLAG_STATIC } from '../../../src/fdb/table.js';
import { formatAddress } from '../../../src/wire/ip-address.js';
import { viewOf } from '../../../src/wire/bytes.js';
import { ETHERTYPE_QINQ, ETHERTYPE_VLAN, encodeEthernet, formatMac } from '../../../src/wire/ethernet.js';
import { encodeGeneve } from '../../../src/wire/geneve.js';
import { encodeVlan, isTag } from '../../../src/wire/vlan.js';
import { encodeVxlan, vni } from '../../../src/wire/vxlan.js';
import { long } from '../../long.js';
import type { BridgeSpec, TapSpec, VxlanSpec } from '../support/control-model.js';
import { A, B, BROADCAST, C, D, EXPERIMENTAL, MULTICAST } from '../support/frames.js';
import { type Out, TestSwitch } from '../support/harness.js';
import { describeModelFrame, type ModelFrame, type ModelTag, ReferenceSwitch } from '../support/reference.js';

const REMOTES = ['192.0.2.1', '192.0.2.2', '2001:db8::3'];
const STRANGER = '198.51.100.1';
const VIDS = [1, 2, 3];
const UNICAST = [A, B, C, D];
const SINGLE_VNI = 50;

// ---- Switches ----

const flags = {
  off: fc.subarray(['learning', 'flood', 'mcast_flood', 'bcast_flood'] as const, { maxLength: 2 }),
  down: fc.integer({ min: 0, max: 15 }).map((n) => n === 0),
  isolated: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  lock: fc.constantFrom('open', 'open', 'open', 'open', 'open', 'locked', 'mab'),
  hairpin: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  mask: fc.constantFrom(0, 0, 0, 4),
  macs: fc.oneof({ weight: 5, arbitrary: fc.constant([]) }, fc.subarray(UNICAST, { minLength: 2 })),
};

const vlans = fc.record({
  members: fc.subarray(VIDS, { minLength: 1 }),
  untagged: fc.subarray(VIDS),
  isolated: fc.subarray(VIDS),
  pvid: fc.constantFrom(0, ...VIDS),
});

/** One static entry at most, so that frames from elsewhere meet it. */
const entry = fc.option(fc.record({ mac: fc.constantFrom(...UNICAST), vlan: fc.constantFrom(...VIDS) }), { nil: null });

const portFields = fc.record({
  ...flags,
  vlans,
  entry,
  kind: fc.constantFrom('tap', 'tap', 'tap', 'tunnel', 'single'),
  remotes: fc.subarray(REMOTES),
  own: fc.subarray(REMOTES),
  peers: fc.subarray(REMOTES),
  mapped: fc.subarray(VIDS, { minLength: 1 }),
  keepInnerVlan: fc.boolean(),
  geneve: fc.boolean(),
  ownsHost: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  isHosts: fc.boolean(),
  hostMac: fc.constantFrom(...UNICAST),
  entryRemote: fc.constantFrom(...REMOTES),
});
type PortFields = typeof portFields extends fc.Arbitrary<infer T> ? T : never;

const bridgeFields = fc.record({
  filtering: fc.boolean(),
  serviceTags: fc.boolean(),
  ageingSeconds: fc.constantFrom(2, 5, 300),
  maxLearned: fc.constantFrom(0, 0, 1, 3),
  mask: fc.constantFrom(0, 0, 0, 4),
  localVlan0: fc.boolean(),
  ports: fc.array(portFields, { minLength: 1, maxLength: 5 }),
});
type BridgeFields = typeof bridgeFields extends fc.Arbitrary<infer T> ? T : never;

function portSpec(filtering: boolean, fields: PortFields): TapSpec | VxlanSpec {
  const common = {
    off: [...fields.off, ...(fields.down ? (['up'] as const) : [])],
    isolated: fields.isolated,
    locked: fields.lock !== 'open',
    mab: fields.lock === 'mab' && !fields.off.includes('learning'),
    groupFwdMask: fields.mask,
    guard: { macs: fields.macs },
    vlans: fields.vlans.members.map((vid) => {
      const untagged = fields.vlans.untagged.includes(vid) ? ' untagged' : '';
      const isolated = fields.vlans.isolated.includes(vid) ? ' isolated' : '';
      return `${vid}${fields.vlans.pvid === vid ? ' pvid' : ''}${untagged}${isolated}`;
    }),
  };
  const entries = fields.entry === null ? [] : [{ mac: fields.entry.mac, vlan: filtering ? fields.entry.vlan : 0 }];
  if (fields.kind === 'tap') {
    // Without a VLAN, a permanent entry counts as the host's own.
    const flags = fields.isHosts ? FLAG_PERMANENT : FLAG_STATIC;
    const own = filtering && fields.ownsHost ? [{ mac: fields.hostMac, vlan: 0, flags }] : [];
    const fdb = [...entries.map((e) => ({ ...e, flags: FLAG_STATIC })), ...own];
    return { type: 'tap', ...common, hairpin: fields.hairpin, fdb };
  }
  const vxlan = {
    type: 'vxlan' as const,
    ...common,
    remotes: fields.remotes,
    peers: fields.peers,
    keepInnerVlan: fields.keepInnerVlan,
    geneve: fields.geneve,
    fdb: entries.map((e) => ({ ...e, dst: fields.entryRemote, flags: FLAG_STATIC | FLAG_PINNED })),
  };
  if (fields.kind === 'single' || !filtering) return { ...vxlan, vni: SINGLE_VNI };
  const [first] = fields.mapped;
  return {
    ...vxlan,
    tunnel: Object.fromEntries(fields.mapped.map((vid) => [vid, 100 + vid])),
    own: { [first]: fields.own },
  };
}

function topology(bridges: BridgeFields[]): Record<string, BridgeSpec> {
  let number = 0;
  const entries = bridges.map(({ ports, mask, ...bridge }, index) => {
    const { filtering } = bridge;
    const named = ports.map((fields) => [`p${number++}`, portSpec(filtering, fields)] as const);
    return [`br${index}`, { ...bridge, groupFwdMask: mask, ports: Object.fromEntries(named) }] as const;
  });
  return dropDuplicateEntries(Object.fromEntries(entries));
}

/** A MAC stands in one place of a VLAN: a configuration that says otherwise is refused long before. */
function dropDuplicateEntries(bridges: Record<string, BridgeSpec>): Record<string, BridgeSpec> {
  for (const { ports } of Object.values(bridges)) {
    const seen = new Set<string>();
    for (const spec of Object.values(ports)) {
      spec.fdb = (spec.fdb ?? []).filter(({ mac, vlan }) => !seen.has(`${mac} ${vlan}`) && seen.add(`${mac} ${vlan}`));
    }
  }
  return bridges;
}

// ---- Frames ----

const tag = fc.record({ service: fc.boolean(), priority: fc.nat(15), vid: fc.constantFrom(0, 1, 2, 3, 4) });

const step = fc.record({
  seconds: fc.constantFrom(0, 0, 0, 1, 3),
  turn: fc.boolean(),
  port: fc.nat(9),
  source: fc.constantFrom(...UNICAST, ...UNICAST, ...UNICAST, MULTICAST),
  destination: fc.constantFrom(...UNICAST, ...UNICAST, BROADCAST, MULTICAST, '01:80:c2:00:00:02'),
  tags: fc.oneof({ weight: 4, arbitrary: fc.array(tag, { maxLength: 1 }) }, fc.array(tag, { maxLength: 3 })),
  from: fc.constantFrom(...REMOTES, ...REMOTES, STRANGER),
  vni: fc.constantFrom(101, 102, 103, SINGLE_VNI, 7),
  options: fc.constantFrom(0, 0, 0, 1, 63),
  matchVni: fc.integer({ min: 0, max: 3 }).map((n) => n > 0),
});

function encode({ source, destination, tags, id }: ModelFrame): Uint8Array {
  const last = new Uint8Array(4);
  viewOf(last).setUint32(0, id);
  let etherType = EXPERIMENTAL;
  let payload: Uint8Array = last;
  for (const { service, priority, vid } of [...tags].reverse()) {
    payload = encodeVlan((priority << 12) | vid, etherType, payload);
    etherType = service ? ETHERTYPE_QINQ : ETHERTYPE_VLAN;
  }
  return encodeEthernet({ source, destination, etherType, payload });
}

/** Options of Geneve, in words, are skipped. */
function datagram({ geneve }: VxlanSpec, number: number, options: number, inner: Uint8Array): Uint8Array {
  return geneve === true
    ? encodeGeneve(number, inner, new Uint8Array(4 * options).fill(0x7f))
    : encodeVxlan(number, inner);
}

function describeOut({ to, header, frame }: Out): string {
  const view = viewOf(frame);
  const tags: ModelTag[] = [];
  let at = 12;
  for (; isTag(view.getUint16(at)); at += 4) {
    const service = view.getUint16(at) === ETHERTYPE_QINQ;
    tags.push({ service, priority: view.getUint16(at + 2) >>> 12, vid: view.getUint16(at + 2) & 0xfff });
  }
  const where = header.length === 0 ? to : `${to} vni ${vni(viewOf(header), 0)}`;
  const destination = formatMac(view.getUint16(0), view.getInt32(2));
  const source = formatMac(view.getUint16(6), view.getInt32(8));
  return describeModelFrame(where, { source, destination, tags, id: view.getUint32(at + 2) });
}

/** `BRIDGE VLAN MAC PORT[>REMOTE][ locked]` of each FDB entry. */
function entriesOf({ context: { fdb, remotes }, topology }: TestSwitch): string[] {
  const bridges = new Map([...topology.bridges].map(([name, number]) => [number, name]));
  const ports = new Map([...topology.ports.values()].map(({ name, number }) => [number, name]));
  const found: string[] = [];
  new FdbReader(fdb.memory).forEach(({ high, low, fid, destination, flags }) => {
    const place = fidParts(fid);
    if (place === null) return;
    const remote = destinationRemote(destination);
    const behind = remote === 0 ? '' : `>${formatAddress(...remotes.address(remote))}`;
    const where = `${ports.get(destinationPort(destination))}${behind}`;
    const locked = (flags & FLAG_LOCKED) === 0 ? '' : ' locked';
    found.push(`${bridges.get(place.bridge)} ${place.vid} ${formatMac(high, low)} ${where}${locked}`);
  });
  return found.sort();
}

describe('the bridge against its model', () => {
  it('sends exactly the frames that the model sends and learns what it learns, and its accounts balance', () => {
    fc.assert(
      fc.property(
        fc.array(bridgeFields, { minLength: 1, maxLength: 2 }),
        fc.array(step, { minLength: 1, maxLength: 60 }),
        (bridges, steps) => {
          const spec = topology(bridges);
          const model = new ReferenceSwitch(spec);
          const sw = new TestSwitch(spec, { maxCommands: 8, maxFrames: 16 });
          const ports = Object.values(spec).flatMap((bridge) => Object.entries(bridge.ports));
          let expected: string[] = [];
          const compare = (): void => {
            expect(sw.turn().out.map(describeOut).sort()).toEqual(expected.sort());
            expect(entriesOf(sw)).toEqual(model.entries());
            expected = [];
          };
          for (const [id, { seconds, turn, options, ...fields }] of steps.entries()) {
            if (seconds > 0) {
              compare();
              sw.wait(seconds);
              model.wait(seconds);
            }
            const [name, port] = ports[fields.port % ports.length];
            const frame = { ...fields, id };
            if (port.type === 'tap') {
              sw.inject(name, encode(frame));
              expected.push(...model.fromTap(name, frame));
            } else {
              const number = fields.matchVni && port.vni !== undefined ? port.vni : fields.vni;
              sw.injectDatagram(name, fields.from, datagram(port, number, options, encode(frame)));
              expected.push(...model.fromTunnel(name, fields.from, number, frame));
            }
            if (turn) compare();
          }
          compare();
        },
      ),
      { numRuns: long(300, 100) },
    );
  });
});
