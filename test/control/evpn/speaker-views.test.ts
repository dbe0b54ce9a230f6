import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SpeakerViews } from '../../../src/control/evpn/speaker-views.js';
import type { ToSpeaker } from '../../../src/evpn/contract.js';

const CONFIG = {
  asn: 65000,
  routerId: '192.0.2.1',
  listen: 179,
  neighbors: [],
  vnis: [],
  duplicates: { moves: 5, seconds: 180, hold: 0 },
};

describe('questions to the BGP speaker', () => {
  const posted: ToSpeaker[] = [];
  const thread = { isRunning: true, post: (message: ToSpeaker) => posted.push(message) };
  let asked: SpeakerViews;

  beforeEach(() => {
    vi.useFakeTimers();
    posted.length = 0;
    thread.isRunning = true;
    asked = new SpeakerViews(thread);
  });
  afterEach(() => vi.useRealTimers());

  it('are answered each by its own answer, whatever their order', async () => {
    const { ask, asn, routerId, listen } = asked.of(CONFIG);
    expect({ asn, routerId, listen }).toEqual({ asn: 65000, routerId: '192.0.2.1', listen: 179 });
    const [one, other] = [ask({ ask: 'neighbors' }), ask({ ask: 'vnis' })];
    const ids = posted.map((message) => (message.do === 'ask' ? message.id : -1));
    asked.hear({ tell: 'answer', id: ids[1] as number, vnis: [] });
    asked.hear({ tell: 'answer', id: ids[0] as number, neighbors: [] });
    expect(await one).toEqual({ neighbors: [] });
    expect(await other).toEqual({ vnis: [] });
    // An answer that nobody waits for.
    asked.hear({ tell: 'answer', id: ids[0] as number });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('end with a reason when it does not answer, has ended, or is asked too much', async () => {
    const { ask, order } = asked.of(CONFIG);
    const late = expect(ask({ ask: 'vnis' })).rejects.toMatchObject({ code: 'unavailable', message: /for 5 s/ });
    await vi.advanceTimersByTimeAsync(5000);
    await late;
    const many = Array.from({ length: 64 }, () => expect(ask({ ask: 'vnis' })).rejects.toThrow('has ended'));
    await expect(ask({ ask: 'vnis' })).rejects.toThrow('64 things');
    asked.fail();
    await Promise.all(many);
    expect(vi.getTimerCount()).toBe(0);
    thread.isRunning = false;
    await expect(ask({ ask: 'vnis' })).rejects.toThrow('has ended');
    expect(() => order({ do: 'refresh' })).toThrow('has ended');
  });

  it('orders are passed on', () => {
    asked.of(CONFIG).order({ do: 'reset', neighbor: '192.0.2.9' });
    expect(posted).toEqual([{ do: 'reset', neighbor: '192.0.2.9' }]);
  });
});
