/** Which failures are those of something that may come by itself. */
import { expect, test } from 'vitest';
import { Program } from '../../src/lab/testbed/program.js';
import type { NativeError } from '../../src/native/binding.js';
import { isAbsent, lacksRight, mayPass } from '../../src/port/absence.js';
import { netnsIsForeign } from '../../src/port/netns.js';
import { TapError } from '../../src/port/tap-error.js';
import { UnderlayError } from '../../src/port/underlay.js';

const OWN = '/proc/self/ns/net';
const native = (syscall: string, code: string, message: string): NativeError =>
  Object.assign(new Error(message), { syscall, code, errno: 19 });
const failure = (syscall: string, code: string, message: string): TapError =>
  new TapError('tap0', code, native(syscall, code, message));

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

test.each([
  ['TUNSETIFF', 'EINVAL', 'attaching to eth0', true],
  ['RTM_NEWADDR', 'EACCES', 'adding the address 2001:db8::1/64', true],
  ['TUNSETIFF', 'EPERM', 'attaching to eth0', false],
  ['open', 'EACCES', 'opening /dev/net/tun', false],
  ['setns', 'EPERM', 'entering the network namespace /run/netns/a', false],
] as const)("%s %s, %s: waited out in a guest's namespace: %s", (syscall, code, message, waits) => {
  expect(mayPass(failure(syscall, code, message), OWN)).toBe(waits);
  expect(mayPass(failure(syscall, code, message))).toBe(false);
});

test.each([
  ['open', 'EACCES', 'opening /dev/net/tun', true],
  ['open', 'ENOENT', 'opening /dev/net/tun', true],
  ['open', 'EMFILE', 'opening /dev/net/tun', false],
  ['open', 'ENOENT', 'opening the network namespace /run/netns/a', false],
  ['setns', 'EPERM', 'entering the network namespace /run/netns/a', true],
  ['TUNSETIFF', 'EBUSY', 'attaching to eth0', false],
] as const)('%s %s, %s: for want of a right: %s', (syscall, code, message, powerless) => {
  expect(lacksRight(failure(syscall, code, message))).toBe(powerless);
});

test('a TAP in use is waited out where another user owns the namespace', async () => {
  const busy = failure('TUNSETIFF', 'EBUSY', 'attaching to eth0');
  const guest = new Program(['unshare', '--user', '--map-root-user', '--net', 'sh', '-c', 'echo here; sleep 60'], {
    ownSession: true,
  });
  try {
    await guest.line('it is there', () => true);
    const theirs = `/proc/${guest.pid}/ns/net`;
    expect([theirs, OWN, '/dev/null'].map(netnsIsForeign)).toEqual([true, false, false]);
    expect([theirs, OWN].map((netns) => mayPass(busy, netns))).toEqual([true, false]);
    expect(mayPass(busy)).toBe(false);
  } finally {
    await guest.end('SIGKILL');
  }
});

test('a device that guests cannot reach has to be mended by the user', () => {
  expect(mayPass(new UnderlayError('port in use', native('bind', 'EADDRINUSE', 'binding')), OWN)).toBe(false);
});
