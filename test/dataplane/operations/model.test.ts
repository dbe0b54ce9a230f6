/**
 * After any sequence of changes, with frames in between, a switch behaves as one built with the end state: the same copies,
 * drops and counters for a set of probe frames.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FLAG_STATIC, FLAG_STICKY, FLAGS_ALL } from '../../../src/fdb/table.js';
import { KIND_FRAME } from '../../../src/port/packet-io.js';
import { encodeVxlan } from '../../../src/wire/vxlan.js';
import { long } from '../../long.js';
import { NO_BRIDGE } from '../support/control-model.js';
import { A, B, BROADCAST, C, D, frame, MULTICAST } from '../support/frames.js';
import { type BridgeSpec, type TapSpec, TestSwitch, type Turn, type VxlanSpec } from '../support/harness.js';

const BRIDGES = ['br0', 'br1'];
const PORTS = ['p0', 'p1', 'p2', 'p3'];
const REMOTES = ['192.0.2.1', '192.0.2.2', '2001:db8::3'];
const STRANGER = '198.51.100.1';
const VIDS = [1, 2];
const MACS = [A, B, C, D];
const LLDP = '01:80:c2:00:00:0e';
const DESTINATIONS = [A, B, C, D, BROADCAST, MULTICAST, LLDP];
const VNIS = [101, 102, 50];

// ---- Changes ----

const options = fc.record({
  off: fc.subarray(['learning', 'flood', 'mcast_flood', 'bcast_flood'] as const, { maxLength: 2 }),
  down: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  isolated: fc.boolean(),
  locked: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
  storm: fc.constantFrom(undefined, undefined, undefined, { broadcast: 10 }, { unknownUnicast: 20, multicast: 1 }),
  kind: fc.constantFrom('tap', 'tap', 'tunnel', 'single'),
  mtu: fc.constantFrom(1450, 1450, 40),
  mapped: fc.subarray(VIDS, { minLength: 1 }),
  swapped: fc.boolean(),
  remotes: fc.subarray(REMOTES),
  own: fc.subarray(REMOTES),
  pins: fc.subarray(REMOTES),
  pinVlan: fc.constantFrom(0, ...VIDS),
  acceptAny: fc.boolean(),
  maxLearned: fc.constantFrom(0, 0, 1),
});
type Options = typeof options extends fc.Arbitrary<infer T> ? T : never;

const port = fc.constantFrom(...PORTS);
const change = fc.oneof(
  fc.record({
    do: fc.constant('bridge' as const),
    bridge: fc.constantFrom(...BRIDGES),
    filtering: fc.constantFrom(true, true, false),
    maxLearned: fc.constantFrom(0, 0, 2),
    groupFwdMask: fc.constantFrom(0, 1 << 14),
  }),
  fc.record({ do: fc.constant('bridge-del' as const), bridge: fc.constantFrom(...BRIDGES), withPorts: fc.boolean() }),
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('port' as const),
      port,
      bridge: fc.constantFrom(...BRIDGES, ...BRIDGES, ...BRIDGES, NO_BRIDGE),
      options,
      fresh: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    }),
  },
  fc.record({ do: fc.constant('port-del' as const), port }),
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('vlan' as const),
      port,
      vid: fc.constantFrom(...VIDS),
      words: fc.subarray(['pvid', 'untagged']),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('vlan-del' as const), port, vid: fc.constantFrom(...VIDS) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('entry' as const),
      port,
      mac: fc.constantFrom(...MACS),
      vlan: fc.constantFrom(0, ...VIDS),
      dst: fc.constantFrom(...REMOTES),
    }),
  },
  fc.record({ do: fc.constant('entry-del' as const), port, index: fc.nat(3) }),
  fc.record({ do: fc.constant('lose' as const), port }),
  fc.record({ do: fc.constant('senders' as const), port, count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 3 }) }),
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('frame' as const),
      port,
      source: fc.constantFrom(...MACS),
      destination: fc.constantFrom(...DESTINATIONS),
      vid: fc.constantFrom(undefined, ...VIDS),
      from: fc.constantFrom(...REMOTES, STRANGER),
      vni: fc.constantFrom(...VNIS),
    }),
  },
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

type Spec = TapSpec | VxlanSpec;
type Entry = NonNullable<Spec['fdb']>[number];

function specOf(o: Options, vlans: readonly string[], fdb: readonly Entry[]): Spec {
  const off = [...o.off, ...(o.down ? (['up'] as const) : [])];
  const common = {
    off,
    isolated: o.isolated,
    locked: o.locked,
    vlans,
    fdb,
    ...(o.storm === undefined ? {} : { storm: o.storm }),
  };
  if (o.kind === 'tap') return { type: 'tap', mtu: o.mtu, ...common };
  const vxlan: VxlanSpec = {
    type: 'vxlan',
    ...common,
    remotes: o.remotes,
    pins: o.pins.length > 0 ? [{ mac: MULTICAST, vlan: o.pinVlan, dst: o.pins }] : [],
    acceptAny: o.acceptAny,
    maxLearned: o.maxLearned,
  };
  if (o.kind === 'single') return { ...vxlan, vni: 50 };
  const vnis = o.mapped.map((vid) => 100 + vid);
  if (o.swapped) vnis.reverse();
  return {
    ...vxlan,
    tunnel: Object.fromEntries(o.mapped.map((vid, i) => [vid, vnis[i]])),
    own: { [o.mapped[0]]: o.own },
  };
}

/** A switch that is changed, and beside it the description of what it should have become. */
class Changing {
  readonly sw = new TestSwitch({});
  readonly spec: Record<string, BridgeSpec> = { [NO_BRIDGE]: { ports: {} } };
  private readonly lost = new Set<string>();

