/**
 * What the kernel tells of joined groups, in the two forms that it has for them.
 */
import { expect, test } from 'vitest';
import { readIgmp, readIgmp6 } from '../../src/port/joined-groups.js';

const IGMP = `Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter
1\tlo        :     1      V3
\t\t\t\t010000E0     1 0:00000000\t\t0
4\teth0      :     2      V3
\t\t\t\t010101EF     2 0:00000000\t\t1
\t\t\t\t010000E0     1 0:00000000\t\t0
5\tvery-long-name1:     1      V3
\t\t\t\tFF0203E8     1 0:00000000\t\t0
`;

test('IPv4: groups by device, in the byte order of the machine', () => {
  expect([...readIgmp(IGMP, 'LE')]).toEqual([
    'lo 224.0.0.1',
    'eth0 239.1.1.1',
    'eth0 224.0.0.1',
    'very-long-name1 232.3.2.255',
  ]);
  const swapped = IGMP.replace('010101EF', 'EF010101');
  expect(readIgmp(swapped, 'BE').has('eth0 239.1.1.1')).toBe(true);
});

test('IPv6: groups by device, in canonical text', () => {
  const text = `1    lo              ff020000000000000000000000000001     1 0000000C 0
4    eth0            ff050000000000000000000000000042     3 00000004 0
4    very-long-name1 ff02000000000000000000000001ff00     1 00000004 0
`;
  expect([...readIgmp6(text)]).toEqual(['lo ff02::1', 'eth0 ff05::42', 'very-long-name1 ff02::1:ff00']);
  expect(readIgmp6('').size).toBe(0);
});
