/** Places by count, against a plain map that is looked through. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Ranking } from '../../../src/control/tables/ranking.js';

const SEED = Number(process.env.OVERTAP_SEED ?? 20_261_130);

it('knows how many each place has, the sum, and one that has most', () => {
  const step = fc.tuple(fc.nat(20), fc.integer({ min: -6, max: 6 }));
  const property = fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
    const ranking = new Ranking();
    const model = new Map<number, number>();
    for (const [place, wanted] of steps) {
      const before = model.get(place) ?? 0;
      const more = Math.max(-before, wanted);
      ranking.add(place, more);
      if (before + more === 0) model.delete(place);
      else model.set(place, before + more);
      const most = Math.max(0, ...model.values());
      const { greediest } = ranking;
      expect([greediest?.count ?? 0, greediest === null ? 0 : model.get(greediest.place)]).toEqual([most, most]);
      expect([ranking.of(place), ranking.total]).toEqual([
        before + more,
        [...model.values()].reduce((a, b) => a + b, 0),
      ]);
    }
  });
  fc.assert(property, { seed: SEED, numRuns: 200 });
});

it('has none that has most when nobody has anything', () => {
  const ranking = new Ranking();
  expect(ranking.greediest).toBeNull();
  ranking.add(7, 3);
  expect(ranking.greediest).toEqual({ place: 7, count: 3 });
  ranking.add(7, -3);
  expect([ranking.greediest, ranking.of(7)]).toEqual([null, 0]);
});
