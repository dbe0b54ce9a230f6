import { describe, expect, it } from 'vitest';
import { fromHex } from '../../../src/wire/bytes.js';
import {
  FrameGroups,
  keyOf,
  MAX_GROUPS,
  MAX_SINGLES,
  type ObservedFrame,
} from '../../../src/page/server/frame-groups.js';

const MACS = '020000000a02020000000a01';
/** An ICMP echo request from 10.0.0.1 to 10.0.0.2 with this sequence number. */
const ping = (sequence = 1): string =>
  `${MACS}0800450000540001400040010000${'0a000001'}${'0a000002'}0800f7ff0001${sequence.toString(16).padStart(4, '0')}`;
const ARP = `${MACS}08060001080006040001020000000a010a0000010000000000000a000002`;

const seen = (change: Partial<ObservedFrame> = {}): ObservedFrame => ({
  at: 1,
  from: { port: 'tap1' },
  to: [{ port: 'vxlan0', remote: '192.0.2.2', vni: 2 }],
  verdict: 'forwarded',
  bytes: fromHex(ping()),
  length: 98,
  ...change,
});

describe('frames', () => {
  it('that are few are told one by one, in words', () => {
    const groups = new FrameGroups();
    groups.add(seen());
    groups.add(seen({ bytes: fromHex(ARP), length: 42, verdict: 'flooded' }));
    const { list, missed } = groups.take();
    expect(missed).toBe(0);
    expect(list.map(({ id, kind, text, count, verdict }) => [id, kind, text, count, verdict])).toEqual([
      [1, 'ping', '10.0.0.1 > 10.0.0.2 ICMP echo request', 1, 'forwarded'],
      [2, 'ARP', 'ARP who-has 10.0.0.2 tell 10.0.0.1', 1, 'flooded'],
    ]);
    expect(groups.isEmpty).toBe(true);
    expect(groups.take()).toEqual({ list: [], missed: 0 });
  });

  it('that are many are told by their way and kind, with their number', () => {
    const groups = new FrameGroups();
    for (let n = 0; n < 10_000; n++) groups.add(seen({ bytes: fromHex(ping(n)) }));
    groups.add(seen({ bytes: fromHex(ARP) }));
    groups.add(seen({ to: [{ port: 'tap2' }] }));
    groups.add(seen({ to: [], verdict: 'dropped', reason: 'no_pvid' }));
    const { list, missed } = groups.take();
    expect(list.map(({ kind, count, reason }) => [kind, count, reason])).toEqual([
      ['ping', 10_000, undefined],
      ['ARP', 1, undefined],
      ['ping', 1, undefined],
      ['ping', 1, 'no_pvid'],
    ]);
    expect(missed).toBe(0);
  });

  it('of too many ways are counted, and so are those that the switch lost: none is passed over in silence', () => {
    const groups = new FrameGroups();
    for (let n = 0; n < 1000; n++) groups.add(seen({ from: { port: `tap${n % 100}` } }));
    groups.lose(7);
    const { list, missed } = groups.take();
    expect(list).toHaveLength(MAX_GROUPS);
    expect(list.reduce((sum, { count }) => sum + count, 0) + missed).toBe(1007);
  });

  it(`are one by one up to ${MAX_SINGLES}`, () => {
    const groups = new FrameGroups();
    for (let n = 0; n < MAX_SINGLES; n++) groups.add(seen());
    expect(groups.take().list).toHaveLength(MAX_SINGLES);
    for (let n = 0; n <= MAX_SINGLES; n++) groups.add(seen());
    expect(groups.take().list).toHaveLength(1);
  });
});

describe('the key of a frame', () => {
  const key = (hex: string): string => keyOf(fromHex(hex));

  it('is the same with and without a tag, and whatever its checksums are', () => {
    expect(key(`${MACS}81000002${ping().slice(24)}`)).toBe(key(ping()));
    const udp = `${MACS}0800450000220001400040110000${'0a000001'}${'0a000002'}1388003500`;
    expect(key(`${udp}0e1234`)).toBe(key(`${udp}0eabcd`));
  });

  it('is another one for another packet', () =>
    expect(key(ping())).not.toBe(key(ping().replace('00540001', '00540002'))));

  it('of a fragment of a header is what there is', () => {
    expect(key('')).toBe('');
    expect(key('02')).toBe('02');
  });
});
