/**
 * Translations of the kernel's bridge_activity_notify.sh, bridge_sticky_fdb.sh, bridge_fdb_learning_limit.sh (net/forwarding) and
 * test_vxlan_fdb_changelink.sh; and `use`, which has no script.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Console } from './support/console.js';

const MAC = '00:11:22:33:44:55';
const ALL = 'ff:ff:ff:ff:ff:ff';
const H2 = '02:00:00:00:00:02';

let sw: Console;

afterEach(() => sw.stop());

const start = async (bridge: Record<string, unknown>, more: Record<string, unknown> = {}): Promise<void> => {
  const ports = { swp1: { type: 'tap' }, swp2: { type: 'tap' }, ...more };
  sw = await Console.start({ bridges: { br1: { ...bridge, ports } } });
};
const row = () => sw.live.fdb().find(({ mac }) => mac === MAC);

describe('bridge_activity_notify.sh', () => {
  beforeEach(() => start({ ageing_time: 10 }));

  it('new_inactive_test', async () => {
    await sw.run(`fdb add ${MAC} dev swp1 master static activity_notify inactive`);
    expect(row()).toMatchObject({ activity_notify: true, inactive: true });
    sw.send('swp1', MAC, ALL);
    expect(row()).toMatchObject({ activity_notify: true });
    expect(row()).not.toHaveProperty('inactive');
  });

  it('existing_active_test', async () => {
    await sw.run(`fdb add ${MAC} dev swp1 master dynamic
      fdb replace ${MAC} dev swp1 master static activity_notify norefresh`);
    expect(row()).toMatchObject({ state: 'static', activity_notify: true });
    expect(row()).not.toHaveProperty('inactive');
    sw.live.wait(9);
    expect(row()).not.toHaveProperty('inactive');
    sw.live.wait(2);
    expect(row()).toMatchObject({ state: 'static', inactive: true });
    // It stays, and says so once.
    sw.live.wait(60);
    expect(row()).toMatchObject({ inactive: true });
    sw.send('swp1', MAC, ALL);
    expect(row()).not.toHaveProperty('inactive');
  });

  it('norefresh_test', async () => {
    await sw.run(`fdb add ${MAC} dev swp1 master static`);
    sw.live.wait(3);
    expect(row()?.updated).toBe(3);
    await sw.run(`fdb replace ${MAC} dev swp1 master static activity_notify`);
    expect(row()?.updated).toBe(0);
    sw.live.wait(2);
    await sw.run(`fdb replace ${MAC} dev swp1 master static norefresh`);
    expect(row()).toMatchObject({ state: 'static', updated: 2 });
    expect(row()).not.toHaveProperty('activity_notify');
  });

  it('a frame by another port moves it, and it is active there', async () => {
    await sw.run(`fdb add ${MAC} dev swp1 master static activity_notify inactive`);
    sw.send('swp2', MAC, ALL);
    expect(row()).toMatchObject({ ifname: 'swp2', state: 'static', activity_notify: true });
    expect(row()).not.toHaveProperty('inactive');
  });

  it('words that contradict each other are refused', async () => {
    await expect(sw.run(`fdb add ${MAC} dev swp1 static inactive`)).rejects.toThrow(/with activity_notify/);
    await expect(sw.run(`fdb add ${MAC} dev swp1 dynamic activity_notify`)).rejects.toThrow(/does not age/);
    await expect(sw.run(`fdb add ${MAC} dev swp1 static router`)).rejects.toThrow(/entries of a vxlan port/);
  });
});

describe('bridge_sticky_fdb.sh', () => {
  it('sticky', async () => {
    await start({});
    await sw.run(`fdb add ${MAC} dev swp1 master static sticky`);
    sw.send('swp2', MAC, ALL);
    expect(row()).toMatchObject({ ifname: 'swp1', flags: ['sticky'] });
    expect(sw.send('swp2', H2, MAC)).toEqual(['swp1']);
  });
});

describe('bridge_fdb_learning_limit.sh', () => {
  const learned = (): unknown => sw.link('br1').fdb_n_learned;
  const kinds: [what: string, add: string, counts: number][] = [
    ['FDB entry learned from a frame', '', 1],
    ['static', `fdb add ${MAC} dev swp1 master static`, 0],
    ['permanent', `fdb add ${MAC} dev swp1 master permanent`, 0],
    ['extern_learn', `fdb add ${MAC} dev swp1 master dynamic extern_learn`, 0],
    ['added by a user, dynamic', `fdb add ${MAC} dev swp1 master dynamic`, 0],
    ['of the bridge', `fdb add ${MAC} dev br1`, 0],
  ];

  it.each(kinds)('check_accounting: %s', async (_what, add, counts) => {
    await start({ fdb_max_learned: 10 });
    if (add === '') sw.send('swp1', MAC, ALL);
    else await sw.run(add);
    expect([learned(), row() !== undefined]).toEqual([counts, true]);
    await sw.run(`fdb del ${MAC} dev ${add.endsWith('br1') ? 'br1' : 'swp1'} master`);
    expect(learned()).toBe(0);
    // A learned entry that becomes static is counted no more.
    sw.send('swp1', MAC, ALL);
    await sw.run(`fdb replace ${MAC} dev swp1 master static`);
    expect(learned()).toBe(0);
  });

  it.each(kinds)('check_limit: %s', async (_what, add, counts) => {
    await start({ fdb_max_learned: 1 });
    sw.send('swp1', H2, ALL);
    expect(learned()).toBe(1);
    if (add === '') sw.send('swp1', MAC, ALL);
    else await sw.run(add);
    expect(row() !== undefined).toBe(counts === 0);
    expect(learned()).toBe(1);
  });
});

describe('test_vxlan_fdb_changelink.sh', () => {
  it('two remotes after fdb append, and after link set', async () => {
    await start({}, { vx: { type: 'vxlan', id: 2000 } });
    await sw.run(`fdb append 00:00:00:00:00:00 dev vx dst 192.0.2.20 self permanent
      fdb append 00:00:00:00:00:00 dev vx dst 192.0.2.30 self permanent`);
    expect(sw.fdb('dev vx')).toHaveLength(2);
    await sw.run('link set vx type vxlan remote 192.0.2.30');
    expect(sw.fdb('dev vx')).toHaveLength(2);
  });
});

describe('fdb add ... use', () => {
  beforeEach(() => start({ ageing_time: 10 }));

  it('adds an entry that ages, refreshes it, and moves it', async () => {
    await sw.run(`fdb add ${MAC} dev swp1 master use`);
    expect(row()).toMatchObject({ ifname: 'swp1', state: 'dynamic' });
    sw.live.wait(8);
    await sw.run(`fdb replace ${MAC} dev swp1 master use`);
    sw.live.wait(8);
    expect(row()?.updated).toBe(8);
    await sw.run(`fdb add ${MAC} dev swp2 master use`);
    expect(row()).toMatchObject({ ifname: 'swp2', updated: 0 });
    sw.live.wait(11);
    expect(row()).toBeUndefined();
  });

  it('takes over what was learned, moves what is static, and leaves alone what does not move', async () => {
    sw.send('swp1', MAC, ALL);
    await sw.run(`fdb add ${MAC} dev swp2 use`);
    expect(row()).toMatchObject({ ifname: 'swp2', state: 'dynamic' });
    await sw.run(`fdb replace ${MAC} dev swp1 static\nfdb add ${MAC} dev swp2 use`);
    expect(row()).toMatchObject({ ifname: 'swp2', state: 'static' });
    for (const how of ['permanent', 'static sticky']) {
      await sw.run(`fdb replace ${MAC} dev swp1 ${how}\nfdb add ${MAC} dev swp2 use`);
      expect(row()).toMatchObject({ ifname: 'swp1' });
    }
    expect(sw.live.stats().fdb.entries).toBe(1);
  });

  it('is for ports of bridges that learn', async () => {
    await expect(sw.run(`fdb add ${MAC} dev br1 use`)).rejects.toThrow(/give a port/);
    await sw.run(`link set br1 type bridge ageing_time 0\nfdb add ${MAC} dev swp1 use`);
    expect(row()).toBeUndefined();
  });
});

it('router and proto are shown, and kept by the configuration', async () => {
  await start({}, { vx: { type: 'vxlan', id: 5 } });
  await sw.run(`fdb add ${MAC} dev vx dst 192.0.2.1 static router proto zebra`);
  expect(sw.fdb('dev vx')).toEqual([`${MAC} dev vx dst 192.0.2.1 src_vni 5 router master br1 static proto zebra`]);
  const { bridges } = (await sw.live.controls.stated()) as never as {
    bridges: { br1: { ports: { vx: { fdb: unknown } } } };
  };
  expect(bridges.br1.ports.vx.fdb).toEqual([
    { mac: MAC, dst: '192.0.2.1', state: 'static', router: true, proto: 'zebra' },
  ]);
});
