/** What engines do for loop guard: recognise probes, close ports, send probes. */
import { describe, expect, it } from 'vitest';
import { sendFrames } from '../../../src/dataplane/send.js';
import { LOOP_BLOCKED, OPEN, STP_DISCARDING, STP_LEARNING } from '../../../src/dataplane/state/port-states.js';
import { PUNT_BPDU, PUNT_PROBE, type Punt, PuntReader } from '../../../src/dataplane/state/punt-ring.js';
import { encodeProbe } from '../../../src/wire/loop-probe.js';
import { A, B, BROADCAST, C, frame } from '../support/frames.js';
import { type BridgeSpec, type TapSpec, TestSwitch, type VxlanSpec } from '../support/harness.js';

const PEER = '192.0.2.2';
const GUARD = [0x1234, 0x5678] as const;
const OTHER = [0x1234, 0x5679] as const;
const tap: TapSpec = { type: 'tap' };
const vx: VxlanSpec = { type: 'vxlan', vni: 42, remotes: [PEER] };

function probe(vid = 0, bridge: readonly [number, number] = GUARD): Uint8Array {
  return encodeProbe({ vid, bridge, port: 1, moment: 1 }, () => new Uint8Array(16));
}

function make(
  spec: Partial<BridgeSpec> = {},
  guard: BridgeSpec['guard'] | null = GUARD,
): { sw: TestSwitch; punts(): Punt[] } {
  const sw = new TestSwitch({
    br0: { ...(guard === null ? {} : { guard }), ports: { t1: tap, t2: tap, vx }, ...spec },
  });
  const reader = new PuntReader([sw.context.punts.memory]);
  const punts = (): Punt[] => {
    const all: Punt[] = [];
    reader.drain((punt) => all.push(punt));
    return all;
  };
  return { sw, punts };
}

function filtering(): ReturnType<typeof make> {
  return make({
    filtering: true,
    ports: {
      t1: { type: 'tap', vlans: ['2 pvid untagged', '3'] },
      t2: { type: 'tap', vlans: ['2', '3 pvid untagged'] },
      vx: { type: 'vxlan', vlans: ['2'], tunnel: { 2: 42 }, remotes: [PEER] },
    },
  });
}

describe('a probe that has come back', () => {
  it('ends there, is counted as loop_blocked, and the control thread gets it', () => {
    const { sw, punts } = make();
    expect(sw.send('t1', probe())).toMatchObject({ to: [], drops: ['t1 loop_blocked'] });
    expect(punts()).toMatchObject([{ kind: PUNT_PROBE, port: sw.port('t1'), remote: 0, vid: 0, length: 60 }]);
  });

  it('by a tunnel', () => {
    const { sw, punts } = make();
    expect(sw.tunnel('vx', PEER, 42, probe())).toMatchObject({ to: [], drops: ['vx loop_blocked'] });
    expect(punts()).toMatchObject([{ kind: PUNT_PROBE, port: sw.port('vx') }]);
  });

  it('teaches nothing: the MAC of probes is not learned', () => {
    const { sw } = make();
    sw.send('t1', probe());
    expect(sw.send('t2', frame({ destination: '02:34:00:00:56:78' })).to).toEqual(['t1', `vx>${PEER}`]);
  });

  it('in a VLAN, untagged and tagged', () => {
    const { sw, punts } = filtering();
    expect(sw.send('t1', probe(2)).drops).toEqual(['t1 loop_blocked']);
    expect(punts()).toMatchObject([{ vid: 2 }]);
  });

  it('in another VLAN than it left in: no loop yet, it goes on', () => {
    const { sw, punts } = filtering();
    expect(sw.send('t1', probe(3))).toMatchObject({ to: ['t2', `vx>${PEER}`], drops: [] });
    expect(punts()).toEqual([]);
  });
});

