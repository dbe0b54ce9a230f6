/**
 * The kernel's test of the multicast database of a vxlan device, each of its log_test lines by name:
 * tools/testing/selftests/net/test_vxlan_mdb.sh. IPv4 and IPv6 are carried over IPv4 and over IPv6, as there; the VTEPs are those that
 * datagrams are sent to.
 */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { formatMdb } from '../../src/cli/format/mdb.js';
import { mdbChange, mdbFlush, mdbGet } from '../../src/cli/requests/mdb.js';
import { groupMac } from '../dataplane/support/group-traffic.js';
import { packet } from '../dataplane/support/frames.js';
import { long } from '../long.js';
import { Console } from './support/console.js';

/** The port, which is "vx0" in the script. */
const VX = 'dev vx0 port vx0';
const OF_10 = 'src_vni 10010';

interface Underlay {
  local: string;
  vteps: readonly string[];
  /** A group of the underlay. */
  group: string;
}
interface Overlay {
  group: string;
  other: string;
  sources: readonly string[];
  zeros: string;
}
const UNDERLAYS: readonly Underlay[] = [
  {
    local: '192.0.2.1',
    vteps: ['198.51.100.101', '198.51.100.102', '198.51.100.103', '198.51.100.104'],
    group: '238.1.1.1',
  },
  {
    local: '2001:db8:1::1',
    vteps: ['2001:db8:1000::1', '2001:db8:2000::1', '2001:db8:3000::1', '2001:db8:4000::1'],
    group: 'ff0e::2',
  },
];
const OVERLAYS: readonly Overlay[] = [
  { group: '239.1.1.1', other: '239.2.2.2', sources: ['192.0.2.129', '192.0.2.130', '192.0.2.131'], zeros: '0.0.0.0' },
  {
    group: 'ff0e::1',
    other: 'ff0e::2',
    sources: ['2001:db8:100::1', '2001:db8:100::2', '2001:db8:100::3'],
    zeros: '::',
  },
];
const PAIRS = OVERLAYS.flatMap((overlay) =>
  UNDERLAYS.map((underlay) => ({ name: `${overlay.group} over ${underlay.local}`, ...{ overlay, underlay } })),
);

/** Messages of log_test that were met, by function. */
const met = new Map<string, Set<string>>();
let host: Console;
let current = '';

afterEach(() => host.stop());

/** @param of the function of the script */
async function begin(of: string, { local }: Underlay, more: Record<string, object> = {}): Promise<void> {
  current = of;
  const vlans = [10, 20, 4000].map((vid) => ({ vid }));
  const tunnels = [
    { vid: 10, tunnel_info: 10010 },
    { vid: 20, tunnel_info: 10020 },
    { vid: 4000, tunnel_info: 14000, pvid: true },
  ];
  const vx0 = { type: 'vxlan', local, dev: 'veth0', vlan_tunnel: true, vlans: tunnels };
  const options = { vlan_filtering: true, vlan_default_pvid: 0, mcast_snooping: false };
  host = await Console.start({ bridges: { br0: { ...options, ports: { t1: { type: 'tap', vlans }, vx0, ...more } } } });
}

/** A line of log_test. */
function log(message: string, isSo: boolean): void {
  met.set(current, (met.get(current) ?? new Set<string>()).add(message));
  expect(isSo, `${current}: ${message}`).toBe(true);
}

async function mdb(line: string): Promise<void> {
  const [op, ...words] = line.split(' ');
  const { controls } = host.live;
  await controls.mdb(op === 'flush' ? mdbFlush(words) : mdbChange(op as 'add' | 'replace' | 'del', words));
}

async function refuses(line: string): Promise<boolean> {
  const before = get('');
  const isRefused = await mdb(line).then(
    () => false,
    () => true,
  );
  return isRefused && get('') === before;
}

/** Lines of `-d mdb get`, or with '' of all entries. */
function get(words: string): string {
  const rows = host.live.groups().mdb;
  if (words === '') return formatMdb({ mdb: rows, router: [] }, true);
  const { dev, grp, src, src_vni } = mdbGet(`dev vx0 ${words}`.split(' '));
  const found = rows.filter((row) => row.dev === dev && row.grp === grp && row.src === src && row.src_vni === src_vni);
  return formatMdb({ mdb: found, router: [] }, true);
}

