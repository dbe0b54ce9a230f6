import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventFeed } from '../../src/control/events/event-feed.js';
import {
  attempt,
  caught,
  every,
  faultCounts,
  forget,
  guarded,
  REPORT_MS,
  reportFaults,
  soon,
} from '../../src/control/guard.js';
import type { SwitchModel } from '../../src/control/model/model.js';
import type { Machine } from '../../src/control/ports/port-kind.js';
import { Mdb } from '../../src/control/tables/mdb.js';
import { TunnelGroups } from '../../src/control/reconcile/tunnel-groups.js';
import { MulticastControl } from '../../src/control/tables/multicast-control.js';
import { MtuWatch } from '../../src/control/watch/mtu-watch.js';
import { PortWatch } from '../../src/control/watch/port-watch.js';
import { StrangerWatch } from '../../src/control/watch/stranger-watch.js';
import { VtepWatch } from '../../src/control/watch/vtep-watch.js';
import { createRemotes } from '../../src/encap/remotes.js';
import type { FdbEvents } from '../../src/fdb/events.js';

const reports: [string, unknown, number][] = [];

beforeEach(() => {
  vi.useFakeTimers();
  reports.length = 0;
  reportFaults((place, error, count) => reports.push([place, error, count]));
});

afterEach(() => {
  vi.useRealTimers();
  reportFaults(() => undefined);
});

const fault = (): never => {
  throw new Error('planted');
};

/** Fails in the next pass of the event loop; resolves in the one behind it. */
function nextPass(place: string): Promise<void> {
  return new Promise((done) => {
    soon(place, () => {
      setImmediate(done);
      fault();
    });
  });
}

/** Faults of a place that come while `work` runs. */
async function faultsOf(place: string, work: () => unknown): Promise<number> {
  const before = faultCounts()[place] ?? 0;
  await work();
  return (faultCounts()[place] ?? 0) - before;
}

describe('the guard', () => {
  it('keeps what is thrown and what is rejected, and counts it by place', async () => {
    const count = await faultsOf('kept', async () => {
      expect(() => guarded('kept', fault)()).not.toThrow();
      attempt('kept', fault);
      guarded('kept', async () => fault())();
      forget('kept', Promise.reject(new Error('planted')));
      await vi.advanceTimersByTimeAsync(0);
    });
    expect(count).toBe(4);
  });

  it('reports a place once in a while, with the faults since its last report', async () => {
    caught('reported', 'first');
    for (let i = 0; i < 7; i++) caught('reported', 'more');
    expect(reports).toEqual([['reported', 'first', 1]]);
    await vi.advanceTimersByTimeAsync(REPORT_MS);
    caught('reported', 'late');
    expect(reports.at(-1)).toEqual(['reported', 'late', 8]);
  });

  it('bears a report that fails', () => {
    reportFaults(fault);
    expect(() => caught('unreportable', new Error('planted'))).not.toThrow();
  });

  it('lets timers go on', async () => {
    let turns = 0;
    const timer = every('timer', 100, () => {
      turns++;
      fault();
    });
    expect(await faultsOf('timer', () => vi.advanceTimersByTimeAsync(1000))).toBe(10);
    expect(turns).toBe(10);
    clearInterval(timer);
    vi.useRealTimers();
    expect(await faultsOf('pass', () => nextPass('pass'))).toBe(1);
  });
});

/** A model whose every use fails, as a mistake in the code would have it. */
const broken = new Proxy({}, { get: fault }) as SwitchModel;
const parts = { model: broken, remotes: createRemotes() };
const ignore = (): void => undefined;

describe('each timer of the control thread goes on after a fault', () => {
  const timers: [string, number, () => { stop(): void }][] = [
    [
      'mtu-watch',
      100,
      () => new MtuWatch({ ...parts, sentTo: () => 0, pathMtu: () => 1500, carryOut: ignore, setMtus: ignore }),
    ],
    [
      'port-watch',
      100,
      () =>
        new PortWatch({
          ...parts,
          renew: async () => null,
          tell: ignore,
          changed: ignore,
          lost: ignore,
          moved: () => undefined,
          macChanged: () => undefined,
          stateChanged: () => undefined,
          addressesChanged: ignore,
        }),
    ],
    [
      'vtep-watch',
      60_000,
      () =>
        new VtepWatch({
          ...parts,
          counters: broken as never,
          fdb: broken as never,
          members: () => new Set(),
          carryOut: ignore,
        }),
    ],
    [
      'vtep-relief',
      1000,
      () =>
        new VtepWatch({
          ...parts,
          counters: broken as never,
          fdb: broken as never,
          members: () => new Set(),
          carryOut: ignore,
        }),
    ],
    [
      'stranger-watch',
      1000,
      () => {
        const heard = vi.fn(fault).mockReturnValueOnce(0 as never);
        const strangers = Object.defineProperty({}, 'heard', { get: heard });
        return new StrangerWatch({
          ...parts,
          counters: { unknownVteps: strangers } as never,
          tell: ignore,
          say: ignore,
        });
      },
    ],
    ['event-feed', 100, () => new EventFeed({ ...parts, events: broken as unknown as FdbEvents, moved: fault })],
  ];

  it.each(timers)('%s', async (place, period, make) => {
    const part = make();
    expect(await faultsOf(place, () => vi.advanceTimersByTimeAsync(3 * period))).toBe(3);
    part.stop();
  });

  it('multicast', async () => {
    const part = new MulticastControl({
      ...parts,
      remotesAt: () => [],
      vteps: broken as never,
      tunnelGroups: new TunnelGroups(broken as never),
      tell: ignore,
      carryOut: fault,
      macOf: () => '',
    });
    vi.spyOn(Mdb.prototype, 'due', 'get').mockImplementation(fault);
    const count = await faultsOf('multicast', () => vi.advanceTimersByTimeAsync(500));
    vi.restoreAllMocks();
    expect(count).toBe(2);
    part.stop();
  });
});

describe('a fault of one', () => {
  it('listener keeps events from no other', async () => {
    const heard: string[] = [];
    const feed = new EventFeed({
      ...parts,
      events: { read: () => 0, skip: ignore } as unknown as FdbEvents,
      moved: () => 0,
    });
    feed.subscribe(fault);
    feed.subscribe(({ event }) => heard.push(event));
    expect(await faultsOf('event listener', () => feed.tell({ event: 'lost', count: 1 }))).toBe(1);
    expect(heard).toEqual(['lost']);
    feed.stop();
  });

  it('port keeps no other from being looked at', async () => {
    const looked: string[] = [];
    const tap = (name: string, state: () => unknown): unknown => ({
      kind: 'tap',
      name,
      index: 1,
      tap: { state },
      config: { type: 'tap' },
    });
    const good = (): unknown => {
      looked.push('good');
      return { index: 1, up: true };
    };
    const ports = [tap('bad', fault), tap('good', good)];
    const model = { ports: new Map(ports.map((port, i) => [i, port])), lost: new Set() } as unknown as SwitchModel;
    const machine: Machine = {
      nic: () => undefined,
      addresses: () => undefined,
      isRouted: () => true,
      netnsExists: () => true,
    };
    const watch = new PortWatch({
      model,
      renew: async () => null,
      tell: ignore,
      changed: ignore,
      lost: ignore,
      moved: () => undefined,
      macChanged: () => undefined,
      stateChanged: () => undefined,
      addressesChanged: ignore,
      machine,
    });
    expect(await faultsOf('port-watch', () => vi.advanceTimersByTimeAsync(1000))).toBe(1);
    expect(looked).toEqual(['good']);
    watch.stop();
  });
});
