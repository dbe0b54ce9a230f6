/** Counters of VLAN memberships. */
import { describe, expect, it } from 'vitest';
import { KIND_FRAME } from '../../../src/port/packet-io.js';
import { encodeVxlan } from '../../../src/wire/vxlan.js';
import { A, B, BROADCAST, frame } from '../support/frames.js';
import { TestSwitch } from '../support/harness.js';

const PEER = '192.0.2.2';
const OTHER = '192.0.2.3';
const hello = (source: string, tci?: number): Uint8Array =>
  frame({ source, destination: BROADCAST, ...(tci === undefined ? {} : { tci }) });

/** `in` is the port whose VLANs change; t2, t3 and t4 show which VLAN a frame went to. */
function make(vlans: string[] = []): TestSwitch {
  const access = (vid: number) => ({ type: 'tap', vlans: [`${vid} pvid untagged`] }) as const;
  return new TestSwitch({
    br0: { filtering: true, ports: { in: { type: 'tap', vlans }, t2: access(2), t3: access(3), t4: access(4) } },
  });
}

describe('what a membership counts', () => {
  const NONE = { rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0 };

  it('is what came in and left by it, in packets and bytes, and not what was dropped on its way in', () => {
    const sw = make(['2 pvid untagged', '3']);
    sw.send('in', hello(A)); // 60 bytes, into VLAN 2
    sw.send('in', hello(A, 2)); // 64
    sw.send('in', hello(A, 4)); // dropped
    sw.send('in', hello(A, 3));
    sw.send('t2', hello(B)); // leaves untagged
    sw.send('t3', hello(B)); // leaves tagged
    sw.send('t2', frame({ source: B, destination: A }));
    sw.send('t4', hello(B)); // goes nowhere
    expect(sw.vlan('in', 2)).toEqual({ rx_packets: 2, rx_bytes: 124, tx_packets: 2, tx_bytes: 120 });
    expect(sw.vlan('in', 3)).toEqual({ rx_packets: 1, rx_bytes: 64, tx_packets: 1, tx_bytes: 64 });
    expect(sw.vlan('t2', 2)).toEqual({ rx_packets: 2, rx_bytes: 120, tx_packets: 2, tx_bytes: 120 });
    expect(sw.vlan('t3', 3)).toEqual({ rx_packets: 1, rx_bytes: 60, tx_packets: 1, tx_bytes: 60 });
    expect(sw.vlan('t4', 4)).toEqual({ ...NONE, rx_packets: 1, rx_bytes: 60 });
  });

  it('holds for runs, frame by frame', () => {
    const sw = make(['2 pvid untagged']);
    sw.send('t2', hello(B));
    for (let i = 0; i < 10; i++) sw.inject('in', frame({ payload: new Uint8Array(100 + i) }));
    expect(sw.turn().to).toEqual(Array(10).fill('t2'));
    const bytes = 10 * 114 + 45;
    expect(sw.vlan('in', 2)).toMatchObject({ rx_packets: 10, rx_bytes: bytes });
    expect(sw.vlan('t2', 2)).toMatchObject({ tx_packets: 10, tx_bytes: bytes });
  });

  it('leaves out a copy that could not be sent', () => {
    const sw = make(['2 pvid untagged']);
    sw.io.faults.set((KIND_FRAME << 16) | sw.port('t2'), 11);
    expect(sw.send('in', hello(A)).drops).toEqual(['t2 tx_backpressure']);
    expect(sw.vlan('in', 2)).toMatchObject({ rx_packets: 1 });
    expect(sw.vlan('t2', 2)).toEqual(NONE);
  });

  it('has every copy into a tunnel, beside what the VNI counts', () => {
    const sw = new TestSwitch({
      br0: {
        filtering: true,
        ports: {
          t1: { type: 'tap', vlans: ['2 pvid untagged'] },
          vx: { type: 'vxlan', tunnel: { 2: 200 }, vlans: ['2'], remotes: [PEER, OTHER] },
        },
      },
    });
    sw.send('t1', hello(A));
    sw.tunnel('vx', PEER, 200, hello(B));
    for (let i = 0; i < 3; i++) sw.injectDatagram('vx', PEER, encodeVxlan(200, frame({ source: B, destination: A })));
    sw.turn();
    const counted = { rx_packets: 4, rx_bytes: 240, tx_packets: 2, tx_bytes: 120 };
    expect(sw.vlan('vx', 2)).toEqual(counted);
    expect(sw.counters.vni(0)).toEqual(counted);
    expect(sw.vlan('t1', 2)).toEqual({ rx_packets: 1, rx_bytes: 60, tx_packets: 4, tx_bytes: 240 });
  });

  it('starts at zero with the next membership of its number', () => {
    const sw = make(['2 pvid untagged']);
    sw.send('in', hello(A));
    const counter = sw.topology.port('in').counters.get(2) as number;
    sw.apply(sw.topology.removeVlan('in', 2));
    expect(sw.counters.vlan(counter)).toEqual(NONE);
    sw.apply(sw.topology.vlans('in', ['4 pvid']));
    expect(sw.topology.port('in').counters.get(4)).toBe(counter);
    sw.send('in', hello(A));
    expect(sw.counters.vlan(counter)).toEqual({ ...NONE, rx_packets: 1, rx_bytes: 60 });
  });

  it('goes on when the membership is told again, and ends where it gets another number', () => {
    const sw = make(['2 pvid untagged']);
    sw.send('in', hello(A));
    sw.apply(sw.topology.vlans('in', ['2 pvid']));
    sw.send('in', hello(A));
    const counter = sw.topology.port('in').counters.get(2) as number;
    expect(sw.counters.vlan(counter)).toMatchObject({ rx_packets: 2 });
    sw.apply([{ op: 'vlan', port: sw.port('in'), vid: 2, untagged: true, counter: 65_535 }]);
    expect(sw.counters.vlan(counter)).toEqual(NONE);
    sw.send('in', hello(A));
    sw.send('t2', hello(B));
    expect(sw.counters.vlan(65_535)).toEqual({ rx_packets: 1, rx_bytes: 60, tx_packets: 1, tx_bytes: 60 });
  });

  it('is nobody else’s: a membership without accounts counts nothing', () => {
    const sw = make();
    sw.apply([{ op: 'vlan', port: sw.port('in'), vid: 2, untagged: false, counter: 0 }]);
    sw.send('in', hello(A, 2));
    expect(sw.counters.vlan(0)).toEqual(NONE);
    expect(sw.vlan('t2', 2)).toMatchObject({ tx_packets: 1 });
  });

  it('is empty without VLAN filtering', () => {
    const sw = new TestSwitch({
      br0: { ports: { t1: { type: 'tap', vlans: ['2 pvid untagged'] }, t2: { type: 'tap', vlans: ['2'] } } },
    });
    sw.send('t1', hello(A));
    expect([sw.vlan('t1', 2), sw.vlan('t2', 2)]).toEqual([NONE, NONE]);
  });
});
