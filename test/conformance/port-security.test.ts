/** Cases of the kernel's bridge_locked_port.sh and bridge_port_isolation.sh. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SwitchEvent } from '../../src/api/api.js';
import { FLAG_STATIC } from '../../src/fdb/table.js';
import { A, B, BROADCAST, C, frame } from '../dataplane/support/frames.js';
import { TestSwitch } from '../dataplane/support/harness.js';
import { advertisement, arpRequest, solicitation } from '../dataplane/support/neigh-frames.js';
import { Console } from './support/console.js';

const VLANS = ['1 pvid untagged', '100'];

/** H1 (A) behind swp1, which learns nothing, and H2 (B) behind swp2. */
function locked(): TestSwitch {
  const ports = {
    swp1: { type: 'tap' as const, vlans: VLANS, off: ['learning' as const] },
    swp2: { type: 'tap' as const, vlans: VLANS },
  };
  return new TestSwitch({ br0: { filtering: true, ports } });
}

const lock = (sw: TestSwitch, on: boolean): void =>
  sw.apply(sw.topology.setPort('swp1', 'br0', { type: 'tap', off: ['learning'], locked: on }));

/** H1 asks, and H2 answers; before the port is locked, after it is, with an entry, and unlocked without one. */
function throughLock(ask: Uint8Array, answer: Uint8Array, vlan: number): void {
  const sw = locked();
  const passes = (): boolean => {
    const asked = sw.send('swp1', ask);
    if (asked.to.length === 0) expect(asked.drops).toEqual(['swp1 locked_port']);
    return asked.to.includes('swp2') && sw.send('swp2', answer).to.includes('swp1');
  };
  expect(passes()).toBe(true);
  lock(sw, true);
  expect(passes()).toBe(false);
  const entry = { mac: A, vlan, flags: FLAG_STATIC };
  sw.apply([sw.topology.entry('swp1', entry)]);
  expect(passes()).toBe(true);
  lock(sw, false);
  sw.apply([sw.topology.removeEntry('swp1', entry)]);
  expect(passes()).toBe(true);
}

describe('bridge_locked_port.sh', () => {
  it('locked_port_ipv4', () => {
    throughLock(arpRequest(A, '192.0.2.1', '192.0.2.2'), frame({ source: B, destination: A }), 1);
  });

  it('locked_port_ipv6', () => {
    const answer = advertisement(B, '2001:db8:1::2', { to: '2001:db8:1::1' });
    throughLock(solicitation(A, '2001:db8:1::1', '2001:db8:1::2'), answer, 1);
  });

  it('locked_port_vlan', () => {
    const answer = frame({ source: B, destination: A, tci: 100 });
    throughLock(arpRequest(A, '198.51.100.1', '198.51.100.2', { tci: 100 }), answer, 100);
  });
});

const H1 = 'a0:b0:c0:c0:b0:a0';
const H2 = '02:00:00:00:00:02';
const ALL = 'ff:ff:ff:ff:ff:ff';

