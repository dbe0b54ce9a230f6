/** The bridge: learning, ageing, static entries and limits, observed by the destinations of frames. */
import { describe, expect, it } from 'vitest';
import { FLAG_ADDED, FLAG_EXTERN_LEARN, FLAG_PERMANENT, FLAG_STATIC, FLAG_STICKY } from '../../../src/fdb/table.js';
import { formatMac } from '../../../src/wire/ethernet.js';
import { A, B, BROADCAST, D, frame, MULTICAST } from '../support/frames.js';
import { type BridgeSpec, TestSwitch } from '../support/harness.js';

const tap = { type: 'tap' } as const;
const trunk = { type: 'tap', vlans: ['2', '3'] } as const;

function three(bridge: Partial<BridgeSpec> = {}): TestSwitch {
  return new TestSwitch({ br0: { ports: { t1: tap, t2: tap, t3: tap }, ...bridge } });
}

const hello = (source: string) => frame({ source, destination: BROADCAST });
/** Where a frame to the MAC goes, asked from a port without teaching it a MAC. */
const whereIs = (sw: TestSwitch, mac: string, from: string, asker = D) =>
  sw.send(from, frame({ source: asker, destination: mac })).to;

describe('learning', () => {
  it('a MAC is behind the port that its last frame came from', () => {
    const sw = three();
    expect(whereIs(sw, A, 't3')).toEqual(['t1', 't2']);
    sw.send('t1', hello(A));
    expect(whereIs(sw, A, 't3')).toEqual(['t1']);
    sw.send('t2', hello(A));
    expect(whereIs(sw, A, 't3')).toEqual(['t2']);
  });

  it('a frame for a MAC behind the port it came from goes nowhere: same_port', () => {
    const sw = three();
    sw.send('t1', hello(A));
    expect(sw.send('t1', frame({ source: B, destination: A }))).toMatchObject({ to: [], drops: ['t1 same_port'] });
    expect(sw.send('t1', frame({ source: A, destination: A })).drops).toEqual(['t1 same_port']);
  });

  it('is by MAC and VLAN: one MAC in two VLANs is two entries', () => {
    const sw = new TestSwitch({ br0: { filtering: true, ports: { t1: trunk, t2: trunk, t3: trunk } } });
    sw.send('t1', frame({ source: A, destination: BROADCAST, tci: 2 }));
    sw.send('t2', frame({ source: A, destination: BROADCAST, tci: 3 }));
    expect(sw.send('t3', frame({ source: B, destination: A, tci: 2 })).to).toEqual(['t1']);
    expect(sw.send('t3', frame({ source: B, destination: A, tci: 3 })).to).toEqual(['t2']);
  });

  it('a frame of a batch already knows what those before it taught', () => {
    const sw = three();
    sw.inject('t1', hello(A));
    sw.inject('t2', frame({ source: B, destination: A }));
    sw.inject('t1', frame({ source: A, destination: B }));
    expect(sw.turn().to).toEqual(['t1', 't2', 't2', 't3']);
  });

  it.each(['00:00:00:00:00:00', BROADCAST, MULTICAST])(
    'source MAC %s is never learned: source_mac_invalid',
    (source) => {
      const sw = three();
      expect(sw.send('t1', frame({ source, destination: BROADCAST }))).toMatchObject({
        to: [],
        drops: ['t1 source_mac_invalid'],
      });
      expect(sw.context.fdb.counters[0]).toBe(0);
    },
  );

  it('learning off: forwards, learns nothing', () => {
    const sw = three({ ports: { t1: { type: 'tap', off: ['learning'] }, t2: tap, t3: tap } });
    expect(sw.send('t1', hello(A)).to).toEqual(['t2', 't3']);
    expect(whereIs(sw, A, 't3')).toEqual(['t1', 't2']);
    expect(whereIs(sw, D, 't1')).toEqual(['t3']);
  });

  it('learning off refreshes nothing either', () => {
    const sw = three({ ageingSeconds: 10, ports: { t1: tap, t2: tap, t3: { type: 'tap', off: ['learning'] } } });
    sw.send('t1', hello(A));
    for (let i = 0; i < 9; i++) {
      sw.wait(1);
      sw.send('t3', hello(A));
    }
    expect(whereIs(sw, A, 't2')).toEqual(['t1']);
    sw.wait(1);
    expect(whereIs(sw, A, 't2')).toEqual(['t1', 't3']);
  });
});

