import { expect, test } from 'vitest';
import { LabError } from '../../../src/lab/testbed/errors.js';
import { becomesTrue, interruptible, waitUntil } from '../../../src/lab/testbed/wait.js';

test('waiting ends by the condition, the limit or an interrupt', async () => {
  let turns = 0;
  expect(await becomesTrue(() => ++turns === 3, { limitMs: 10_000, everyMs: 1 })).toBe(true);
  expect(await becomesTrue(() => false, { limitMs: 20, everyMs: 1 })).toBe(false);
  const waiting = waitUntil(() => false, { what: 'the moon answers', limitMs: 10, everyMs: 1 });
  await expect(waiting).rejects.toThrow('the moon answers: not within 0.01 s');
  const signal = AbortSignal.abort('SIGINT');
  await expect(becomesTrue(() => true, { limitMs: 10, signal })).rejects.toBeInstanceOf(LabError);
});

test('a signal aborts the work instead of ending the process, and only while it runs', async () => {
  const before = process.listenerCount('SIGTERM');
  const reason = await interruptible(async (signal) => {
    process.kill(process.pid, 'SIGTERM');
    await becomesTrue(() => signal.aborted, { limitMs: 10_000, everyMs: 1 });
    return signal.reason as unknown;
  });
  expect(reason).toBe('SIGTERM');
  expect(process.listenerCount('SIGTERM')).toBe(before);
});
