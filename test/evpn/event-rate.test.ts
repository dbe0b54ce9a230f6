/** Events of the RIB are told ten times a second, however fast a neighbour makes them. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { FromSpeaker } from '../../src/evpn/contract.js';
import type { EventMessage } from '../../src/evpn/rib/contract.js';
import { createRib } from '../../src/evpn/rib/rib.js';
import { Speaker } from '../../src/evpn/speaker.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('tells events with the tick, not with each change', () => {
  const rib = createRib();
  const event: EventMessage = { tell: 'duplicate', vni: 100, mac: '02:00:00:00:00:01', between: [null, '192.0.2.2'] };
  rib.events = () => [event];
  const told: FromSpeaker[] = [];
  const speaker = new Speaker({ tell: (message) => told.push(message), now: () => 0, random: () => 0, rib });
  const config = { asn: 65000, routerId: '192.0.2.1', listen: 0, neighbors: [], vnis: [] };
  speaker.hear({ do: 'configure', config: { ...config, duplicates: { moves: 5, seconds: 180, hold: 0 } } });
  for (let i = 0; i < 1000; i++) {
    speaker.hear({ do: 'taken' });
    vi.advanceTimersByTime(0);
  }
  vi.advanceTimersByTime(1000);
  expect(told.filter(({ tell }) => tell === 'duplicate')).toHaveLength(10);
  speaker.hear({ do: 'stop', restarts: false });
});
