/**
 * The kernel's tests of `mcast_max_groups` and `mcast_n_groups`, each with the name of its function:
 * tools/testing/selftests/net/forwarding/bridge_mdb_max.sh. In three bridges (without VLANs, with VLANs, with snooping by VLAN), for entries by
 * command (cfg) and by reports (ctl), in IPv4 and IPv6.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LiveGroups } from './support/live-groups.js';

let net: LiveGroups;
const VERSIONS = { mcast_igmp_version: 3, mcast_mld_version: 2 };
const MODES = ['8021d', '8021q', '8021qvs'] as const;
const CONFIGS = ['cfg4', 'ctl4', 'cfg6', 'ctl6'] as const;
type Mode = (typeof MODES)[number];
type Config = (typeof CONFIGS)[number];

const BRIDGES: Record<Mode, object> = {
  '8021d': VERSIONS,
  '8021q': { ...VERSIONS, vlan_filtering: true, vlan_default_pvid: 0 },
  '8021qvs': {
    ...VERSIONS,
    vlan_filtering: true,
    vlan_default_pvid: 0,
    mcast_vlan_snooping: true,
    vlan_global: [10, 20].map((vid) => ({ vid, ...VERSIONS })),
  },
};

async function begin(mode: Mode): Promise<void> {
  const vlans = mode === '8021d' ? {} : { vlans: [{ vid: 10 }, { vid: 20 }] };
  const ports = { swp1: { type: 'tap', mcast_fast_leave: true, ...vlans }, swp2: { type: 'tap', ...vlans } };
  net = await LiveGroups.start({ ...BRIDGES[mode], ports });
}

afterEach(() => net.stop());

/** Where entries are put in, and whose limit and number it is about: those of the port, or of it in the VLAN. */
interface Locus {
  vid: number;
  ofVlan: boolean;
}

const groupOf = (config: Config, number: number): string =>
  config.endsWith('4') ? `239.1.1.${number}` : `ff0e::${number}`;
const sourcesOf = (config: Config, count: number): string[] =>
  Array.from({ length: count }, (_, i) => (config.endsWith('4') ? `192.0.2.${i + 1}` : `2001:db8:1::${i + 1}`));

/** Puts in a group with so many entries, the sources among them. @returns whether they are all there */
async function add(config: Config, { vid }: Locus, count: number, group = 1, state = 'temp'): Promise<boolean> {
  const grp = groupOf(config, group);
  const sources = sourcesOf(config, count - 1);
  if (config.startsWith('ctl')) {
    await net.report('swp1', 1, grp, sources, vid);
    return net.rows(grp).length === count;
  }
  const at = vid === 0 ? '' : ` vid ${vid}`;
  const words = `mdb add dev br0 port swp1${at} grp ${grp} ${state} filter_mode include source_list ${sources.join(',')}`;
  const refusal = await net.refusal(words);
  // Refused for the right reason.
  if (refusal !== '') expect(refusal).toContain('mcast_max_groups');
  return refusal === '';
}

async function remove(config: Config, { vid }: Locus, group = 1): Promise<void> {
  const grp = groupOf(config, group);
  if (config.startsWith('ctl')) await net.old('swp1', 'leave', grp, vid);
  else await net.run(`mdb del dev br0 port swp1${vid === 0 ? '' : ` vid ${vid}`} grp ${grp}`);
  expect(net.rows(grp)).toEqual([]);
}

const showOf = ({ vid, ofVlan }: Locus): { mcast_n_groups?: unknown; mcast_max_groups?: unknown } =>
  ofVlan ? (net.vlan('swp1', vid) ?? {}) : net.link('swp1');
const count = (at: Locus): number => Number(showOf(at).mcast_n_groups);
const max = (at: Locus): number => Number(showOf(at).mcast_max_groups);
const setMax = ({ vid, ofVlan }: Locus, limit: number): Promise<void> =>
  ofVlan
    ? net.run(`vlan set dev swp1 vid ${vid} mcast_max_groups ${limit}`)
    : net.run(`link set swp1 type bridge_slave mcast_max_groups ${limit}`);

const PORT: Locus = { vid: 0, ofVlan: false };
const V10: Locus = { vid: 10, ofVlan: true };
const V20: Locus = { vid: 20, ofVlan: true };

