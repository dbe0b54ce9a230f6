/**
 * Translations of the kernel's tools/testing/selftests/net/forwarding/vxlan_bridge_1d.sh, vxlan_bridge_1q.sh, q_in_vni.sh,
 * bridge_vlan_aware.sh and bridge_vlan_unaware.sh. Hosts are the TAPs of a switch in memory; what the scripts count by tc is counted where
 * frames leave.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { frame } from '../dataplane/support/frames.js';
import { Console } from './support/console.js';

const H1 = '02:00:00:00:00:01';
const H2 = '02:00:00:00:00:02';
const STRANGER = 'de:ad:be:ef:13:37';
const TEN = 10;

let sw: Console;

afterEach(() => sw.stop());

/** Ten frames. @returns how many copies went to each place */
function count(port: string, source: string, destination: string, tci?: number): Record<string, number> {
  const copies: Record<string, number> = {};
  for (let number = 0; number < TEN; number++) {
    const bytes = frame({ source, destination, ...(tci === undefined ? {} : { tci }) });
    sw.live.inject(0, port, bytes);
    for (const { to } of sw.live.turn(0)) copies[to] = (copies[to] ?? 0) + 1;
  }
  return copies;
}

const families = [
  ['', '192.0.2.17', '192.0.2.34', '192.0.2.50'],
  ['_ipv6', '2001:db8:3::1', '2001:db8:4::1', '2001:db8:5::1'],
] as const;

describe.each(families)('vxlan_bridge_1d%s.sh', (_family, local, one, other) => {
  const far = (address: string): string => `vx1>${address}:4789 vni 1000`;
  const start = async (): Promise<void> => {
    sw = await Console.start({ bridges: { br1: { ports: { swp1: { type: 'tap' }, swp2: { type: 'tap' } } } } });
    await sw.run(`link add vx1 type vxlan id 1000 local ${local}
      link set vx1 master br1
      fdb append 00:00:00:00:00:00 dev vx1 dst ${one} self
      fdb append 00:00:00:00:00:00 dev vx1 dst ${other} self`);
  };
  const flood = (): void => {
    expect(count('swp1', H1, STRANGER)).toEqual({ swp2: TEN, [far(one)]: TEN, [far(other)]: TEN });
  };
  const unicast = async (): Promise<void> => {
    const places: [words: string, to: string][] = [
      [`dev vx1 self master static dst ${one}`, far(one)],
      [`dev vx1 self master static dst ${other}`, far(other)],
      ['dev swp2 master static', 'swp2'],
    ];
    for (const [words, to] of places) {
      await sw.run(`fdb add ${STRANGER} ${words}`);
      expect(count('swp1', H1, STRANGER)).toEqual({ [to]: TEN });
      await sw.run(`fdb del ${STRANGER} ${words}`);
    }
    flood();
  };

  it('test_flood', async () => {
    await start();
    flood();
  });

  it('test_unicast', async () => {
    await start();
    await unicast();
  });

  it('reapply_config', async () => {
    await start();
    await sw.run(`fdb del 00:00:00:00:00:00 dev vx1 dst ${one} self
      fdb del 00:00:00:00:00:00 dev vx1 dst ${other} self
      link set vx1 nomaster
      link del vx1`);
    expect(count('swp1', H1, STRANGER)).toEqual({ swp2: TEN });
    await sw.run(`link add vx1 master br1 type vxlan id 1000 local ${local}
      fdb append 00:00:00:00:00:00 dev vx1 dst ${one} self
      fdb append 00:00:00:00:00:00 dev vx1 dst ${other} self`);
    flood();
    await unicast();
  });

  it('test_learning', async () => {
    await start();
    await sw.run('link set br1 type bridge ageing_time 20');
    const learned = (): number => sw.fdb('dev vx1', `dst ${one}`).filter((line) => line.startsWith(STRANGER)).length;
    flood();
    sw.arrive('vx1', one, 1000, STRANGER, H1);
    sw.turn();
    expect(learned()).toBe(1);
    expect(count('swp1', H1, STRANGER)).toEqual({ [far(one)]: TEN });
    // Ageing, then learning off.
    sw.live.wait(25);
    expect(learned()).toBe(0);
    flood();
    await sw.run('link set vx1 type bridge_slave learning off');
    sw.arrive('vx1', one, 1000, STRANGER, H1);
    sw.turn();
    expect(learned()).toBe(0);
    flood();
    await sw.run('link set vx1 type bridge_slave learning on');
    sw.arrive('vx1', one, 1000, STRANGER, H1);
    sw.turn();
    expect(learned()).toBe(1);
  });
});