describe('bridge_locked_port.sh, MAB', () => {
  let sw: Console;

  beforeEach(async () => {
    const ports = { swp1: { type: 'tap', learning: false }, swp2: { type: 'tap' } };
    sw = await Console.start({ bridges: { br0: { vlan_filtering: true, ports } } });
  });
  afterEach(() => sw.stop());

  const slave = (port: string, words: string): Promise<void> => sw.run(`link set ${port} type bridge_slave ${words}`);
  const rows = (mac = H1): string[] => sw.live.fdb().flatMap((row) => (row.mac === mac ? [textOf(row)] : []));
  const textOf = (row: { ifname: string; state: string; flags: string[] }): string =>
    [row.ifname, row.state, ...row.flags].join(' ');
  /** H1 asks everybody, and H2 answers it. */
  const pings = (): boolean => sw.send('swp1', H1, ALL).includes('swp2') && sw.send('swp2', H2, H1).includes('swp1');

  it('locked_port_mab', async () => {
    expect(pings()).toBe(true);
    await slave('swp1', 'learning on locked on');
    expect([pings(), rows()]).toEqual([false, []]);
    await slave('swp1', 'learning on locked on mab on');
    expect([pings(), rows()]).toEqual([false, ['swp1 dynamic locked']]);
    expect([pings(), rows()]).toEqual([false, ['swp1 dynamic locked']]);
    expect(sw.live.stats().drops).toEqual({ locked_port: 3 });
    // An entry of one's own is not there yet, and neither add nor use lets in.
    await expect(sw.run(`fdb add ${H1} dev swp1 master static vlan 1`)).rejects.toThrow(/use replace/);
    await sw.run(`fdb add ${H1} dev swp1 master use vlan 1`);
    expect(pings()).toBe(false);
    await sw.run(`fdb replace ${H1} dev swp1 master static vlan 1`);
    expect([pings(), rows()]).toEqual([true, ['swp1 static']]);
    await sw.run(`fdb del ${H1} dev swp1 master vlan 1`);
    await slave('swp1', 'learning off locked off mab off');
    expect(pings()).toBe(true);
  });

  it('locked_port_mab_roam', async () => {
    await slave('swp1', 'learning on locked on mab on');
    sw.send('swp1', H1, ALL);
    expect(rows()).toEqual(['swp1 dynamic locked']);
    sw.send('swp2', H1, ALL);
    expect(rows()).toEqual(['swp2 dynamic']);
    sw.send('swp1', H1, ALL);
    expect(rows()).toEqual(['swp2 dynamic']);
  });

  it('... nor to another port with MAB, where it waits until it has aged', async () => {
    for (const port of ['swp1', 'swp2']) await slave(port, 'learning on locked on mab on');
    sw.send('swp1', H1, ALL);
    sw.live.wait(200);
    // A frame from it keeps it where it waits, and one from elsewhere does not.
    sw.send('swp1', H1, ALL);
    sw.live.wait(200);
    sw.send('swp2', H1, ALL);
    expect(rows()).toEqual(['swp1 dynamic locked']);
    sw.live.wait(101);
    expect(rows()).toEqual([]);
    sw.send('swp2', H1, ALL);
    expect(rows()).toEqual(['swp2 dynamic locked']);
  });

  it('locked_port_mab_config', async () => {
    await expect(slave('swp1', 'learning on locked off mab on')).rejects.toThrow(/set locked: true too/);
    await expect(slave('swp1', 'learning off locked on mab on')).rejects.toThrow(/set learning: true/);
    await slave('swp1', 'learning on locked on mab on');
    await expect(slave('swp1', 'locked off')).rejects.toThrow(/set locked: true too/);
    await expect(slave('swp1', 'learning off')).rejects.toThrow(/set learning: true/);
    expect(sw.link('swp1')).toMatchObject({ locked: true, mab: true });
    await slave('swp1', 'learning off locked off mab off');
  });

  it('locked_port_mab_flush', async () => {
    const [own1, own2] = ['00:01:02:03:04:06', '00:01:02:03:04:08'];
    const [asks1, asks2] = ['00:01:02:03:04:05', '00:01:02:03:04:07'];
    for (const port of ['swp1', 'swp2']) await slave(port, 'learning on locked on mab on');
    await sw.run(`fdb add ${own1} dev swp1 vlan 1 master static
      fdb add ${own2} dev swp2 vlan 1 master static`);
    sw.send('swp1', asks1, ALL);
    sw.send('swp2', asks2, ALL);
    expect([rows(asks1), rows(asks2)]).toEqual([['swp1 dynamic locked'], ['swp2 dynamic locked']]);
    await slave('swp1', 'mab off');
    expect([own1, own2, asks1, asks2].map((mac) => rows(mac))).toEqual([
      ['swp1 static'],
      ['swp2 static'],
      [],
      ['swp2 dynamic locked'],
    ]);
  });

  it('events tell who asks, and that it is let in; many who ask are bounded as what is learned', async () => {
    const told: SwitchEvent[] = [];
    sw.live.feed.subscribe((event) => told.push(event));
    await sw.run('link set br0 type bridge fdb_max_learned 3');
    await slave('swp1', 'learning on locked on mab on');
    sw.send('swp1', H1, ALL);
    await sw.run(`fdb replace ${H1} dev swp1 master static vlan 1`);
    sw.live.feed.drain();
    const entry = { mac: H1, ifname: 'swp1', master: 'br0', vlan: 1 };
    expect(told.filter((event) => 'mac' in event)).toEqual([
      { event: 'learned', ...entry, state: 'dynamic', locked: true },
      { event: 'changed', ...entry, state: 'static' },
    ]);
    for (let host = 10; host < 40; host++) sw.send('swp1', `02:00:00:00:01:${host}`, ALL);
    expect(sw.live.fdb().filter(({ flags }) => flags.includes('locked'))).toHaveLength(3);
    expect(sw.link('br0').fdb_n_learned).toBe(3);
    await sw.run('fdb flush dev swp1');
    expect(sw.live.fdb().map(textOf)).toEqual(['swp1 static']);
  });
});

/** Two isolated ports, and one that is not. */
function isolated(): TestSwitch {
  const ports = {
    swp1: { type: 'tap' as const, isolated: true },
    swp2: { type: 'tap' as const, isolated: true },
    swp3: { type: 'tap' as const },
  };
  return new TestSwitch({ br0: { ports } });
}

