import { expect, test } from 'vitest';
import type { NativeError } from '../../src/native/binding.js';
import { isAbsent, lacksRight, mayPass } from '../../src/port/absence.js';
import { explainNetdev, NetdevError } from '../../src/port/netdev-error.js';

const fault = (code: string, syscall: string, message = 'what failed'): NativeError =>
  Object.assign(new Error(message), { code, syscall, errno: 1 });
const error = (cause: NativeError): NetdevError => new NetdevError('words', cause.code, cause);

test.each([
  [fault('ENODEV', 'ioctl'), 'eth1: there is no such interface; see "ip link"'],
  [fault('EAFNOSUPPORT', 'bind'), /does not carry Ethernet frames/],
  [fault('EAFNOSUPPORT', 'socket'), /a systemd unit takes netdev\.conf/],
  [fault('EPERM', 'socket'), /need root or CAP_NET_RAW \(socket: EPERM\)/],
  [fault('EPERM', 'setns'), /entering a network namespace needs root/],
  [fault('ENOENT', 'open', 'opening the network namespace x'), /its network namespace does not exist/],
  [fault('ENOMEM', 'setsockopt', 'joining a fanout group'), /joining a fanout group$/],
])('$code of $syscall is told in words', (cause, words) => {
  const told = explainNetdev(cause, { ifname: 'eth1' });
  expect(told).toMatch(/^cannot attach the interface eth1: /);
  if (typeof words === 'string') expect(told).toContain(words);
  else expect(told).toMatch(words);
});

test('a port waits for its interface, for a namespace and for a right, and for nothing else', () => {
  expect(isAbsent(error(fault('ENODEV', 'ioctl')))).toBe(true);
  expect(isAbsent(error(fault('ENOENT', 'open', 'opening the network namespace x')))).toBe(true);
  expect(isAbsent(error(fault('EAFNOSUPPORT', 'bind')))).toBe(false);
  expect(lacksRight(error(fault('EPERM', 'socket')))).toBe(true);
  expect(lacksRight(error(fault('EAFNOSUPPORT', 'socket')))).toBe(true);
  // The owner of a guest's namespace cannot keep the switch from starting by an interface of another kind.
  expect(mayPass(error(fault('EAFNOSUPPORT', 'bind')), 'guest')).toBe(true);
  expect(mayPass(new NetdevError('the default route', 'EBUSY'))).toBe(false);
});
