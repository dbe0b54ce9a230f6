/** Underlay to overlay, rule 7: learning from datagrams, and rule 8: the effect of the outer ECN on the inner one. */
import { describe, expect, it } from 'vitest';
import { destinationOf } from '../../../src/dataplane/state/destination.js';
import { STP_LEARNING } from '../../../src/dataplane/state/port-states.js';
import { fidOf } from '../../../src/dataplane/state/fid.js';
import { FLAG_EXTERN_LEARN, FLAG_PERMANENT, FLAG_PINNED, FLAG_STATIC, FLAG_STICKY } from '../../../src/fdb/table.js';
import { viewOf } from '../../../src/wire/bytes.js';
import { encodeVxlan } from '../../../src/wire/vxlan.js';
import { A, B, BROADCAST, C, finished, frame, ipv4HeaderIsSound, packet } from '../support/frames.js';
import { type SwitchOptions, TestSwitch, type VxlanSpec } from '../support/harness.js';

const ONE = '192.0.2.1';
const TWO = '192.0.2.2';

function meshed(options: Partial<VxlanSpec> = {}, of: SwitchOptions = {}): TestSwitch {
  return new TestSwitch(
    { br0: { ports: { tap1: { type: 'tap' }, vx: { type: 'vxlan', vni: 42, remotes: [ONE, TWO], ...options } } } },
    of,
  );
}

const toA = frame({ source: B, destination: A });
const fromA = frame({ source: A, destination: B });

