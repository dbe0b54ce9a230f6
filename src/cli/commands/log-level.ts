/**
 * `overtap log-level`: shows or sets how much a running switch logs. Its log itself goes where the switch was started.
 */
import type { LogLevel } from '../../api/api.js';
import type { Invocation } from '../context.js';
import { type Grammar, one, parseWords } from '../words.js';

const GRAMMAR: Grammar = { command: 'log-level', rules: [], rest: { key: 'level', value: 'LEVEL' } };

export async function run({ context, words }: Invocation): Promise<number> {
  const level = one(parseWords(GRAMMAR, words), 'level');
  const client = await context.client();
  if (level !== undefined) {
    // Which levels there are is for the switch to say, which may be of another version.
    await client.post('/v1/log', { level: level as LogLevel });
    return 0;
  }
  const answer = await client.get('/v1/log');
  if (context.json) context.printJson(answer);
  else context.line(answer.level);
  return 0;
}