describe('bridge_port_isolation.sh', () => {
  it('ping_ipv4, ping_ipv6', () => {
    const sw = isolated();
    for (const ask of [arpRequest(A, '192.0.2.1', '192.0.2.2'), solicitation(A, '2001:db8:1::1', '2001:db8:1::2')])
      expect(sw.send('swp1', ask).to).toEqual(['swp3']);
    sw.send('swp2', frame({ source: B, destination: C }));
    expect(sw.send('swp1', frame({ source: A, destination: B })).drops).toEqual(['swp1 isolated_port']);
    sw.send('swp3', frame({ source: C, destination: BROADCAST }));
    expect(sw.send('swp1', frame({ source: A, destination: C })).to).toEqual(['swp3']);
    expect(sw.send('swp3', frame({ source: C, destination: A })).to).toEqual(['swp1']);
  });

  it('flooding: of unknown unicast, broadcast and multicast', () => {
    const sw = isolated();
    for (const destination of ['de:ad:be:ef:13:37', BROADCAST, '01:00:5e:00:00:01']) {
      expect(sw.send('swp1', frame({ source: A, destination })).to).toEqual(['swp3']);
      expect(sw.send('swp3', frame({ source: C, destination })).to).toEqual(['swp1', 'swp2']);
    }
  });
});

describe('isolated by VLAN', () => {
  it('`vlan set ... isolated on`: in that VLAN alone, between ports that have it or are isolated as a whole', async () => {
    const vlans = [{ vid: 10 }, { vid: 20 }];
    const ports = Object.fromEntries(['swp1', 'swp2', 'swp3'].map((name) => [name, { type: 'tap', vlans }]));
    const sw = await Console.start({ bridges: { br0: { vlan_filtering: true, ports } } });
    const from = (port: string, vid: number): string[] =>
      sw.put(port, frame({ source: A, destination: BROADCAST, tci: vid })).sort();
    await sw.run(`vlan set dev swp1 vid 10 isolated on
      vlan set dev swp2 vid 10 isolated on`);
    expect([from('swp1', 10), from('swp1', 20)]).toEqual([['swp3'], ['swp2', 'swp3']]);
    expect([from('swp2', 10), from('swp3', 10)]).toEqual([['swp3'], ['swp1', 'swp2']]);
    await sw.run(`vlan set dev swp2 vid 10 isolated off
      link set swp3 type bridge_slave isolated on`);
    expect([from('swp1', 10), from('swp1', 20)]).toEqual([['swp2'], ['swp2', 'swp3']]);
    await expect(sw.run('vlan set dev br0 vid 10 isolated on')).rejects.toThrow(/host port/);
    expect(sw.live.vlans().vlans.find(({ ifname }) => ifname === 'swp1')?.vlans).toEqual([
      { vlan: 10, flags: [], isolated: true },
      { vlan: 20, flags: [], isolated: false },
    ]);
    sw.stop();
  });
});

describe('hairpin and group_fwd_mask of a port', () => {
  let sw: Console;

  beforeEach(async () => {
    const ports = {
      swp1: { type: 'tap' },
      swp2: { type: 'tap' },
      vx: { type: 'vxlan', id: 7, remotes: ['192.0.2.1'] },
    };
    sw = await Console.start({ bridges: { br0: { ports } } });
  });
  afterEach(() => sw.stop());

  it('sends frames back, known and flooded, but not between isolated hosts, and never into a tunnel', async () => {
    sw.send('swp1', A, ALL);
    expect(sw.send('swp1', B, A)).toEqual([]);
    expect(sw.live.stats().drops).toEqual({ same_port: 1 });
    await sw.run('link set swp1 type bridge_slave hairpin on');
    expect(sw.send('swp1', B, A)).toEqual(['swp1']);
    expect(sw.send('swp1', B, C).sort()).toEqual(['swp1', 'swp2', 'vx>192.0.2.1:4789 vni 7']);
    await sw.run('link set swp1 type bridge_slave isolated on');
    expect(sw.send('swp1', B, A)).toEqual([]);
    expect(sw.live.stats().drops).toEqual({ same_port: 1, isolated_port: 1 });
    await expect(sw.run('link set vx type bridge_slave hairpin on')).rejects.toThrow(/never sent to a remote/);
  });

  it('forwards link protocols that come in by the port', async () => {
    const lldp = '01:80:c2:00:00:0e';
    const slow = '01:80:c2:00:00:02';
    const from = (port: string) => [lldp, slow].map((mac) => sw.send(port, A, mac).length);
    expect([from('swp1'), from('swp2')]).toEqual([
      [0, 0],
      [0, 0],
    ]);
    await sw.run('link set swp1 type bridge_slave group_fwd_mask 0x4000');
    expect([from('swp1'), from('swp2')]).toEqual([
      [2, 0],
      [0, 0],
    ]);
    await sw.run('link set br0 type bridge group_fwd_mask 4');
    expect([from('swp1'), from('swp2')]).toEqual([
      [2, 2],
      [0, 2],
    ]);
    await sw.run('link set swp1 type bridge_slave group_fwd_mask 0');
    expect(from('swp1')).toEqual([0, 2]);
  });
});
