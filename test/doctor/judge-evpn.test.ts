/** Findings of doctor on the BGP speaker and on sources of peers. */
import { describe, expect, it } from 'vitest';
import type { EvpnNeighborRow, EvpnRouteRow, EvpnVniRow, LinkRow } from '../../src/api/api.js';
import { judgeEvpn } from '../../src/doctor/judge-evpn.js';
import { judgePeers } from '../../src/doctor/judge-peers.js';

const NEIGHBOR: EvpnNeighborRow = {
  ...{ address: '192.0.2.9', asn: 65001, state: 'established', since: 60, ups: 1, received: 10, accepted: 10 },
  ...{ sent: 3, stale: 0, messages_in: 20, messages_out: 8, malformed: 0 },
};
const VNI: EvpnVniRow = {
  ...{ vni: 100, type: 'l2', owner: 'vxlan0', local: '192.0.2.1', rd: '192.0.2.1:100', floods: true },
  ...{ imports: ['65001:100'], exports: ['65001:100'], remotes: [], local_macs: 1, remote_macs: 2, duplicates: [] },
};
const FLOOD: EvpnRouteRow = {
  ...{ type: 3, rd: '192.0.2.2:2', tag: 0, ip: '192.0.2.2', next_hop: '192.0.2.2', neighbor: '192.0.2.9' },
  ...{ best: true, stale: false, imported: [], origin: 'igp', as_path: '', route_targets: ['65001:999'] },
  pmsi: { type: 6, vni: 100, endpoint: '192.0.2.2' },
};

interface Case {
  neighbor?: Partial<EvpnNeighborRow>;
  vni?: Partial<EvpnVniRow>;
  floods?: EvpnRouteRow[];
  most?: number;
}

const judge = ({ neighbor = {}, vni = {}, floods = [], most = 1000 }: Case) =>
  judgeEvpn({
    neighbors: [{ ...NEIGHBOR, ...neighbor }],
    vnis: [{ ...VNI, ...vni }],
    floods,
    mostRoutes: new Map([['192.0.2.9', most]]),
  }).map(({ level, subject, finding }) => `${level} ${subject}: ${finding}`);

describe('the speaker', () => {
  it('is well', () => {
    expect(judge({})).toEqual(['ok evpn: 1 of 1 BGP sessions are up']);
  });

  it('does not answer', () => {
    expect(judgeEvpn(null)).toMatchObject([{ level: 'warn', subject: 'evpn' }]);
  });

  it('has a neighbour that is down: since when, and why', () => {
    const neighbor = { state: 'active', since: 75, ups: 3, last_end: 'hold timer expired' } as const;
    expect(judge({ neighbor })).toEqual([
      'fail evpn 192.0.2.9: its BGP session is down for 75 s (active; hold timer expired): what it has announced is not used',
      'ok evpn: 0 of 1 BGP sessions are up',
    ]);
    expect(judge({ neighbor: { state: 'connect', ups: 0 } })[0]).toContain(
      'has never come up (connect; it does not answer)',
    );
  });

  it('has a neighbour near max_routes, and one beyond', () => {
    expect(judge({ neighbor: { received: 749, accepted: 749 } })).toHaveLength(1);
    expect(judge({ neighbor: { received: 750, accepted: 750 } })[0]).toBe(
      'warn evpn 192.0.2.9: its 750 routes are near max_routes, 1000',
    );
    expect(judge({ neighbor: { received: 1007, accepted: 1000 } })[0]).toBe(
      'fail evpn 192.0.2.9: 7 of its 1007 routes are refused: max_routes is reached',
    );
  });

  it('has a neighbour whose attributes have taken its memory, which is not max_routes', () => {
    const crowded = { received: 110, accepted: 100, crowded: 10 };
    const finding =
      'fail evpn 192.0.2.9: 10 of its 110 routes are refused: their attributes have taken its part of the memory, since no two routes share them';
    expect(judge({ neighbor: crowded }).slice(0, -1)).toEqual([finding]);
    const both = { received: 1017, accepted: 1000, crowded: 10 };
    expect(judge({ neighbor: both }).slice(0, -1)).toEqual([
      finding.replace('110', '1017'),
      'fail evpn 192.0.2.9: 7 of its 1007 routes are refused: max_routes is reached',
    ]);
  });

  it('has MACs that are frozen', () => {
    expect(judge({ vni: { duplicates: ['02:00:00:00:00:09'] } })[0]).toBe(
      'warn evpn VNI 100: MACs moved between VTEPs too often, and are left where they are: 02:00:00:00:00:09',
    );
  });

  it('hears a VTEP of our AS with another route target', () => {
    expect(judge({ floods: [FLOOD] })[0]).toBe(
      'warn evpn 192.0.2.2: announces VNI 100 with route target 65001:999, which it does not import here (65001:100)',
    );
  });

  it.each<[string, Partial<EvpnRouteRow>]>([
    ['of another AS', { as_path: '65002' }],
    ['that is imported', { imported: [100] }],
    ['of a VNI that is not ours', { pmsi: { type: 6, vni: 101 } }],
    ['refused for another reason', { route_targets: ['65001:100'] }],
  ])('says nothing of a route %s', (_, change) => {
    expect(judge({ floods: [{ ...FLOOD, ...change }] })).toHaveLength(1);
  });
});

describe('a source of peers', () => {
  const NOW = Date.parse('2026-01-02T03:04:15.000Z');
  const source = { source: 'dns vtep.example.net', remotes: 3, macs: 0, bindings: 0 };
  const spoke = '2026-01-02T03:04:05.000Z';
  const judged = (row: object): string[] =>
    judgePeers([{ ifname: 'vx0', peer_sources: [{ ...source, ...row }] } as unknown as LinkRow], NOW).map(
      ({ level, subject, finding }) => `${level} ${subject}: ${finding}`,
    );

  it.each<[object, string]>([
    [{ state: 'ok', spoke }, 'ok vx0 dns vtep.example.net: speaks: 3 remotes'],
    [
      { state: 'failed', spoke, fault: 'no answer' },
      'fail vx0 dns vtep.example.net: fails (it last spoke 10 s ago; no answer): its 3 remotes stay as they were',
    ],
    [
      { state: 'lapsed', fault: 'no answer' },
      'fail vx0 dns vtep.example.net: has failed for longer than peers_grace (it has never spoken; no answer): its peers were taken back',
    ],
    [{ state: 'starting' }, 'warn vx0 dns vtep.example.net: has not spoken yet (it has never spoken)'],
    [
      { state: 'ok', spoke, fault: 'line 3' },
      'warn vx0 dns vtep.example.net: speaks, and part of it cannot be used: line 3',
    ],
  ])('%o', (row, finding) => {
    expect(judged(row)).toEqual([finding]);
  });
});
