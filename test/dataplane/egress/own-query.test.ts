/** Queries of the switch's own leave by every port of the VLAN, or by one; the accounts balance. */
import { expect, it } from 'vitest';
import { igmpQuery } from '../support/group-traffic.js';
import { type TapSpec, TestSwitch, type VxlanSpec } from '../support/harness.js';

const [R2, R3] = ['192.0.2.2', '192.0.2.3'];
const tap = { type: 'tap', vlans: ['10 pvid untagged'] } as const;

function make(): TestSwitch {
  const ports = {
    t1: tap,
    t2: { type: 'tap', vlans: ['10'], off: ['mcast_flood'] },
    t3: { type: 'tap', vlans: ['20'] },
    v0: { type: 'vxlan', vlans: ['10'], tunnel: { 10: 100 }, remotes: [R2, R3] },
  } satisfies Record<string, TapSpec | VxlanSpec>;
  return new TestSwitch({ br0: { filtering: true, snooping: true, ports } });
}

const query = (sw: TestSwitch, port: string | null = null, remote = 0) => ({
  op: 'query' as const,
  bridge: sw.topology.bridges.get('br0') as number,
  vid: 10,
  port: port === null ? null : sw.port(port),
  remote,
  frame: igmpQuery(100),
});

it('by every port of the VLAN and to every remote, with the tag of each', () => {
  const sw = make();
  const { out } = sw.say(query(sw));
  expect(out.map(({ to }) => to)).toEqual(['t1', 't2', `v0>${R2}`, `v0>${R3}`]);
  const lengths = out.map(({ frame }) => frame.length - igmpQuery(100).length);
  expect(lengths).toEqual([0, 4, 0, 0]);
});

it('by one port', () => {
  const sw = make();
  expect(sw.say(query(sw, 't2')).to).toEqual(['t2']);
  expect(sw.say(query(sw, 't3')).to).toEqual([]);
});

it('by more ports than there are rows for frames of its own', () => {
  const ports = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`t${i}`, tap]));
  const sw = new TestSwitch({ br0: { filtering: true, snooping: true, ports } }, { maxFrames: 16 });
  expect(sw.say(query(sw)).to).toHaveLength(300);
});
