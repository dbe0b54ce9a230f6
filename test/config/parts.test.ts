/** Small functions: ranges, addresses, names, suggestions, paths. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatPath } from '../../src/config/read/faults.js';
import {
  canonicalIp,
  isMulticastIp,
  isMulticastMac,
  Refusal,
  readHostIp,
  readMac,
  readNicAddress,
} from '../../src/values/address.js';
import { nearest } from '../../src/values/did-you-mean.js';
import { formatRange, type IdKind, rangeLength, readRange, VLAN_ID, VNI } from '../../src/values/id-range.js';
import { quote } from '../../src/values/show.js';
import { readDeviceName } from '../../src/values/value.js';

describe('ranges', () => {
  it.each([
    [1, VLAN_ID, 1, 1],
    ['1', VLAN_ID, 1, 1],
    [4094, VLAN_ID, 4094, 4094],
    ['1-4094', VLAN_ID, 1, 4094],
    ['4094-4094', VLAN_ID, 4094, 4094],
    ['007-010', VLAN_ID, 7, 10],
    [16_777_215, VNI, 16_777_215, 16_777_215],
    ['1-16777215', VNI, 1, 16_777_215],
  ] as [number | string, IdKind, number, number][])('%s of %o is %i to %i', (input, kind, first, last) => {
    expect(readRange(input, kind)).toEqual({ first, last });
  });

  it.each([
    [0, VLAN_ID],
    [4095, VLAN_ID],
    [-1, VLAN_ID],
    [1.5, VLAN_ID],
    [Number.NaN, VLAN_ID],
    [Number.POSITIVE_INFINITY, VLAN_ID],
    ['0-1', VLAN_ID],
    ['4094-4095', VLAN_ID],
    ['2-1', VLAN_ID],
    ['1-', VLAN_ID],
    ['-1', VLAN_ID],
    ['1-2-3', VLAN_ID],
    ['1 - 2', VLAN_ID],
    ['', VLAN_ID],
    ['0x10', VLAN_ID],
    ['99999999999999999999999', VLAN_ID],
    [0, VNI],
    [16_777_216, VNI],
    ['1-16777216', VNI],
  ] as [number | string, IdKind][])('%s of %o is refused', (input, kind) => {
    expect(readRange(input, kind)).toBeInstanceOf(Refusal);
  });

  it('have the length that their text says', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4094 }), fc.integer({ min: 1, max: 4094 }), (a, b) => {
        const [first, last] = [Math.min(a, b), Math.max(a, b)];
        const range = readRange(`${first}-${last}`, VLAN_ID);
        if (range instanceof Refusal) throw new Error(range.message);
        expect(rangeLength(range)).toBe(last - first + 1);
        expect(readRange(formatRange(range), VLAN_ID)).toEqual(range);
      }),
      { seed: 1 },
    );
  });
});

describe('IP addresses', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1', 4],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1', 6],
    ['2001:db8::0001', '2001:db8::1', 6],
    ['::', '::', 6],
    ['::ffff:192.0.2.1', '192.0.2.1', 4],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221', 6],
  ])('%s is %s', (text, canonical, family) => {
    expect(canonicalIp(text)).toEqual({ text: canonical, family });
  });

  it.each(['', '192.0.2', '192.0.2.256', '192.0.02.1', '1:2', ':::', 'fe80::1%eth0', 'host', '192.0.2.1/24'])(
    '%j is none',
    (text) => {
      expect(canonicalIp(text)).toBeUndefined();
      expect(readHostIp(text)).toBeInstanceOf(Refusal);
    },
  );

  it('know multicast', () => {
    expect(['224.0.0.1', '239.255.255.255', 'ff02::1', 'ff05::db8:0:1'].map(isMulticastIp)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(['223.255.255.255', '240.0.0.1', 'fe80::1', 'ff::1'].map(isMulticastIp)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it('take prefix lengths up to their family', () => {
    expect(readNicAddress('192.0.2.1/32')).toEqual({ address: '192.0.2.1', prefix: 32, family: 4 });
    expect(readNicAddress('2001:DB8::1/128')).toEqual({ address: '2001:db8::1', prefix: 128, family: 6 });
    for (const text of [
      '192.0.2.1/33',
      '2001:db8::1/129',
      '192.0.2.1/',
      '192.0.2.1/-1',
      '192.0.2.1/2/4',
      '/24',
      '0.0.0.0/0',
    ]) {
      expect(readNicAddress(text), text).toBeInstanceOf(Refusal);
    }
  });
});

describe('MAC addresses', () => {
  it('are lower case with colons', () => {
    expect(readMac('02:AB:cD:00:00:0f')).toBe('02:ab:cd:00:00:0f');
    for (const text of [
      '02-00-00-00-00-01',
      '2:0:0:0:0:1',
      '02:00:00:00:00:01:02',
      '020000000001',
      '02:00:00:00:00:0g',
    ]) {
      expect(readMac(text), text).toBeInstanceOf(Refusal);
    }
  });

  it('know groups', () => {
    expect(['01:00:5e:00:00:01', 'ff:ff:ff:ff:ff:ff'].map(isMulticastMac)).toEqual([true, true]);
    expect(['02:00:00:00:00:01', '00:00:00:00:00:00', 'fe:00:00:00:00:00'].map(isMulticastMac)).toEqual([
      false,
      false,
      false,
    ]);
  });
});

describe('names and paths', () => {
  it('take the names that the kernel takes', () => {
    for (const name of ['a', 'br1', 'eth0.100', 'tap1_0', '123456789012345', '...', 'a@b'])
      expect(readDeviceName(name)).toBe(name);
    for (const name of ['', '.', '..', 'a/b', 'a:b', 'a b', 'a\tb', 'a\0', 'tap%d', '1234567890123456', 'ärger']) {
      expect(readDeviceName(name), name).toBeInstanceOf(Refusal);
    }
  });

  it('write paths without doubt', () => {
    expect(formatPath(['bridges', 'br1', 'ports', 'eth0.1', 'vlans', 1, 'vid'])).toBe(
      'bridges.br1.ports["eth0.1"].vlans[1].vid',
    );
    expect(formatPath([])).toBe('(file)');
    expect(formatPath(['a\nb'])).toBe('["a\\nb"]');
    expect(quote('x'.repeat(80))).toBe(`"${'x'.repeat(60)}..."`);
  });

  it('suggest what is near, and nothing else', () => {
    const known = ['vlan_filtering', 'vlans', 'type', 'remotes', 'id'];
    expect(nearest('vlan_filterng', known)).toBe('vlan_filtering');
    expect(nearest('VLAN-Filtering', known)).toBe('vlan_filtering');
    expect(nearest('tpye', known)).toBe('type');
    expect(nearest('vlan', known)).toBe('vlans');
    expect(nearest('di', known)).toBe('id');
    expect(nearest('ip', known)).toBeUndefined();
    const longer = ['up', 'netns', 'addresses', 'peers'];
    for (const word of ['addr', 'addrs', 'adress', 'addreses', 'Addresses']) {
      expect(nearest(word, longer), word).toBe('addresses');
    }
    expect(nearest('add', longer)).toBeUndefined();
    expect(nearest('colour', known)).toBeUndefined();
    expect(nearest('x'.repeat(100_000), known)).toBeUndefined();
  });
});
