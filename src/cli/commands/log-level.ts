/**
 * `overtap log-level`: shows or sets the log level of a running switch.
 */
import type { LogLevel } from '../../api/api.js';
import type { Invocation } from '../context.js';
import { type Grammar, one, parseWords } from '../words.js';

const GRAMMAR: Grammar = { command: 'log-level', rules: [], rest: { key: 'level', value: 'LEVEL' } };

export async function run({ context, words }: Invocation): Promise<number> {
  const level = one(parseWords(GRAMMAR, words), 'level');
  const client = await context.client();
  if (level !== undefined) {
    // The switch validates the level: it may be of another version, with other levels.
    await client.post('/v1/log', { level: level as LogLevel });
    return 0;
  }
  const answer = await client.get('/v1/log');
  if (context.json) context.printJson(answer);
  else context.line(answer.level);
  return 0;
}
