/** TAPs whose NIC is renamed, or moved to another namespace: the handle stays with the device. And whose they are. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { linkState } from '../../src/native/binding.js';
import { netnsName, netnsNumber } from '../../src/port/netns.js';
import { openTap, tapState } from '../../src/port/tap.js';
import { cleanUp, deleteNamespace, inside, ip, later, makeNamespace, tapIn } from '../native/native-testbed.js';

afterEach(cleanUp);

const MAC = '02:00:00:00:02:01';

interface LinkRow {
  mtu: number;
  address: string;
  ifalias?: string;
  linkinfo: { info_data: { persist: boolean; numqueues: number; vnet_hdr: boolean } };
}

function link(netns: string, ifname: string): LinkRow {
  return (JSON.parse(ip('-n', netns, '-d', '-j', 'link', 'show', ifname)) as LinkRow[])[0];
}

function addresses(netns: string, ifname: string): string[] {
  const rows = JSON.parse(ip('-n', netns, '-j', 'addr', 'show', ifname)) as { addr_info: { local: string }[] }[];
  return rows[0].addr_info.map(({ local }) => local);
}

const isPersistent = (netns: string, ifname: string): boolean => link(netns, ifname).linkinfo.info_data.persist;
const ethtool = (netns: string, ifname: string): string =>
  execFileSync('ip', ['netns', 'exec', netns, 'ethtool', '-k', ifname], { encoding: 'utf8' });

describe('a TAP that is renamed', () => {
  test('is changed under its new name', () => {
    const ns = makeNamespace();
    const tap = tapIn(ns, 'tap1', { mac: MAC, addresses: [{ address: '100.0.1.2', prefix: 24 }] });
    ip('-n', ns, 'link', 'set', 'tap1', 'name', 'eth7');
    expect(tap.state()).toMatchObject({ ifname: 'eth7', netns: netnsNumber(ns), up: true, mac: MAC });
    expect([tap.isAt('eth7', ns), tap.isAt('tap1', ns), tap.isAt('eth7'), tap.hasMoved]).toEqual([
      true,
      false,
      false,
      false,
    ]);
    tap.setMtu(1400);
    tap.setMac('02:00:00:00:02:02');
    tap.addAddresses([{ address: '100.0.1.3', prefix: 24 }]);
    tap.removeAddresses([{ address: '100.0.1.2', prefix: 24 }]);
    expect(link(ns, 'eth7')).toMatchObject({ mtu: 1400, address: '02:00:00:00:02:02' });
    expect(addresses(ns, 'eth7')).toEqual(['100.0.1.3']);
    tap.openQueue();
    expect(link(ns, 'eth7').linkinfo.info_data.numqueues).toBe(2);
  });

  test('is not taken for another device that has its name now', () => {
    const ns = makeNamespace();
    const tap = tapIn(ns, 'tap1', { mac: MAC });
    ip('-n', ns, 'link', 'set', 'tap1', 'name', 'eth7');
    ip('-n', ns, 'link', 'add', 'tap1', 'type', 'veth', 'peer', 'name', 'far');
    tap.setMtu(1400);
    expect(link(ns, 'tap1').mtu).toBe(1500);
    expect(tap.state()).toMatchObject({ ifname: 'eth7', mtu: 1400, mac: MAC });
    ip('-n', ns, 'link', 'del', 'eth7');
    expect(tap.state()).toBeNull();
    expect(() => tap.setMtu(1300)).toThrow('the device is gone');
    expect(link(ns, 'tap1').mtu).toBe(1500);
  });
});

describe.each(['a new one', 'one that was taken over'])('a TAP that is moved: %s', (kind) => {
  const open = (ns: string): ReturnType<typeof tapIn> => {
    if (kind !== 'a new one') ip('-n', ns, 'tuntap', 'add', 'tap1', 'mode', 'tap', 'multi_queue');
    return tapIn(ns, 'tap1', { mac: MAC });
  };

  test('is changed where it is now, and gone with that namespace only', () => {
    const [from, to] = [makeNamespace(), makeNamespace()];
    const tap = open(from);
    ip('-n', from, 'link', 'set', 'tap1', 'netns', to);
    expect(tap.state()).toMatchObject({ ifname: 'tap1', netns: netnsNumber(to), up: false, mac: MAC });
    expect([tap.hasMoved, tap.isAt('tap1', to), netnsName(netnsNumber(to))]).toEqual([true, true, to]);
    tap.setMtu(1400);
    tap.addAddresses([{ address: '100.0.1.3', prefix: 24 }]);
    tap.openQueue();
    expect(link(to, 'tap1')).toMatchObject({ mtu: 1400, address: MAC, linkinfo: { info_data: { numqueues: 2 } } });
    expect(addresses(to, 'tap1')).toEqual(['100.0.1.3']);
    deleteNamespace(from);
    expect(tap.state()).toMatchObject({ ifname: 'tap1', mtu: 1400 });
    ip('-n', to, 'link', 'del', 'tap1');
    expect(tap.state()).toBeNull();
  });

  test('is followed to the namespace of the switch, and back', () => {
    const [from, home] = [makeNamespace(), makeNamespace()];
    inside(home, () => {
      const tap = open(from);
      ip('-n', from, 'link', 'set', 'tap1', 'netns', home);
      expect(tap.isAt('tap1')).toBe(true);
      tap.setMtu(1400);
      ip('-n', home, 'link', 'set', 'tap1', 'netns', from);
      expect(tap.state()).toMatchObject({ mtu: 1400 });
      expect([tap.isAt('tap1', from), tap.hasMoved]).toEqual([true, false]);
      tap.close();
    });
  });

  test('is followed to a namespace of another user namespace, which has no name', async () => {
    const from = makeNamespace();
    const child = spawn('unshare', ['--user', '--map-root-user', '--net', 'sh', '-c', 'echo here; sleep 60']);
    later(() => child.kill('SIGKILL'));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const tap = open(from);
    ip('-n', from, 'link', 'set', 'tap1', 'netns', String(child.pid));
    const number = netnsNumber(`/proc/${child.pid}/ns/net`);
    expect(tap.state()).toMatchObject({ netns: number, mac: MAC });
    expect(netnsName(number)).toBe(`net:[${number}]`);
    tap.setMtu(1400);
    tap.addAddresses([{ address: '100.0.1.3', prefix: 24 }]);
    expect(linkState({ ifname: 'tap1', netns: `/proc/${child.pid}/ns/net` })).toMatchObject({ mtu: 1400 });
  });
});

describe('a TAP that somebody else has made', () => {
  const find = (): string => {
    const ns = makeNamespace();
    ip('-n', ns, 'tuntap', 'add', 'tap1', 'mode', 'tap');
    ip('-n', ns, 'link', 'set', 'tap1', 'address', MAC);
    return ns;
  };

  test.each([true, false])('stays persistent, whatever it is opened with and told (persist: %s)', (persist) => {
    const ns = find();
    const tap = tapIn(ns, 'tap1', { persist, newMac: '02:00:00:00:0e:0e' });
    expect([tap.isForeign, tap.mac, isPersistent(ns, 'tap1')]).toEqual([true, MAC, true]);
    tap.setPersist(false);
    tap.close();
    expect(isPersistent(ns, 'tap1')).toBe(true);
    tapIn(ns, 'tap1', { persist: false }).discard();
    expect(isPersistent(ns, 'tap1')).toBe(true);
    expect(link(ns, 'tap1').ifalias).toBeUndefined();
  });

  test('takes no superframes any more when it is left: its next user may have no header to tell them by', () => {
    const ns = find();
    const tap = tapIn(ns, 'tap1');
    expect(ethtool(ns, 'tap1')).toMatch(/tcp-segmentation-offload: on/);
    tap.close();
    expect(ethtool(ns, 'tap1')).toMatch(/tcp-segmentation-offload: off/);
  });
});

describe('a TAP that overtap has made', () => {
  test('has the MAC that it is made with, and keeps the one that it has when it is taken over', () => {
    const ns = makeNamespace();
    tapIn(ns, 'tap1', { persist: true, newMac: MAC }).close();
    expect(link(ns, 'tap1')).toMatchObject({ address: MAC, ifalias: 'overtap' });
    ip('-n', ns, 'link', 'set', 'tap1', 'address', '02:00:00:00:02:02');
    const again = tapIn(ns, 'tap1', { persist: true, newMac: MAC });
    expect([again.isForeign, again.mac]).toEqual([false, '02:00:00:00:02:02']);
    again.setPersist(false);
    again.close();
    expect(tapState('tap1', ns)).toBeNull();
    expect(inside(ns, () => openTap({ ifname: 'tap1', newMac: MAC, mac: '02:00:00:00:02:03' })).mac).toBe(
      '02:00:00:00:02:03',
    );
  });

  test('is known again when it was told later to persist', () => {
    const ns = makeNamespace();
    const tap = tapIn(ns, 'tap1');
    tap.setPersist(true);
    tap.close();
    expect(tapIn(ns, 'tap1', { persist: true }).isForeign).toBe(false);
  });

  test('is undone when it is discarded: a new one goes, one that was there stays', () => {
    const ns = makeNamespace();
    tapIn(ns, 'tap1', { persist: true }).discard();
    expect(tapState('tap1', ns)).toBeNull();
    tapIn(ns, 'tap1', { persist: true }).close();
    tapIn(ns, 'tap1', { persist: false }).discard();
    expect(isPersistent(ns, 'tap1')).toBe(true);
  });
});

describe('a path that leads to no namespace is not opened', () => {
  test.each(['mkfifo', 'mknod'])('made by %s', (how) => {
    const folder = mkdtempSync(join(tmpdir(), 'overtap-netns-'));
    later(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'x');
    // A watchdog: to open it alone would start it. There is none of this number.
    execFileSync(how, how === 'mkfifo' ? [path] : [path, 'c', '10', '254']);
    expect(() => openTap({ netns: path, ifname: 'tap1' })).toThrow(`${path} is no network namespace`);
    expect(tapState('tap1', path)).toBeNull();
  });
});