const is = (words: string, pattern?: RegExp): boolean => {
  const text = get(words);
  return pattern === undefined ? text !== '' : pattern.test(text);
};

const FLOOD = { unicast: '00:11:22:33:44:55', broadcast: 'ff:ff:ff:ff:ff:ff' };

/** Where a datagram of t1 in a VLAN goes, such as `198.51.100.101:4789 vni 10010`. */
function sent(group: string, source: string, vid = 10, destination = groupMac(group)): string[] {
  const version = group.includes(':') ? 6 : 4;
  const fields = { destination, destinationAddress: group, sourceAddress: source };
  host.live.inject(0, 't1', packet({ version, protocol: 'udp', tci: vid, ...fields }));
  return host.live
    .turn(0)
    .map(({ to }) => to.replace('vx0>', ''))
    .sort();
}

/** Which VTEPs a datagram goes to, once each. */
function vteps(group: string, source: string, vid = 10, destination?: string): string[] {
  return sent(group, source, vid, destination).map((to) => to.replace(/:4789 vni \d+$/, ''));
}

async function basic(key: string, vtep: string): Promise<void> {
  const entry = `${VX} ${key}`;
  const usual = `${entry} permanent dst ${vtep} ${OF_10}`;
  const of = `${key} ${OF_10}`;
  const del = `del ${entry} dst ${vtep} ${OF_10}`;
  const done = (line: string): Promise<boolean> => mdb(line).then(() => true);

  log('MDB entry addition', await done(`add ${usual}`));
  log('MDB entry presence after addition', is(of));
  log('MDB entry replacement', await done(`replace ${usual}`));
  log('MDB entry presence after replacement', is(of));
  log('MDB entry deletion', await done(del));
  log('MDB entry presence after deletion', !is(of));
  log('Non-existent MDB entry deletion', await refuses(del));

  for (const [what, unlike, words, like] of [
    ['protocol', /(?!)/, 'proto 123', /proto 123 /],
    ['destination port', / dst_port /, 'dst_port 1234', / dst_port 1234 /],
    ['destination VNI', / vni /, 'vni 1234', / vni 1234 /],
    ['outgoing interface', / via /, 'via veth0', / via veth0 /],
  ] as const) {
    await mdb(`add ${usual}`);
    if (what === 'protocol') log('MDB entry default protocol', is(of, /proto static /));
    else log(`MDB entry default ${what}`, is(of) && !is(of, unlike));
    await mdb(`replace ${usual} ${words}`);
    log(`MDB entry ${what} replacement`, is(of, like));
    await mdb(del);
  }

  const bad = (rest: string): Promise<boolean> => refuses(`add ${entry} ${rest}`);
  log('MDB entry with mismatch between device and port', await refuses(`add ${usual.replace('port vx0', 'port t1')}`));
  log('MDB entry with temp state', await bad(`temp dst ${vtep} ${OF_10}`));
  log('MDB entry with VLAN', await bad(`permanent vid 10 dst ${vtep} ${OF_10}`));
  log('MDB entry MAC address', await refuses(`add ${VX} grp 01:02:03:04:05:06 permanent dst ${vtep} ${OF_10}`));
  log('MDB entry without extended parameters', await bad('permanent'));
  log('MDB entry with an invalid protocol', await bad(`permanent proto 3 dst ${vtep} ${OF_10}`));
  log('MDB entry with an invalid destination VNI', await bad(`permanent dst ${vtep} vni ${2 ** 24} ${OF_10}`));
  log('MDB entry with an invalid source VNI', await bad(`permanent dst ${vtep} src_vni ${2 ** 24}`));
  log('MDB entry without a remote destination IP', await bad(`permanent ${OF_10}`));
  await mdb(`add ${usual}`);
  log('Duplicate MDB entries', await refuses(`add ${usual}`));
  await mdb(del);
  expect(get('')).toBe('');
}

