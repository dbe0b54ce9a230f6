/** Storm buckets and flood budgets go on in the next process: under other indexes, by the same clock, never fuller than new ones. */
import { beforeEach, describe, expect, it } from 'vitest';
import { type Limits, STATE } from '../../../src/control/handover/estate.js';
import { limitsOf, restoreLimits } from '../../../src/control/handover/limits.js';
import type { Translation } from '../../../src/control/handover/restore.js';
import type { SwitchModel } from '../../../src/control/model/model.js';
import { MAX_PORTS } from '../../../src/dataplane/state/counters.js';
import { REASON } from '../../../src/dataplane/state/drop-reasons.js';
import { FloodBudget, floodSource } from '../../../src/dataplane/state/flood-budget.js';
import { STORM_BROADCAST, STORM_MULTICAST, StormControl } from '../../../src/dataplane/state/storm.js';

const TICK = 70_000;
const NOW = TICK * 100;
const LIMIT = 100;
/** Ports 3 and 4, and remote 9, are ports 12 and none, and remote 30. */
const by = {
  port: (index: number) => ({ 3: 12 })[index],
  remote: (index: number) => ({ 9: 30 })[index],
} as unknown as Translation;
const model = { ports: new Map([3, 4].map((index) => [`tap${index}`, { index }])) } as unknown as SwitchModel;

let before: { storm: StormControl; budgets: FloodBudget[] };
let after: typeof before;
beforeEach(() => {
  before = { storm: new StormControl(), budgets: [new FloodBudget(), new FloodBudget()] };
  after = { storm: new StormControl(), budgets: [new FloodBudget()] };
  for (const port of [3, 4]) before.storm.setLimit(port, STORM_BROADCAST, LIMIT, true);
  after.storm.setLimit(12, STORM_BROADCAST, LIMIT, true);
  before.storm.advance(TICK);
});

/** What crosses is text. */
const crossed = (): Limits =>
  STATE.shape.limits.unwrap().parse(JSON.parse(JSON.stringify(limitsOf(model, before)))) as Limits;

/** Broadcasts that pass. */
function drain(storm: StormControl, port: number): number {
  let passed = 0;
  while (storm.take(port, STORM_BROADCAST)) passed++;
  return passed;
}

describe('a storm bucket', () => {
  it('that is used up stays so, and fills at the pace of its limit', () => {
    expect(drain(before.storm, 3)).toBe(10);
    restoreLimits(crossed(), by, after);
    after.storm.advance(TICK);
    expect(drain(after.storm, 12)).toBe(0);
    after.storm.advance(TICK + 1);
    expect(drain(after.storm, 12)).toBe(10);
  });

  it('owes what a superframe took too much', () => {
    before.storm.take(3, STORM_BROADCAST, 25);
    restoreLimits(crossed(), by, after);
    after.storm.advance(TICK + 1);
    expect(drain(after.storm, 12)).toBe(0);
    after.storm.advance(TICK + 2);
    expect(drain(after.storm, 12)).toBe(5);
  });

  it('is never fuller than a new one, whatever the other process says', () => {
    const limits = {
      filled: TICK,
      storm: [[3, STORM_BROADCAST, 0x7fffffff]] as [number, number, number][],
      floods: [],
    };
    restoreLimits(limits, by, after);
    after.storm.advance(TICK);
    expect(drain(after.storm, 12)).toBe(10);
    expect(after.storm.isLimited(12, STORM_MULTICAST)).toBe(false);
  });
});

describe('a flood budget', () => {
  const spend = (budget: FloodBudget, source: number): void => {
    for (let turn = 0; turn < 4; turn++) {
      budget.beginTurn(NOW);
      if (budget.refusal(source, false) === -1) budget.charge(source, 4000, false);
    }
  };

  it.each([
    ['a port', floodSource(3, 0), floodSource(12, 0)],
    ['a remote', floodSource(1, 9), floodSource(0, 30)],
  ])('of %s that is used up stays so, and fills in time', (_, former, source) => {
    spend(before.budgets[0], former);
    restoreLimits(crossed(), by, after);
    const [budget] = after.budgets;
    budget.beginTurn(NOW);
    expect(budget.refusal(source, false)).toBe(REASON.storm_limited);
    budget.beginTurn(NOW + 1000);
    expect(budget.refusal(source, false)).toBe(-1);
  });

  it('of a source or an engine that is not there any more is left out', () => {
    for (const budget of before.budgets) for (const source of [4, MAX_PORTS + 8]) spend(budget, source);
    const limits = crossed();
    expect(limits.floods.map((sources) => sources.map(([source]) => source))).toEqual([
      [4, MAX_PORTS + 8],
      [4, MAX_PORTS + 8],
    ]);
    restoreLimits(limits, by, after);
    const [budget] = after.budgets;
    budget.beginTurn(NOW);
    for (const source of [4, MAX_PORTS + 8]) expect(budget.isFull(source)).toBe(true);
  });

  it('that has filled again is not said', () => {
    spend(before.budgets[0], 3);
    before.budgets[0].beginTurn(NOW + 60_000);
    expect(crossed().floods).toEqual([[], []]);
  });
});
