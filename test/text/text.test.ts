/** What people read: names with anything in them, as a shell takes them and as a terminal shows them. */
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable, printableJson } from '../../src/text/printable.js';
import { command, shellWord } from '../../src/text/shell.js';

/** Texts that a shell or a terminal might take for more than they are. */
const nasty = fc.oneof(
  fc.string({ unit: fc.constantFrom(...' $`;&|<>(){}*?~#!\'"\\a-=\n\t\x1b\x7f\x9b\u202e\u00e9'), maxLength: 12 }),
  fc.string({ maxLength: 12 }),
);

describe('a word for a shell', () => {
  it('is read back as it was by bash, and is printable ASCII', () => {
    const words = fc.sample(
      nasty.filter((word) => !word.includes('\0')),
      { numRuns: 300, seed: 20_261_128 },
    );
    for (const word of words) expect(shellWord(word)).toMatch(/^[ -~]+$/);
    const script = `printf '%s\\0' ${words.map(shellWord).join(' ')}`;
    const read = execFileSync('bash', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1);
    expect(read).toEqual(words);
  });

  it('stands in a command, and a plain one as it is', () => {
    expect(command`ip -n ${'my ns'} link set ${'eth0;reboot'} mtu ${1450}`).toBe(
      "ip -n 'my ns' link set 'eth0;reboot' mtu 1450",
    );
    expect(command`ip link set ${'eth0.2'} up`).toBe('ip link set eth0.2 up');
  });
});

describe('text for a terminal', () => {
  it('holds nothing that it would obey', () => {
    expect(printable('a\x1b]0;x\x07b\x9b2J\u202ec\td\n')).toBe('a\\x1b]0;x\\x07b\\x9b2J\\u202ec\td\n');
    expect(printable('caf\u00e9 \u4e2d')).toBe('caf\u00e9 \u4e2d');
  });

  it('in JSON means what it meant', () => {
    fc.assert(
      fc.property(nasty, (text) => {
        const json = printableJson({ text });
        expect(JSON.parse(json)).toEqual({ text });
        expect(json).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
      }),
    );
  });
});
