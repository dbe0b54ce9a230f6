/**
 * The kernel's tests of source filters, each with its name: tools/testing/selftests/net/forwarding/bridge_igmp.sh and bridge_mld.sh. They
 * walk through the transition tables of RFC 3376 section 6.4 and RFC 3810 section 7.4.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { igmpFrame, mldFrame } from '../dataplane/support/group-traffic.js';
import { SnoopingSwitch } from './support/snooping.js';

const [IS_INCLUDE, IS_EXCLUDE, TO_EXCLUDE, ALLOW, BLOCK] = [1, 2, 4, 5, 6];

interface Script {
  script: string;
  group: string;
  source(last: number): string;
  /** Of the names of a case in the two scripts, its own. */
  name(igmp: string, mld: string): string;
}

const SCRIPTS: Script[] = [
  {
    script: 'bridge_igmp.sh',
    group: '239.10.10.10',
    source: (last) => `192.0.2.${last}`,
    name: (igmp) => igmp,
  },
  {
    script: 'bridge_mld.sh',
    group: 'ff02::cc',
    source: (last) => `2001:db8:1::${last}`,
    name: (_, mld) => mld,
  },
];

describe.each(SCRIPTS)('$script', ({ group, source, name }) => {
  let net: SnoopingSwitch;
  const all = (numbers: readonly number[]): string[] => numbers.map(source);
  const report = (type: number, numbers: readonly number[]): void => net.report(type, group, all(numbers));
  const own = () => net.rows(group).find((row) => row.src === undefined && row.port === 't1');
  const forwards = (numbers: readonly number[]): void => {
    for (const from of all(numbers)) expect([from, net.reaches(group, from)]).toEqual([from, ['t1']]);
  };
  const blocks = (numbers: readonly number[]): void => {
    for (const from of all(numbers)) expect([from, net.reaches(group, from)]).toEqual([from, []]);
  };

  /** Mode and list of the member, and the rows of its pairs of source and group. */
  function expectSources(
    mode: 'include' | 'exclude',
    running: readonly number[],
    stopped: readonly number[] = [],
  ): void {
    const row = own();
    const list = row?.source_list ?? [];
    const [going, standing] = [list.filter(({ timer }) => timer > 0), list.filter(({ timer }) => timer === 0)];
    expect(row?.filter_mode).toBe(mode);
    expect(going.map(({ address }) => address).sort()).toEqual(all(running).sort());
    expect(standing.map(({ address }) => address).sort()).toEqual(all(stopped).sort());
    const pairs = net.rows(group).filter(({ src }) => src !== undefined);
    expect(
      pairs
        .filter(({ flags }) => flags.includes('blocked'))
        .map(({ src }) => src)
        .sort(),
    ).toEqual(all(stopped).sort());
    expect(pairs).toHaveLength(running.length + stopped.length);
  }

  function include(): void {
    report(IS_INCLUDE, [1, 2, 3]);
    expectSources('include', [1, 2, 3]);
  }

  function exclude(): void {
    include();
    report(IS_EXCLUDE, [1, 2, 20, 21]);
    expectSources('exclude', [1, 2], [20, 21]);
  }

  beforeEach(() => {
    net = new SnoopingSwitch();
  });

  it(name('v3include_test', 'mldv2include_test'), () => {
    include();
    forwards([1, 2, 3]);
    blocks([100]);
  });

  it(name('v3inc_allow_test', 'mldv2inc_allow_test'), () => {
    include();
    report(ALLOW, [10, 11, 12]);
    expectSources('include', [1, 2, 3, 10, 11, 12]);
    forwards([10, 11, 12]);
    blocks([100]);
  });

  it(name('v3inc_is_include_test', 'mldv2inc_is_include_test'), () => {
    include();
    report(IS_INCLUDE, [10, 11, 12]);
    expectSources('include', [1, 2, 3, 10, 11, 12]);
    forwards([10, 11, 12]);
    blocks([100]);
  });

  it(name('v3inc_is_exclude_test', 'mldv2inc_is_exclude_test'), () => {
    exclude();
    forwards([1, 2, 100]);
    blocks([20, 21]);
  });

  it(name('v3inc_to_exclude_test', 'mldv2inc_to_exclude_test'), () => {
    include();
    net.set({ mcast_last_member_interval: 500 });
    report(TO_EXCLUDE, [1, 20, 30]);
    net.wait(1000);
    expectSources('exclude', [1], [20, 30]);
    forwards([1, 100]);
    blocks([20, 30]);
  });

  it(name('v3exc_allow_test', 'mldv2exc_allow_test'), () => {
    exclude();
    report(ALLOW, [20, 30]);
    expectSources('exclude', [1, 2, 20, 30], [21]);
    forwards([1, 2, 20, 30, 100]);
    blocks([21]);
  });

  it(name('v3exc_is_include_test', 'mldv2exc_is_include_test'), () => {
    exclude();
    report(IS_INCLUDE, [20, 30]);
    expectSources('exclude', [1, 2, 20, 30], [21]);
    forwards([1, 2, 20, 30, 100]);
    blocks([21]);
  });

  it(name('v3exc_is_exclude_test', 'mldv2exc_is_exclude_test'), () => {
    exclude();
    report(IS_EXCLUDE, [20, 30]);
    expectSources('exclude', [30], [20]);
    forwards([30, 100]);
    blocks([20]);
  });

  it(name('v3exc_to_exclude_test', 'mldv2exc_to_exclude_test'), () => {
    exclude();
    net.set({ mcast_last_member_interval: 500 });
    report(TO_EXCLUDE, [1, 20, 30]);
    net.wait(1000);
    expectSources('exclude', [1, 30], [20]);
    forwards([1, 30, 100]);
    blocks([20]);
  });

  it(name('v3inc_block_test', 'mldv2inc_block_test'), () => {
    include();
    report(BLOCK, [1, 20, 30]);
    net.wait(3000);
    expectSources('include', [2, 3]);
    forwards([2, 3]);
    blocks([100, 1]);
  });

  it(name('v3exc_block_test', 'mldv2exc_block_test'), () => {
    exclude();
    net.set({ mcast_last_member_interval: 500 });
    report(BLOCK, [1, 20, 30]);
    net.wait(1000);
    expectSources('exclude', [1, 2, 30], [20, 21]);
    forwards([1, 2, 30, 100]);
    blocks([20, 21]);
  });

  it(name('v3exc_timeout_test', 'mldv2exc_timeout_test'), () => {
    net.set({ mcast_query_interval: 100, mcast_query_response_interval: 100 });
    exclude();
    net.set({ mcast_query_interval: 500, mcast_query_response_interval: 500 });
    report(ALLOW, [20, 30]);
    net.wait(3000);
    expectSources('include', [20, 30]);
    forwards([20, 30]);
    blocks([100]);
  });
});

it('bridge_igmp.sh: v2reportleave_test', () => {
  const net = new SnoopingSwitch({ mcast_igmp_version: 2, mcast_mld_version: 1 });
  for (const [group, source, join, leave] of [
    ['239.10.10.10', '192.0.2.1', igmpFrame(0x16, '239.10.10.10'), igmpFrame(0x17, '239.10.10.10')],
    ['ff0e::cc', '2001:db8:1::1', mldFrame(131, 'ff0e::cc'), mldFrame(132, 'ff0e::cc')],
  ] as const) {
    expect(net.reaches(group, source)).toEqual([]);
    net.send('t1', join);
    expect(net.rows(group)).toMatchObject([{ port: 't1', state: 'temp', flags: [] }]);
    expect(net.reaches(group, source)).toEqual(['t1']);
    net.takeQueries();
    net.send('t1', leave);
    net.wait(2000);
    // It was asked twice whether anyone is still there.
    expect(net.takeQueries()).toMatchObject(Array(2).fill({ port: net.sw.port('t1') }));
    expect(net.rows(group)).toEqual([]);
    expect(net.reaches(group, source)).toEqual([]);
  }
});