describe('the probe of another bridge', () => {
  it.each([
    ['another number', make(), probe(0, OTHER)],
    ['a bridge without loop guard', make({}, null), probe()],
  ])('goes on as a frame of guests would: %s', (_, { sw, punts }, sent) => {
    expect(sw.send('t1', sent)).toMatchObject({ to: ['t2', `vx>${PEER}`], drops: [] });
    expect(punts()).toEqual([]);
  });
});

it('a guest that sends thousands of probes does not fill the ring', () => {
  const { sw, punts } = make();
  for (let count = 0; count < 1000; count++) sw.inject('t1', probe());
  expect(sw.turn().drops).toHaveLength(1000);
  expect(punts()).toHaveLength(8);
  sw.io.advance(100);
  sw.send('t1', probe());
  expect(punts()).toHaveLength(1);
});

describe('a blocked port', () => {
  it('takes nothing in, and gets nothing: loop_blocked', () => {
    const { sw } = make();
    sw.send('t1', frame({ source: A, destination: BROADCAST }));
    sw.context.states.set(sw.port('t1'), LOOP_BLOCKED);
    expect(sw.send('t1', frame({ source: C, destination: BROADCAST }))).toMatchObject({
      to: [],
      drops: ['t1 loop_blocked'],
    });
    expect(sw.send('t2', frame({ source: B, destination: BROADCAST })).to).toEqual([`vx>${PEER}`]);
    expect(sw.send('t2', frame({ source: B, destination: A }))).toMatchObject({ to: [], drops: ['t2 loop_blocked'] });
  });

  it('has probes heard, and nothing else', () => {
    const { sw, punts } = make();
    sw.context.states.set(sw.port('t1'), LOOP_BLOCKED);
    sw.send('t1', frame({ destination: BROADCAST }));
    sw.send('t1', probe(0, OTHER));
    expect(punts()).toEqual([]);
    expect(sw.send('t1', probe()).drops).toEqual(['t1 loop_blocked']);
    expect(punts()).toMatchObject([{ kind: PUNT_PROBE, port: sw.port('t1') }]);
  });

  it('forwards again when it is open, and its other flags are as they were set meanwhile', () => {
    const { sw } = make();
    const port = sw.port('t1');
    sw.context.states.set(port, LOOP_BLOCKED);
    sw.turn();
    sw.apply(sw.topology.setPort('t1', 'br0', { type: 'tap', off: ['bcast_flood'] }));
    expect(sw.send('t2', frame({ source: B, destination: BROADCAST })).to).toEqual([`vx>${PEER}`]);
    sw.context.states.set(port, OPEN);
    expect(sw.send('t1', frame({ destination: BROADCAST })).to).toEqual(['t2', `vx>${PEER}`]);
    expect(sw.send('t2', frame({ source: B, destination: BROADCAST })).to).toEqual([`vx>${PEER}`]);
    expect(sw.send('t2', frame({ source: B, destination: '02:00:00:00:00:77' })).to).toEqual(['t1', `vx>${PEER}`]);
  });

  it('that is down for another reason says port_down', () => {
    const { sw } = make({ ports: { t1: { type: 'tap', off: ['up'] }, t2: tap, vx } });
    sw.context.states.set(sw.port('t1'), LOOP_BLOCKED);
    expect(sw.send('t1', frame()).drops).toEqual(['t1 port_down']);
    sw.context.states.set(sw.port('t1'), OPEN);
    expect(sw.send('t1', frame()).drops).toEqual(['t1 port_down']);
  });
});

