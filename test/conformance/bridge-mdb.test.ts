/**
 * The kernel's tests of the multicast database, each with its name: tools/testing/selftests/net/forwarding/bridge_mdb.sh. Commands are
 * given in the words of `bridge mdb`. Entries that do not say are permanent here; the script's own say `temp` where it matters.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatMdb } from '../../src/cli/format/mdb.js';
import { linkSet } from '../../src/cli/requests/link.js';
import { mdbChange, mdbFlush, mdbGet } from '../../src/cli/requests/mdb.js';
import { encodeEthernet } from '../../src/wire/ethernet.js';
import { groupMac, igmpV3Frame, mldV2Frame } from '../dataplane/support/group-traffic.js';
import { packet } from '../dataplane/support/frames.js';
import { LiveSwitch } from '../control/live/live-switch.js';

let live: LiveSwitch;

beforeEach(async () => {
  const vlans = [{ vid: 10 }, { vid: 20 }];
  const tap = { type: 'tap', vlans };
  const options = { vlan_filtering: true, vlan_default_pvid: 0, mcast_igmp_version: 3, mcast_mld_version: 2 };
  const br0 = { ...options, ports: { swp1: tap, swp2: tap, swp3: tap } };
  live = await LiveSwitch.start({ name: 'live', fdb_size: 128, bridges: { br0 } });
});

afterEach(() => live.stop());

/** `mdb add ...` and the like, at the bridge. */
async function mdb(line: string): Promise<void> {
  const [op, ...words] = line.split(' ');
  const at = ['dev', 'br0', ...words];
  await live.controls.mdb(op === 'flush' ? mdbFlush(at) : mdbChange(op as 'add' | 'replace' | 'del', at));
}

/** Whether a command is refused. */
const refuses = async (line: string): Promise<boolean> =>
  mdb(line).then(
    () => false,
    () => true,
  );

/** What `-d mdb get` prints. */
function get(words: string): string {
  const { dev, grp, src, vid } = mdbGet(['dev', 'br0', ...words.split(' ')]);
  const rows = live
    .groups()
    .mdb.filter((row) => row.dev === dev && row.grp === grp && row.src === src && row.vid === vid);
  return formatMdb({ mdb: rows, router: [] }, true);
}

const link = (words: string): Promise<void> => live.controls.link(linkSet(words.split(' ')));

/** Where a frame from swp3 in VLAN 10 goes. */
const reaches = (frame: Uint8Array): string[] => {
  live.inject(0, 'swp3', frame);
  return live.turn(0).map(({ to }) => to);
};
const datagram = (group: string, source: string): Uint8Array =>
  packet({
    version: group.includes(':') ? 6 : 4,
    protocol: 'udp',
    tci: 10,
    destination: groupMac(group),
    destinationAddress: group,
    sourceAddress: source,
  });

async function cfgTestPortCommon(key: string): Promise<void> {
  await mdb(`add port swp1 ${key} permanent vid 10`);
  expect(get(`${key} vid 10`)).toContain('proto static');
  await mdb(`replace port swp1 ${key} permanent vid 10 proto 123`);
  expect(get(`${key} vid 10`)).toContain('proto 123');
  await mdb(`del port swp1 ${key} permanent vid 10`);
  expect(get(`${key} vid 10`)).toBe('');

  await mdb(`add port swp1 ${key} permanent`);
  for (const vid of [10, 20]) expect(get(`${key} vid ${vid}`)).not.toBe('');
  await mdb(`del port swp1 ${key} permanent`);
  for (const vid of [10, 20]) expect(get(`${key} vid ${vid}`)).toBe('');

  await link('swp1 down');
  await mdb(`add port swp1 ${key} permanent vid 10`);
  await mdb(`del port swp1 ${key} permanent vid 10`);
  expect(await refuses(`add port swp1 ${key} temp vid 10`)).toBe(true);
  await link('swp1 up');

  await link('br0 down');
  expect(await refuses(`add port swp1 ${key} permanent vid 10`)).toBe(true);
  await link('br0 up');
  await link('br0 type bridge mcast_snooping 0');
  expect(await refuses(`add port swp1 ${key} permanent vid 10`)).toBe(true);
  await link('br0 type bridge mcast_snooping 1');
  expect(await refuses(`add port swp1 ${key} permanent vid 5000`)).toBe(true);
}