describe('rule 7: learning from the tunnel', () => {
  it('learns the outer source address of a MAC', () => {
    const sw = meshed();
    expect(sw.send('tap1', toA).to).toEqual([`vx>${ONE}`, `vx>${TWO}`]);
    sw.tunnel('vx', TWO, 42, fromA);
    expect(sw.send('tap1', toA).to).toEqual([`vx>${TWO}`]);
  });

  it('never learns the outer source port: replies go to the configured dstport', () => {
    for (const options of [{}, { acceptAny: true }, { dstport: 8472 }, { dstport: 8472, acceptAny: true }]) {
      const sw = meshed(options);
      const from = options.acceptAny ? '192.0.2.77' : ONE;
      sw.tunnel('vx', from, 42, fromA, { sourcePort: 54_321 });
      const turn = sw.send('tap1', toA);
      expect(turn.to).toEqual([`vx>${from}`]);
      expect(turn.out[0].udpPort).toBe(options.dstport ?? 4789);
    }
  });

  it('the same MAC in two VNIs is two entries', () => {
    const sw = new TestSwitch({
      br0: {
        filtering: true,
        ports: {
          trunk: { type: 'tap', vlans: ['2', '3'] },
          vx: { type: 'vxlan', vlans: ['2', '3'], tunnel: { 2: 200, 3: 300 }, remotes: [ONE, TWO] },
        },
      },
    });
    sw.tunnel('vx', ONE, 200, fromA);
    sw.tunnel('vx', TWO, 300, fromA);
    expect(sw.send('trunk', frame({ source: B, destination: A, tci: 2 })).to).toEqual([`vx>${ONE}`]);
    expect(sw.send('trunk', frame({ source: B, destination: A, tci: 3 })).to).toEqual([`vx>${TWO}`]);
  });

  it('a dynamic entry moves to another VTEP at once', () => {
    const sw = meshed();
    sw.tunnel('vx', ONE, 42, fromA);
    expect(sw.tunnel('vx', TWO, 42, fromA).to).toEqual(['tap1']);
    expect(sw.send('tap1', toA).to).toEqual([`vx>${TWO}`]);
  });

  it('a MAC roams between the tunnel and a TAP', () => {
    const sw = meshed();
    sw.tunnel('vx', ONE, 42, fromA);
    sw.send('tap1', frame({ source: A, destination: BROADCAST }));
    expect(sw.tunnel('vx', ONE, 42, frame({ source: C, destination: A })).to).toEqual(['tap1']);
    sw.tunnel('vx', TWO, 42, fromA);
    expect(sw.send('tap1', toA).to).toEqual([`vx>${TWO}`]);
  });

  it.each([
    ['static', FLAG_STATIC | FLAG_PINNED],
    ['permanent', FLAG_PERMANENT | FLAG_PINNED],
  ])('a %s entry stays, and a frame from another VTEP is dropped as fdb_static_move', (_name, flags) => {
    const sw = meshed({ fdb: [{ mac: A, dst: ONE, flags }] });
    expect(sw.tunnel('vx', TWO, 42, fromA)).toMatchObject({ to: [], drops: ['vx fdb_static_move'] });
    expect(sw.dropsOf('vx', 'fdb_static_move')).toEqual([1, 0]);
    expect(sw.tunnel('vx', ONE, 42, fromA).to).toEqual(['tap1']);
    expect(sw.send('tap1', toA).to).toEqual([`vx>${ONE}`]);
  });

  it('a static entry with a UDP port of its own has not moved when its VTEP sends', () => {
    const sw = meshed({ fdb: [{ mac: A, dst: ONE, dstPort: 8472 }] });
    expect(sw.tunnel('vx', ONE, 42, fromA)).toMatchObject({ to: ['tap1'], drops: [] });
    expect(sw.send('tap1', toA).out.map(({ to, udpPort }) => `${to} ${udpPort}`)).toEqual([`vx>${ONE} 8472`]);
    expect(sw.tunnel('vx', TWO, 42, fromA).drops).toEqual(['vx fdb_static_move']);
  });

  it.each([
    ['permanent', FLAG_PERMANENT],
    ['static', FLAG_STATIC],
    ['static sticky', FLAG_STATIC | FLAG_STICKY],
    ['dynamic sticky', FLAG_STICKY],
  ])('a %s entry of a local port stays, and a frame from a VTEP is delivered', (_name, flags) => {
    const sw = new TestSwitch({
      br0: {
        ports: {
          tap1: { type: 'tap' },
          gw: { type: 'tap', fdb: [{ mac: A, flags }] },
          vx: { type: 'vxlan', vni: 42, remotes: [ONE, TWO] },
        },
      },
    });
    sw.send('tap1', toA);
    for (const from of [TWO, ONE]) expect(sw.tunnel('vx', from, 42, fromA)).toMatchObject({ to: ['tap1'], drops: [] });
    const announced = sw.tunnel('vx', TWO, 42, frame({ source: A, destination: BROADCAST }));
    expect(announced).toMatchObject({ to: ['gw', 'tap1'], drops: [] });
    expect(sw.send('tap1', toA).to).toEqual(['gw']);
  });

  it('an entry of another vxlan port stays, and the frame is delivered', () => {
    const sw = new TestSwitch({
      br0: {
        ports: {
          tap1: { type: 'tap' },
          vx: { type: 'vxlan', vni: 42, remotes: [ONE, TWO] },
          vy: { type: 'vxlan', vni: 43, remotes: [ONE], fdb: [{ mac: A, dst: ONE }] },
        },
      },
    });
    sw.send('tap1', toA);
    expect(sw.tunnel('vx', TWO, 42, fromA)).toMatchObject({ to: ['tap1'], drops: [] });
    expect(sw.send('tap1', toA).to).toEqual([`vy>${ONE}`]);
  });

  it('an entry of the vxlan port that names no VTEP stays, and the frame is delivered', () => {
    const sw = meshed();
    const fid = fidOf(sw.topology.bridgeNumber('br0'), 0);
    const destination = destinationOf(sw.port('vx'), 0);
    const place = { high: 0x0200, low: 0x0a, fid, destination, owner: sw.port('vx') };
    sw.apply([{ op: 'fdb', ...place, flags: FLAG_STATIC }]);
    expect(sw.context.fdb.resolve(0x0200, 0x0a, fid)).toBe(destination);
    expect(sw.tunnel('vx', TWO, 42, fromA)).toMatchObject({ to: ['tap1'], drops: [] });
    expect(sw.context.fdb.resolve(0x0200, 0x0a, fid)).toBe(destination);
  });

  it('an entry that a control program put on a local port roams to a VTEP', () => {
    const fdb = [{ mac: A, flags: FLAG_STATIC | FLAG_EXTERN_LEARN }];
    const sw = new TestSwitch({
      br0: {
        ports: {
          tap1: { type: 'tap' },
          tap2: { type: 'tap', fdb },
          vx: { type: 'vxlan', vni: 42, remotes: [ONE, TWO] },
        },
      },
    });
    expect(sw.tunnel('vx', TWO, 42, fromA).drops).toEqual([]);
    expect(sw.send('tap1', toA).to).toEqual([`vx>${TWO}`]);
  });

  it('an entry of a control program may roam', () => {
    const sw = meshed({ fdb: [{ mac: A, dst: ONE, flags: FLAG_EXTERN_LEARN }] });
    expect(sw.tunnel('vx', TWO, 42, fromA).to).toEqual(['tap1']);
    expect(sw.send('tap1', toA).to).toEqual([`vx>${TWO}`]);
  });

  it('with the table full of entries that are configured a MAC is not learned, and its frame is still delivered', () => {
    const sw = meshed({ fdb: [C, '02:00:00:00:00:1c'].map((mac) => ({ mac, dst: ONE })) }, { fdbCapacity: 2 });
    expect(sw.tunnel('vx', ONE, 42, fromA)).toMatchObject({ to: ['tap1'], drops: [] });
    expect(sw.send('tap1', toA).to).toEqual([`vx>${ONE}`, `vx>${TWO}`]);
  });

  it("with the port's limit reached likewise", () => {
    const sw = meshed({ maxLearned: 1 });
    sw.tunnel('vx', ONE, 42, frame({ source: C, destination: B }));
    expect(sw.tunnel('vx', ONE, 42, fromA).to).toEqual(['tap1']);
    expect(sw.send('tap1', toA).to).toEqual([`vx>${ONE}`, `vx>${TWO}`]);
  });

  it('learning off learns nothing and lets a static entry be', () => {
    const sw = meshed({ off: ['learning'], fdb: [{ mac: C, dst: ONE }] });
    expect(sw.tunnel('vx', ONE, 42, fromA).to).toEqual(['tap1']);
    expect(sw.send('tap1', toA).to).toEqual([`vx>${ONE}`, `vx>${TWO}`]);
    expect(sw.tunnel('vx', TWO, 42, frame({ source: C })).to).toEqual(['tap1']);
  });

  it('a refused frame teaches nothing', () => {
    const sw = new TestSwitch({
      br0: {
        filtering: true,
        ports: {
          tap2: { type: 'tap', vlans: ['2 pvid untagged'] },
          vx: { type: 'vxlan', vlans: ['2'], tunnel: { 2: 200, 3: 300 }, remotes: [ONE, TWO] },
        },
      },
    });
    sw.tunnel('vx', ONE, 200, frame({ tci: 2 }));
    sw.tunnel('vx', ONE, 300, frame());
    sw.tunnel('vx', ONE, 200, packet(), { tos: 3 });
    expect([...sw.drops().keys()].sort()).toEqual(['vx ecn_invalid', 'vx inner_vlan_tagged', 'vx vlan_not_allowed']);
    expect(sw.send('tap2', toA).to).toEqual([`vx>${ONE}`, `vx>${TWO}`]);
  });

  it('a closed port in the state learning learns from what an open one would take in, and from nothing else', () => {
    const vx: VxlanSpec = {
      ...{ type: 'vxlan', vlans: ['2', '4'], tunnel: { 2: 200, 3: 300 }, remotes: [ONE] },
      dropReserved: true,
    };
    const sw = new TestSwitch({ br0: { filtering: true, ports: { trunk: { type: 'tap', vlans: ['2', '3'] }, vx } } });
    sw.context.states.set(sw.port('vx'), STP_LEARNING);
    const from = (last: number): string => `02:00:00:00:00:${last}`;
    sw.tunnel('vx', ONE, 200, frame({ source: from(10), tci: 2 }));
    sw.tunnel('vx', ONE, 300, frame({ source: from(11) }));
    sw.tunnel('vx', ONE, 200, packet({ source: from(12) }), { tos: 3 });
    const bits = encodeVxlan(200, frame({ source: from(13), destination: B }));
    bits[1] = 1;
    sw.receive('vx', ONE, bits);
    sw.tunnel('vx', TWO, 200, frame({ source: from(14) }));
    expect([...sw.drops().keys()].sort()).toEqual(['vx stp_blocked', 'vx vtep_unknown']);
    sw.tunnel('vx', ONE, 200, packet({ source: from(15) }));
    const isLearned = (last: number, vid: number): boolean =>
      sw.context.fdb.lookup(0x0200, Number.parseInt(`${last}`, 16), fidOf(sw.topology.bridgeNumber('br0'), vid)) >= 0;
    expect([10, 11, 12, 13, 14, 15].filter((last) => isLearned(last, 2) || isLearned(last, 3))).toEqual([15]);
  });
});

