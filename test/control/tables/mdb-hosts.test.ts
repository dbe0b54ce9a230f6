/**
 * `mcast_to_unicast`: hosts behind a port as members of their own, from the bytes of their reports to the copies that leave, whatever they
 * report. Behind t1 there are many hosts.
 */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { MAX_HOSTS_OF_GROUP, MAX_HOSTS_OF_PORT } from '../../../src/control/tables/mdb-hosts.js';
import { HAIRPIN } from '../../../src/dataplane/state/forwarding.js';
import { destinationOf } from '../../../src/dataplane/state/destination.js';
import { formatMac, destinationHigh, destinationLow } from '../../../src/wire/ethernet.js';
import { viewOf } from '../../../src/wire/bytes.js';
import { SnoopingSwitch, words } from '../../conformance/support/snooping.js';
import { packet } from '../../dataplane/support/frames.js';
import { groupMac, igmpFrame, igmpV3Frame, mldFrame } from '../../dataplane/support/group-traffic.js';
import { long } from '../../long.js';

/** The same cases each time; others with OVERTAP_SEED. */
const SEED = Number(process.env.OVERTAP_SEED ?? 20_261_130);
const GROUP = '239.1.1.1';
const GROUP6 = 'ff0e::123';
const JOIN = 0x16;
const LEAVE = 0x17;

const host = (number: number): string => `02:00:00:00:0${number >> 8}:${(number & 0xff).toString(16).padStart(2, '0')}`;
const [H1, H2, H3] = [host(1), host(2), host(3)];

let net: SnoopingSwitch;

beforeEach(() => {
  net = new SnoopingSwitch({ mcast_igmp_version: 2, mcast_mld_version: 1 });
  net.port('t1', { toUnicast: true });
});

const says = (type: number, source: string, group = GROUP, port = 't1'): void =>
  net.send(port, igmpFrame(type, group, { source }));
const datagram = (group: string, more: object = {}): Uint8Array => {
  const version = group.includes(':') ? 6 : 4;
  return packet({ version, protocol: 'udp', destination: groupMac(group), destinationAddress: group, ...more });
};
/** Each copy of a frame of t2: the port, and its destination; the rest of every copy is as it was sent. */
function copies(group = GROUP, more: object = {}, from = 't2'): string[] {
  const sent = datagram(group, more);
  return net.sw
    .send(from, sent)
    .out.map(({ to, frame }) => {
      expect(frame.subarray(6)).toEqual(sent.subarray(6));
      const view = viewOf(frame);
      return `${to} ${formatMac(destinationHigh(view, 0), destinationLow(view, 0))}`;
    })
    .sort();
}
const AS_IT_IS = [`t1 ${groupMac(GROUP)}`];

describe('a port with mcast_to_unicast', () => {
  it('gets a copy for each member, to its MAC; other ports get the frame as it is', () => {
    says(JOIN, H1);
    expect(copies()).toEqual([`t1 ${H1}`]);
    says(JOIN, H2);
    says(JOIN, H3, GROUP, 't3');
    expect(copies()).toEqual([`t1 ${H1}`, `t1 ${H2}`, `t3 ${groupMac(GROUP)}`]);
    // As in the kernel each is an entry.
    expect(net.rows(GROUP).map(({ port }) => port)).toEqual(['t1', 't1', 't3']);
    expect(net.mdb.entriesOf(net.sw.port('t1'))).toBe(2);
  });

  it('the same of IPv6', () => {
    net.send('t1', mldFrame(131, GROUP6, { source: H1 }));
    net.send('t1', mldFrame(131, GROUP6, { source: H2 }));
    expect(copies(GROUP6)).toEqual([`t1 ${H1}`, `t1 ${H2}`]);
  });

  it('of one that leaves there are no more copies once its time is over, the others stay', () => {
    for (const one of [H1, H2]) says(JOIN, one);
    says(LEAVE, H1);
    expect(net.takeQueries()).toHaveLength(1);
    net.wait(3000);
    expect(copies()).toEqual([`t1 ${H2}`]);
    net.port('t1', { toUnicast: true, fastLeave: true });
    says(LEAVE, H2);
    expect(copies()).toEqual([]);
    expect(net.rows(GROUP)).toEqual([]);
  });

  it('no host hears itself, even with hairpin', () => {
    for (const one of [H1, H2]) says(JOIN, one);
    expect(copies(GROUP, { source: H1 }, 't1')).toEqual([]);
    const { forwarding } = net.sw.context;
    forwarding.portFlags[net.sw.port('t1')] |= HAIRPIN;
    expect(copies(GROUP, { source: H1 }, 't1')).toEqual([`t1 ${H2}`]);
  });

  it('a router behind it gets the frame as it is, once', () => {
    says(JOIN, H1);
    net.port('t1', { toUnicast: true, router: 2 });
    net.settle();
    expect(copies()).toEqual(AS_IT_IS);
  });

  it('with an entry by command it gets the frame as it is, until that is deleted', () => {
    const { bridge, mdb } = net;
    const place = destinationOf(net.sw.port('t1'), 0);
    says(JOIN, H1);
    expect(mdb.add(bridge, [0], words(GROUP), place)).toBe('added');
    net.settle();
    expect(copies()).toEqual(AS_IT_IS);
    expect(mdb.remove(bridge, [0], words(GROUP), place)).toBe(true);
    net.settle();
    expect(copies()).toEqual([`t1 ${H1}`]);
    expect(mdb.remove(bridge, [0], words(GROUP), place)).toBe(true);
    net.settle();
    expect(copies()).toEqual([]);
    expect(mdb.remove(bridge, [0], words(GROUP), place)).toBe(false);
  });

  it('switched off and on again it loses no member', () => {
    says(JOIN, H1);
    net.port('t1', { toUnicast: false });
    net.settle();
    expect(copies()).toEqual(AS_IT_IS);
    says(JOIN, H2);
    net.port('t1', { toUnicast: true });
    net.settle();
    // The port itself is a member until that is over.
    expect(copies()).toEqual(AS_IT_IS);
    net.wait(200_000);
    says(JOIN, H1);
    says(JOIN, H2);
    net.wait(100_000);
    expect(copies()).toEqual([`t1 ${H1}`, `t1 ${H2}`]);
  });

  it('filters by source for each host', () => {
    net.set({ mcast_igmp_version: 3 });
    const report = (source: string, type: number, ...sources: string[]): void =>
      net.send('t1', igmpV3Frame([{ type, group: GROUP, sources }], { source }));
    report(H1, 3, '192.0.2.1');
    report(H2, 3, '192.0.2.2');
    report(H3, 4);
    expect(copies(GROUP, { sourceAddress: '192.0.2.1' })).toEqual([`t1 ${H1}`, `t1 ${H3}`]);
    expect(copies(GROUP, { sourceAddress: '192.0.2.2' })).toEqual([`t1 ${H2}`, `t1 ${H3}`]);
    expect(copies(GROUP, { sourceAddress: '192.0.2.3' })).toEqual([`t1 ${H3}`]);
  });

  it('reports from a group MAC are members as the port is', () => {
    says(JOIN, '00:00:00:00:00:00');
    expect(copies().length).toBeLessThan(2);
    expect(net.rows(GROUP).every(({ port }) => port === 't1')).toBe(true);
  });

  it('hands all its hosts on as one member, which lasts as long as theirs', () => {
    for (const one of [H1, H2]) says(JOIN, one);
    const [{ groups }] = net.mdb.heard(net.now);
    expect(groups).toEqual([{ address: words(GROUP), members: [[net.sw.port('t1'), 260_000]] }]);
  });
});