describe('bridge_mdb.sh', () => {
  it('cfg_test_port_ip_star_g', async () => {
    for (const [grp, invalid, prefix] of [
      ['239.1.1.1', '224.0.0.1', '192.0.2.'],
      ['ff0e::1', 'ff02::1', '2001:db8:1::'],
    ]) {
      await cfgTestPortCommon(`grp ${grp}`);
      const [star, src1, src2, src3] = [`grp ${grp} vid 10`, `${prefix}1`, `${prefix}2`, `${prefix}3`];
      const pair = (source: string): string => get(`grp ${grp} src ${source} vid 10`);
      const put = (op: string, rest: string): Promise<void> => mdb(`${op} port swp1 grp ${grp} vid 10 ${rest}`);

      await put('add', 'temp');
      expect(get(star)).toContain('exclude');
      await mdb(`del port swp1 ${star}`);

      await put('add', `filter_mode exclude source_list ${src1}`);
      expect(get(star)).toMatch(/ permanent filter_mode exclude source_list \S+\/0\.00 /);
      expect(pair(src1)).toMatch(/ permanent .*blocked/);
      await mdb(`del port swp1 ${star}`);
      expect(get(star) + pair(src1)).toBe('');

      // A group timer in EXCLUDE, source timers in INCLUDE, none for the pairs.
      await put('add', `temp filter_mode exclude source_list ${src1}`);
      expect(get(star)).toMatch(/ temp filter_mode exclude source_list \S+\/0\.00 .* timer (259|260)/);
      expect(pair(src1)).toMatch(/ temp .*blocked.* timer 0\n/);
      await mdb(`del port swp1 ${star}`);
      await put('add', `temp filter_mode include source_list ${src1} proto zebra`);
      expect(get(star)).toMatch(/ temp filter_mode include source_list \S+\/(259|260)\.\d\d proto zebra .* timer 0\n/);
      expect(pair(src1)).toMatch(/ temp filter_mode include proto zebra vid 10 timer 0\n/);

      await put('replace', `permanent filter_mode exclude source_list ${src1} proto bgp`);
      expect(get(star)).toMatch(/ permanent filter_mode exclude .* proto bgp/);
      expect(pair(src1)).toMatch(/ permanent .* proto bgp blocked/);
      await put('replace', `temp filter_mode include source_list ${src1}`);
      expect(pair(src1)).toMatch(/ temp filter_mode include proto static vid/);
      await put('replace', `temp filter_mode exclude source_list ${src1},${src2},${src3}`);
      expect([src1, src2, src3].map((source) => pair(source) !== '')).toEqual([true, true, true]);
      await put('replace', `temp filter_mode exclude source_list ${src1},${src3}`);
      expect([src1, src2, src3].map((source) => pair(source) !== '')).toEqual([true, false, true]);
      await mdb(`del port swp1 ${star}`);

      await mdb(`add port swp2 grp ${grp} vid 10 filter_mode include source_list ${src1}`);
      await put('add', 'permanent');
      expect(pair(src1)).toMatch(/port swp1 .*added_by_star_ex/);
      await mdb(`del port swp1 ${star}`);
      await mdb(`del port swp2 grp ${grp} src ${src1} vid 10`);
      expect(live.groups().mdb).toEqual([]);

      const wrong = [
        `add port swp1 grp ${invalid} vid 10`,
        `add port swp1 ${star} filter_mode include`,
        `add port swp1 ${star} filter_mode include source_list ${grp}`,
        `add port swp1 ${star} source_list ${src1}`,
      ];
      for (const line of wrong) expect([line, await refuses(line)]).toEqual([line, true]);
      await put('add', `filter_mode include source_list ${src1}`);
      expect(await refuses(`add port swp1 ${star} filter_mode exclude source_list ${src1}`)).toBe(true);
      await mdb(`del port swp1 ${star}`);
      await put('add', `src ${src2}`);
      expect(await refuses(`add port swp1 ${star} filter_mode include source_list ${src1},${src2},${src3}`)).toBe(true);
      await mdb(`del port swp1 grp ${grp} src ${src2} vid 10`);

      const many = (count: number): string => Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`).join(',');
      await put('add', `filter_mode exclude source_list ${many(31)}`);
      expect(live.groups().mdb.filter((row) => row.src !== undefined)).toHaveLength(31);
      await mdb(`del port swp1 ${star}`);
      expect(await refuses(`add port swp1 ${star} filter_mode exclude source_list ${many(32)}`)).toBe(true);
    }
  });

  it('cfg_test_port_ip_sg', async () => {
    for (const [grp, src] of [
      ['239.1.1.1', '192.0.2.1'],
      ['ff0e::1', '2001:db8:1::1'],
    ]) {
      const key = `grp ${grp} src ${src}`;
      await cfgTestPortCommon(key);
      const at = `port swp1 ${key} vid 10`;
      await mdb(`add ${at} permanent`);
      expect(get(`${key} vid 10`)).toMatch(/ permanent filter_mode include proto static vid 10\n/);
      await mdb(`del ${at}`);
      await mdb(`add ${at} temp`);
      expect(get(`${key} vid 10`)).toMatch(/ temp filter_mode include .* timer (259|260)/);
      expect(await refuses(`add ${at} permanent`)).toBe(true);
      await mdb(`del ${at}`);
      for (const rest of ['filter_mode include', `filter_mode include source_list ${src}`])
        expect(await refuses(`add ${at} ${rest}`)).toBe(true);
      expect(await refuses(`add port swp1 grp ${grp} src ${grp} vid 10`)).toBe(true);
      await mdb(`add ${at} temp proto 123`);
      await mdb(`replace ${at} temp proto 111`);
      expect(get(`${key} vid 10`)).toContain('proto 111');
      await mdb(`replace ${at} permanent`);
      expect(get(`${key} vid 10`)).toMatch(/ permanent .* vid 10\n/);
      await mdb(`replace ${at} temp`);
      expect(get(`${key} vid 10`)).toMatch(/ temp .* timer (259|260)/);
      await mdb(`del ${at}`);
      await mdb(`add port swp2 grp ${grp} vid 10`);
      await mdb(`add ${at}`);
      expect(get(`${key} vid 10`)).toMatch(/port swp2 .*added_by_star_ex/);
      await mdb(`del ${at}`);
      await mdb(`del port swp2 grp ${grp} vid 10`);
      expect(live.groups().mdb).toEqual([]);
    }
  });

  it('cfg_test_port_l2', async () => {
    const key = 'grp 01:02:03:04:05:06';
    await cfgTestPortCommon(key);
    for (const rest of ['src 192.0.2.1', 'filter_mode include', 'source_list 192.0.2.1', 'temp'])
      expect(await refuses(`add port swp1 ${key} vid 10 ${rest}`)).toBe(true);
    expect(await refuses('add port swp1 grp 00:01:02:03:04:05 permanent vid 10')).toBe(true);
  });

  it('cfg_test_flush', async () => {
    const ports = (words: string): string[] => get(words).match(/port \S+/g) ?? [];
    const key = 'grp 239.1.1.1 vid 10';
    const both = async (): Promise<void> => {
      await mdb('flush');
      await mdb(`add port swp1 ${key} permanent`);
      await mdb(`add port swp2 ${key} temp proto bgp`);
      await mdb('add port swp1 grp 239.1.1.2 src 192.0.2.1 vid 20 permanent');
    };
    await both();
    await mdb('flush');
    expect(live.groups().mdb).toEqual([]);
    for (const [words, left, others] of [
      ['port swp1', ['port swp2'], 0],
      ['vid 10', [], 1],
      ['permanent', ['port swp2'], 0],
      ['nopermanent', ['port swp1'], 1],
      ['temp', ['port swp1'], 1],
      ['notemp', ['port swp2'], 0],
      ['proto bgp', ['port swp1'], 1],
      ['proto static', ['port swp2'], 0],
    ] as const) {
      await both();
      await mdb(`flush ${words}`);
      const rest = ports('grp 239.1.1.2 src 192.0.2.1 vid 20').length;
      expect([words, ports(key), rest]).toEqual([words, [...left], others]);
    }
    expect(await refuses('flush port eth9')).toBe(true);
    expect(await refuses('flush proto nobody')).toBe(true);
  });

  it('fwd_test_port_ip', async () => {
    for (const [grp, valid, invalid] of [
      ['239.1.1.1', '192.0.2.1', '192.0.2.2'],
      ['ff0e::1', '2001:db8:1::1', '2001:db8:1::2'],
    ]) {
      const key = `port swp1 grp ${grp} vid 10`;
      const goes = (source: string): string[] => reaches(datagram(grp, source));
      await mdb(`add ${key} permanent filter_mode include source_list ${valid}`);
      expect([goes(valid), goes(invalid)]).toEqual([['swp1'], []]);
      await mdb(`replace ${key} permanent filter_mode exclude source_list ${invalid}`);
      expect([goes(valid), goes(invalid)]).toEqual([['swp1'], []]);
      await mdb(`replace ${key} permanent`);
      expect([goes(valid), goes(invalid)]).toEqual([['swp1'], ['swp1']]);
      await mdb(`del ${key}`);
      await mdb(`add ${key} src ${valid} permanent`);
      // Without a querier what no entry is about is flooded.
      expect([goes(valid), goes(invalid)]).toEqual([['swp1'], ['swp1', 'swp2']]);
      await mdb(`del ${key} src ${valid}`);
    }
  });

  it('fwd_test_port_l2', async () => {
    const frame = (destination: string): Uint8Array =>
      encodeEthernet({
        destination,
        source: '02:00:00:00:00:0b',
        etherType: 0x8100,
        payload: Uint8Array.from([0, 10, 0x88, 0xb5, ...new Uint8Array(46)]),
      });
    expect(reaches(frame('01:02:03:04:05:06'))).toEqual(['swp1', 'swp2']);
    await mdb('add port swp1 grp 01:02:03:04:05:06 permanent vid 10');
    expect(reaches(frame('01:02:03:04:05:06'))).toEqual(['swp1']);
    expect(reaches(frame('01:02:03:04:05:07'))).toEqual(['swp1', 'swp2']);
    await mdb('del port swp1 grp 01:02:03:04:05:06 vid 10');
    expect(reaches(frame('01:02:03:04:05:06'))).toEqual(['swp1', 'swp2']);
  });

  for (const [name, grp, src1, src2, report] of [
    ['ctrl_igmpv3_is_in_test', '239.1.1.1', '192.0.2.1', '192.0.2.2', igmpV3Frame],
    ['ctrl_mldv2_is_in_test', 'ff0e::1', '2001:db8:1::1', '2001:db8:1::2', mldV2Frame],
  ] as const) {
    it(name, async () => {
      const hear = (): void => {
        live.inject(0, 'swp1', report([{ type: 1, group: grp, sources: [src2] }], { tci: 10 }));
        live.turn(0);
        live.hearPunts();
      };
      const key = `port swp1 grp ${grp} vid 10`;
      // A permanent entry does not change by a report, a temporary one does.
      await mdb(`add ${key} permanent filter_mode include source_list ${src1}`);
      hear();
      expect(get(`grp ${grp} src ${src2} vid 10`)).toBe('');
      await mdb(`replace ${key} temp filter_mode include source_list ${src1}`);
      hear();
      for (const source of [src1, src2]) expect(get(`grp ${grp} src ${source} vid 10`)).not.toBe('');
      await mdb(`del ${key}`);
    });
  }
});

it('bridge_mdb_port_down.sh: add_del_to_port_down', async () => {
  const key = 'grp 239.10.10.10 vid 10';
  const goes = (): string[] => reaches(datagram('239.10.10.10', '192.0.2.1'));
  await link('swp2 type bridge_slave mcast_flood off');
  await link('swp2 down');
  await mdb(`add port swp2 ${key} permanent`);
  await link('swp2 up');
  expect(goes()).toEqual(['swp2']);
  await link('swp2 down');
  expect(get(key)).toContain('permanent');
  await mdb(`del port swp2 ${key}`);
  await link('swp2 up');
  expect(goes()).toEqual(['swp1']); // flooded
});

it('entries of a file, and what apply makes of changed ones', async () => {
  const document = await live.controls.stated();
  const group = {
    port: 'swp1',
    grp: '239.1.1.1',
    vid: 10,
    filter_mode: 'include',
    source_list: ['192.0.2.1'],
    proto: 'bgp',
  };
  const others = [
    { port: 'swp1', grp: '239.1.1.2', vid: 10, src: '192.0.2.1' },
    { port: 'swp2', grp: '01:02:03:04:05:06', vid: 20 },
  ];
  const withGroups = (mdb: object[]): object => {
    const { bridges } = document as { bridges: { br0: object } };
    return { ...document, bridges: { br0: { ...bridges.br0, mdb } } };
  };
  const apply = async (mdb: object[]): Promise<string[]> =>
    (await live.controls.apply({ config: withGroups(mdb) as never })).commands;
  expect(await apply([group, ...others])).toEqual([
    'mdb add dev br0 port swp1 grp 239.1.1.1 vid 10 filter_mode include source_list 192.0.2.1 proto bgp',
    'mdb add dev br0 port swp1 grp 239.1.1.2 src 192.0.2.1 vid 10',
    'mdb add dev br0 port swp2 grp 01:02:03:04:05:06 vid 20',
  ]);
  expect((await live.controls.stated()) as object).toMatchObject({
    bridges: { br0: { mdb: expect.arrayContaining([group, ...others]) } },
  });
  expect(await apply([group, ...others])).toEqual([]);
  expect(await apply([{ ...group, filter_mode: 'exclude' }, others[0]])).toEqual([
    'mdb del dev br0 port swp2 grp 01:02:03:04:05:06 vid 20',
    'mdb replace dev br0 port swp1 grp 239.1.1.1 vid 10 filter_mode exclude source_list 192.0.2.1 proto bgp',
  ]);
  for (const [fault, wrong] of [
    ['source_list', { filter_mode: 'include' }],
    ['source_list', { source_list: ['192.0.2.1'] }],
    ['filter_mode', { src: '192.0.2.1', filter_mode: 'include' }],
    ['src', { src: '2001:db8::1' }],
    ['proto', { proto: 'nobody' }],
  ] as const) {
    const attempt = apply([{ port: 'swp1', grp: '239.1.1.1', vid: 10, ...wrong }]);
    await expect(attempt).rejects.toThrow(new RegExp(`mdb\\[0\\]\\.${fault}`));
  }
});
