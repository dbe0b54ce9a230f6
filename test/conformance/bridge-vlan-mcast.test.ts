/**
 * The kernel's tests of snooping by VLAN, each with the title that the script logs:
 * tools/testing/selftests/net/forwarding/bridge_vlan_mcast.sh. The hosts send tagged frames of VLAN 10 by swp1 and swp2; what the script
 * sends from its bridge, a third host sends here.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeIgmp, IGMP_QUERY } from '../../src/wire/igmp.js';
import { igmpQuery } from '../dataplane/support/group-traffic.js';
import { LiveGroups } from './support/live-groups.js';

const GROUP = '239.10.10.10';
const SET = 'vlan global set vid 10 dev br0';

let net: LiveGroups;

beforeEach(async () => {
  const port = { type: 'tap', vlans: [{ vid: 1, pvid: true, untagged: true }, { vid: '10-11' }] };
  const options = { vlan_filtering: true, mcast_querier: true, mcast_vlan_snooping: true };
  net = await LiveGroups.start({ ...options, ports: { swp1: port, swp2: port, swp3: port } });
  await net.wait(1000);
});

afterEach(() => net.stop());

/** Whether a report of a host in VLAN 10 makes an entry, which goes with a leave. */
async function joins(): Promise<boolean> {
  await net.old('swp2', 'join', GROUP, 10);
  const isThere = net.rows(GROUP).some(({ vid }) => vid === 10);
  await net.old('swp2', 'leave', GROUP, 10);
  await net.wait(5000);
  expect(net.rows(GROUP)).toEqual([]);
  return isThere;
}

/** General queries that swp1 gets in VLAN 10 within some seconds after the querier is switched on. */
async function queries(family: 'igmp' | 'mld', version: number, seconds: number): Promise<number> {
  await net.wait(0);
  await net.run(`${SET} mcast_snooping 1 mcast_querier 1`);
  const left = await net.wait(seconds * 1000);
  await net.run(`${SET} mcast_snooping 1 mcast_querier 0`);
  return left.filter(({ to, frame }) => to === 'swp1' && isQuery(frame, family, version)).length;
}

/** Tagged with VLAN 10, and of the version (RFC 3376 section 7.1, RFC 3810 section 8.1). */
function isQuery(frame: Uint8Array, family: 'igmp' | 'mld', version: number): boolean {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint16(12) !== 0x8100 || (view.getUint16(14) & 0xfff) !== 10) return false;
  const isIpv4 = view.getUint16(16) === 0x0800;
  if (isIpv4 !== (family === 'igmp')) return false;
  if (isIpv4) return version === (view.getUint16(20) - (view.getUint8(18) & 15) * 4 === 8 ? 2 : 3);
  // Behind the hop-by-hop header of 8 bytes.
  return version === (view.getUint16(22) - 8 === 24 ? 1 : 2);
}

const option = (key: string): unknown => (net.global(10) as Record<string, unknown> | undefined)?.[key];

it('Vlan multicast snooping enable', () => {
  expect(net.link('br0')).toMatchObject({ mcast_vlan_snooping: true });
});

describe('vlmc_control_test', () => {
  it('Vlan global options existence', () => {
    expect(net.global(10)).toMatchObject({ vlan: 10, vlanEnd: 11 });
  });

  it('Vlan mcast_snooping global option default value', () => expect(option('mcast_snooping')).toBe(1));

  it('Vlan 10 multicast snooping control', async () => {
    expect(await joins()).toBe(true);
    await net.run(`${SET} mcast_snooping 0`);
    expect(await joins()).toBe(false);
    // Its multicast is flooded, entries by command act again when it snoops, and none can be added meanwhile.
    await net.run(`${SET} mcast_snooping 1`, `mdb add dev br0 port swp2 grp ${GROUP} vid 10`);
    expect(await net.datagram('swp3', GROUP, 10)).toEqual(['swp2']);
    await net.run(`${SET} mcast_snooping 0`);
    expect(await net.datagram('swp3', GROUP, 10)).toEqual(['swp1', 'swp2']);
    expect(await net.refusal('mdb add dev br0 port swp1 grp 239.1.1.1 vid 10')).toMatch(
      /VLAN 10 of br0 does not snoop/,
    );
    expect(await net.refusal('mdb add dev br0 port swp1 grp 239.1.1.1 vid 11')).toBe('');
    await net.run(`${SET} mcast_snooping 1`);
    expect(await net.datagram('swp3', GROUP, 10)).toEqual(['swp2']);
  });
});