describe('ageing', () => {
  it('counts from the last frame from the MAC', () => {
    const sw = three({ ageingSeconds: 20 });
    sw.send('t1', hello(A));
    sw.wait(15);
    sw.send('t1', hello(A));
    sw.wait(19);
    expect(whereIs(sw, A, 't3')).toEqual(['t1']);
    sw.wait(1);
    expect(whereIs(sw, A, 't3')).toEqual(['t1', 't2']);
  });

  it('traffic to a MAC keeps nothing alive', () => {
    const sw = three({ ageingSeconds: 10 });
    sw.send('t1', hello(A));
    for (let second = 0; second < 10; second++) {
      expect(whereIs(sw, A, 't3')).toEqual(['t1']);
      sw.wait(1);
    }
    expect(whereIs(sw, A, 't3')).toEqual(['t1', 't2']);
  });

  it('takes place though no frame comes, in a clock that wraps', () => {
    const sw = three({ ageingSeconds: 10 });
    sw.io.advance(0x7fffffff - 4000);
    sw.turn();
    sw.send('t1', hello(A));
    sw.wait(8);
    expect(whereIs(sw, A, 't3')).toEqual(['t1']);
    sw.wait(3);
    expect(sw.context.fdb.lookup(0x0200, 0x0a, 1)).toBe(-1);
  });

  it('is per bridge, and a vxlan port may have its own', () => {
    const peer = '192.0.2.2';
    const sw = new TestSwitch({
      br0: {
        ageingSeconds: 20,
        ports: { t1: tap, t2: tap, vx: { type: 'vxlan', vni: 1, remotes: [peer], ageingSeconds: 5 } },
      },
      br1: { ageingSeconds: 5, ports: { u1: tap, u2: tap, u3: tap } },
    });
    sw.send('t1', hello(A));
    sw.tunnel('vx', peer, 1, hello(B));
    sw.send('u1', hello(A));
    sw.wait(5);
    expect(whereIs(sw, A, 't2')).toEqual(['t1']);
    expect(whereIs(sw, B, 't2')).toEqual(['t1', `vx>${peer}`]);
    expect(whereIs(sw, A, 'u2')).toEqual(['u1', 'u3']);
  });

  it.each([
    ['static', FLAG_STATIC, true],
    ['permanent', FLAG_PERMANENT, true],
    ['extern_learn', FLAG_EXTERN_LEARN, true],
    ['dynamic, set by control', FLAG_ADDED, false],
  ])('an entry that is %s', (_name, flags, stays) => {
    const ports = { t1: { type: 'tap', fdb: [{ mac: A, flags }] } as const, t2: tap, t3: tap };
    const sw = three({ ageingSeconds: 10, ports });
    sw.wait(60);
    expect(whereIs(sw, A, 't3')).toEqual(stays ? ['t1'] : ['t1', 't2']);
  });
});

describe('entries that control has set', () => {
  const withEntry = (flags: number) =>
    three({ ports: { t1: { type: 'tap', fdb: [{ mac: A, flags }] }, t2: tap, t3: tap } });

  it.each([
    ['static', FLAG_STATIC, 't2'],
    ['static and sticky', FLAG_STATIC | FLAG_STICKY, 't1'],
    ['dynamic and sticky', FLAG_ADDED | FLAG_STICKY, 't1'],
    ['permanent', FLAG_PERMANENT, 't1'],
    ['extern_learn', FLAG_EXTERN_LEARN, 't2'],
    ['dynamic', FLAG_ADDED, 't2'],
  ])('%s: a frame from another port goes on, and the MAC is then where it should be', (_name, flags, behind) => {
    const sw = withEntry(flags);
    expect(sw.send('t2', hello(A))).toMatchObject({ to: ['t1', 't3'], drops: [] });
    expect(whereIs(sw, A, 't3')).toEqual([behind]);
  });

  it('an extern_learn entry that roamed ages from then on', () => {
    const sw = withEntry(FLAG_EXTERN_LEARN);
    sw.send('t2', hello(A));
    sw.wait(300);
    expect(whereIs(sw, A, 't3')).toEqual(['t1', 't2']);
  });
});

describe('fdb_max_learned', () => {
  const macs = ['02:00:00:00:01:01', '02:00:00:00:01:02', '02:00:00:00:01:03'];

  it('bounds learned entries exactly; static ones come on top', () => {
    const ports = { t1: { type: 'tap', fdb: [{ mac: A }, { mac: B }] } as const, t2: tap, t3: tap };
    const sw = three({ maxLearned: 2, ports });
    for (const mac of macs) expect(sw.send('t1', hello(mac)).to).toEqual(['t2', 't3']);
    const known = macs.filter((mac) => sw.send('t2', frame({ source: A, destination: mac })).to.length === 1);
    expect(known).toEqual(macs.slice(0, 2));
    expect(sw.context.fdb.learnedByGroup[sw.topology.bridgeNumber('br0')]).toBe(2);
  });

  it('an entry that ages makes room', () => {
    const sw = three({ maxLearned: 1, ageingSeconds: 10 });
    sw.send('t1', hello(macs[0]));
    sw.send('t1', hello(macs[1]));
    expect(whereIs(sw, macs[1], 't2')).toEqual(['t1', 't3']);
    sw.wait(10);
    sw.send('t1', hello(macs[1]));
    expect(whereIs(sw, macs[1], 't2')).toEqual(['t1']);
  });

  it('is per bridge', () => {
    const sw = new TestSwitch({
      br0: { maxLearned: 1, ports: { t1: tap, t2: tap } },
      br1: { ports: { u1: tap, u2: tap } },
    });
    for (const mac of macs) {
      sw.send('t1', hello(mac));
      sw.send('u1', hello(mac));
    }
    const learned = ['br0', 'br1'].map((bridge) => sw.context.fdb.learnedByGroup[sw.topology.bridgeNumber(bridge)]);
    expect(learned).toEqual([1, 3]);
  });

  it('a MAC that is known may move though the limit is reached', () => {
    const sw = three({ maxLearned: 1 });
    sw.send('t1', hello(A));
    sw.send('t2', hello(A));
    expect(sw.send('t3', frame({ source: B, destination: A })).to).toEqual(['t2']);
  });

  it('no limit learns all that the table holds; then the least recently refreshed of the busiest port gives way', () => {
    const sw = new TestSwitch(
      { br0: { ports: { t1: tap, t2: tap, t3: { type: 'tap', off: ['learning'] } } } },
      { fdbCapacity: 16 },
    );
    const many = Array.from({ length: 20 }, (_, i) => formatMac(0x0200, 0x100 + i));
    sw.send('t2', hello(A));
    for (const mac of many) {
      sw.wait(1);
      expect(sw.send('t1', hello(mac)).to).toEqual(['t2', 't3']);
    }
    expect(sw.context.fdb.counters[0]).toBe(16);
    const known = many.filter((mac) => whereIs(sw, mac, 't3').length === 1);
    expect(known).toEqual(many.slice(-15));
    expect(whereIs(sw, A, 't3')).toEqual(['t2']);
  });
});