describe.each(families)('vxlan_bridge_1q%s.sh', (_family, local, one, other) => {
  const far = (address: string, vni: number): string => `vx10>${address}:4789 vni ${vni}`;
  const [TAG_10, TAG_20] = [10, 20];
  const start = async (): Promise<void> => {
    const port = { type: 'tap', vlans: [{ vid: 10 }, { vid: 20 }] };
    const vlans = [
      { vid: 10, tunnel_info: 1000 },
      { vid: 20, tunnel_info: 2000 },
    ];
    const vx10 = { type: 'vxlan', local, vlan_tunnel: true, remotes: [one, other], vlans };
    const ports = { swp1: port, swp2: port, vx10 };
    sw = await Console.start({ bridges: { br1: { vlan_filtering: true, vlan_default_pvid: 0, ports } } });
  };
  const flood = (): void => {
    for (const [tag, vni] of [
      [TAG_10, 1000],
      [TAG_20, 2000],
    ])
      expect(count('swp1', H1, STRANGER, tag)).toEqual({ swp2: TEN, [far(one, vni)]: TEN, [far(other, vni)]: TEN });
  };

  it('test_flood', async () => {
    await start();
    flood();
  });

  it('test_unicast', async () => {
    await start();
    await sw.run(`fdb add ${STRANGER} dev vx10 self master static dst ${one} src_vni 1000
      fdb add ${STRANGER} dev swp2 master static vlan 20`);
    expect(count('swp1', H1, STRANGER, TAG_10)).toEqual({ [far(one, 1000)]: TEN });
    expect(count('swp1', H1, STRANGER, TAG_20)).toEqual({ swp2: TEN });
    await sw.run(`fdb del ${STRANGER} dev vx10 src_vni 1000 dst ${one}\nfdb del ${STRANGER} dev swp2 vlan 20`);
    flood();
  });

  it('reapply_config', async () => {
    await start();
    await sw.run(`vlan del vid 10 dev vx10
      vlan del vid 20 dev vx10
      vlan add vid 20 dev vx10
      vlan add dev vx10 vid 20 tunnel_info id 2000
      vlan add vid 10 dev vx10
      vlan add dev vx10 vid 10 tunnel_info id 1000`);
    flood();
  });

  it('test_learning', async () => {
    await start();
    await sw.run('link set br1 type bridge ageing_time 20');
    for (const [tag, vni] of [
      [TAG_10, 1000],
      [TAG_20, 2000],
    ]) {
      sw.arrive('vx10', one, vni, STRANGER, H1);
      sw.turn();
      expect(sw.fdb('dev vx10', `src_vni ${vni}`).filter((line) => line.startsWith(STRANGER))).toHaveLength(1);
      expect(count('swp1', H1, STRANGER, tag)).toEqual({ [far(one, vni)]: TEN });
      sw.live.wait(25);
      flood();
    }
  });

  it('test_pvid', async () => {
    await start();
    // What the scripts do by the PVID of a vxlan device: the VNI of a VLAN is taken away, changed and given back.
    await sw.run('vlan del dev vx10 vid 10 tunnel_info id 1000');
    expect(count('swp1', H1, STRANGER, TAG_10)).toEqual({ swp2: TEN });
    await sw.run('vlan add dev vx10 vid 10 tunnel_info id 1001');
    expect(count('swp1', H1, STRANGER, TAG_10)).toEqual({ swp2: TEN, [far(one, 1001)]: TEN, [far(other, 1001)]: TEN });
    await sw.run('vlan del dev vx10 vid 10 tunnel_info id 1001\nvlan add dev vx10 vid 10 tunnel_info id 1000');
    flood();
    await sw.run('vlan del vid 10 dev vx10');
    expect(count('swp1', H1, STRANGER, TAG_10)).toEqual({ swp2: TEN });
    await sw.run('vlan add vid 10 dev vx10\nvlan add dev vx10 vid 10 tunnel_info id 1000');
    flood();
  });
});

