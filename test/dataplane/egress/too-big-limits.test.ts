/** Frames that are too long, in large numbers and of every kind; path MTUs known to the switch and to the kernel. */
import { describe, expect, it } from 'vitest';
import { ANSWERS_PER_TICK } from '../../../src/dataplane/state/too-big-list.js';
import { STATIC_REMOTES } from '../../../src/encap/remotes.js';
import { KIND_FRAME, KIND_UDP, VNET_GSO_TCPV4, VNET_GSO_UDP_L4, VNET_NEEDS_CSUM } from '../../../src/port/packet-io.js';
import { seededRandom } from '../../fdb/table-inspection.js';
import { A, B, BROADCAST, C, frame, packet } from '../support/frames.js';
import type { TestSwitch, VxlanSpec } from '../support/harness.js';
import { OTHER, PEER, plain, remoteOf, setMtu, sized } from '../support/narrow-path.js';

const EMSGSIZE = 90;

describe('a flood of frames that are too long', () => {
  it('is answered so many times a tick for each port, and counted all the time', () => {
    const sw = plain({}, 1300);
    setMtu(sw, 1400);
    sw.send('t1', frame({ source: A, destination: BROADCAST }));
    const answers = (): number => {
      for (let i = 0; i < 250; i++) sw.inject('t1', sized(1351));
      const { out, drops } = sw.turn();
      expect(drops).toHaveLength(250);
      return out.length;
    };
    expect([answers(), answers()]).toEqual([ANSWERS_PER_TICK, 0]);
    // Another port has its own share.
    expect(sw.tunnel('vx', PEER, 42, sized(1400, { source: B, destination: A })).to).toEqual([`vx>${PEER}`]);
    sw.io.advance(100);
    sw.turn();
    expect(answers()).toBe(ANSWERS_PER_TICK);
  });

  it('does not use up what a batch has for frames of the switch', () => {
    const sw = setMtu(plain(), 1400);
    for (let i = 0; i < 250; i++) sw.inject('t1', packet({ protocol: 'udp', data: 1400 }));
    sw.inject('t1', sized(1400));
    // Only the first ORIGINATED_FRAMES of a batch are looked at, and none of these may be answered.
    expect(sw.turn().out).toEqual([]);
    expect(sw.send('t1', sized(1400)).to).toEqual(['t1']);
  });
});

describe('what is known of a path is forgotten', () => {
  it('with the remote, whose number another one gets', () => {
    const spec: VxlanSpec = { type: 'vxlan', vni: 42, remotes: [PEER] };
    const sw = setMtu(plain(), 1400);
    sw.apply(sw.topology.setPort('vx', 'br0', { ...spec, remotes: [] }));
    sw.apply(sw.topology.setPort('vx', 'br0', { ...spec, remotes: [OTHER] }));
    expect(remoteOf(sw, OTHER)).toBe(1);
    expect(sw.send('t1', sized(1450)).drops).toEqual(['t2 mtu_exceeded']); // B is not known any more
    expect(sw.counters.remote(1).tx_packets).toBe(1);
  });

  it('when a remote is told again under its number', () => {
    const sw = setMtu(plain(), 1400);
    const [remote, port] = [remoteOf(sw, PEER), sw.port('vx')];
    sw.apply([{ op: 'remote', remote, port, address: [0, 0, 0xffff, 0xc0000209 | 0], udpPort: 4789, known: true }]);
    expect(sw.send('t1', sized(1450)).to).toEqual(['vx>192.0.2.9']);
  });

  it('when numbers that engines gave are given back', () => {
    const spec: VxlanSpec = { type: 'vxlan', vni: 42, acceptAny: true, remotes: [], fdb: [] };
    const sw = plain(spec);
    sw.tunnel('vx', PEER, 42, frame({ source: B, destination: A }));
    expect(sw.send('t1', sized(1450)).to).toEqual([`vx>${PEER}`]);
    sw.apply([{ op: 'remote-mtu', remote: STATIC_REMOTES, mtu: 1400 }]);
    expect(sw.send('t1', sized(1350)).to).toEqual([`vx>${PEER}`]);
    expect(sw.send('t1', sized(1351)).drops).toEqual(['vx mtu_exceeded']);
    sw.apply(sw.topology.setPort('vx', 'br0', { ...spec, acceptAny: false }));
    sw.apply(sw.topology.setPort('vx', 'br0', spec));
    sw.tunnel('vx', OTHER, 42, frame({ source: B, destination: A }));
    expect(sw.context.remotes.udpPort(STATIC_REMOTES)).toBe(4789);
    expect(sw.send('t1', sized(1450)).to).toEqual([`vx>${OTHER}`]);
  });
});