describe.each(MODES)('test_%s', (mode) => {
  const at: Locus = { vid: mode === '8021d' ? 0 : 10, ofVlan: mode === '8021qvs' };

  beforeEach(() => begin(mode));

  it.each(CONFIGS)(`test_${mode}_ngroups_reporting_%s`, async (config) => {
    const before = count(at);
    expect(await add(config, at, 5)).toBe(true);
    expect(count(at)).toBe(before + 5);
    await remove(config, at);
    expect(count(at)).toBe(before);
  });

  it.each(CONFIGS)(`test_${mode}_maxgroups_zero_%s`, async (config) => {
    expect(max(at)).toBe(0);
    await setMax(at, 100);
    expect(max(at)).toBe(100);
    await setMax(at, 0);
    expect(await add(config, at, 5)).toBe(true);
    await remove(config, at);
  });

  it.each(CONFIGS)(`test_${mode}_maxgroups_too_low_%s`, async (config) => {
    const before = count(at);
    expect(await add(config, at, 5, 111)).toBe(true);
    await setMax(at, before + 2);
    expect(await add(config, at, 2, 112)).toBe(false);
    await remove(config, at, 111);
    expect(await add(config, at, 2, 112)).toBe(true);
    await remove(config, at, 112);
  });

  it.each(CONFIGS)(`test_${mode}_maxgroups_too_many_entries_%s`, async (config) => {
    const before = count(at);
    await setMax(at, before + 1);
    expect(await add(config, at, 5)).toBe(false);
    // By reports, as many as possible come.
    if (config.startsWith('ctl')) await remove(config, at);
    expect(count(at)).toBe(before);
  });
});

it('test_8021q_vlan_attributes', async () => {
  await begin('8021q');
  expect(showOf(V10)).not.toHaveProperty('mcast_max_groups');
  expect(showOf(V10)).not.toHaveProperty('mcast_n_groups');
});

describe('snooping by VLAN', () => {
  beforeEach(() => begin('8021qvs'));

  it('test_8021qvs_vlan_attributes', () => {
    expect(showOf(V10)).toMatchObject({ mcast_max_groups: 0, mcast_n_groups: 0 });
  });

  it.each(CONFIGS)('test_8021qvs_ngroups_cross_vlan_%s', async (config) => {
    const counts = (): number[] => [count(V10), count(V20)];
    expect(await add(config, V10, 5, 111)).toBe(true);
    expect(counts()).toEqual([5, 0]);
    expect(await add(config, V20, 5, 112)).toBe(true);
    expect([counts(), count(PORT)]).toEqual([[5, 5], 10]);
    await remove(config, V10, 111);
    await remove(config, V20, 112);
    expect(counts()).toEqual([0, 0]);
  });

  it.each(CONFIGS)('test_8021qvs_maxgroups_zero_cross_vlan_%s', async () => {
    const all = (): number[] => [max(PORT), max(V10), max(V20)];
    for (const [at, limit, expected] of [
      [V10, 100, [0, 100, 0]],
      [V20, 100, [0, 100, 100]],
      [PORT, 100, [100, 100, 100]],
      [V10, 0, [100, 0, 100]],
      [V20, 0, [100, 0, 0]],
      [PORT, 0, [0, 0, 0]],
    ] as const) {
      await setMax(at, limit);
      expect(all()).toEqual(expected);
    }
  });

  it.each(CONFIGS)('test_8021qvs_maxgroups_too_many_cross_vlan_%s', async (config) => {
    expect(await add(config, V20, 5, 112)).toBe(true);
    const most = count(V20);
    await setMax(V10, most - 1);
    expect(await add(config, V10, most, 111)).toBe(false);
    if (config.startsWith('ctl')) await remove(config, V10, 111);
    await setMax(PORT, most + 2);
    expect(await add(config, V10, 5, 111)).toBe(false);
    if (config.startsWith('ctl')) await remove(config, V10, 111);
    expect(await add(config, V10, 2, 111)).toBe(true);
    await remove(config, V10, 111);
    await remove(config, V20, 112);
  });

  it.each([
    ['test_toggle_vlan_snooping_temp', 'temp'],
    ['test_toggle_vlan_snooping_permanent', 'permanent'],
  ])('%s', async (_name, state) => {
    expect(await add('cfg4', V10, 5, 1, state)).toBe(true);
    await setMax(V10, 100);
    await net.run('link set br0 type bridge mcast_vlan_snooping 0');
    await net.wait(1000);
    await net.run('link set br0 type bridge mcast_vlan_snooping 1');
    expect(count(V10)).toBe(net.rows(groupOf('cfg4', 1)).length);
    expect(count(V10)).toBe(state === 'temp' ? 0 : 5);
    expect(max(V10)).toBe(100);
  });
});