async function starG({ group, sources: [src1, src2, src3], zeros }: Overlay, vtep: string): Promise<void> {
  const to = `dst ${vtep} ${OF_10}`;
  const entry = `${VX} grp ${group} permanent`;
  const star = `grp ${group} ${OF_10}`;
  const pair = (src: string): string => `grp ${group} src ${src} ${OF_10}`;
  const del = `del ${VX} grp ${group} ${to}`;
  const exclude = `filter_mode exclude source_list ${src1}`;
  const done = (line: string): Promise<boolean> => mdb(line).then(() => true);

  log('(*, G) MDB entry addition with source list', await done(`add ${entry} ${exclude} ${to}`));
  log('(*, G) MDB entry presence after addition', is(star));
  log('(S, G) MDB entry presence after addition', is(pair(src1)));
  log('(*, G) MDB entry replacement with source list', await done(`replace ${entry} ${exclude} ${to}`));
  log('(*, G) MDB entry presence after replacement', is(star));
  log('(S, G) MDB entry presence after replacement', is(pair(src1)));
  log('(*, G) MDB entry deletion', await done(del));
  log('(*, G) MDB entry presence after deletion', !is(star));
  log('(S, G) MDB entry presence after deletion', !is(pair(src1)));

  await mdb(`add ${entry} ${to}`);
  log('(*, G) MDB entry default filter mode', is(star, /exclude/));
  await mdb(`replace ${entry} filter_mode include source_list ${src1} ${to}`);
  log('(*, G) MDB entry after replacing filter mode to "include"', is(star, /include/));
  log('(S, G) MDB entry after replacing filter mode to "include"', is(pair(src1)));
  log('"blocked" flag after replacing filter mode to "include"', !is(pair(src1), /blocked/));
  await mdb(`replace ${entry} ${exclude} ${to}`);
  log('(*, G) MDB entry after replacing filter mode to "exclude"', is(star, /exclude/));
  log('(S, G) MDB entry after replacing filter mode to "exclude"', is(pair(src1)));
  log('"blocked" flag after replacing filter mode to "exclude"', is(pair(src1), /blocked/));
  await mdb(del);

  await mdb(`add ${entry} ${to}`);
  log('(*, G) MDB entry default source list', is(star) && !is(star, /source_list/));
  await mdb(`replace ${entry} filter_mode exclude source_list ${src1},${src2},${src3} ${to}`);
  log('(S, G) MDB entry of 1st source after replacing source list', is(pair(src1)));
  log('(S, G) MDB entry of 2nd source after replacing source list', is(pair(src2)));
  log('(S, G) MDB entry of 3rd source after replacing source list', is(pair(src3)));
  await mdb(`replace ${entry} filter_mode exclude source_list ${src1},${src3} ${to}`);
  log('(S, G) MDB entry of 1st source after removing source', is(pair(src1)));
  log('(S, G) MDB entry of 2nd source after removing source', !is(pair(src2)));
  log('(S, G) MDB entry of 3rd source after removing source', is(pair(src3)));
  await mdb(del);

  for (const [what, words, unlike, like] of [
    ['protocol', 'proto bgp', /(?!)/, /proto bgp /],
    ['destination port', 'dst_port 1234', / dst_port /, / dst_port 1234 /],
    ['destination VNI', 'vni 1234', / vni /, / vni 1234 /],
    ['outgoing interface', 'via veth0', / via /, / via veth0 /],
  ] as const) {
    const hasDefault = (key: string): boolean =>
      what === 'protocol' ? is(key, /proto static /) : is(key) && !is(key, unlike);
    await mdb(`add ${entry} ${exclude} ${to}`);
    log(`(*, G) MDB entry default ${what}`, hasDefault(star));
    log(`(S, G) MDB entry default ${what}`, hasDefault(pair(src1)));
    await mdb(`replace ${entry} ${exclude} ${words} ${to}`);
    log(`(*, G) MDB entry ${what} after replacement`, is(star, like));
    log(`(S, G) MDB entry ${what} after replacement`, is(pair(src1), like));
    await mdb(del);
  }

  const zero = `add ${VX} grp ${zeros} permanent`;
  log('All-zeros group with filter mode', await refuses(`${zero} filter_mode exclude ${to}`));
  log('All-zeros group with source list', await refuses(`${zero} source_list ${src1} ${to}`));
  log('(*, G) INCLUDE with an empty source list', await refuses(`add ${entry} filter_mode include ${to}`));
  const own = `filter_mode exclude source_list ${group}`;
  log('Invalid source in source list', await refuses(`add ${entry} ${own} ${to}`));
  log('Source list without filter mode', await refuses(`add ${entry} source_list ${src1} ${to}`));
  expect(get('')).toBe('');
}

