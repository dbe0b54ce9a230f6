/** Garbage of the start is collected on demand: src/native/process/start-heap.c. */
import { setImmediate as nextPass } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { collectGarbage } from '../../src/port/process.js';

/** In a function of its own, so that no register or stack slot keeps the object. */
const makeGarbage = (): WeakRef<object> => new WeakRef({ of: 'the start' });

test('what nobody refers to is collected at once', async () => {
  const garbage = makeGarbage();
  await nextPass(); // a WeakRef keeps its object until the end of the job that made it
  expect(collectGarbage()).toBe(true);
  expect(garbage.deref()).toBeUndefined();
});
