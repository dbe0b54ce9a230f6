/** The words of `nexthop`, and those of `fdb` about destinations and flushes: any words are read or refused with a usage error. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FDB_REQUEST } from '../../src/api/fdb.js';
import { NEXTHOP_REQUEST } from '../../src/api/nexthop.js';
import { UsageError } from '../../src/cli/errors.js';
import { FDB_GRAMMARS, fdbChange, fdbDel, fdbFlush } from '../../src/cli/requests/fdb.js';
import {
  NEXTHOP_GRAMMARS,
  nexthopChange,
  nexthopDel,
  nexthopFlush,
  nexthopShow,
} from '../../src/cli/requests/nexthop.js';
import { PROTOCOLS } from '../../src/config/options/nexthop.js';
import { groupText, nexthopWords } from '../../src/control/plan/commands-nexthops.js';
import { long } from '../long.js';

const VALUES = [
  '1',
  '10',
  '0',
  '4294967295',
  '4294967296',
  '-1',
  '1/2,3',
  '1,',
  ',1',
  '/',
  '1//2',
  '192.0.2.1',
  '::1',
  'fe80::1%eth0',
];
const known = [...Object.values(NEXTHOP_GRAMMARS), ...Object.values(FDB_GRAMMARS)].flatMap(({ rules }) =>
  rules.map(({ word }) => word),
);
const word = fc.oneof(
  fc.constantFrom(...known),
  fc.constantFrom(...VALUES, '02:00:00:00:00:01', 'vx', 'all'),
  fc.string({ maxLength: 12 }),
);

/** What the words are read as; undefined: a usage error. */
function read<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

describe('any words', () => {
  it('are a request that the switch takes, or a usage error', () => {
    let requests = 0;
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (words) => {
        const asked = [
          read(() => nexthopChange('add', words)),
          read(() => nexthopDel(words)),
          read(() => nexthopFlush(words)),
        ];
        read(() => nexthopShow('show', words));
        for (const request of asked)
          if (request !== undefined && NEXTHOP_REQUEST.safeParse(request).success) requests++;
        const entries = [read(() => fdbChange('add', words)), read(() => fdbDel(words)), read(() => fdbFlush(words))];
        for (const request of entries) if (request !== undefined && FDB_REQUEST.safeParse(request).success) requests++;
      }),
      { numRuns: long(100_000, 3000) },
    );
    expect(requests).toBeGreaterThan(0);
  });
});

describe('a nexthop', () => {
  const id = fc.integer({ min: 1, max: 4_294_967_295 });
  const weight = fc.integer({ min: 1, max: 65_536 });
  const place = fc.oneof(
    fc.ipV4().map((via) => ({ via })),
    fc.array(fc.record({ id, weight }), { minLength: 1, maxLength: 20 }).map((group) => ({ group })),
  );

  it('is read as it is printed', () => {
    fc.assert(
      fc.property(id, place, fc.constantFrom(...PROTOCOLS), (number, where, protocol) => {
        const words = nexthopWords({ id: number, ...where, protocol });
        const group =
          'group' in where ? { group: where.group.map((one) => (one.weight === 1 ? { id: one.id } : one)) } : where;
        const told = protocol === 'unspec' ? {} : { protocol };
        expect(nexthopChange('add', words)).toEqual({ op: 'add', id: number, ...group, ...told });
      }),
      { numRuns: long(5000, 300) },
    );
  });

  it('has the words of ip nexthop', () => {
    expect(groupText([{ id: 1, weight: 2 }, { id: 2 }, { id: 3, weight: 1 }])).toBe('1,2/2/3');
    expect(nexthopChange('replace', 'id 10 group 1,2/2 fdb type mpath proto bgp'.split(' '))).toEqual({
      op: 'replace',
      id: 10,
      group: [{ id: 1, weight: 2 }, { id: 2 }],
      protocol: 'bgp',
    });
  });
});

describe('fdb flush', () => {
  it.each([
    ['dev br0 brport tap1 nosticky', { br: 'br0', dev: 'tap1', sticky: false }],
    [
      'dev vx src_vni 5 vni 6 port 9 via eth0 nhid 10',
      { dev: 'vx', src_vni: 5, vni: 6, port: 9, via: 'eth0', nhid: 10 },
    ],
    ['dev vx nopermanent nodynamic', { dev: 'vx', state: ['static'] }],
    ['dev vx nostatic router', { dev: 'vx', state: ['dynamic'], router: true }],
    [
      'dev vx state static state permanent noadded_by_user',
      { dev: 'vx', state: ['static', 'permanent'], added_by_user: false },
    ],
  ])('%s', (words, request) => {
    expect(fdbFlush(words.split(' '))).toEqual({ op: 'flush', ...request });
  });

  it.each([
    'dev vx sticky nosticky',
    'dev vx state all nostatic',
    'dev vx static nostatic',
    'dev vx nhid 0',
    'dev vx port 65536',
  ])('%s: refused', (words) => {
    expect(() => fdbFlush(words.split(' '))).toThrow(UsageError);
  });
});
