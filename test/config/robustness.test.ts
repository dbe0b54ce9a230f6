/** For any text, loading returns a configuration or throws a ConfigError whose faults have positions inside the text. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError, parseConfig } from '../../src/config/load.js';
import { long } from '../long.js';
import { EXAMPLE } from './example.js';

const deps = { hostname: () => 'h', netnsExists: () => true };

/** Fails unless the text is accepted or refused as it should be. @returns how many faults it has */
function load(text: string): number {
  try {
    parseConfig(text, 'f.yaml', deps);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.faults.length).toBeGreaterThan(0);
    // A byte order mark is not counted.
    const lines = text.replace(/^\uFEFF/, '').split('\n');
    let last = 0;
    for (const { line, column, message, path } of error.faults) {
      expect(line).toBeGreaterThanOrEqual(1);
      expect(line).toBeLessThanOrEqual(lines.length);
      expect(column).toBeGreaterThanOrEqual(1);
      expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1);
      expect(line * 1e8 + column).toBeGreaterThanOrEqual(last);
      expect(message).not.toBe('');
      expect(path).not.toBe('');
      last = line * 1e8 + column;
    }
    return error.faults.length;
  }
}

const anyWord = fc.oneof(
  fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '&a',
    '*a',
    '!x',
    '|',
    '>',
    '"',
    "'",
    '? ',
    '- ',
    '#',
    '%',
    '~',
    '\t',
    '\n',
    '...',
    '---',
  ),
  fc.constantFrom(
    'true',
    '0',
    '-1',
    '4095',
    '1e99',
    '.nan',
    '.inf',
    '1-4094',
    '16777216',
    '::1',
    '192.0.2.1',
    '__proto__',
    'constructor',
  ),
  fc.string({ maxLength: 6, unit: 'binary' }),
);

describe('any text', () => {
  it('is accepted or refused', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(anyWord, fc.constantFrom('\n  ', ': ', 'bridges:', 'ports:')), { maxLength: 40 }),
        (words) => {
          load(words.join(''));
        },
      ),
      { seed: 7348, numRuns: long(800, 100) },
    );
  });

  it('is accepted or refused when it is the example with pieces changed', () => {
    const change = fc.record({
      at: fc.nat(EXAMPLE.length),
      cut: fc.nat(12),
      put: anyWord,
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        let text = EXAMPLE;
        for (const { at, cut, put } of changes) text = text.slice(0, at) + put + text.slice(at + cut);
        load(text);
      }),
      { seed: 4789, numRuns: long(300, 40) },
    );
  });

  it('is accepted or refused when one value of the example is any other', () => {
    const values = [...EXAMPLE.matchAll(/: ([^ \n{}[\],]+)/g)].map((m) => [m.index + 2, (m[1] ?? '').length] as const);
    expect(values.length).toBeGreaterThan(30);
    fc.assert(
      fc.property(fc.constantFrom(...values), fc.jsonValue({ maxDepth: 3 }), ([at, length], other) => {
        load(`${EXAMPLE.slice(0, at)}${JSON.stringify(other)}${EXAMPLE.slice(at + length)}`);
      }),
      { seed: 8472, numRuns: long(300, 40) },
    );
  });

  it('is accepted or refused when it is any JSON of known keys', () => {
    const key = fc.constantFrom(
      'bridges',
      'ports',
      'type',
      'vlans',
      'fdb',
      'vid',
      'tunnel_info',
      'remotes',
      'id',
      'b',
      'constructor',
    );
    const leaf = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom('tap', 'vxlan', 5, '2-9', true, '192.0.2.2'));
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 7, withCrossShrink: true },
        leaf,
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(key, tie('tree'), { maxKeys: 5 }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('b', 'br1'), fc.dictionary(key, tree)), (bridges) => {
        load(JSON.stringify({ bridges }, null, 1));
      }),
      { seed: 802, numRuns: long(300, 40) },
    );
  });
});

describe('hostile files', () => {
  const nested = (open: string, close: string, depth: number) => `bridges: ${open.repeat(depth)}${close.repeat(depth)}`;

  it.each([
    ['lists', nested('[', ']', 100_000)],
    ['open lists', nested('[', '', 100_000)],
    ['mappings', nested('{a: ', '}', 20_000)],
    ['sequences in a line', `${'- '.repeat(5_000)}a`],
    ['keys', '? '.repeat(5_000)],
  ])('with deep %s are refused', (_what, text) => {
    expect(load(text)).toBeGreaterThan(0);
  });

  it('with doubling aliases are refused', () => {
    const levels = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`);
    expect(load(['a0: &a0 x', ...levels].join('\n'))).toBe(1);
  });

  it('with a long chain of aliases are refused', () => {
    const links = Array.from({ length: 10_000 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}]`);
    expect(load(['a0: &a0 x', ...links].join('\n'))).toBeGreaterThan(0);
  }, 20_000);

  it('that are too long are refused', () => {
    expect(load(`# ${'x'.repeat(4 * 1024 * 1024)}`)).toBe(1);
  });

  it('with wide VNI ranges and many VLAN entries end soon', () => {
    const entries = Array.from({ length: 1_500 }, () => '{ vid: 1-4094, tunnel_info: 1-16777215 }').join(',');
    const text = `bridges: { b: { vlan_filtering: true, ports: { x: { type: vxlan, vlan_tunnel: true, vlans: [${entries}] } } } }`;
    // Its own time: on a busy machine it waits for a core.
    const before = process.cpuUsage();
    expect(load(text)).toBeGreaterThan(1_500);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(5_000);
  });
});
