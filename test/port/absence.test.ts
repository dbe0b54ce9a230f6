/** Which failures are those of something that may come by itself. */
import { expect, test } from 'vitest';
import { isAbsent } from '../../src/port/absence.js';
import { TapError } from '../../src/port/tap-error.js';

const failure = (syscall: string, code: string, message: string): TapError =>
  new TapError('tap0', code, Object.assign(new Error(message), { syscall, code, errno: 19 }));

test.each([
  ['ioctl', 'ENODEV', 'reading the state of eth0', true],
  ['RTM_SETLINK', 'ENODEV', 'setting the MAC of eth0', true],
  ['ioctl', 'EBADFD', 'asking where the device is', true],
  ['open', 'ENODEV', 'opening /dev/net/tun', false],
  ['open', 'ENOENT', 'entering the network namespace /run/netns/a', true],
  ['open', 'ENOENT', 'opening /dev/net/tun', false],
  ['TUNSETIFF', 'EBUSY', 'attaching to eth0', false],
] as const)('%s %s, %s: %s', (syscall, code, message, absent) => {
  expect(isAbsent(failure(syscall, code, message))).toBe(absent);
});