describe('the states of a spanning tree', () => {
  it('discarding: nothing passes, and nothing is learned', () => {
    const { sw } = make();
    sw.context.states.set(sw.port('t1'), STP_DISCARDING);
    expect(sw.send('t1', frame({ source: A, destination: BROADCAST }))).toMatchObject({
      to: [],
      drops: ['t1 stp_blocked'],
    });
    expect(sw.send('t2', frame({ source: B, destination: A })).to).toEqual([`vx>${PEER}`]);
  });

  it('learning: nothing passes, and sources are learned', () => {
    const { sw } = make();
    sw.context.states.set(sw.port('t1'), STP_LEARNING);
    expect(sw.send('t1', frame({ source: A, destination: BROADCAST }))).toMatchObject({
      to: [],
      drops: ['t1 stp_blocked'],
    });
    expect(sw.send('t2', frame({ source: B, destination: A })).drops).toEqual(['t2 stp_blocked']);
    sw.context.states.set(sw.port('t1'), OPEN);
    expect(sw.send('t2', frame({ source: B, destination: A })).to).toEqual(['t1']);
  });

  it('learning, behind a tunnel', () => {
    const { sw } = make();
    sw.context.states.set(sw.port('vx'), STP_LEARNING);
    expect(sw.tunnel('vx', PEER, 42, frame({ source: A, destination: BROADCAST })).drops).toEqual(['vx stp_blocked']);
    expect(sw.tunnel('vx', '203.0.113.9', 42, frame()).drops).toEqual(['vx vtep_unknown']);
    sw.context.states.set(sw.port('vx'), OPEN);
    expect(sw.send('t2', frame({ source: B, destination: A })).to).toEqual([`vx>${PEER}`]);
  });

  it('BPDUs are for the control thread on every port that is there, also without a PVID', () => {
    const bpdu = frame({ destination: '01:80:c2:00:00:00', etherType: 38 });
    const { sw, punts } = make({ stp: true, groupFwdMask: 1 });
    expect(sw.send('t1', bpdu)).toMatchObject({ to: [], drops: ['t1 link_local'] });
    sw.context.states.set(sw.port('t1'), STP_DISCARDING);
    expect(sw.send('t1', bpdu).drops).toEqual(['t1 stp_blocked']);
    expect(punts()).toMatchObject([{ kind: PUNT_BPDU }, { kind: PUNT_BPDU }]);
    const trunk = make({ stp: true, filtering: true, ports: { t1: { type: 'tap', vlans: ['2'] }, t2: tap } });
    expect(trunk.sw.send('t1', bpdu).drops).toEqual(['t1 link_local']);
    expect(trunk.sw.send('t1', frame()).drops).toEqual(['t1 no_pvid']);
    expect(trunk.punts()).toHaveLength(1);
  });

  it('without a spanning tree group_fwd_mask holds for BPDUs', () => {
    const bpdu = frame({ destination: '01:80:c2:00:00:00', etherType: 38 });
    expect(make({ groupFwdMask: 1 }).sw.send('t1', bpdu).to).toEqual(['t2', `vx>${PEER}`]);
    expect(make().sw.send('t1', bpdu).drops).toEqual(['t1 link_local']);
  });
});

describe('frames of the control thread', () => {
  it('leave by one port with the tag of their VLAN, and by closed ports too', () => {
    const { sw } = filtering();
    const bytes = probe(2);
    sw.context.states.set(sw.port('t2'), LOOP_BLOCKED);
    sw.turn();
    sendFrames(sw.context, [
      { port: sw.port('t1'), vid: 2, bytes },
      { port: sw.port('t2'), vid: 2, bytes },
      { port: sw.port('vx'), vid: 2, bytes },
      { port: sw.port('t2'), vid: 0, untagged: true, bytes },
    ]);
    const { out } = sw.turn();
    expect(out.map(({ to, frame: { length } }) => `${to} ${length}`)).toEqual([
      't1 60',
      't2 64',
      `vx>${PEER} 60`,
      't2 60',
    ]);
    expect(out[0].frame).toEqual(bytes);
    expect([...out[1].frame.subarray(12, 16)]).toEqual([0x81, 0, 0, 2]);
  });

  it('are left out where there is no port, and beyond the room of a batch', () => {
    const { sw } = make();
    const port = sw.port('t1');
    sendFrames(sw.context, [{ port: 900, vid: 0, bytes: probe() }]);
    expect(sw.turn().out).toEqual([]);
    sendFrames(sw.context, new Array(200).fill({ port, vid: 0, bytes: probe() }));
    expect(sw.turn().out).toHaveLength(128);
  });
});
