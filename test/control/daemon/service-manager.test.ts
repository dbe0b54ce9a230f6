/** What the service manager is told, and when its watchdog is fed. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ServiceManager, type ServiceState } from '../../../src/control/daemon/service-manager.js';
import { progress } from '../../../src/control/guard.js';
import { statusText } from '../../../src/control/daemon/state-line.js';

let told: string[];
let failures: unknown[];
/** Errors that the next notices meet. */
let refusals: string[];
let ticks: number[];
let status: string;

beforeEach(() => {
  vi.useFakeTimers();
  [told, failures, refusals, ticks, status] = [[], [], [], [5, 9], 'Forwarding: 2 ports'];
});
afterEach(() => vi.useRealTimers());

const state: ServiceState = { status: () => status, engineTicks: () => ticks };

function manager(watchdogMs: number | null = null): ServiceManager {
  const send = (text: string): void => {
    const code = refusals.shift();
    if (code !== undefined) throw Object.assign(new Error(code), { code });
    told.push(text);
  };
  return new ServiceManager(send, watchdogMs, (error) => failures.push(error));
}

/** Time passes, while all engines but those named work. */
function pass(ms: number, ...stuck: number[]): void {
  for (let gone = 0; gone < ms; gone += 50) {
    vi.advanceTimersByTime(50);
    ticks = ticks.map((tick, engine) => (stuck.includes(engine) ? tick : tick + 1));
  }
}

const fed = (): number => told.filter((text) => text === 'WATCHDOG=1').length;

describe('a service manager', () => {
  it('hears that the switch is ready, and each changed status', () => {
    manager().ready(state);
    pass(11_000);
    status = 'Forwarding: 2 ports, down: tap1\nREADY=0';
    pass(11_000);
    expect(told).toEqual(['READY=1\nSTATUS=Forwarding: 2 ports', 'STATUS=Forwarding: 2 ports, down: tap1 READY=0']);
  });

  it('hears of the process that runs the switch next, and nothing after that', () => {
    const one = manager(1000);
    one.ready(state);
    pass(1000);
    told = [];
    one.successor(4711);
    pass(20_000);
    progress();
    one.stopping();
    expect(told).toEqual(['MAINPID=4711']);
  });

  it('hears of the begin of a reload with the time, and of its end, whatever it is', async () => {
    const one = manager();
    let end: () => void = () => undefined;
    const work = new Promise<void>((resolve) => {
      end = resolve;
    });
    const before = process.hrtime.bigint() / 1000n;
    const reload = one.reload(() => work);
    expect(told).toHaveLength(1);
    const [, usec = '0'] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(told[0] ?? '') ?? [];
    expect(BigInt(usec) - before).toBeLessThan(10_000_000n);
    end();
    await reload;
    await expect(one.reload(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(told.filter((text) => text === 'READY=1')).toHaveLength(2);
  });

  it('hears that the switch ends, and no more after it', () => {
    const one = manager(1000);
    one.ready(state);
    one.stopping();
    status = 'other';
    pass(20_000);
    expect(told.slice(-1)).toEqual(['STOPPING=1']);
  });

  it('hears why the switch does not start, in one line', () => {
    manager().refused('no device\nREADY=1');
    expect(told).toEqual(['STATUS=no device READY=1']);
  });

  it('that is busy hears it later, in order', () => {
    refusals = ['EAGAIN', 'ECONNREFUSED'];
    const one = manager();
    one.ready(state);
    one.stopping();
    expect(told).toEqual([]);
    pass(600);
    expect(told.map((text) => text.slice(0, 5))).toEqual(['READY', 'STOPP']);
    expect(failures).toEqual([]);
  });

  it('that is deaf is told no more than it can hold', () => {
    refusals = Array.from({ length: 10_000 }, () => 'EAGAIN');
    const one = manager(100);
    one.ready(state);
    pass(60_000);
    refusals = [];
    pass(300);
    expect(told.length).toBeLessThan(30);
  });

  it('that is gone is given up, with one word', () => {
    refusals = ['ENOENT'];
    const one = manager(1000);
    one.ready(state);
    one.stopping();
    pass(5000);
    expect([told, failures.length]).toEqual([[], 1]);
  });
});

describe('the watchdog', () => {
  it('is fed at half of its time', () => {
    manager(3000).ready(state);
    pass(15_000);
    expect(fed()).toBe(11); // at once, and every 1.5 s
  });

  it.each([0, 1])('is not fed while engine %i stands still, and again when it moves', (engine) => {
    manager(3000).ready(state);
    pass(3000);
    const before = fed();
    pass(60_000, engine);
    expect(fed() - before).toBeLessThanOrEqual(1);
    const during = fed();
    pass(600);
    expect(fed()).toBe(during + 1);
  });

  it('is fed soon after the whole process was stopped for a while', () => {
    manager(3000).ready(state);
    ticks = [5, 9];
    pass(1500, 0, 1); // the timer comes before the engines have had their turn
    const before = fed();
    pass(400);
    expect(fed() - before).toBe(1);
  });

  it('is fed between the steps of long work, when its time has come', () => {
    manager(3000).ready(state);
    const began = performance.now();
    const clock = vi.spyOn(performance, 'now');
    let steps = 0;
    for (let ms = 100; ms <= 30_000; ms += 100) {
      clock.mockReturnValue(began + ms);
      ticks = ticks.map((tick) => tick + 1);
      progress();
      steps++;
    }
    clock.mockRestore();
    expect([steps, fed()]).toEqual([300, 21]);
  });

  it('is not fed by long work while an engine stands still', () => {
    manager(3000).ready(state);
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 10_000);
    for (let i = 0; i < 10; i++) progress();
    clock.mockRestore();
    expect(fed()).toBe(1);
  });

  it('is left alone where the manager has none', () => {
    manager().ready(state);
    pass(60_000);
    expect(fed()).toBe(0);
  });
});

describe('the environment', () => {
  const watchdogOf = (env: Record<string, string>): unknown => {
    const one = ServiceManager.of({ NOTIFY_SOCKET: '/none', ...env }, 42, () => undefined);
    return (one as unknown as { watchdogMs: number | null }).watchdogMs;
  };

  it('says whether there is a watchdog, and for whom', () => {
    expect(watchdogOf({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '42' })).toBe(30_000);
    expect(watchdogOf({ WATCHDOG_USEC: '30000000' })).toBe(30_000);
    expect(watchdogOf({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '43' })).toBeNull();
    for (const bad of ['', 'x', '0', '-5', 'Infinity']) expect(watchdogOf({ WATCHDOG_USEC: bad })).toBeNull();
  });

  it('without a manager, or with one that cannot be, ends nothing', () => {
    for (const socket of ['', '/none', 'relative', '@', `/${'x'.repeat(500)}`, 'vsock:2:1234']) {
      const one = ServiceManager.of({ NOTIFY_SOCKET: socket }, 42, (error) => failures.push(error));
      one.ready(state);
      one.stopping();
    }
    expect(failures).toHaveLength(5);
  });
});

it('the status names ports that are down', () => {
  const port = (ifname: string, operstate: 'UP' | 'DOWN') => ({ ifname, type: 'tap' as const, operstate });
  expect(statusText([])).toBe('Forwarding: 0 ports');
  expect(statusText([{ ifname: 'br0', type: 'bridge', operstate: 'DOWN' }, port('a', 'UP')])).toBe(
    'Forwarding: 1 port',
  );
  expect(statusText([port('a', 'DOWN'), port('b', 'UP'), port('c', 'DOWN')])).toBe('Forwarding: 3 ports, down: a c');
});
