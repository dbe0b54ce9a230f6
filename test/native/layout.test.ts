import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as layout from '../../src/port/nic.js';

const HEADER = new URL('../../src/native/overtap.h', import.meta.url);
const SHARED = /^(KIND|RX|TX|TAG|VNET|STATUS|LATCHED)_|^HEADROOM$|^OFFLOAD_MISFIT$/;

/** `#define NAME 12`, `0x80` or `(2 << 16)`. */
function defines(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const [, name, value, shifted] of text.matchAll(/^#define (\w+) \(?(0x[0-9a-f]+|\d+)(?: << (\d+)\))?$/gm))
    if (SHARED.test(name)) found.set(name, Number(value) << Number(shifted ?? 0));
  return found;
}

describe('the layouts of nic.ts and overtap.h', () => {
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