async function sg({ group, sources: [src], zeros }: Overlay, vtep: string): Promise<void> {
  const to = `permanent dst ${vtep} ${OF_10}`;
  const entry = `${VX} grp ${group} src ${src}`;
  await mdb(`add ${entry} ${to}`);
  log('(S, G) MDB entry default filter mode', is(`grp ${group} src ${src} ${OF_10}`, /include/));
  await mdb(`del ${entry} ${to}`);
  log('(S, G) with filter mode', await refuses(`add ${entry} filter_mode include ${to}`));
  log('(S, G) with source list', await refuses(`add ${entry} source_list ${src} ${to}`));
  log('(S, G) with an invalid source list', await refuses(`add ${VX} grp ${group} src ${group} ${to}`));
  log('All-zeros group with source', await refuses(`add ${VX} grp ${zeros} src ${src} ${to}`));
}

describe.each(PAIRS)('test_vxlan_mdb.sh, control path, $name', ({ overlay, underlay }) => {
  const [vtep] = underlay.vteps;

  it('basic_star_g', async () => {
    await begin('basic_star_g', underlay);
    await basic(`grp ${overlay.group}`, vtep);
  });

  it('basic_sg', async () => {
    await begin('basic_sg', underlay);
    await basic(`grp ${overlay.group} src ${overlay.sources[0]}`, vtep);
  });

  it('star_g', async () => {
    await begin('star_g', underlay);
    await starG(overlay, vtep);
  });

  it('sg', async () => {
    await begin('sg', underlay);
    await sg(overlay, vtep);
  });

  it('dump', { timeout: 60_000 }, async () => {
    // 256 groups and 64 remotes in the script. A port with one VNI needs no src_vni.
    const [groups, remotes] = [long(256, 12), long(64, 6)];
    const prefix = vtep.replace(/[^.:]*$/, '');
    const other = { type: 'vxlan', local: underlay.local, id: 30_001 };
    await begin('dump', underlay, { 'vx-test1': other, 'vx-test2': { ...other, id: 30_002 } });
    const base = overlay.group.replace(/1$/, '');
    for (const port of ['vx-test1', 'vx-test2'])
      for (let remote = 1; remote <= remotes; remote++)
        for (let group = 0; group < groups; group++) {
          const grp = `${base}${overlay.group.includes(':') ? group.toString(16) : group}`;
          const dst = `${prefix}${remote + 1}`;
          await mdb(`add dev ${port} port ${port} grp ${grp} permanent dst ${dst}`);
        }
    for (const number of [1, 2]) {
      const rows = host.live
        .groups()
        .mdb.filter(({ dev, state }) => dev === `vx-test${number}` && state === 'permanent');
      log(`Large scale dump - VXLAN device #${number}`, rows.length === groups * remotes);
    }
  });
});

