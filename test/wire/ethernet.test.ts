import { describe, expect, it } from 'vitest';
import { fromHex, toHex, viewOf } from '../../src/wire/bytes.js';
import {
  destinationHigh,
  destinationLow,
  encodeEthernet,
  etherType,
  formatMac,
  isBroadcast,
  isLinkLocalReserved,
  isMulticastHigh,
  isZeroMac,
  macHigh,
  macLow,
  parseMac,
  sourceHigh,
  sourceLow,
  writeMac,
} from '../../src/wire/ethernet.js';

const mac = (text: string): [number, number] => {
  const { high, low } = parseMac(text) as { high: number; low: number };
  return [high, low];
};

describe('parseMac refuses', () => {
  it.each([
    ['nothing', ''],
    ['five bytes', '02:00:00:00:00'],
    ['seven bytes', '02:00:00:00:00:00:01'],
    ['one digit for a byte', '2:0:0:0:0:1'],
    ['mixed separators', '02:00-00:00:00:01'],
    ['no separators', '020000000001'],
    ['other letters', '02:00:00:00:00:0g'],
    ['something before', ' 02:00:00:00:00:01'],
    ['something behind', '02:00:00:00:00:01\n'],
  ])('%s', (_name, text) => {
    expect(parseMac(text)).toBeNull();
  });
});

describe('MAC addresses', () => {
  it.each([
    ['02:00:00:00:00:01', 0x0200, 1],
    ['ff:ff:ff:ff:ff:ff', 0xffff, -1],
    ['00:00:80:00:00:00', 0, -0x80000000],
    ['de:ad:be:ef:13:37', 0xdead, 0xbeef1337 | 0],
  ])('%s is %i, %i', (text, high, low) => {
    expect(parseMac(text)).toEqual({ high, low });
    expect(parseMac(text.toUpperCase().replaceAll(':', '-'))).toEqual({ high, low });
    expect(formatMac(high, low)).toBe(text);
    const view = new DataView(new ArrayBuffer(8));
    writeMac(view, 1, high, low);
    expect([macHigh(view, 1), macLow(view, 1)]).toEqual([high, low]);
    expect([view.getUint8(0), view.getUint8(7)]).toEqual([0, 0]);
  });

  it('are told apart by class', () => {
    expect(isMulticastHigh(mac('01:00:5e:00:00:01')[0])).toBe(true);
    expect(isMulticastHigh(mac('ff:ff:ff:ff:ff:ff')[0])).toBe(true);
    expect(isMulticastHigh(mac('02:01:00:00:00:00')[0])).toBe(false);
    expect(isZeroMac(...mac('00:00:00:00:00:00'))).toBe(true);
    expect(isZeroMac(...mac('00:01:00:00:00:00'))).toBe(false);
    expect(isZeroMac(...mac('00:00:00:00:00:01'))).toBe(false);
    expect(isBroadcast(...mac('ff:ff:ff:ff:ff:ff'))).toBe(true);
    expect(isBroadcast(...mac('ff:ff:ff:ff:ff:fe'))).toBe(false);
    expect(isBroadcast(...mac('ff:fe:ff:ff:ff:ff'))).toBe(false);
  });

  it.each([
    ['01:80:c2:00:00:00', true],
    ['01:80:c2:00:00:0e', true],
    ['01:80:c2:00:00:0f', true],
    ['01:80:c2:00:00:10', false],
    ['01:80:c2:00:01:00', false],
    ['01:80:c3:00:00:00', false],
    ['01:81:c2:00:00:00', false],
    ['00:80:c2:00:00:00', false],
  ])('%s is reserved for the link: %s', (text, reserved) => {
    expect(isLinkLocalReserved(...mac(text))).toBe(reserved);
  });
});

describe('the header', () => {
  it('is read at any offset', () => {
    const view = viewOf(fromHex('eeee ff0102030405 02060708090a 86dd'));
    expect([destinationHigh(view, 2), destinationLow(view, 2)]).toEqual([0xff01, 0x02030405]);
    expect([sourceHigh(view, 2), sourceLow(view, 2)]).toEqual([0x0206, 0x0708090a]);
    expect(etherType(view, 2)).toBe(0x86dd);
  });

  it('is built byte for byte', () => {
    const frame = encodeEthernet({
      destination: 'ff:ff:ff:ff:ff:ff',
      source: '02:00:00:00:00:01',
      etherType: 0x0806,
      payload: fromHex('abcd'),
    });
    expect(toHex(frame)).toBe('ffffffffffff0200000000010806abcd');
  });

  it('is not built from a text that is no address', () => {
    const fields = { destination: 'here', source: '02:00:00:00:00:01', etherType: 0, payload: new Uint8Array(0) };
    expect(() => encodeEthernet(fields)).toThrow(/"here" is not a MAC address: write six bytes/);
  });
});

describe('fromHex', () => {
  it.each(['a', 'abc', 'zz', '0x12'])('refuses %s', (text) => {
    expect(() => fromHex(text)).toThrow(/is not hexadecimal/);
  });
});