describe('what is known of the path to a VTEP that was met', () => {
  const spec: VxlanSpec = { type: 'vxlan', vni: 42, acceptAny: true, remotes: [], fdb: [] };

  it('stays when another one goes', () => {
    const sw = plain(spec);
    sw.tunnel('vx', OTHER, 42, frame({ source: C, destination: A }));
    sw.tunnel('vx', PEER, 42, frame({ source: B, destination: A }));
    sw.apply([{ op: 'remote-mtu', remote: STATIC_REMOTES + 1, mtu: 1400 }]);
    expect(sw.send('t1', sized(1351)).drops).toEqual(['vx mtu_exceeded']);
    for (const op of ['remote-del', 'remote-free'] as const) sw.apply([{ op, remote: STATIC_REMOTES }]);
    expect(sw.send('t1', sized(1351)).drops).toEqual(['vx mtu_exceeded']);
  });

  it('holds from before the first frame there', () => {
    const sw = plain(spec);
    sw.tunnel('vx', PEER, 42, frame({ source: B, destination: A }));
    sw.apply([{ op: 'remote-mtu', remote: STATIC_REMOTES, mtu: 1400 }]);
    expect(sw.send('t1', sized(1351)).drops).toEqual(['vx mtu_exceeded']);
  });
});

describe('a path that the kernel knows to be narrower', () => {
  const refuse = (sw: TestSwitch, errno = EMSGSIZE): void => void sw.io.faults.set((KIND_UDP << 16) | 0, errno);

  it('is told of once a tick at most, and the frames are counted', () => {
    const sw = plain();
    refuse(sw);
    for (let i = 0; i < 3; i++) expect(sw.send('t1', sized(1500)).drops).toEqual(['vx mtu_exceeded']);
    expect(sw.tooBig).toEqual([PEER]);
    sw.io.advance(100);
    sw.turn();
    expect(sw.tooBig).toEqual([PEER, PEER]); // of the second and third frame
    sw.io.advance(100);
    sw.turn();
    expect(sw.tooBig).toHaveLength(2);
  });

  it('is not told of for any other error, nor for one of a TAP', () => {
    const sw = plain();
    refuse(sw, 105);
    sw.send('t1', sized(1500));
    sw.io.faults.clear();
    sw.io.faults.set((KIND_FRAME << 16) | sw.port('t2'), EMSGSIZE);
    sw.send('t1', frame({ destination: BROADCAST }));
    sw.io.advance(100);
    sw.turn();
    expect(sw.tooBig).toEqual([]);
  });

  it('is not told of where the switch itself knew', () => {
    const sw = setMtu(plain(), 1400);
    sw.send('t1', sized(1500));
    expect(sw.tooBig).toEqual([]);
  });
});

describe('frames of every kind with bytes that were changed at random', () => {
  const SEED = Number(process.env.TOO_BIG_SEED ?? 1);
  const OFFLOADS = [
    {},
    { vnet: VNET_NEEDS_CSUM | (VNET_GSO_TCPV4 << 8), gso: 1400, csum: 34 | (16 << 16) },
    { vnet: VNET_NEEDS_CSUM | (VNET_GSO_UDP_L4 << 8), gso: 1400, csum: 54 | (6 << 16) },
  ];

  it(`no exception; each is dropped for its length, and answered once or not at all (TOO_BIG_SEED=${SEED})`, () => {
    const random = seededRandom(SEED);
    const sw = setMtu(plain(), 1320); // leaves 1270, which IPv6 is not told of
    const wide = setMtu(plain(), 1336);
    let answered = 0;
    for (let round = 0; round < 3000; round++) {
      const version = random(2) === 0 ? 4 : 6;
      const tag = random(3) === 0 ? { tci: random(0x10000) } : {};
      const bytes = sized(1400 + random(200), { version, ...tag });
      // Behind the addresses, so that the frame goes to the remote; mostly in its headers.
      for (let left = random(4); left > 0; left--) bytes[12 + random(random(4) === 0 ? 1300 : 60)] = random(256);
      const chosen = random(2) === 0 ? sw : wide;
      const { out, drops, to } = chosen.send('t1', bytes, OFFLOADS[random(OFFLOADS.length)]);
      if (to.includes(`vx>${PEER}`))
        expect(drops).toEqual([]); // a superframe whose headers are none
      else expect(drops).toEqual(['vx mtu_exceeded']);
      expect(out.length).toBeLessThanOrEqual(1);
      if (to.includes('t1')) answered++;
      chosen.io.advance(100);
    }
    expect(answered).toBeGreaterThan(500);
  });
});