describe('test_vxlan_mdb.sh, control path', () => {
  const put = (rest: string): Promise<void> => mdb(`add ${VX} permanent ${rest}`);
  const star = 'grp 239.1.1.1';

  it('flush', async () => {
    await begin('flush', UNDERLAYS[0]);
    const [one, two] = ['198.51.100.1', '198.51.100.2'];
    const [to1, to2] = [`dst ${one} ${OF_10}`, `dst ${two} ${OF_10}`];
    const of = `${star} ${OF_10}`;
    const lines = (pattern: string): boolean => get(of).includes(pattern);

    await put(`${star} ${to1}`);
    await put(`grp 239.1.1.2 dst ${one} src_vni 10011`);
    for (const [at, words] of ['proto bgp', 'proto zebra', '', '', 'dst_port 11111', 'dst_port 22222'].entries())
      await put(`grp 239.1.1.${at + 3} ${words} ${at === 3 ? to2 : to1}`.replace('  ', ' '));
    await put(`grp 239.1.1.9 vni 10010 ${to1}`);
    await put(`grp 239.1.1.10 vni 10020 ${to1}`);
    expect(get('').split('\n')).toHaveLength(11);
    await mdb('flush dev vx0');
    log('Flush all', get('') === '');

    const both = async (first: string, second: string): Promise<void> => {
      await mdb('flush dev vx0');
      await put(`${star} ${first}`);
      await put(`${star} ${second}`);
    };
    await both(to1, to2);
    await mdb('flush dev vx0 port vx0');
    log('Flush by port', !is(of));
    log('Flush by wrong port', await refuses('flush dev vx0 port t1'));

    await both(to1, to2);
    await put(`${star} dst ${one} src_vni 10011`);
    await put(`${star} dst ${two} src_vni 10011`);
    await mdb(`flush dev vx0 ${OF_10}`);
    log('Flush by specified source VNI', !is(of));
    log('Flush by unspecified source VNI', is(`${star} src_vni 10011`));

    await both(to1, to2);
    await mdb('flush dev vx0 permanent');
    log('Flush by "permanent" state', !is(of));
    log('Flush by "nopermanent" state', await refuses('flush dev vx0 nopermanent'));

    for (const [first, second, words, gone, left, title, other] of [
      [`proto bgp ${to1}`, `proto zebra ${to2}`, 'proto bgp', 'proto bgp', 'proto zebra', 'specified routing protocol'],
      [to1, to2, `dst ${two}`, two, one, 'specified destination IP - IPv4'],
      [
        ...[`dst_port 11111 ${to1}`, `dst_port 22222 ${to2}`, 'dst_port 11111', 'dst_port 11111', 'dst_port 22222'],
        'specified UDP destination port',
      ],
      [
        ...[to1, `dst_port 22222 ${to2}`, 'dst_port 4789', one, two],
        ...["device's UDP destination port", 'unspecified UDP destination port'],
      ],
      [`vni 20010 ${to1}`, `vni 20011 ${to2}`, 'vni 20010', ' vni 20010', ' vni 20011', 'specified destination VNI'],
      [
        ...[to1, `vni 20010 ${to2}`, 'vni 10010', one, two],
        ...['destination VNI equal to source VNI', 'unspecified destination VNI'],
      ],
    ] as const) {
      await both(first, second);
      await mdb(`flush dev vx0 ${words}`);
      log(`Flush by ${title}`, !lines(gone));
      log(`Flush by ${other ?? title.replace('specified', 'unspecified')}`, lines(left));
    }
    log('Flush by VLAN ID', await refuses('flush dev vx0 vid 10'));
  });

  it('flush over IPv6', async () => {
    // A port carries one family of the underlay, so the addresses of IPv6 are those of another port.
    await begin('flush', UNDERLAYS[1]);
    const [one, two] = ['2001:db8:1000::1', '2001:db8:1000::2'];
    await put(`${star} dst ${one} ${OF_10}`);
    await put(`${star} dst ${two} ${OF_10}`);
    await mdb(`flush dev vx0 dst ${two}`);
    log('Flush by specified destination IP - IPv6', !get('').includes(two));
    log('Flush by unspecified destination IP - IPv6', get('').includes(one));
  });
});

