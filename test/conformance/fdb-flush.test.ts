/** Translations of the kernel's tools/testing/selftests/net/fdb_flush.sh. A flush without a state means learned entries here: see docs/semantics.md. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Console } from './support/console.js';

const POOL_1 = ['10', '11', '12', '13', '14'].map((last) => `de:ad:be:ef:13:${last}`);
const POOL_2 = ['10', '11', '12', '13', '14'].map((last) => `ca:fe:be:ef:13:${last}`);
const ALL = POOL_1.length;

let sw: Console;

const start = async (bridges: Record<string, unknown>): Promise<void> => {
  sw = await Console.start({ bridges });
};

const vxlans = () => ({
  br2: { ports: { vx10: { type: 'vxlan', id: 1000 } } },
  br3: { ports: { vx20: { type: 'vxlan', id: 2000, local: '192.0.2.99' } } },
  br0: { vlan_filtering: true, host_port: true },
  br1: { vlan_filtering: true, host_port: true },
});

beforeEach(() => start(vxlans()));
afterEach(() => sw.stop());

async function add(pool: readonly string[], words: string): Promise<void> {
  for (const mac of pool) await sw.run(`fdb add ${mac} dev ${words}`);
}

/** Entries that were not learned, and no own MACs. */
const count = (dev: string, filter = ''): number =>
  sw.fdb(`dev ${dev}`, filter).filter((line) => /^(de:ad|ca:fe|00:00:00:00:00:00)/.test(line)).length;