describe('vlmc_querier_test', () => {
  it('Vlan mcast_querier global option default value', () => expect(option('mcast_querier')).toBe(0));

  it('Vlan 10 multicast querier enable', async () => {
    await net.run(`${SET} mcast_snooping 1 mcast_querier 1`);
    expect([option('mcast_querier'), net.global(11)?.mcast_querier]).toEqual([1, 0]);
  });

  it('Vlan 10 tagged IGMPv2 general query sent', async () => expect(await queries('igmp', 2, 1)).toBe(1));

  it('Vlan 10 tagged MLD general query sent', async () => expect(await queries('mld', 1, 1)).toBe(1));
});

describe('vlmc_igmp_mld_version_test', () => {
  it('Vlan mcast_igmp_version global option default value', () => expect(option('mcast_igmp_version')).toBe(2));

  it('Vlan mcast_mld_version global option default value', () => expect(option('mcast_mld_version')).toBe(1));

  it('Vlan 10 mcast_igmp_version option changed to 3', async () => {
    await net.run(`${SET} mcast_snooping 1 mcast_igmp_version 3`);
    expect(option('mcast_igmp_version')).toBe(3);
    // Sources are obeyed in this VLAN, and not in another.
    for (const vid of [10, 11]) await net.report('swp1', 5, GROUP, ['192.0.2.1'], vid);
    expect(net.rows(GROUP).map(({ vid, filter_mode }) => [vid, filter_mode])).toEqual([
      [10, 'include'],
      [10, 'include'],
      [11, undefined],
    ]);
  });

  it('Vlan 10 tagged IGMPv3 general query sent', async () => {
    await net.run(`${SET} mcast_igmp_version 3`);
    expect(await queries('igmp', 3, 1)).toBe(1);
  });

  it('Vlan 10 mcast_mld_version option changed to 2', async () => {
    await net.run(`${SET} mcast_snooping 1 mcast_mld_version 2`);
    expect(option('mcast_mld_version')).toBe(2);
  });

  it('Vlan 10 tagged MLDv2 general query sent', async () => {
    await net.run(`${SET} mcast_mld_version 2`);
    expect(await queries('mld', 2, 1)).toBe(1);
  });
});

describe('vlmc_last_member_test', () => {
  it('Vlan mcast_last_member_count global option default value', () =>
    expect(option('mcast_last_member_count')).toBe(2));

  it('Vlan mcast_last_member_interval global option default value', () =>
    expect(option('mcast_last_member_interval')).toBe(100));

  /** Seconds for which a member stays after it has left. */
  async function afterLeave(): Promise<number> {
    await net.old('swp2', 'join', GROUP, 10);
    await net.old('swp2', 'leave', GROUP, 10);
    let seconds = 0;
    for (; net.rows(GROUP).length > 0; seconds++) await net.wait(1000);
    return seconds;
  }

  it('Vlan 10 mcast_last_member_count option changed to 3', async () => {
    expect(await afterLeave()).toBe(2);
    await net.run(`${SET} mcast_snooping 1 mcast_last_member_count 3`);
    expect([option('mcast_last_member_count'), await afterLeave()]).toEqual([3, 3]);
  });

  it('Vlan 10 mcast_last_member_interval option changed to 200', async () => {
    await net.run(`${SET} mcast_snooping 1 mcast_last_member_interval 200`);
    expect([option('mcast_last_member_interval'), await afterLeave()]).toEqual([200, 4]);
  });
});

