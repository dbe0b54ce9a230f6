/** A switch of a lab that has ended: what is said is about the lab. */
import { expect, it } from 'vitest';
import { connectInLab } from '../../src/lab/index.js';

it('a switch that has ended is no reason to start one by hand', async () => {
  await expect(connectInLab('/nowhere/mine/h1.sock').get('/v1/info')).rejects.toThrow(
    'no switch answers on /nowhere/mine/h1.sock; it has ended: its log is /nowhere/mine/h1.log; take the lab down and up again: overtap lab down mine',
  );
});