describe('rule 8: ECN (RFC 6040 section 4.2)', () => {
  /** The inner ECN by [inner][outer]; null: dropped. 0: not-ECT, 1: ECT(1), 2: ECT(0), 3: CE. */
  const TABLE = [
    [0, 0, 0, null],
    [1, 1, 1, 3],
    [2, 1, 2, 3],
    [3, 3, 3, 3],
  ];
  const pairs = TABLE.flatMap((row, inner) => row.map((becomes, outer) => ({ inner, outer, becomes })));

  it.each(pairs.flatMap((pair) => ([4, 6] as const).map((version) => ({ ...pair, version }))))(
    'IPv$version: outer $outer with inner $inner becomes $becomes',
    ({ version, inner, outer, becomes }) => {
      const fields = { version, tos: 0xb8 | inner };
      const turn = meshed().tunnel('vx', ONE, 42, packet(fields), { tos: 0x28 | outer });
      if (becomes === null) {
        expect(turn).toMatchObject({ to: [], drops: ['vx ecn_invalid'] });
        return;
      }
      // The builder's frame with that ECN: nothing but the ECN has changed, and the header checksum goes with it.
      expect(turn.out.map(({ frame }) => frame)).toEqual([packet({ ...fields, tos: 0xb8 | becomes })]);
      if (version === 4) expect(ipv4HeaderIsSound(turn.out[0].frame)).toBe(true);
    },
  );

  it('looks behind a tag', () => {
    const turn = meshed().tunnel('vx', ONE, 42, packet({ tci: 0x2007, tos: 2 }), { tos: 3 });
    expect(turn.out[0].frame).toEqual(packet({ tci: 0x2007, tos: 3 }));
  });

  it('changes nothing in a frame that is not IP', () => {
    const turn = meshed().tunnel('vx', ONE, 42, fromA, { tos: 3 });
    expect(turn.out[0].frame).toEqual(fromA);
  });

  it('keeps every IPv4 header checksum right, whatever the header holds', () => {
    const sw = meshed();
    for (let identification = 0; identification < 0x10000; identification += 257) {
      const inner = packet({ tos: 2 });
      const view = viewOf(inner);
      view.setUint16(18, identification);
      view.setUint16(24, 0);
      let sum = 0;
      for (let at = 14; at < 34; at += 2) sum += view.getUint16(at);
      view.setUint16(24, ~((sum & 0xffff) + (sum >>> 16)));
      expect(ipv4HeaderIsSound(inner)).toBe(true);
      expect(ipv4HeaderIsSound(sw.tunnel('vx', ONE, 42, inner, { tos: 3 }).out[0].frame)).toBe(true);
    }
  });

  it('leaves the transport checksum as it is', () => {
    const turn = meshed().tunnel('vx', ONE, 42, finished({ tos: 2 }), { tos: 3 });
    expect(turn.out[0]).toMatchObject({ vnet: 0, csum: 0 });
  });
});
