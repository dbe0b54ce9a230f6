/** Translations of the cases of FDB nexthops in the kernel's tools/testing/selftests/net/fib_nexthops.sh. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Console } from './support/console.js';

let sw: Console;

afterEach(() => sw.stop());

const families = [
  ['ipv4_fdb_grp_fcnal', '10.0.0.1', '10.0.0.2', '172.16.1'],
  ['ipv6_fdb_grp_fcnal', '2001:db8:91::9', '2001:db8:91::10', '2001:db8:91:'],
] as const;

describe.each(families)('fib_nexthops.sh: %s', (_name, local, remote, net) => {
  const address = (last: number): string => (net.includes(':') ? `${net}:${last}` : `${net}.${last}`);

  beforeEach(async () => {
    const vx10 = { type: 'vxlan', id: 1010, local, remotes: [remote], learning: false };
    sw = await Console.start({ bridges: { br0: { ports: { t1: { type: 'tap' }, vx10 } } } });
    await sw.run(`nexthop add id 12 via ${address(2)} fdb
      nexthop add id 13 via ${address(3)} fdb
      nexthop add id 102 group 12/13 fdb`);
  });

  it('Fdb Nexthop group with multiple nexthops, Get Fdb nexthop group by id', () => {
    expect(sw.nexthops()).toEqual([
      `id 12 via ${address(2)} scope link fdb`,
      `id 13 via ${address(3)} scope link fdb`,
      'id 102 group 12/13 fdb',
    ]);
  });

  const refused: [name: string, words: string, why: RegExp][] = [
    ['Fdb Nexthop with blackhole', 'nexthop add id 18 blackhole fdb', /does not know "blackhole"/],
    ['Fdb Nexthop with oif', 'nexthop add id 18 via 192.0.2.1 dev veth1 fdb', /does not know "dev"/],
    ['Fdb Nexthop with onlink', 'nexthop add id 18 via 192.0.2.1 onlink fdb', /does not know "onlink"/],
    ['Fdb Nexthop with encap', 'nexthop add id 18 encap mpls 101 via 192.0.2.1 fdb', /does not know "encap"/],
  ];
  it.each(refused)('%s', async (_case, words, why) => {
    await expect(sw.run(words)).rejects.toThrow(why);
  });

  it('Fdb mac add with nexthop group', async () => {
    await sw.run('fdb add 02:02:00:00:00:13 dev vx10 nhid 102 self');
    expect(sw.fdb('dev vx10', 'nhid 102')).toEqual([
      '02:02:00:00:00:13 dev vx10 nhid 102 src_vni 1010 master br0 permanent',
    ]);
  });

  it('Fdb mac add with nexthop', async () => {
    await expect(sw.run('fdb add 02:02:00:00:00:14 dev vx10 nhid 12 self')).rejects.toThrow(/12 is no group/);
  });

  it('Fdb entry after deleting a single nexthop, Fdb nexthop delete, Fdb entry after deleting a nexthop group', async () => {
    const mac = '02:02:00:00:00:13';
    await sw.run(`fdb add ${mac} dev vx10 nhid 102 self\nnexthop del id 12`);
    expect(sw.fdb('dev vx10', 'nhid 102')).toHaveLength(1);
    const to = (last: number): string => `vx10>${address(last)}:4789 vni 1010`;
    expect(sw.send('t1', '02:00:00:00:00:01', mac)).toEqual([to(3)]);
    await sw.run('nexthop del id 102');
    expect(sw.fdb('dev vx10', 'nhid 102')).toEqual([]);
    expect(sw.send('t1', '02:00:00:00:00:01', mac)).toEqual([`vx10>${remote}:4789 vni 1010`]);
  });
});

describe('beside these', () => {
  beforeEach(async () => {
    const vx10 = { type: 'vxlan', id: 1010, local: '10.0.0.1' };
    sw = await Console.start({ bridges: { br0: { ports: { t1: { type: 'tap' }, vx10 } } } });
    await sw.run('nexthop add id 1 via 192.0.2.1 fdb\nnexthop add id 2 via 192.0.2.2 fdb');
  });

  const refused: [words: string, why: RegExp][] = [
    ['nexthop add id 1 via 192.0.2.9 fdb', /nexthop 1 already/],
    ['nexthop add id 10 group 1/1 fdb', /names nexthop 1 twice/],
    ['nexthop add id 10 group 1/9 fdb', /no nexthop 9/],
    ['nexthop del id 9', /no nexthop 9/],
    ['nexthop replace id 1 group 2 fdb', /cannot become a group/],
    ['nexthop add id 10 group 0 fdb', /takes IDs with weights/],
    ['nexthop add id 10 group 1,0 fdb', /takes IDs with weights/],
    ['nexthop add id 10 group 1,65537 fdb', /takes IDs with weights/],
    ['nexthop add id 10 fdb', /needs an address or a group/],
    ['nexthop add id 10 via 192.0.2.1 group 1 fdb', /needs an address or a group/],
    ['nexthop add id 4294967296 via 192.0.2.1', /from 1 to 4294967295/],
    ['nexthop add id 10 via 239.1.1.1', /multicast/],
    ['nexthop add id 10 group 1 type resilient', /"type" takes mpath/],
    ['fdb add 02:00:00:00:00:09 dev vx10 nhid 9', /no nexthop 9/],
    ['fdb add 02:00:00:00:00:09 dev t1 nhid 9', /entries of a vxlan port/],
  ];
  it.each(refused)('%s: refused', async (words, why) => {
    await expect(sw.run(words)).rejects.toThrow(why);
  });

  it('an entry of a group has no other destination, and is unicast', async () => {
    await sw.run('nexthop add id 10 group 1 fdb');
    for (const more of ['dst 192.0.2.1', 'port 9', 'vni 5'])
      await expect(sw.run(`fdb add 02:00:00:00:00:09 dev vx10 nhid 10 ${more}`)).rejects.toThrow(
        /no other destination/,
      );
    await expect(sw.run('fdb append 00:00:00:00:00:00 dev vx10 nhid 10')).rejects.toThrow(/destinations of its own/);
    await sw.run('nexthop add id 3 via 2001:db8::1\nnexthop add id 11 group 3');
    await expect(sw.run('fdb add 02:00:00:00:00:09 dev vx10 nhid 11')).rejects.toThrow(/IPv6.*IPv4/);
    await expect(sw.run('nexthop add id 12 group 1/3')).rejects.toThrow(/IPv4 and IPv6/);
    await expect(sw.run('nexthop add id 12 group 10')).rejects.toThrow(/is a group itself/);
  });

  it('the largest id and weight are taken; flush takes all, with their entries and VTEPs', async () => {
    await sw.run(`nexthop add id 4294967295 group 1,65536/2 proto zebra
      fdb add 02:00:00:00:00:09 dev vx10 nhid 4294967295`);
    expect(sw.nexthops()[2]).toBe('id 4294967295 group 1,65536/2 proto zebra fdb');
    expect(sw.send('t1', '02:00:00:00:00:01', '02:00:00:00:00:09')).toHaveLength(1);
    await sw.run('nexthop flush');
    expect([sw.nexthops(), sw.fdb('dev vx10')]).toEqual([[], []]);
    const port = sw.live.model.ports.get('vx10');
    expect(port?.kind === 'vxlan' && [port.vteps.size, port.nexthops.size]).toEqual([0, 0]);
  });
});