  private bridgeOf(name: string): string | undefined {
    return Object.keys(this.spec).find((bridge) => name in this.spec[bridge].ports);
  }

  /** An entry's place in its bridge is its alone: the others' with that MAC and VLAN are told to go. */
  private drop(bridge: string, { mac, vlan }: Entry): void {
    for (const [name, spec] of Object.entries(this.spec[bridge].ports)) {
      const gone = (spec.fdb ?? []).filter((entry) => entry.mac === mac && entry.vlan === vlan);
      for (const entry of gone) this.removeEntry(bridge, name, entry);
    }
  }

  private removeEntry(bridge: string, name: string, gone: Entry): void {
    const spec = this.spec[bridge].ports[name];
    if (bridge !== NO_BRIDGE) this.sw.apply([this.sw.topology.removeEntry(name, gone)]);
    this.set(bridge, name, { ...spec, fdb: (spec.fdb ?? []).filter((entry) => entry !== gone) });
  }

  private set(bridge: string, name: string, spec: Spec): void {
    this.spec[bridge].ports[name] = spec;
    this.sw.apply(this.sw.topology.setPort(name, bridge, spec));
  }

  private removePort(name: string): void {
    const bridge = this.bridgeOf(name);
    if (bridge === undefined) return;
    delete this.spec[bridge].ports[name];
    this.lost.delete(name);
    this.sw.apply(this.sw.topology.removePort(name));
  }

  private addPort(bridge: string, name: string, spec: Spec): void {
    this.spec[bridge].ports[name] = spec;
    this.sw.apply(this.sw.topology.addPort(bridge, name, spec));
  }

  private port({ port: name, options: o, fresh, ...c }: Change & { do: 'port' }): void {
    const bridge = c.bridge in this.spec ? c.bridge : NO_BRIDGE;
    const before = this.bridgeOf(name);
    const old = before === undefined ? undefined : this.spec[before].ports[name];
    const spec = specOf(
      o,
      old?.vlans ?? [],
      (old?.fdb ?? []).filter(({ dst }) => (dst === undefined) === (o.kind === 'tap')),
    );
    if (bridge !== before) for (const entry of spec.fdb ?? []) this.drop(bridge, entry);
    if (before === undefined || fresh || old?.type !== spec.type || this.lost.has(name)) {
      this.removePort(name);
      this.addPort(bridge, name, spec);
      return;
    }
    delete this.spec[before].ports[name];
    this.set(bridge, name, spec);
  }

