import { describe, expect, it } from 'vitest';
import { NO_LIMIT, PathMtus } from '../../src/encap/path-mtu.js';
import { parseAddress } from '../../src/wire/ip-address.js';

const address = (text: string): number[] => parseAddress(text)?.words ?? [];
const V4 = address('192.0.2.1');
const V6 = address('2001:db8::1');

describe('the longest frame that reaches a remote in one piece', () => {
  it('is not limited where nothing is known of the path', () => {
    const paths = new PathMtus();
    expect(paths.longest[1]).toBe(NO_LIMIT);
    paths.begin(1, V4);
    paths.set(1, 1500);
    paths.set(1, 0);
    expect(paths.longest[1]).toBe(NO_LIMIT);
  });

  it.each([
    ['IPv4', V4, 1500, 1464],
    ['IPv6', V6, 1500, 1444],
    ['IPv4', V4, 1300, 1264],
    ['IPv4', V4, 20, 0],
  ])('over %s: what the outer headers leave', (_family, words, mtu, longest) => {
    const paths = new PathMtus();
    paths.begin(7, words);
    paths.set(7, mtu);
    expect(paths.longest[7]).toBe(longest);
    expect(paths.longest[8]).toBe(NO_LIMIT);
  });

  it('is forgotten with the remote, and when its number is given again', () => {
    const paths = new PathMtus();
    for (const remote of [1, 2]) paths.begin(remote, V4);
    for (const remote of [1, 2]) paths.set(remote, 1500);
    paths.forget(1);
    paths.begin(2, V6);
    expect([paths.longest[1], paths.longest[2]]).toEqual([NO_LIMIT, NO_LIMIT]);
    paths.set(2, 1500);
    expect(paths.longest[2]).toBe(1444);
  });
});
