/** Dropped frames in words, and which of them are new. */
import { describe, expect, it } from 'vitest';
import type { DroppedFrame } from '../../src/api/api.js';
import { DROP_REASONS } from '../../src/dataplane/state/drop-reasons.js';
import { dropText, Follower, missedText } from '../../src/sight/drops-text.js';
import { DROP_SENTENCES, dropSentence } from '../../src/text/drop-sentences.js';

const ROW: DroppedFrame = {
  time: '2026-01-02T03:04:05.678Z',
  port: 'tap1',
  direction: 'rx',
  reason: 'no_pvid',
  length: 14,
  frame: '02000000000202000000000188b5',
  engine: 0,
  number: 7,
};

describe('a dropped frame in words', () => {
  it('that came in by a local port, with the command that explains it', () => {
    expect(dropText(ROW)).toBe(
      [
        '2026-01-02T03:04:05.678Z from tap1: no_pvid',
        '  02:00:00:00:00:01 > 02:00:00:00:00:02 type 0x88b5 (14 bytes)',
        '  Dropped: it has no VLAN tag, and the port has no PVID to give it a VLAN.',
        '  overtap trace tap1 02000000000202000000000188b5',
        '',
      ].join('\n'),
    );
  });

  it('from a remote, and longer than what is kept of it', () => {
    const facts = { remote: '192.0.2.1', vni: 42, vlan: 10, length: 1500 };
    const [first, second, , last, ...rest] = dropText({ ...ROW, ...facts, port: 'vx' }).split('\n');
    expect(first).toContain('from vx remote 192.0.2.1 vni 42 vlan 10: no_pvid');
    expect(second).toContain('(1500 bytes, the first 14 of them here)');
    expect(last).toBe(`  overtap trace vx ${ROW.frame} len 1500 --from 192.0.2.1 --vni 42`);
    expect(rest).toEqual(['']);
  });

  it.each<[string, Partial<DroppedFrame>]>([
    ['on its way out', { direction: 'tx' }],
    ['without a VNI', { remote: '192.0.2.1', reason: 'vxlan_too_short' }],
    ['for what is not in the frame', { reason: 'offload_invalid' }],
    ['of no bytes', { frame: '', length: 0 }],
  ])('%s: nothing to trace', (_name, facts) => {
    expect(dropText({ ...ROW, ...facts })).not.toContain('overtap trace');
  });

  it('each reason has a sentence, and only reasons have', () => {
    expect(Object.keys(DROP_SENTENCES).sort()).toEqual([...DROP_REASONS].sort());
    for (const sentence of Object.values(DROP_SENTENCES)) expect(sentence).toMatch(/^[a-z].*\.$/);
    expect(dropSentence('of_a_newer_switch')).toBe('Dropped: of_a_newer_switch.');
  });
});

describe('what is new in a listing', () => {
  const rows = (...numbers: number[]): DroppedFrame[] => numbers.map((number) => ({ ...ROW, number }));
  const taken = (follower: Follower, given: DroppedFrame[]) =>
    follower.take(given).map(({ row, missed }) => [row.reason, row.number, missed]);

  it('later numbers, each with the number of those between', () => {
    const follower = new Follower();
    follower.take(rows(1, 2));
    expect(taken(follower, rows(2, 3, 10))).toEqual([
      ['no_pvid', 3, 0],
      ['no_pvid', 10, 6],
    ]);
    expect(taken(follower, rows(3, 10))).toEqual([]);
  });

  it('reasons and engines are counted apart', () => {
    const follower = new Follower();
    follower.take(rows(5));
    const other = { ...ROW, number: 1 };
    expect(
      taken(follower, [
        { ...other, engine: 1 },
        { ...other, reason: 'link_local' },
      ]),
    ).toEqual([
      ['no_pvid', 1, 0],
      ['link_local', 1, 0],
    ]);
  });

  it('how many were not kept is said', () => {
    expect(missedText('no_pvid', 1)).toBe('  ... 1 more frame dropped as no_pvid, not kept\n');
    expect(missedText('no_pvid', 2)).toContain('2 more frames');
  });
});
