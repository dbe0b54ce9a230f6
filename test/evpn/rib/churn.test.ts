import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { long } from '../../long.js';
import { Tables } from './tables.js';
import { attributes, l2, local, mac, macRoute, moved, ribWith } from './values.js';

const CHANGES = long(1_000_000, 60_000);
/** MACs, each under five RDs, from two neighbours. */
const ROUTES = 500;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Numbers that look random, the same ones in each run. */
function* numbers(): Generator<number, never> {
  let state = 12345;
  for (;;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state >>> 8;
  }
}

it(`has no more after ${CHANGES} changes than before`, () => {
  const rib = ribWith({ vnis: [l2(100)], duplicates: { moves: 5, seconds: 180, hold: 10 } });
  const tables = new Tables();
  const next = numbers();
  const random = (below: number): number => next.next().value % below;
  const change = (at: number): void => {
    const route = macRoute(`192.0.2.${1 + random(5)}`, 100, mac(random(ROUTES)));
    const sent = attributes(`192.0.2.${1 + random(5)}`, 100, moved(random(1_000_000)), { localPref: random(1000) });
    const from = `10.0.0.${1 + random(2)}`;
    if (random(2) === 0) rib.receive(from, { announced: [route], attributes: sent, withdrawn: [] });
    else rib.receive(from, { announced: [], attributes: null, withdrawn: [route] });
    if (random(4) === 0) rib.announce([local(100, route.mac)], []);
    if (random(4) === 0) rib.withdraw([local(100, route.mac)], []);
    if (at % 1000 === 0) rib.tick(at);
    if (at % 100 === 0) tables.drain(rib);
    if (at % 5000 === 0) rib.events();
  };
  let full = 0;
  for (let at = 0; at < CHANGES; at++) {
    // The first half fills the tables.
    if (at === CHANGES / 2) full = heapUsed();
    change(at);
  }
  expect(heapUsed() - full).toBeLessThan(1_500_000);
  rib.lost('10.0.0.1', 'none');
  rib.lost('10.0.0.2', 'none');
  rib.withdraw(
    Array.from({ length: ROUTES }, (_, n) => local(100, mac(n))),
    [],
  );
  expect(tables.drain(rib).macs.size).toBe(0);
  expect(rib.answer({ ask: 'routes', after: 0, most: 9 }).routes).toHaveLength(1);
});

function heapUsed(): number {
  collect();
  return process.memoryUsage().heapUsed;
}
