import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as layout from '../../src/port/packet-io.js';

const HEADER = new URL('../../src/native/layout.h', import.meta.url);
const OPERATIONS: Record<string, (left: number, right: number) => number> = {
  '<<': (left, right) => left << right,
  '*': (left, right) => left * right,
};

/** `#define NAME 12`, `0x80`, `(2 << 16)` or `(3 * 64)`. */
function defines(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const [, name, value] of text.matchAll(/^#define (\w+) (.+)$/gm)) {
    const [left, operation, right] = value.replace(/^\((.*)\)$/, '$1').split(' ');
    found.set(name, operation === undefined ? Number(left) : OPERATIONS[operation](Number(left), Number(right)));
  }
  return found;
}

describe('the layouts of packet-io.ts and layout.h', () => {
  const inC = defines(readFileSync(HEADER, 'utf8'));
  const inTypeScript = new Map(Object.entries(layout).filter(([, value]) => typeof value === 'number'));

  test('hold the same names with the same values', () => {
    expect(inTypeScript.size).toBeGreaterThan(40);
    expect(Object.fromEntries(inC)).toEqual(Object.fromEntries(inTypeScript));
  });

  test('fit their strides', () => {
    for (const [name, value] of inTypeScript) {
      if (/^RX_(?!STRIDE)/.test(name)) expect(value, name).toBeLessThan(layout.RX_STRIDE);
      if (/^TX_(?!STRIDE)/.test(name)) expect(value, name).toBeLessThan(layout.TX_STRIDE);
    }
  });
});
