/** Plain values without a text: the same rules, with faults that have a path but no position. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError, checkDocument, parseConfig, parseDocument, readDocumentValue } from '../../src/config/load.js';
import { EXAMPLE } from './example.js';

const deps = { hostname: () => 'h', netnsExists: () => true };

function refusal(value: unknown): ConfigError {
  try {
    checkDocument(value, deps);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('accepted');
}

describe('a document', () => {
  const value = readDocumentValue(EXAMPLE, 'f.yaml');

  it('resolves to what its file does, on its way through JSON too', () => {
    const config = parseConfig(EXAMPLE, 'f.yaml', deps);
    expect(checkDocument(value, deps)).toEqual({ document: value, config, warnings: [] });
    expect(checkDocument(JSON.parse(JSON.stringify(value)), deps).config).toEqual(config);
  });

  it('comes with the configuration of a file', () => {
    expect(parseDocument(EXAMPLE, 'f.yaml', deps)).toEqual({
      document: value,
      config: parseConfig(EXAMPLE, 'f.yaml', deps),
      warnings: [],
    });
  });

  it('is refused with all its faults, each with its path', () => {
    const error = refusal({ bridges: { b: { ageing_time: -1, ports: { t: { type: 'tap', dstport: 1 } } } } });
    expect(error.format().split('\n')).toEqual([
      'bridges.b.ageing_time: expected whole seconds from 0 to 1000000, found -1',
      'bridges.b.ports.t.dstport: is an option of vxlan ports, and this is a tap port; remove it',
    ]);
    expect(error.faults.map(({ line, column, path }) => [line, column, path])).toEqual([
      [0, 0, 'bridges.b.ageing_time'],
      [0, 0, 'bridges.b.ports.t.dstport'],
    ]);
  });

  it.each([
    [undefined, /^\(file\): .*"bridges"/],
    [null, /^\(file\): expected a mapping with the key "bridges", found nothing$/],
    ['text', /^\(file\): expected a mapping/],
    [[], /^\(file\): expected a mapping.*found a list$/],
    [{}, /^bridges: is missing/],
    [{ bridges: {}, name: () => 'x' }, /^name: expected a mapping, a list, text/],
    [{ bridges: {}, name: new Date(0) }, /^name: expected a mapping/],
    [{ bridges: new Map() }, /^bridges: expected a mapping/],
    [{ bridges: {}, workers: 1n }, /^workers: expected/],
    [JSON.parse('{"bridges": {"__proto__": {}}}'), /^bridges\.__proto__: this word cannot be a key/],
  ])('number %# is refused', (other, message) => {
    expect(refusal(other).format()).toMatch(message);
  });

  it('is refused when it is deep, wide or endless', () => {
    const deep = JSON.parse(`{"bridges": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`) as unknown;
    expect(refusal(deep).format()).toMatch(/nested more than 32 levels deep/);
    const endless: Record<string, unknown> = {};
    endless.bridges = endless;
    expect(refusal(endless).format()).toMatch(/nested more than 32 levels deep/);
    expect(refusal({ bridges: Array(1_000_000).fill(0) }).format()).toMatch(/more than 1000000 values/);
  });

  it('is accepted or refused, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }), (any) => {
        for (const value of [any, { bridges: any }, { bridges: { b: any } }, { bridges: {}, ports: { p: any } }]) {
          try {
            checkDocument(value, deps);
          } catch (error) {
            if (!(error instanceof ConfigError)) throw error;
            for (const fault of error.faults) expect(fault.message).not.toBe('');
          }
        }
      }),
      { seed: 66, numRuns: 400 },
    );
  });

  it('of a file is not read when the YAML is at fault', () => {
    expect(() => readDocumentValue('a: [', 'f.yaml')).toThrow(ConfigError);
    expect(readDocumentValue('nonsense: 1', 'f.yaml')).toEqual({ nonsense: 1 });
  });
});