describe.each(PAIRS)('test_vxlan_mdb.sh, data path, $name', ({ overlay, underlay }) => {
  const { group, sources } = overlay;
  const [vtep1, vtep2] = underlay.vteps;
  const replace = (rest: string): Promise<void> => mdb(`replace ${VX} grp ${group} permanent ${rest}`);

  it('encap_params', async () => {
    await begin('encap_params', underlay);
    const at = (vid: number): string[] => sent(group, sources[0], vid);
    await replace(`dst ${vtep1} src_vni 10010`);
    await replace(`dst ${vtep2} src_vni 10020`);
    log('Destination IP - match', vteps(group, sources[0]).join() === vtep1);
    log('Destination IP - no match', vteps(group, sources[0], 20).join() === vtep2);

    await mdb('flush dev vx0');
    await replace(`dst ${vtep1} src_vni 10010`);
    await replace(`dst ${vtep1} dst_port 1111 src_vni 10020`);
    log('Default destination port - match', at(10).join() === `${vtep1}:4789 vni 10010`);
    log(
      'Default destination port - no match',
      at(20).every((to) => !to.includes(':4789 ')),
    );
    log('Non-default destination port - match', at(20).join() === `${vtep1}:1111 vni 10020`);
    log(
      'Non-default destination port - no match',
      at(10).every((to) => !to.includes(':1111 ')),
    );

    await mdb('flush dev vx0');
    await replace(`dst ${vtep1} src_vni 10010`);
    await replace(`dst ${vtep1} src_vni 10020`);
    log('Default destination VNI - match', at(10).join() === `${vtep1}:4789 vni 10010`);
    log('Default destination VNI - no match', at(20).join() === `${vtep1}:4789 vni 10020`);
    await replace(`dst ${vtep1} vni 10020 src_vni 10010`);
    await replace(`dst ${vtep1} vni 10010 src_vni 10020`);
    log('Non-default destination VNI - match', at(10).join() === `${vtep1}:4789 vni 10020`);
    log('Non-default destination VNI - no match', at(20).join() === `${vtep1}:4789 vni 10010`);
  });

  /** @param isExclude else the list has the one source that is forwarded */
  async function replicated(isExclude: boolean): Promise<void> {
    const [valid, invalid] = sources;
    const filter = isExclude
      ? `filter_mode exclude source_list ${invalid}`
      : `filter_mode include source_list ${valid}`;
    for (const vtep of [vtep1, vtep2]) await replace(`${filter} dst ${vtep} ${OF_10}`);
    let to = vteps(group, invalid);
    log('Block excluded source - first VTEP', !to.includes(vtep1));
    log('Block excluded source - second VTEP', !to.includes(vtep2));
    to = vteps(group, valid);
    log('Forward valid source - first VTEP', to.filter((one) => one === vtep1).length === 1);
    log('Forward valid source - second VTEP', to.filter((one) => one === vtep2).length === 1);
    await mdb(`del ${VX} grp ${group} dst ${vtep2} ${OF_10}`);
    to = vteps(group, invalid);
    log('Block excluded source after removal - first VTEP', !to.includes(vtep1));
    log('Block excluded source after removal - second VTEP', !to.includes(vtep2));
    to = vteps(group, valid);
    log('Forward valid source after removal - first VTEP', to.filter((one) => one === vtep1).length === 1);
    log('Forward valid source after removal - second VTEP', !to.includes(vtep2));
  }

  it('starg_exclude_ir', async () => {
    await begin('starg_exclude_ir', underlay);
    await replicated(true);
  });

  it('starg_include_ir', async () => {
    await begin('starg_include_ir', underlay);
    await replicated(false);
  });

  // "Receive of valid source after removal from group" is about the receiver's kernel: test/e2e/multicast.test.ts.
  it.each(['exclude', 'include'])('starg_%s_p2mp', async (mode) => {
    await begin(`starg_${mode}_p2mp`, underlay);
    const [valid, invalid] = sources;
    const filter = mode === 'exclude' ? `exclude source_list ${invalid}` : `include source_list ${valid}`;
    await replace(`filter_mode ${filter} dst ${underlay.group} ${OF_10} via veth0`);
    log('Block excluded source', vteps(group, invalid).length === 0);
    log('Forward valid source', vteps(group, valid).join() === underlay.group);
  });

  it('egress_vni_translation', async () => {
    await begin('egress_vni_translation', underlay);
    await host.run('vlan del vid 10 dev vx0\nvlan add vid 4000 dev vx0');
    const version = group.includes(':') ? 6 : 4;
    const fields = { destination: groupMac(group), destinationAddress: group, sourceAddress: sources[0] };
    host.arriveBytes('vx0', vtep1, 10010, packet({ version, protocol: 'udp', ...fields }));
    log('Egress VNI translation - no PVID configured', host.turn().length === 0);
  });

  it('mdb_fdb', async () => {
    await begin('mdb_fdb', underlay);
    await replace(`dst ${vtep1} ${OF_10}`);
    await host.run(`fdb add 00:00:00:00:00:00 dev vx0 static dst ${vtep2} ${OF_10}`);
    let to = vteps(group, sources[0]);
    log('IP multicast - first VTEP', to.filter((one) => one === vtep1).length === 1);
    log('IP multicast - second VTEP', !to.includes(vtep2));
    to = vteps(group, sources[0], 10, FLOOD.broadcast);
    log('Broadcast - first VTEP', !to.includes(vtep1));
    log('Broadcast - second VTEP', to.filter((one) => one === vtep2).length === 1);
    await mdb(`del ${VX} grp ${group} dst ${vtep1} ${OF_10}`);
    to = vteps(group, sources[0]);
    log('IP multicast after removal - first VTEP', !to.includes(vtep1));
    log('IP multicast after removal - second VTEP', to.filter((one) => one === vtep2).length === 1);
  });

  it('mdb_torture', async () => {
    await begin('mdb_torture', underlay);
    const other = overlay.other;
    const change = (op: string, grp: string, dst: string): Promise<void> =>
      mdb(`${op} ${VX} grp ${grp} ${op === 'del' ? '' : 'permanent '}dst ${dst} ${OF_10}`);
    for (const [grp, dst] of [
      [group, vtep1],
      [other, vtep1],
      [other, vtep2],
    ])
      await change('replace', grp, dst);
    for (let round = 0; round < long(2000, 30); round++) {
      await change('del', group, vtep1);
      expect(vteps(group, sources[0])).toEqual([]);
      await change('add', group, vtep1);
      expect(vteps(group, sources[0])).toEqual([vtep1]);
      await change('del', other, vtep1);
      expect(vteps(other, sources[0])).toEqual([vtep2]);
      await change('add', other, vtep1);
      await change('replace', other, vtep2);
      expect(vteps(other, sources[0])).toEqual([vtep1, vtep2]);
    }
    log('Torture test', host.live.broken === null);
  });
});

