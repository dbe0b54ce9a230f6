import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { readable } from '../../../src/control/log/logger.js';

test('a name that a terminal would obey is made visible in each field of a readable line', async () => {
  const name = '\u001b[2J\u009b31m';
  const line = JSON.stringify({ level: 40, time: 0, port: name, moves: [name], msg: `port ${name} is down` });
  const text = stripVTControlCharacters((await readable())(`${line}\n`));
  expect(text).not.toContain('\u001b');
  expect(text).not.toContain('\u009b');
  expect(text).toContain('port \\x1b[2J\\x9b31m is down');
});
