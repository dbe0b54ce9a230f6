import { describe, expect, it } from 'vitest';
import { fromHex, toHex, viewOf } from '../../src/wire/bytes.js';
import {
  encodeGeneve,
  geneveOptions,
  geneveProtocol,
  geneveVersion,
  hasCriticalOption,
  isGeneveControl,
  writeGeneveHeader,
} from '../../src/wire/geneve.js';
import { vni } from '../../src/wire/vxlan.js';

/** What each function reads, at an offset of its own. */
function read(text: string) {
  const view = viewOf(fromHex(`ee ${text}`));
  return {
    version: geneveVersion(view, 1),
    options: geneveOptions(view, 1),
    control: isGeneveControl(view, 1),
    critical: hasCriticalOption(view, 1),
    protocol: geneveProtocol(view, 1),
    vni: vni(view, 1),
  };
}

const PLAIN = { version: 0, options: 0, control: false, critical: false, protocol: 0x6558, vni: 100 };

describe('a Geneve header', () => {
  it.each([
    ['00006558 00006400', PLAIN],
    ['ff006558 00006400', { ...PLAIN, version: 3, options: 252 }],
    ['40006558 00006400', { ...PLAIN, version: 1 }],
    ['02006558 00006400', { ...PLAIN, options: 8 }],
    ['00806558 00006400', { ...PLAIN, control: true }],
    ['00406558 00006400', { ...PLAIN, critical: true }],
    // Reserved bits are ignored: six behind the flags, and the last eight.
    ['003f6558 000064ff', PLAIN],
    ['00000800 ffffff00', { ...PLAIN, protocol: 0x0800, vni: 0xffffff }],
  ])('%s', (text, expected) => expect(read(text)).toEqual(expected));

  it('is written over anything with all reserved bits zero', () => {
    const bytes = new Uint8Array(10).fill(0xff);
    writeGeneveHeader(viewOf(bytes), 1, 0xabcdef);
    expect(toHex(bytes)).toBe('ff00006558abcdef00ff');
    expect(toHex(encodeGeneve(1, fromHex('0102')))).toBe('00006558000001000102');
    expect(toHex(encodeGeneve(1, fromHex('0102'), fromHex('01038000')))).toBe('0100655800000100010380000102');
  });
});
