/** The reading of the observers' rings: one at a time, however fast the engines write. */
import { afterEach, expect, it, vi } from 'vitest';
import type { SwitchModel } from '../../../src/control/model/model.js';
import { Observation } from '../../../src/control/observe/observation.js';
import type { ObserverReader } from '../../../src/dataplane/state/observer-reader.js';

afterEach(() => vi.restoreAllMocks());

it('engines that write without a pause are read once in a pass of the event loop', () => {
  const passes: (() => void)[] = [];
  const timers: (() => void)[] = [];
  vi.spyOn(globalThis, 'setImmediate').mockImplementation(((work: () => void) => {
    passes.push(work);
    return {} as NodeJS.Immediate;
  }) as unknown as typeof setImmediate);
  vi.spyOn(globalThis, 'setInterval').mockImplementation(((work: () => void) => {
    timers.push(work);
    return { unref: () => undefined } as unknown as NodeJS.Timeout;
  }) as unknown as typeof setInterval);
  let more = true;
  let reads = 0;
  const drain = (): boolean => {
    reads++;
    return more;
  };
  const reader = { drain, takeLost: () => undefined } as unknown as ObserverReader;
  const model = { ports: new Map(), portAt: [] } as unknown as SwitchModel;
  const engines = { observe: () => reader, observeOther: () => undefined, observeNoMore: () => undefined };
  const observation = new Observation(model, engines);
  const listener = { frame: () => undefined, lost: () => undefined };
  const end = observation.subscribe({ ports: null, snaplen: 64 }, listener);

  for (let pass = 0; pass < 50; pass++) {
    timers[0]?.();
    for (const work of passes.splice(0)) work();
  }
  expect(passes).toHaveLength(1);
  expect(reads).toBe(51);

  more = false;
  for (const work of passes.splice(0)) work();
  expect(passes).toHaveLength(0);
  timers[0]?.();
  expect(reads).toBe(53);
  end();
});