  private vlan(c: Change & { do: 'vlan' | 'vlan-del' }): void {
    const bridge = this.bridgeOf(c.port);
    if (bridge === undefined) return;
    const spec = this.spec[bridge].ports[c.port];
    const others = (spec.vlans ?? []).filter((text) => !text.startsWith(String(c.vid)));
    if (c.do === 'vlan-del') {
      this.sw.apply(this.sw.topology.removeVlan(c.port, c.vid));
      spec.vlans = others;
      // Its entries have gone with it; where the port is in no bridge it has none.
      if (bridge !== NO_BRIDGE) spec.fdb = (spec.fdb ?? []).filter(({ vlan }) => vlan !== c.vid);
      return;
    }
    const text = [c.vid, ...c.words].join(' ');
    this.sw.apply(this.sw.topology.vlans(c.port, [text]));
    spec.vlans = [...(c.words.includes('pvid') ? others.map((other) => other.replace(' pvid', '')) : others), text];
  }

  private entry(c: Change & { do: 'entry' }): void {
    const bridge = this.bridgeOf(c.port);
    if (bridge === undefined) return;
    const entry = { mac: c.mac, vlan: c.vlan };
    this.drop(bridge, entry);
    const spec = this.spec[bridge].ports[c.port];
    const added: Entry =
      spec.type === 'tap' ? { ...entry, flags: FLAG_STATIC | FLAG_STICKY } : { ...entry, dst: c.dst };
    this.set(bridge, c.port, { ...spec, fdb: [...(spec.fdb ?? []), added] });
    if (bridge !== NO_BRIDGE) this.sw.apply([this.sw.topology.entry(c.port, added)]);
  }

  private bridge({ bridge, filtering, maxLearned, groupFwdMask }: Change & { do: 'bridge' }): void {
    const spec = { filtering, maxLearned, groupFwdMask };
    if (bridge in this.spec) {
      this.sw.apply([this.sw.topology.bridge(bridge, spec)]);
      this.spec[bridge] = { ...this.spec[bridge], ...spec };
    } else {
      this.spec[bridge] = { ...spec, ports: {} };
      this.sw.apply(this.sw.topology.addBridge(bridge, this.spec[bridge]));
    }
  }

  private removeBridge({ bridge, withPorts }: Change & { do: 'bridge-del' }): void {
    if (!(bridge in this.spec)) return;
    for (const [name, spec] of Object.entries(this.spec[bridge].ports)) {
      if (withPorts) {
        this.removePort(name);
        continue;
      }
      for (const entry of spec.fdb ?? []) this.drop(NO_BRIDGE, entry);
      delete this.spec[bridge].ports[name];
      this.set(NO_BRIDGE, name, spec);
    }
    delete this.spec[bridge];
    this.sw.apply(this.sw.topology.removeBridge(bridge));
  }

  private frame(c: Change & { do: 'frame' }): void {
    const bridge = this.bridgeOf(c.port);
    if (bridge === undefined || this.lost.has(c.port)) return;
    const bytes = frame({
      source: c.source,
      destination: c.destination,
      ...(c.vid === undefined ? {} : { tci: c.vid }),
    });
    if (this.spec[bridge].ports[c.port].type === 'tap') this.sw.send(c.port, bytes);
    else this.sw.receive(c.port, c.from, encodeVxlan(c.vni, bytes));
  }

  private lose(name: string): void {
    const bridge = this.bridgeOf(name);
    if (bridge === undefined || this.spec[bridge].ports[name].type !== 'tap') return;
    this.sw.io.lose(KIND_FRAME, this.sw.port(name), 77);
    this.sw.turn();
    this.lost.add(name);
  }

  do(c: Change): void {
    if (c.do === 'bridge') this.bridge(c);
    else if (c.do === 'bridge-del') this.removeBridge(c);
    else if (c.do === 'port') this.port(c);
    else if (c.do === 'port-del') this.removePort(c.port);
    else if (c.do === 'vlan' || c.do === 'vlan-del') this.vlan(c);
    else if (c.do === 'entry') this.entry(c);
    else if (c.do === 'frame') this.frame(c);
    else if (c.do === 'wait') this.sw.wait(c.seconds);
    else if (c.do === 'lose') this.lose(c.port);
    else this.perhaps(c);
  }

