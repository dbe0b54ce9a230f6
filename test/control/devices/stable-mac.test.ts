import { describe, expect, test } from 'vitest';
import { machineId, stableMac } from '../../../src/control/devices/stable-mac.js';

const ID = '3d1219c7c4c5404aaa1f6d2a48adfda4';
const OTHER = 'b08dfa6083e7567a1921a715000001fb';
const CONTROL = '/run/overtap/overtap.sock';

describe('the MAC of a NIC that is made without one', () => {
  test('is the same at each start', () => {
    expect(stableMac(ID, 'host1', CONTROL, 'tap1')).toBe('02:6d:e4:28:7d:48');
    expect(stableMac(ID, 'host1', CONTROL, 'vxlan0@host')).toBe('8e:a1:b8:78:3c:a7');
    expect(stableMac(ID, 'host1', '/tmp/second.sock', 'tap1')).toBe('ee:0a:c4:ed:59:d1');
  });

  test('is another one on another host, of another switch, socket or port', () => {
    const macs = [
      stableMac(ID, 'host1', CONTROL, 'tap1'),
      stableMac(OTHER, 'host1', CONTROL, 'tap1'),
      stableMac(ID, 'host2', CONTROL, 'tap1'),
      stableMac(ID, 'host1', '/tmp/second.sock', 'tap1'),
      stableMac(ID, 'host1', CONTROL, 'tap2'),
      // The same letters, otherwise parted.
      stableMac(ID, 'host', CONTROL, '1tap1'),
    ];
    expect(new Set(macs).size).toBe(macs.length);
  });

  test('is locally administered, of one host, and of no other port among ten thousand', () => {
    const macs = Array.from({ length: 10_000 }, (_, port) => stableMac(ID, 'host1', CONTROL, `tap${port}`));
    expect(macs.filter((mac) => !/^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/.test(mac))).toEqual([]);
    expect(new Set(macs).size).toBe(macs.length);
  });
});

describe('a host is known by', () => {
  const files = (contents: Record<string, string>) => (path: string) => {
    if (contents[path] === undefined) throw new Error(`there is no ${path}`);
    return contents[path];
  };
  const name = (): string => 'node7';

  test.each([
    ['its machine-id', { '/etc/machine-id': `${ID}\n`, '/var/lib/dbus/machine-id': `${OTHER}\n` }, ID],
    ['that of D-Bus, where there is no other', { '/var/lib/dbus/machine-id': `${OTHER}\n` }, OTHER],
    ['that of D-Bus, where the other is empty', { '/etc/machine-id': '', '/var/lib/dbus/machine-id': OTHER }, OTHER],
    ['its name, where it has none yet', { '/etc/machine-id': 'uninitialized\n' }, 'node7'],
    ['its name, where there is none', {}, 'node7'],
  ])('%s', (_, contents, id) => {
    expect(machineId(files(contents), name)).toBe(id);
  });
});