describe('bridge_vlan_aware.sh', () => {
  const start = async (): Promise<void> => {
    const ports = { swp1: { type: 'tap' }, swp2: { type: 'tap' } };
    sw = await Console.start({ bridges: { br0: { vlan_filtering: true, ageing_time: 20, ports } } });
  };
  const known = (): string[] => sw.fdb('dev swp1', '').filter((line) => line.startsWith(STRANGER));

  it('learning', async () => {
    await start();
    expect(count('swp2', H2, STRANGER)).toEqual({ swp1: TEN });
    sw.send('swp1', STRANGER, 'ff:ff:ff:ff:ff:ff');
    expect(known()).toHaveLength(1);
    sw.live.wait(25);
    expect(known()).toHaveLength(0);
    await sw.run('link set swp1 type bridge_slave learning off');
    sw.send('swp1', STRANGER, 'ff:ff:ff:ff:ff:ff');
    expect(known()).toHaveLength(0);
  });

  it('flooding', async () => {
    await start();
    for (const [destination, kind] of [
      [STRANGER, 'flood'],
      ['01:00:5e:00:00:01', 'mcast_flood'],
    ]) {
      await sw.run(`link set swp2 type bridge_slave ${kind} off`);
      expect(count('swp1', H1, destination)).toEqual({});
      await sw.run(`link set swp2 type bridge_slave ${kind} on`);
      expect(count('swp1', H1, destination)).toEqual({ swp2: TEN });
    }
  });

  it('vlan_deletion', async () => {
    await start();
    await sw.run('vlan add vid 10 dev swp1\nvlan del vid 10 dev swp1');
    expect(count('swp1', H1, STRANGER)).toEqual({ swp2: TEN });
  });

  it('extern_learn', async () => {
    await start();
    await sw.run(`fdb add ${STRANGER} dev swp1 master extern_learn vlan 1 dynamic`);
    sw.live.wait(25);
    expect(known()).toHaveLength(1);
    sw.send('swp2', STRANGER, 'ff:ff:ff:ff:ff:ff');
    expect(sw.fdb('dev swp2').filter((line) => line.startsWith(STRANGER))).toHaveLength(1);
    expect(known()).toHaveLength(0);
  });

  it('drop_untagged', async () => {
    await start();
    await sw.run('vlan del vid 1 dev swp1\nvlan add vid 1 dev swp1');
    expect(count('swp1', H1, STRANGER)).toEqual({});
    expect(count('swp1', H1, STRANGER, 0)).toEqual({});
    expect(count('swp1', H1, STRANGER, 1)).toEqual({ swp2: TEN });
    await sw.run('vlan add vid 1 dev swp1 pvid untagged');
    expect(count('swp1', H1, STRANGER)).toEqual({ swp2: TEN });
  });

  it('8021p', async () => {
    await start();
    // A priority tag is of the PVID, and the tag of a VLAN that the port is no member of is dropped.
    expect(count('swp1', H1, STRANGER, 0)).toEqual({ swp2: TEN });
    await sw.run('vlan add vid 10 dev swp1 pvid untagged');
    expect(count('swp1', H1, STRANGER, 0)).toEqual({});
    await sw.run('vlan add vid 10 dev swp2 pvid untagged');
    expect(count('swp1', H1, STRANGER, 0)).toEqual({ swp2: TEN });
  });
});

describe('bridge_vlan_unaware.sh', () => {
  const start = async (): Promise<void> => {
    const ports = { swp1: { type: 'tap' }, swp2: { type: 'tap' } };
    sw = await Console.start({ bridges: { br0: { ageing_time: 20, ports } } });
  };

  it('learning, flooding', async () => {
    await start();
    expect(count('swp1', H1, STRANGER)).toEqual({ swp2: TEN });
    sw.send('swp2', STRANGER, 'ff:ff:ff:ff:ff:ff');
    expect(sw.fdb('dev swp2').filter((line) => line.startsWith(STRANGER))).toHaveLength(1);
    await sw.run('link set swp2 type bridge_slave flood off');
    expect(count('swp1', H1, STRANGER)).toEqual({ swp2: TEN });
    expect(count('swp1', H1, 'de:ad:be:ef:13:38')).toEqual({});
  });

  it('pvid_change', async () => {
    await start();
    await sw.run('link set br0 type bridge vlan_default_pvid 2');
    expect(count('swp1', H1, STRANGER, 2)).toEqual({ swp2: TEN });
    await sw.run('link set br0 type bridge vlan_default_pvid 1');
    expect(count('swp1', H1, STRANGER)).toEqual({ swp2: TEN });
  });
});

describe('q_in_vni.sh', () => {
  it.each([
    ['ping_ipv4', '192.0.2.17', '192.0.2.34'],
    ['ping_ipv6', '2001:db8:3::1', '2001:db8:4::1'],
  ])('%s', async (_name, local, one) => {
    // A tagged frame is payload on a bridge without VLAN filtering: it crosses the VNI with its tag, both ways.
    const vx1 = { type: 'vxlan', id: 100, local, remotes: [one] };
    sw = await Console.start({ bridges: { br1: { ports: { swp1: { type: 'tap' }, vx1 } } } });
    const tagged = frame({ source: H1, destination: H2, tci: 10 });
    sw.live.inject(0, 'swp1', tagged);
    const [out] = sw.live.turn(0);
    expect(out?.to).toBe(`vx1>${one}:4789 vni 100`);
    expect(Buffer.from(out?.frame ?? []).equals(Buffer.from(tagged))).toBe(true);
    sw.arrive('vx1', one, 100, H2, H1, 10);
    const [back] = sw.live.turn(0);
    expect(back?.to).toBe('swp1');
    expect(Buffer.from(back?.frame ?? []).equals(Buffer.from(frame({ source: H2, destination: H1, tci: 10 })))).toBe(
      true,
    );
  });
});
