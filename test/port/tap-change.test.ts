import { afterEach, describe, expect, test } from 'vitest';
import { setTapNic, setTapPersist } from '../../src/native/binding.js';
import { TapError, type TapHandle, tapState } from '../../src/port/tap.js';
import { cleanUp, deleteNamespace, ip, makeNamespace, tapIn } from '../native/native-testbed.js';

afterEach(cleanUp);

interface LinkRow {
  mtu: number;
  address: string;
  flags: string[];
  gso_max_segs: number;
  linkinfo: { info_data: { persist: boolean } };
}

function link(netns: string, ifname = 'tap1'): LinkRow {
  return (JSON.parse(ip('-n', netns, '-d', '-j', 'link', 'show', ifname)) as LinkRow[])[0];
}

/** Those that someone set: no link-local ones. */
function addresses(netns: string, ifname = 'tap1'): string[] {
  const rows = JSON.parse(ip('-n', netns, '-j', 'addr', 'show', ifname)) as {
    addr_info: { local: string; prefixlen: number; scope: string }[];
  }[];
  return rows[0].addr_info.filter((row) => row.scope === 'global').map((row) => `${row.local}/${row.prefixlen}`);
}

function at(text: string): { address: string; prefix: number } {
  const [address, prefix] = text.split('/');
  return { address, prefix: Number(prefix) };
}

function promotion(netns: string, value?: 0 | 1): string {
  const file = '/proc/sys/net/ipv4/conf/tap1/promote_secondaries';
  const command = value === undefined ? `cat ${file}` : `echo ${value} >${file}`;
  return ip('netns', 'exec', netns, 'sh', '-c', command).trim();
}