describe('vlmc_startup_query_test', () => {
  it('Vlan mcast_startup_query_interval global option default value', () =>
    expect(option('mcast_startup_query_interval')).toBe(3125));

  it('Vlan mcast_startup_query_count global option default value', () =>
    expect(option('mcast_startup_query_count')).toBe(2));

  it('Vlan 10 mcast_startup_query_interval option changed to 100', async () => {
    await net.run(`${SET} mcast_startup_query_interval 100`);
    expect(await queries('igmp', 2, 3)).toBe(2);
  });

  it('Vlan 10 mcast_startup_query_count option changed to 3', async () => {
    await net.run(`${SET} mcast_startup_query_interval 100`, `${SET} mcast_startup_query_count 3`);
    expect(await queries('igmp', 2, 4)).toBe(3);
  });
});

describe('vlmc_membership_test', () => {
  it('Vlan mcast_membership_interval global option default value', () =>
    expect(option('mcast_membership_interval')).toBe(26_000));

  it('Vlan 10 mcast_membership_interval option changed to 200', async () => {
    await net.run(`${SET} mcast_membership_interval 200`);
    expect(option('mcast_membership_interval')).toBe(200);
  });

  it('Vlan 10 mcast_membership_interval mdb entry expire', async () => {
    await net.run(`${SET} mcast_membership_interval 200`);
    await net.old('swp2', 'join', GROUP, 10);
    await net.wait(1750);
    expect(net.rows(GROUP)).toHaveLength(1);
    await net.wait(250);
    expect(net.rows(GROUP)).toEqual([]);
  });
});

describe('vlmc_querier_intvl_test', () => {
  it('Vlan mcast_querier_interval global option default value', () =>
    expect(option('mcast_querier_interval')).toBe(25_500));

  it('Vlan 10 mcast_querier_interval option changed to 100', async () => {
    await net.run(`${SET} mcast_querier_interval 100`);
    expect(option('mcast_querier_interval')).toBe(100);
  });

  it('Vlan 10 mcast_querier_interval expire after outside query', async () => {
    await net.run(`${SET} mcast_querier_interval 100`);
    await net.send('swp1', igmpQuery(100, null, { tci: 10 }));
    // Another one is the querier, for a second.
    await net.run(`${SET} mcast_querier 1`);
    expect((await net.wait(750)).filter(({ frame }) => isQuery(frame, 'igmp', 2))).toEqual([]);
    await net.run(`${SET} mcast_querier 0`);
    await net.wait(2000);
    expect(await queries('igmp', 2, 1)).toBe(1);
  });
});

describe('vlmc_query_intvl_test', () => {
  it('Vlan mcast_query_interval global option default value', () =>
    expect(option('mcast_query_interval')).toBe(12_500));

  it('Vlan 10 mcast_query_interval option changed to 200', async () => {
    await net.run(`${SET} mcast_startup_query_count 0`, `${SET} mcast_query_interval 200`);
    expect(await queries('igmp', 2, 5)).toBe(3);
  });
});

describe('vlmc_query_response_intvl_test', () => {
  it('Vlan mcast_query_response_interval global option default value', () =>
    expect(option('mcast_query_response_interval')).toBe(1000));

  it('Vlan 10 mcast_query_response_interval option changed to 200', async () => {
    await net.run(`${SET} mcast_query_response_interval 200 mcast_querier 1`);
    expect(option('mcast_query_response_interval')).toBe(200);
    const left = await net.wait(1000);
    const query = left.find(({ to, frame }) => to === 'swp1' && isQuery(frame, 'igmp', 2))?.frame;
    // Behind Ethernet header, tag, and IPv4 header with Router Alert: 2.0 s.
    expect(query?.subarray(18 + 24)).toEqual(encodeIgmp({ type: IGMP_QUERY, code: 20 }));
  });
});