  private perhaps(c: Change & { do: 'entry-del' | 'senders' }): void {
    const bridge = this.bridgeOf(c.port);
    if (bridge === undefined) return;
    const spec = this.spec[bridge].ports[c.port];
    if (c.do === 'entry-del') {
      const entry = spec.fdb?.[c.index];
      if (entry !== undefined) this.removeEntry(bridge, c.port, entry);
    } else if (spec.type === 'vxlan') {
      this.sw.apply(this.sw.topology.setSenders(c.port, c.count));
    }
  }

  /** Ports whose device has gone get it back, and what was learned is forgotten. */
  settle(): void {
    for (const name of [...this.lost]) {
      const bridge = this.bridgeOf(name) as string;
      const spec = this.spec[bridge].ports[name];
      this.removePort(name);
      this.addPort(bridge, name, spec);
    }
    this.sw.apply([{ op: 'flush', match: { flagsMask: FLAGS_ALL }, fromRow: 0, rowCount: 1 << 20 }]);
    this.sw.wait(1);
  }
}

// ---- Probes ----

function describeTurn({ out, drops }: Turn): string[] {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return [...out.map(({ to, header, frame }) => `${to} ${hex(header)} ${hex(frame)}`).sort(), ...drops];
}

function probes(sw: TestSwitch, spec: Record<string, BridgeSpec>): string[] {
  const ports = Object.values(spec).flatMap((bridge) => Object.entries(bridge.ports));
  const before = new Map(ports.map(([name]) => [name, accounts(sw, name)]));
  const said: string[] = [];
  for (const [name, { type }] of ports.sort()) {
    for (const [i, destination] of DESTINATIONS.entries()) {
      for (const [j, vid] of [undefined, ...VIDS].entries()) {
        const bytes = frame({ source: MACS[(i + j) % 4], destination, ...(vid === undefined ? {} : { tci: vid }) });
        const from = [...REMOTES, STRANGER][(i + j) % 4];
        const turn = type === 'tap' ? sw.send(name, bytes) : sw.receive(name, from, encodeVxlan(VNIS[j], bytes));
        said.push(...describeTurn(turn).map((line) => `${name} ${destination} ${vid}: ${line}`));
      }
    }
  }
  for (const [name] of ports) {
    const now = accounts(sw, name);
    const then = before.get(name) as number[];
    said.push(`${name} has counted ${now.map((count, i) => count - then[i]).join(' ')}`);
  }
  return said;
}

/** What a port, its memberships and its VNIs have counted. */
function accounts(sw: TestSwitch, name: string): number[] {
  const { number, counters, vnis } = sw.topology.port(name);
  const rows = [
    sw.counters.port(number),
    ...VIDS.filter((vid) => counters.has(vid)).map((vid) => sw.vlan(name, vid)),
    ...[0, ...VIDS].flatMap((vid) => {
      const mapped = vnis.get(vid);
      return mapped === undefined ? [] : [sw.counters.vni(mapped.header)];
    }),
  ];
  return rows.flatMap(({ rx_packets, rx_bytes, tx_packets, tx_bytes }) => [rx_packets, rx_bytes, tx_packets, tx_bytes]);
}

describe('a switch that was changed while it ran', () => {
  it('behaves as one that was built with the end state', () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 20, maxLength: 100, size: 'max' }), (changes) => {
        const changing = new Changing();
        changing.do({ do: 'bridge', bridge: 'br0', filtering: true, maxLearned: 0, groupFwdMask: 0 });
        for (const c of changes) changing.do(c);
        changing.settle();
        const built = new TestSwitch(changing.spec);
        built.wait(1);
        expect(probes(changing.sw, changing.spec)).toEqual(probes(built, changing.spec));
      }),
      { numRuns: long(100, 30) },
    );
  }, 60_000);
});
