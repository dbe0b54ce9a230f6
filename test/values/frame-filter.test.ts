/** The words of a filter of frames. */
import { describe, expect, it } from 'vitest';
import { Refusal } from '../../src/values/address.js';
import { FILTER_WORDS, readFrameFilter } from '../../src/values/frame-filter.js';

const read = (text: string) => readFrameFilter(text.split(' ').filter((word) => word !== ''));

describe('a filter', () => {
  it('has values by their kind, in canonical form', () => {
    expect(read('')).toEqual({});
    expect(read('port tap1 vlan 10 vlan 20 vni 1010 mac 02:00:00:00:00:AB ip 2001:DB8:0::1 remote 192.0.2.2')).toEqual({
      port: ['tap1'],
      vlan: [10, 20],
      vni: [1010],
      mac: ['02:00:00:00:00:ab'],
      ip: ['2001:db8::1'],
      remote: ['192.0.2.2'],
    });
    expect(read('reason no_pvid verdict dropped')).toEqual({ reason: ['no_pvid'], verdict: ['dropped'] });
    expect(FILTER_WORDS).toHaveLength(8);
  });

  it.each([
    ['prot tap1', 'a filter has no word "prot"; did you mean "port"?'],
    [
      'tap1',
      'a filter has no word "tap1"; it has port, vlan, vni, mac, ip, remote, reason, verdict, each with a value',
    ],
    ['constructor 1', 'a filter has no word "constructor"'],
    ['vlan', '"vlan" needs a value, as in: vlan 10'],
    ['vlan 0', 'vlan: expected a VLAN ID from 1 to 4094, found "0"'],
    ['vlan 4095', 'vlan: expected a VLAN ID'],
    ['vni 16777216', 'vni: expected a VNI'],
    ['mac 02:00', 'mac: expected a MAC, found "02:00"'],
    ['ip 10.0.0.0/8', 'ip: expected an IPv4 or IPv6 address, found "10.0.0.0/8"'],
    ['verdict lost', 'verdict: expected forwarded, flooded, answered, dropped, originated; found "lost"'],
    ['port a '.repeat(65), 'a filter has at most 64 values'],
  ])('%s is refused', (text, message) => {
    const refusal = read(text);
    expect(refusal).toBeInstanceOf(Refusal);
    expect((refusal as Refusal).message).toContain(message);
  });
});