describe('vlmc_router_port_test', () => {
  it('Port vlan 10 option mcast_router default value', () => expect(net.vlan('swp1', 10)?.mcast_router).toBe(1));

  it('Port vlan 10 mcast_router option changed to 2', async () => {
    await net.run('vlan set vid 10 dev swp1 mcast_router 2');
    expect([net.vlan('swp1', 10)?.mcast_router, net.vlan('swp1', 11)?.mcast_router]).toEqual([2, 1]);
    expect(net.live.groups().router).toEqual([{ dev: 'br0', port: 'swp1', vid: 10, type: 'permanent' }]);
  });

  it('Flood unknown vlan multicast packets to router port only', async () => {
    await net.run('vlan set vid 10 dev swp1 mcast_router 2', 'vlan set vid 10 dev swp2 mcast_router 0');
    await net.run(`${SET} mcast_snooping 1 mcast_querier 1 mcast_query_response_interval 0`);
    await net.wait(1000);
    for (let i = 0; i < 10; i++) expect(await net.datagram('swp3', '239.1.1.1', 10)).toEqual(['swp1']);
    // In another VLAN nobody queries.
    expect(await net.datagram('swp3', '239.1.1.1', 11)).toEqual(['swp1', 'swp2']);
    // A querier makes no router of a port that is never one.
    await net.send('swp2', igmpQuery(100, null, { tci: 10 }));
    expect(net.live.groups().router.map(({ port }) => port)).toEqual(['swp1']);
    await net.run('vlan set vid 10 dev swp1 mcast_router 1');
    expect(await net.datagram('swp3', '239.1.1.1', 10)).toEqual([]);
  });
});

it('vlmc_filtering_test: Disable multicast vlan snooping when vlan filtering is disabled', async () => {
  await net.run('link set br0 type bridge vlan_filtering 0');
  expect(net.link('br0')).toMatchObject({ mcast_vlan_snooping: false, vlan_filtering: false });
  expect(await net.refusal('link set br0 type bridge mcast_vlan_snooping 1')).toMatch(/vlan_filtering: true/);
});

describe('options of VLANs', () => {
  it('are kept short in the document, and apply prints what leads there', async () => {
    await net.run(
      `vlan global set vid 10-12 dev br0 mcast_querier 1`,
      `vlan global set vid 11 dev br0 mcast_igmp_version 3`,
    );
    await net.run('vlan set vid 10-11 dev swp1 mcast_max_groups 5', 'vlan set vid 11 dev swp1 mcast_router 0');
    const before = (await net.live.controls.stated()) as { bridges: { br0: Record<string, unknown> } };
    expect(before.bridges.br0.vlan_global).toEqual([
      { vid: 10, mcast_querier: true },
      { vid: 11, mcast_querier: true, mcast_igmp_version: 3 },
      { vid: 12, mcast_querier: true },
    ]);
    expect((before.bridges.br0.ports as Record<string, unknown>).swp1).toMatchObject({
      vlans: [
        { vid: 1, pvid: true, untagged: true },
        { vid: 10, mcast_max_groups: 5 },
        { vid: 11, mcast_router: 0, mcast_max_groups: 5 },
      ],
    });
    const port = {
      type: 'tap',
      vlans: [
        { vid: 1, pvid: true, untagged: true },
        { vid: '10-11', mcast_router: 2 },
      ],
    };
    const br0 = { ...before.bridges.br0, ports: { swp1: port }, vlan_global: [{ vid: '10-12', mcast_mld_version: 2 }] };
    const apply = async (): Promise<string[]> =>
      (await net.live.controls.apply({ config: { ...before, bridges: { br0 } } as never })).commands;
    expect(await apply()).toEqual([
      'link del swp2',
      'link del swp3',
      'vlan set dev swp1 vid 10-11 mcast_router 2 mcast_max_groups 0',
      'vlan global set dev br0 vid 10 mcast_querier 0 mcast_mld_version 2',
      'vlan global set dev br0 vid 11 mcast_querier 0 mcast_igmp_version 2 mcast_mld_version 2',
      'vlan global set dev br0 vid 12 mcast_querier 0 mcast_mld_version 2',
    ]);
    expect(await apply()).toEqual([]);
    await net.run('vlan global set vid 10-12 dev br0 mcast_mld_version 1');
    expect(((await net.live.controls.stated()) as typeof before).bridges.br0).not.toHaveProperty('vlan_global');
  });

  it('are refused where they do not belong', async () => {
    expect(await net.refusal('vlan global set vid 10 dev swp1 mcast_querier 1')).toMatch(/swp1 is a port/);
    expect(await net.refusal('vlan global set vid 10 dev br0 mcast_igmp_version 4')).toMatch(/2 or 3/);
    expect(await net.refusal('vlan set vid 12 dev swp1 mcast_router 2')).toMatch(/not a member of VLAN 12/);
  });
});
