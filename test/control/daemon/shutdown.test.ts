import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Shutdown } from '../../../src/control/daemon/shutdown.js';
import { Signals } from '../../../src/control/daemon/signals.js';
import type { Logger } from '../../../src/control/log/logger.js';

/** The handlers of signals: none is sent to the process of the tests. */
let handlers: Map<string, () => void>;

beforeEach(() => {
  vi.useFakeTimers();
  handlers = new Map();
  vi.spyOn(process, 'on').mockImplementation((event, handler) => {
    handlers.set(String(event), handler as () => void);
    return process;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const send = (signal: string): void => handlers.get(signal)?.();

it.each(['SIGTERM', 'SIGINT', 'SIGQUIT'])(
  '%s begins an orderly end, a second signal ends it at once',
  async (signal) => {
    const force = vi.fn();
    const shutdown = new Shutdown(force);
    expect(shutdown.isBegun).toBe(false);
    send(signal);
    expect(shutdown.isBegun).toBe(true);
    expect(await shutdown.status).toBe(0);
    expect(force).not.toHaveBeenCalled();
    send('SIGTERM');
    expect(force).toHaveBeenCalledWith('SIGTERM came a second time');
  },
);

it('an end that hangs is not waited for, one that is done in time is let be', () => {
  const force = vi.fn();
  const hung = new Shutdown(force);
  hung.begin(1);
  vi.advanceTimersByTime(5000);
  expect(force).toHaveBeenCalledTimes(1);
  const quick = new Shutdown(force);
  quick.begin(1);
  quick.done();
  vi.advanceTimersByTime(10_000);
  expect(force).toHaveBeenCalledTimes(1);
});

it('a failure decides about the exit status, and a signal behind it does not', async () => {
  const shutdown = new Shutdown(() => undefined);
  shutdown.begin(1);
  send('SIGTERM');
  expect(await shutdown.status).toBe(1);
});

it('what is asked for during the start is done once the switch runs, and nothing when it ends', () => {
  const signals = new Signals({ level: 'info', info: () => undefined } as unknown as Logger);
  const actions = { reload: vi.fn(), logState: vi.fn() };
  for (let i = 0; i < 3; i++) send('SIGHUP');
  signals.begin(actions);
  expect([actions.reload.mock.calls.length, actions.logState.mock.calls.length]).toEqual([1, 0]);
  send('SIGUSR1');
  send('SIGHUP');
  expect([actions.reload.mock.calls.length, actions.logState.mock.calls.length]).toEqual([2, 1]);
  signals.end();
  send('SIGHUP');
  expect(actions.reload).toHaveBeenCalledTimes(2);
});
