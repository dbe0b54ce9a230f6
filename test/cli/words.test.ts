import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/cli/errors.js';
import { type Grammar, integer, one, parseWords, SHOW_ALIASES, subcommand } from '../../src/cli/words.js';

const grammar: Grammar = {
  command: 'fdb show',
  rules: [
    { word: 'dev', key: 'dev', value: 'PORT' },
    { word: 'brport', key: 'dev', value: 'PORT' },
    { word: 'vlan', key: 'vlan', value: 'VID' },
    { word: 'static', key: 'state', many: true },
    { word: 'state', key: 'state', value: 'STATE', many: true },
  ],
};

const rest: Grammar = { ...grammar, command: 'link show', rest: { key: 'link', value: 'LINK' } };

/** The message of the UsageError that `action` throws. */
function complaint(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('words', () => {
  it('takes them in any order', () => {
    const order = [['dev', 'tap1'], ['vlan', '2'], ['static'], ['state', 'dynamic']];
    fc.assert(
      fc.property(fc.shuffledSubarray(order, { minLength: 4 }), (parts) => {
        const found = parseWords(grammar, parts.flat());
        expect(one(found, 'dev')).toBe('tap1');
        expect(integer(found, 'vlan', 1, 4094)).toBe(2);
        expect([...(found.get('state') ?? [])].sort()).toEqual(['dynamic', 'static']);
      }),
      { seed: 1 },
    );
  });

  it('takes a name that is also a word as a value', () => {
    expect(one(parseWords(grammar, ['dev', 'vlan']), 'dev')).toBe('vlan');
  });

  it('takes a word of its own where the grammar has one', () => {
    expect(one(parseWords(rest, ['tap1']), 'link')).toBe('tap1');
  });

  it('says what is wrong', () => {
    expect(complaint(() => parseWords(grammar, ['colour', 'red']))).toBe(
      '"fdb show" does not know "colour"; it takes [dev PORT] [brport PORT] [vlan VID] [static] [state STATE]',
    );
    expect(complaint(() => parseWords(grammar, ['vlam', '2']))).toBe(
      '"fdb show" does not know "vlam"; did you mean "vlan"?',
    );
    expect(complaint(() => parseWords(grammar, ['static', 'dev']))).toBe('"fdb show": "dev" needs a value: dev PORT');
    expect(complaint(() => parseWords(grammar, ['dev', 'a', 'brport', 'b']))).toContain('"brport" is one too many');
    expect(complaint(() => parseWords(rest, ['a', 'b']))).toContain('"b" is one too many');
  });

  it('takes whole numbers in range only', () => {
    const vlan = (text: string): number | undefined => integer(parseWords(grammar, ['vlan', text]), 'vlan', 1, 4094);
    expect([vlan('1'), vlan('4094')]).toEqual([1, 4094]);
    for (const text of ['0', '4095', '-1', '2.5', '0x2', '', 'two', '1e3', ' 2']) {
      expect(complaint(() => vlan(text))).toBe(`"vlan" takes a number from 1 to 4094, not "${text}"`);
    }
  });
});

describe('subcommands', () => {
  const family = {
    command: 'fdb',
    here: ['show', 'tunnelshow', 'add', 'append', 'del'],
    aliases: { ...SHOW_ALIASES, delete: 'del' },
  };

  it('knows names, their beginnings and other spellings', () => {
    const cases: [string | undefined, string][] = [
      [undefined, 'show'],
      ['show', 'show'],
      ['sh', 'show'],
      ['s', 'show'],
      ['l', 'show'],
      ['list', 'show'],
      ['tunnel', 'tunnelshow'],
      ['add', 'add'],
      ['ap', 'append'],
      ['d', 'del'],
      ['delete', 'del'],
      ['help', 'help'],
    ];
    for (const [word, name] of cases) expect(subcommand(family, word)).toBe(name);
  });

  it('says when there is none or more than one', () => {
    const all = family.here.map((name) => `"overtap fdb ${name}"`).join(', ');
    expect(complaint(() => subcommand(family, 'shwo'))).toBe(`"fdb" has no command "shwo"; there is ${all}`);
    expect(complaint(() => subcommand(family, ''))).toContain('has no command ""');
    expect(complaint(() => subcommand(family, 'a'))).toBe('"fdb a" is ambiguous: add, append');
  });
});