describe('fdb_flush.sh', () => {
  it('vxlan_test_flush_by_dev', async () => {
    await add(POOL_1, 'vx10 vni 3000 dst 192.0.2.1');
    await add(POOL_2, 'vx20 vni 3000 dst 192.0.2.1');
    await sw.run('fdb flush dev vx10 state all');
    expect([count('vx10'), count('vx20')]).toEqual([0, ALL]);
  });

  const filters: [name: string, one: string, other: string][] = [
    ['vxlan_test_flush_by_vni', 'vni 3000', 'vni 4000'],
    ['vxlan_test_flush_by_port', 'port 1234', 'port 4321'],
  ];
  it.each(filters)('%s', async (_name, one, other) => {
    await add(POOL_1, `vx10 ${one} dst 192.0.2.1`);
    await add(POOL_2, `vx10 ${other} dst 192.0.2.1`);
    expect([count('vx10', one), count('vx10', other)]).toEqual([ALL, ALL]);
    await sw.run(`fdb flush dev vx10 ${other} state all`);
    expect([count('vx10', one), count('vx10', other)]).toEqual([ALL, 0]);
  });

  it('vxlan_test_flush_by_src_vni', async () => {
    sw.stop();
    await start({
      br0: {
        vlan_filtering: true,
        ports: {
          vx10: {
            type: 'vxlan',
            vlan_tunnel: true,
            vlans: [
              { vid: 3, tunnel_info: 3000 },
              { vid: 4, tunnel_info: 4000 },
            ],
          },
        },
      },
    });
    await add(POOL_1, 'vx10 vni 3000 src_vni 4000 dst 192.0.2.1');
    await add(POOL_2, 'vx10 vni 4000 src_vni 3000 dst 192.0.2.1');
    expect([count('vx10', 'src_vni 4000'), count('vx10', 'src_vni 3000')]).toEqual([ALL, ALL]);
    await sw.run('fdb flush dev vx10 src_vni 3000 state all');
    expect([count('vx10', 'src_vni 4000'), count('vx10', 'src_vni 3000')]).toEqual([ALL, 0]);
  });

  it('vxlan_test_flush_by_dst_ip', async () => {
    await add(POOL_1, 'vx10 dst 192.0.2.1');
    await add(POOL_2, 'vx10 dst 192.0.2.2');
    await sw.run('fdb flush dev vx10 dst 192.0.2.2 state all');
    expect([count('vx10', 'dst 192.0.2.1'), count('vx10', 'dst 192.0.2.2')]).toEqual([ALL, 0]);
  });

  it('vxlan_test_flush_by_nhid', async () => {
    await sw.run(`nexthop add id 10 via 192.0.2.1 fdb
      nexthop add id 100 group 10 fdb
      nexthop add id 20 via 192.0.2.2 fdb
      nexthop add id 200 group 20 fdb`);
    await add(POOL_1, 'vx10 nhid 100');
    await add(POOL_2, 'vx10 nhid 200');
    expect([count('vx10', 'nhid 100'), count('vx10', 'nhid 200')]).toEqual([ALL, ALL]);
    await sw.run('fdb flush dev vx10 nhid 200');
    expect([count('vx10', 'nhid 100'), count('vx10', 'nhid 200')]).toEqual([ALL, 0]);
    await sw.run('fdb flush dev vx10 nhid 100');
    expect(count('vx10')).toBe(0);
    await sw.run('fdb flush dev vx10 nhid 100');
  });

  const states: [name: string, word: string, one: string, left: number, other: string, otherLeft: number][] = [
    ['vxlan_test_flush_by_permanent', 'permanent', 'permanent', 0, 'extern_learn', 0],
    ['vxlan_test_flush_by_nopermanent', 'nopermanent', 'permanent', ALL, 'static', 0],
    ['vxlan_test_flush_by_static', 'static', 'static', 0, 'dynamic', ALL],
    ['vxlan_test_flush_by_nostatic', 'nostatic', 'permanent', ALL, 'dynamic', 0],
    ['vxlan_test_flush_by_dynamic', 'dynamic', 'dynamic', 0, 'static', ALL],
    ['vxlan_test_flush_by_nodynamic', 'nodynamic', 'permanent', 0, 'dynamic', ALL],
    ['vxlan_test_flush_by_extern_learn', 'extern_learn', 'extern_learn', 0, 'router', ALL],
    ['vxlan_test_flush_by_noextern_learn', 'noextern_learn', 'extern_learn', ALL, 'router', 0],
    ['vxlan_test_flush_by_router', 'router', 'router', 0, 'extern_learn', ALL],
    ['vxlan_test_flush_by_norouter', 'norouter', 'router', ALL, 'extern_learn', 0],
  ];
  it.each(states)('%s', async (_name, word, one, left, other, otherLeft) => {
    await add(POOL_1, `vx10 dst 192.0.2.1 ${one}`);
    await add(POOL_2, `vx10 dst 192.0.2.2 ${other}`);
    await sw.run(`fdb flush dev vx10 ${word}`);
    expect([count('vx10', 'dst 192.0.2.1'), count('vx10', 'dst 192.0.2.2')]).toEqual([left, otherLeft]);
  });

  it('vxlan_test_flush_by_several_args', async () => {
    await sw.run('nexthop add id 10 via 192.0.2.1 fdb\nnexthop add id 100 group 10 fdb');
    await add(POOL_1, 'vx10 nhid 100 router permanent');
    await add(POOL_2, 'vx10 nhid 100 router static');
    await sw.run('fdb flush dev vx10 nhid 100 router');
    expect(count('vx10')).toBe(0);
    await add(POOL_1, 'vx10 vni 3000 port 1234 dst 192.0.2.1');
    await add(POOL_2, 'vx10 vni 3000 port 1234 dst 192.0.2.2');
    await sw.run('fdb flush dev vx10 vni 3000 port 1234 dst 192.0.2.2 state all');
    expect([count('vx10', 'dst 192.0.2.1'), count('vx10', 'dst 192.0.2.2')]).toEqual([ALL, 0]);
  });

  it('vxlan_test_flush_by_remote_attributes', async () => {
    sw.stop();
    await start({
      br0: {
        vlan_filtering: true,
        ports: {
          vx10: {
            type: 'vxlan',
            vlan_tunnel: true,
            vlans: [
              { vid: 5, tunnel_info: 5000 },
              { vid: 6, tunnel_info: 6000 },
            ],
          },
        },
      },
    });
    const mac = '00:00:00:00:00:00';
    for (const vni of [2000, 3000])
      await sw.run(`fdb append ${mac} dev vx10 dst 192.0.2.1 vni ${vni} src_vni 5000
        fdb append ${mac} dev vx10 dst 192.0.2.1 vni ${vni} src_vni 6000 port 1111
        fdb append ${mac} dev vx10 dst 192.0.2.2 vni ${vni} src_vni 6000 port 2222`);
    const flushed = async (words: string): Promise<number> => {
      const before = count('vx10');
      await sw.run(`fdb flush dev vx10 ${words} state all`);
      return before - count('vx10');
    };
    expect(await flushed('dst 192.0.2.1 port 1111 vni 2000')).toBe(1);
    expect(await flushed('dst 192.0.2.2 port 2222')).toBe(2);
    expect(await flushed('vni 3000 src_vni 5000')).toBe(1);
    expect(await flushed('dst 192.0.2.1')).toBe(2);
    expect(count('vx10')).toBe(0);
  });

  it('bridge_test_flush_by_dev', async () => {
    await add(POOL_1, 'br0');
    await add(POOL_2, 'br1');
    expect([count('br0'), count('br1')]).toEqual([ALL, ALL]);
    await sw.run('fdb flush dev br0 state all');
    expect([count('br0'), count('br1')]).toEqual([0, ALL]);
  });

  it('bridge_test_flush_by_vlan', async () => {
    await sw.run('vlan add vid 10 dev br0 self\nvlan add vid 20 dev br0 self');
    await add(POOL_1, 'br0 vlan 10');
    await add(POOL_2, 'br0 vlan 20');
    await sw.run('fdb flush dev br0 vlan 10 state all');
    expect([count('br0', 'vlan 10'), count('br0', 'vlan 20')]).toEqual([0, ALL]);
  });
});

