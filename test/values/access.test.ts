/** Values that say who may reach the switch. */
import { describe, expect, it } from 'vitest';
import { listenText, readGroup, readListenAddress, readSocketMode } from '../../src/values/access.js';
import { Refusal } from '../../src/values/address.js';

const messageOf = (result: unknown): string => (result instanceof Refusal ? result.message : 'accepted');

describe('a group', () => {
  it.each([
    ['netdev', 'netdev'],
    ['0', 0],
    [998, 998],
    ['4294967294', 4_294_967_294],
  ])('%j is %j', (input, group) => expect(readGroup(input)).toBe(group));

  it.each(['', 'a b', 'a:b', 'x'.repeat(33), 'ä', 4_294_967_295, -1, 1.5, '4294967295'])('is not %j', (input) => {
    expect(messageOf(readGroup(input))).toMatch(/^expected the (name or )?number of a group|^expected the name/);
  });
});

describe('the mode of a socket', () => {
  it.each(['0660', '660', 660, 0o660])('0660 may be written as %j', (input) => {
    expect(readSocketMode(input)).toBe('0660');
  });

  it('is for the owner, the group or everyone', () => {
    expect([600, 0o600, 666, 0o666].map(readSocketMode)).toEqual(['0600', '0600', '0666', '0666']);
    for (const input of [0, 0o777, 777, 640, '0640', '', '00660', '4660', Number.NaN])
      expect(messageOf(readSocketMode(input))).toMatch(/^expected the mode of a socket: /);
  });
});

describe('an address to listen on', () => {
  it.each([
    ['127.0.0.1:9477', '127.0.0.1', 9477],
    ['0.0.0.0:1', '0.0.0.0', 1],
    ['[::1]:65535', '::1', 65_535],
    ['[0::0]:9477', '::', 9477],
  ])('%s is one', (text, address, port) => {
    const read = readListenAddress(text);
    expect(read).toEqual({ address, port });
    if (!(read instanceof Refusal)) expect(readListenAddress(listenText(read))).toEqual(read);
  });

  it.each([
    '',
    '9477',
    ':9477',
    '127.0.0.1',
    '127.0.0.1:',
    '::1:9477',
    '[127.0.0.1]:9477',
    'localhost:9477',
    '[::1]',
    '127.0.0.1:9477/',
  ])('%j is none', (text) => expect(messageOf(readListenAddress(text))).toMatch(/^expected an address and a TCP port/));

  it('has a port from 1 to 65535, and is no group', () => {
    expect(messageOf(readListenAddress('127.0.0.1:0'))).toMatch(/^expected a TCP port from 1 to 65535/);
    expect(messageOf(readListenAddress('127.0.0.1:65536'))).toMatch(/^expected a TCP port from 1 to 65535/);
    expect(messageOf(readListenAddress('224.0.0.1:9477'))).toMatch(/is a multicast address/);
  });
});
