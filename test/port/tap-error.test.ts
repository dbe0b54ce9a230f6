/** Which right is missing where a TAP cannot be opened or changed: each step asks for another one. */
import { describe, expect, it } from 'vitest';
import type { NativeError } from '../../src/native/binding.js';
import { explainChange, explainOpen } from '../../src/port/tap-error.js';

function fault(syscall: string, code: string, message: string): NativeError {
  return Object.assign(new Error(message), { syscall, code, errno: 1 }) as NativeError;
}

const NAMES = { ifname: 'tap0', netns: 'ns2' };

describe('a missing right', () => {
  it.each([
    ['open', 'EACCES', 'opening /dev/net/tun', /permissions of \/dev\/net\/tun .*EACCES.*chmod 0666/],
    ['open', 'EPERM', 'opening /dev/net/tun', /container may not use \/dev\/net\/tun \(EPERM\)/],
    ['open', 'EACCES', 'opening the network namespace /run/netns/ns2', /file of the network namespace ns2 \(EACCES\)/],
    ['setns', 'EPERM', 'entering the network namespace /run/netns/ns2', /CAP_SYS_ADMIN/],
    [
      'TUNSETIFF',
      'EPERM',
      'opening the TAP tap0',
      /opening a TAP needs root or CAP_NET_ADMIN over the .* ns2 \(TUNSETIFF: EPERM\)/,
    ],
  ])('%s %s %s', (syscall, code, message, words) => {
    expect(explainOpen(fault(syscall, code, message), NAMES, undefined)).toMatch(words);
  });

  it('to change a TAP is said likewise', () => {
    const error = fault('RTM_SETLINK', 'EPERM', 'setting the MTU of tap0 to 9000');
    expect(explainChange(error, { ifname: 'tap0' }, 1500, 'change')).toMatch(
      /changing a TAP needs root or CAP_NET_ADMIN \(RTM_SETLINK: EPERM\)$/,
    );
  });
});