describe.each(UNDERLAYS)('test_vxlan_mdb.sh, data path over $local', (underlay) => {
  it('all_zeros_mdb', async () => {
    await begin('all_zeros_mdb', underlay);
    for (const [at, grp] of ['0.0.0.0', '0.0.0.0', '::', '::'].entries())
      await mdb(`replace ${VX} grp ${grp} permanent dst ${underlay.vteps[at]} ${OF_10}`);
    const kinds = [
      {
        name: 'IPv4',
        of: OVERLAYS[0],
        linkLocal: '224.0.0.100',
        own: underlay.vteps.slice(0, 2),
        at: ['first', 'second'],
      },
      { name: 'IPv6', of: OVERLAYS[1], linkLocal: 'ff02::1', own: underlay.vteps.slice(2), at: ['third', 'fourth'] },
    ];
    for (const { of, own } of kinds) await mdb(`replace ${VX} grp ${of.group} permanent dst ${own[0]} ${OF_10}`);
    for (const { name, of, linkLocal, own, at } of kinds) {
      const [src] = of.sources;
      const all: string[] = [];
      const arrives = (title: string, to: string[], expected: readonly [number, number]): void => {
        all.push(...to);
        for (const index of [0, 1])
          log(`${title} - ${at[index]} VTEP`, to.filter((one) => one === own[index]).length === expected[index]);
      };
      arrives(`Registered ${name} multicast`, vteps(of.group, src), [1, 0]);
      arrives(`Unregistered ${name} multicast`, vteps(of.other, src), [1, 1]);
      arrives(`Link-local ${name} multicast`, vteps(linkLocal, src), [0, 0]);
      for (const [kind, mac] of Object.entries(FLOOD))
        arrives(`Registered ${name} multicast with a ${kind} MAC`, vteps(of.group, src, 10, mac), [0, 0]);
      const others = kinds.find((kind) => kind.name !== name);
      for (const index of [0, 1])
        log(`${name} traffic - ${others?.at[index]} VTEP`, !all.includes(others?.own[index] ?? ''));
    }
  });
});

describe('test_vxlan_mdb.sh', () => {
  it('has a line of log_test for each row that passes here', () => {
    const path = new URL('cases/vxlan-mdb.json', import.meta.url);
    const rows = JSON.parse(readFileSync(path, 'utf8')) as { case: string; test?: string }[];
    const named = rows.filter(({ test }) => test?.startsWith('test/conformance/') === true).map((row) => row.case);
    const lines = [...met].flatMap(([of, messages]) => [...messages].map((message) => `${of}: ${message}`));
    expect(lines.sort()).toEqual(named.sort());
  });
});