it('added_by_user, sticky, offloaded, brport, via: alone and negated', async () => {
  sw.stop();
  const ports = { t1: { type: 'tap' }, v1: { type: 'vxlan', id: 5, dev: 'eth0', remotes: ['192.0.2.1'] } };
  await start({ br0: { ports } });
  const fill = async (): Promise<void> => {
    await sw.run('fdb flush br br0 state all');
    sw.send('t1', '02:00:00:00:00:0a', 'ff:ff:ff:ff:ff:ff');
    await sw.run(`fdb add de:ad:be:ef:13:10 dev t1 static sticky
      fdb add de:ad:be:ef:13:11 dev t1 dynamic
      fdb add de:ad:be:ef:13:12 dev v1 dst 192.0.2.1 static`);
  };
  const left = async (words: string): Promise<string[]> => {
    await fill();
    await sw.run(`fdb flush ${words}`);
    return sw.fdb().map((line) => line.slice(15, 17));
  };
  const [learned, sticky, dynamic, remote] = ['0a', '10', '11', '12'];
  expect((await left('br br0 added_by_user')).sort()).toEqual([learned]);
  expect((await left('br br0 noadded_by_user')).sort()).toEqual([sticky, dynamic, remote]);
  expect((await left('br br0 sticky')).sort()).toEqual([learned, dynamic, remote]);
  expect((await left('br br0 nosticky')).sort()).toEqual([sticky]);
  expect((await left('br br0 offloaded')).sort()).toEqual([learned, sticky, dynamic, remote]);
  expect((await left('br br0 nooffloaded')).sort()).toEqual([]);
  expect((await left('dev br0 brport t1 noextern_learn')).sort()).toEqual([remote]);
  expect((await left('br br0 via eth0 nosticky')).sort()).toEqual([learned, sticky, dynamic]);
  expect((await left('br br0 via eth1 nosticky')).sort()).toEqual([learned, sticky, dynamic, remote]);
  expect((await left('br br0')).sort()).toEqual([sticky, remote]);
  expect((await left('br br0 port 4789 nosticky')).sort()).toEqual([learned, sticky, dynamic]);
});
