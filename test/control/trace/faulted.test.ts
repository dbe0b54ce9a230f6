/**
 * The comparison of traces with what happens finds faults: each shadow here has one, and a few hundred frames tell it. A shadow that
 * misses an operation differs from its switch in one thing only, so operations are left out kind by kind.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Shadow } from '../../../src/control/shadow/shadow.js';
import { ShadowFdb } from '../../../src/control/shadow/shadow-fdb.js';
import { ShadowBudget, ShadowStorm } from '../../../src/control/shadow/shadow-limits.js';
import { ShadowNeigh } from '../../../src/control/shadow/shadow-neigh.js';
import { ShadowRemotes } from '../../../src/control/shadow/shadow-remotes.js';
import type { Operation } from '../../../src/dataplane/operations/operations.js';
import { cases, long } from '../../long.js';
import { Tally } from './truth/compare.js';
import { check } from './truth/run.js';

/** Pairs of switches within which a fault must be found, and frames of each. */
const RUNS = 120;
const FRAMES = 50;
/** Milliseconds; a fault that is not found by then fails its test. */
const ENOUGH = long(600_000, 60_000);

afterEach(() => {
  vi.restoreAllMocks();
});

/** A prototype whose private methods a fault replaces too. */
type Methods = Record<string, (...args: unknown[]) => unknown>;
const methods = (of: { prototype: object }): Methods => of.prototype as Methods;

const leaveOut = (of: { prototype: object }, name: string): void => {
  vi.spyOn(methods(of), name).mockImplementation(() => undefined);
};

const FAULTS: [name: string, fault: () => void][] = [
  ['storm buckets are not copied', () => leaveOut(ShadowStorm, 'begin')],
  ['the last FDB rows stay', () => leaveOut(ShadowFdb, 'begin')],
  ['bindings are not copied', () => leaveOut(ShadowNeigh, 'fetch')],
  ['the last bindings stay', () => leaveOut(ShadowNeigh, 'begin')],
  ['FDB rows are not copied', () => leaveOut(ShadowFdb, 'fetch')],
  ['no MAC is a router', () => void vi.spyOn(ShadowNeigh.prototype, 'isRouter').mockReturnValue(false)],
  ['no VTEP is admitted', () => void vi.spyOn(ShadowRemotes.prototype, 'admit').mockReturnValue(0)],
  ['every VTEP is unknown', () => void vi.spyOn(ShadowRemotes.prototype, 'find').mockReturnValue(0)],
  ['no source has a budget', () => void vi.spyOn(ShadowBudget.prototype, 'refusal').mockReturnValue(26)],
  ['packets that wait are kept', () => leaveOut(Shadow, 'forgetHeld')],
  ['limits of learning are not copied', limitsLeftOut],
  ['static entries are learned ones', flagsLeftOut],
  ['a trace takes out of the live storm buckets', bucketsShared],
];

function bucketsShared(): void {
  vi.spyOn(ShadowStorm.prototype, 'begin').mockImplementation(function (this: ShadowStorm) {
    Reflect.set(this, 'words', Reflect.get(this, 'live'));
  });
}

function limitsLeftOut(): void {
  const begin = ShadowFdb.prototype.begin;
  vi.spyOn(ShadowFdb.prototype, 'begin').mockImplementation(function (this: ShadowFdb) {
    begin.call(this);
    this.groupLimit.fill(0);
  });
}

function flagsLeftOut(): void {
  const restore = ShadowFdb.prototype.restore;
  type Restore = typeof restore;
  vi.spyOn(ShadowFdb.prototype, 'restore').mockImplementation(function (
    this: ShadowFdb,
    ...given: Parameters<Restore>
  ) {
    const [high, low, fid, destination, owner, , stamp, moves] = given;
    return restore.call(this, high, low, fid, destination, owner, 0, stamp, moves);
  });
}

/** Kinds that a trace depends on. */
const OPERATIONS: Operation['op'][] = [
  ...(['bridge', 'local-port', 'layer3', 'tunnel-port', 'port', 'storm', 'vlan', 'pvid', 'vni'] as const),
  ...(['remote-mtu', 'flood', 'group', 'routers'] as const),
];

function missing(kind: Operation['op']): void {
  const apply = Shadow.prototype.apply;
  vi.spyOn(Shadow.prototype, 'apply').mockImplementation(function (this: Shadow, operations: readonly Operation[]) {
    apply.call(
      this,
      operations.filter(({ op }) => op !== kind),
    );
  });
}

async function isFound(): Promise<boolean> {
  return (await check(RUNS, FRAMES, new Tally(), { ms: ENOUGH, isReduced: false })) !== null;
}

describe('a faulted shadow is found', () => {
  it.each(cases(FAULTS, 4))('%s', async (_name, fault) => {
    fault();
    expect(await isFound()).toBe(true);
  });

  it.each(cases(OPERATIONS, 3))('%s is not carried out', async (kind) => {
    missing(kind);
    expect(await isFound()).toBe(true);
  });
});