describe('hostile hosts', () => {
  it('more than MAX_HOSTS_OF_GROUP: one copy as it is', () => {
    for (let number = 1; number <= MAX_HOSTS_OF_GROUP; number++) says(JOIN, host(number));
    expect(copies()).toHaveLength(MAX_HOSTS_OF_GROUP);
    says(JOIN, host(MAX_HOSTS_OF_GROUP + 1));
    says(JOIN, host(MAX_HOSTS_OF_GROUP + 2));
    expect(copies()).toEqual(AS_IT_IS);
    expect(net.rows(GROUP)).toHaveLength(MAX_HOSTS_OF_GROUP + 1);
  });

  it('more than MAX_HOSTS_OF_PORT in all: one copy as it is; another port has its own', () => {
    net.port('t3', { toUnicast: true });
    for (let number = 0; number < MAX_HOSTS_OF_PORT; number++) says(JOIN, host(number % 32), `239.2.0.${number >> 5}`);
    says(JOIN, host(40));
    says(JOIN, host(41), GROUP, 't3');
    expect(copies()).toEqual([...AS_IT_IS, `t3 ${host(41)}`]);
  });

  it('a superframe of which no turn has room for all copies does not reach them; another port has its copy', () => {
    for (let number = 1; number <= 62; number++) says(JOIN, host(number));
    says(JOIN, H1, GROUP, 't3');
    const large = datagram(GROUP, { protocol: 'tcp', data: 60_000 });
    // 500 segments, 62 copies.
    const { to, drops } = net.sw.send('t2', large, { vnet: 1 | (1 << 8), gso: 120, csum: 34 | (16 << 16) });
    expect({ to, drops }).toEqual({ to: ['t3'], drops: ['t1 turn_exceeded'] });
    expect(copies()).toHaveLength(63);
  });
});

it('the copies are those of the hosts that have joined, whoever reports what', () => {
  const step = fc.record({
    port: fc.constantFrom('t1', 't3'),
    number: fc.integer({ min: 1, max: 6 }),
    group: fc.constantFrom(GROUP, '239.1.1.2'),
    joins: fc.boolean(),
  });
  const check = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    net = new SnoopingSwitch({ mcast_igmp_version: 2 });
    for (const port of ['t1', 't3']) net.port(port, { toUnicast: true, fastLeave: true });
    const model = new Map([GROUP, '239.1.1.2'].map((group) => [group, new Set<string>()]));
    for (const { port, number, group, joins } of steps) {
      says(joins ? JOIN : LEAVE, host(number), group, port);
      const copy = `${port} ${host(number)}`;
      if (joins) model.get(group)?.add(copy);
      else model.get(group)?.delete(copy);
      for (const [one, members] of model) expect(copies(one)).toEqual([...members].sort());
    }
    for (const port of ['t1', 't3']) net.mdb.forgetPort(net.sw.port(port));
    net.settle();
    expect(net.mdb.rows(net.now).mdb).toEqual([]);
    expect(net.mdb.entriesOf(net.sw.port('t1'))).toBe(0);
  });
  fc.assert(check, { seed: SEED, numRuns: long(300, 30) });
});