function failure(action: () => unknown): TapError {
  try {
    action();
  } catch (error) {
    if (error instanceof TapError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('the MAC address of an open TAP', () => {
  test('changes while the NIC is up, and takes nothing else along', () => {
    const ns = makeNamespace({ ipv6: true });
    const tap = tapIn(ns, 'tap1', {
      mac: '02:00:00:00:02:01',
      mtu: 1450,
      addresses: [at('100.0.1.2/24'), at('2001:db8::2/64')],
    });
    tap.setMac('02:00:00:00:AB:CD');
    expect(tap.mac).toBe('02:00:00:00:ab:cd');
    expect(tap.state()).toMatchObject({ up: true, mtu: 1450, mac: '02:00:00:00:ab:cd' });
    expect(link(ns)).toMatchObject({ address: '02:00:00:00:ab:cd', mtu: 1450, gso_max_segs: 44 });
    expect(link(ns).flags).toEqual(expect.arrayContaining(['UP', 'LOWER_UP']));
    expect(addresses(ns)).toEqual(['100.0.1.2/24', '2001:db8::2/64']);
  });

  test('stays when the kernel refuses the new one', () => {
    const ns = makeNamespace();
    const tap = tapIn(ns, 'tap1', { mac: '02:00:00:00:02:01' });
    for (const mac of ['01:00:00:00:00:01', '00:00:00:00:00:00']) {
      const error = failure(() => tap.setMac(mac));
      expect(error.message).toBe(
        `cannot change the TAP tap1 in netns ${ns}: the kernel refuses that MAC address: a NIC's is neither multicast nor all zeros (EADDRNOTAVAIL)`,
      );
      expect(error.code).toBe('EADDRNOTAVAIL');
    }
    expect(tap.mac).toBe('02:00:00:00:02:01');
    expect(link(ns).address).toBe('02:00:00:00:02:01');
  });
});

describe('the addresses of an open TAP', () => {
  test('come and go one by one', () => {
    const ns = makeNamespace({ ipv6: true });
    const tap = tapIn(ns, 'tap1', { addresses: [at('100.0.1.2/24')] });
    tap.addAddresses([at('100.0.2.2/24'), at('2001:db8::2/64'), at('100.0.1.2/24')]);
    expect(addresses(ns)).toEqual(['100.0.1.2/24', '100.0.2.2/24', '2001:db8::2/64']);
    expect(ip('-n', ns, '-6', 'addr', 'show', 'tap1', 'tentative')).not.toContain('2001:db8');
    tap.removeAddresses([at('100.0.1.2/24'), at('2001:db8::2/64')]);
    expect(addresses(ns)).toEqual(['100.0.2.2/24']);
    tap.removeAddresses([]);
    tap.addAddresses([]);
    expect(addresses(ns)).toEqual(['100.0.2.2/24']);
  });

  test('that are not there are removed without complaint', () => {
    const ns = makeNamespace({ ipv6: true });
    const tap = tapIn(ns, 'tap1', { addresses: [at('100.0.1.2/24'), at('2001:db8::2/64')] });
    tap.removeAddresses(['100.0.1.9/24', '100.0.1.2/16', '2001:db8::9/64', '2001:db8::2/48'].map(at));
    expect(addresses(ns)).toEqual(['100.0.1.2/24', '2001:db8::2/64']);
  });

  test('are removed without complaint where there is no IPv6', () => {
    const ns = makeNamespace();
    const tap = tapIn(ns, 'tap1');
    tap.removeAddresses([at('2001:db8::9/64')]);
    expect(addresses(ns)).toEqual([]);
  });

  test.each([0, 1] as const)('leave the others of their subnet behind (promote_secondaries: %i)', (setting) => {
    const ns = makeNamespace();
    const tap = tapIn(ns, 'tap1', { addresses: ['100.0.1.2/24', '100.0.1.3/24', '100.0.1.4/24'].map(at) });
    promotion(ns, setting);
    tap.removeAddresses([at('100.0.1.2/24')]);
    expect(addresses(ns)).toEqual(['100.0.1.3/24', '100.0.1.4/24']);
    expect(promotion(ns)).toBe(String(setting));
    tap.removeAddresses([at('100.0.1.4/24'), at('100.0.1.3/24')]);
    expect(addresses(ns)).toEqual([]);
  });

  test('take a new prefix length, in one change and in two', () => {
    const ns = makeNamespace({ ipv6: true });
    const old = [at('100.0.1.2/24'), at('2001:db8::2/64')];
    const tap = tapIn(ns, 'tap1', { addresses: old });
    const changed = [at('100.0.1.2/16'), at('2001:db8::2/48')];
    setTapNic({ fd: tap.fd, addresses: changed, removeAddresses: old });
    expect(addresses(ns)).toEqual(['100.0.1.2/16', '2001:db8::2/48']);
    tap.removeAddresses(changed);
    tap.addAddresses(old);
    expect(addresses(ns)).toEqual(['100.0.1.2/24', '2001:db8::2/64']);
  });

  test('that the kernel refuses are named, and those before them stay', () => {
    const ns = makeNamespace();
    const tap = tapIn(ns, 'tap1');
    const error = failure(() => tap.addAddresses([at('100.0.1.2/24'), at('2001:db8::2/64')]));
    expect(error.message).toBe(
      `cannot change the TAP tap1 in netns ${ns}: adding the address 2001:db8::2/64 to tap1: Permission denied (EACCES); is IPv6 switched off there (net.ipv6.conf.all.disable_ipv6)?`,
    );
    expect(error.code).toBe('EACCES');
    expect(addresses(ns)).toEqual(['100.0.1.2/24']);
  });
});

describe('the MTU of an open TAP', () => {
  test('changes, and the segments of superframes with it', () => {
    const ns = makeNamespace();
    const tap = tapIn(ns, 'tap1', { mtu: 1450, addresses: [at('100.0.1.2/24')] });
    tap.setMtu(8950);
    expect(tap.mtu).toBe(8950);
    expect(link(ns)).toMatchObject({ mtu: 8950, gso_max_segs: 7 });
    expect(addresses(ns)).toEqual(['100.0.1.2/24']);
  });

  test('that is too small for IPv6 takes its addresses off; a greater one lets them be put back', () => {
    const ns = makeNamespace({ ipv6: true });
    const tap = tapIn(ns, 'tap1', { addresses: [at('100.0.1.2/24'), at('2001:db8::2/64')] });
    tap.setMtu(1200);
    expect(addresses(ns)).toEqual(['100.0.1.2/24']);
    tap.removeAddresses([at('2001:db8::9/64')]);
    const error = failure(() => tap.addAddresses([at('2001:db8::2/64')]));
    expect(error.message).toMatch(
      /^cannot change the TAP tap1 in netns \S+: adding the address 2001:db8::2\/64 to tap1: .*; its MTU is 1200, and IPv6 needs 1280 or more$/,
    );
    tap.setMtu(1450);
    tap.addAddresses([at('2001:db8::2/64')]);
    expect(addresses(ns)).toEqual(['100.0.1.2/24', '2001:db8::2/64']);
  });
});

describe('the persistence of an open TAP', () => {
  test.each([1, 3])('switched on outlives the close; switched off, it does not (queues: %i)', (queues) => {
    const ns = makeNamespace();
    const first = tapIn(ns, 'tap1', { queues, addresses: [at('100.0.1.2/24')] });
    first.setPersist(true);
    first.setPersist(true);
    expect(link(ns).linkinfo.info_data.persist).toBe(true);
    first.close();
    expect(tapState('tap1', ns)).not.toBeNull();
    expect(addresses(ns)).toEqual(['100.0.1.2/24']);

    const second = tapIn(ns, 'tap1', { queues, persist: true });
    second.setPersist(false);
    second.setPersist(false);
    expect(link(ns).linkinfo.info_data.persist).toBe(false);
    expect(addresses(ns)).toEqual(['100.0.1.2/24']);
    second.close();
    expect(tapState('tap1', ns)).toBeNull();
  });

  test('is not asked of a descriptor that was closed', () => {
    const ns = makeNamespace();
    const tap = tapIn(ns, 'tap1');
    tap.close();
    const error = failure(() => tap.setPersist(true));
    expect(error.message).toBe('cannot change the TAP tap1: it was closed');
    expect(error.code).toBe('EBADF');
  });
});

describe('a TAP that cannot be changed says why', () => {
  const changes: [string, (tap: TapHandle) => void][] = [
    ['MTU', (tap) => tap.setMtu(1400)],
    ['MAC', (tap) => tap.setMac('02:00:00:00:00:09')],
    ['new addresses', (tap) => tap.addAddresses([at('100.0.1.2/24')])],
    ['addresses removed', (tap) => tap.removeAddresses([at('100.0.1.2/24')])],
    ['persistence', (tap) => tap.setPersist(true)],
  ];
  const byPlace = changes.slice(0, 4);

  test.each(byPlace)('its namespace is gone, which it was taken over in: %s', (_, change) => {
    const ns = makeNamespace();
    ip('-n', ns, 'tuntap', 'add', 'tap1', 'mode', 'tap');
    const tap = tapIn(ns, 'tap1', { mac: '02:00:00:00:00:01' });
    deleteNamespace(ns);
    const error = failure(() => change(tap));
    expect(error.message).toBe(`cannot change the TAP tap1 in netns ${ns}: the network namespace ${ns} is gone`);
    expect(error.code).toBe('ENOENT');
    expect(tap).toMatchObject({ mtu: 1500, mac: '02:00:00:00:00:01' });
  });

  test.each(changes)('the device is gone: %s', (_, change) => {
    const ns = makeNamespace();
    const tap = tapIn(ns, 'tap1');
    ip('-n', ns, 'link', 'del', 'tap1');
    const error = failure(() => change(tap));
    expect(error.message).toMatch(
      new RegExp(`^cannot change the TAP tap1 in netns ${ns}: the device is gone \\((ENODEV|EBADFD)\\)$`),
    );
  });

  test.each(byPlace)('the right to it is missing: %s', (_, change) => {
    const ns = makeNamespace();
    const tap = tapIn(ns, 'tap1');
    process.seteuid?.(65534);
    try {
      expect(failure(() => change(tap)).message).toMatch(/^cannot change the TAP tap1 in netns \S+: .*CAP_\w+/);
    } finally {
      process.seteuid?.(0);
    }
    expect(tap.mtu).toBe(1500);
  });
});

test('values that are none are refused by the addon', () => {
  const place = { fd: 3 };
  expect(() => setTapNic({ fd: 2 })).toThrow('fd');
  expect(() => setTapNic({ ...place, mtu: 67 })).toThrow('mtu');
  expect(() => setTapNic({ ...place, gsoMaxSegs: 0 })).toThrow('gsoMaxSegs');
  expect(() => setTapNic({ ...place, mac: '02:00:00:00:00' })).toThrow('mac');
  expect(() => setTapNic({ ...place, removeAddresses: [at('1.2.3/24')] })).toThrow('1.2.3');
  const many = Array.from({ length: 65 }, (_, i) => at(`100.0.1.${i}/24`));
  expect(() => setTapNic({ ...place, removeAddresses: many })).toThrow('removeAddresses must be a list of at most 64');
  expect(() => setTapPersist(1, true)).toThrow('fd');
  expect(() => setTapPersist(...([3, 'yes'] as unknown as Parameters<typeof setTapPersist>))).toThrow('on');
});
