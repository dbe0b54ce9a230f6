/** A guest that sends reports as fast as it can costs the control thread a bounded time in one go, and nobody else's frame. */
import { expect, it, vi } from 'vitest';
import { PuntFeed } from '../../../src/control/events/punt-feed.js';
import { PUNT_IGMP, PuntReader, PuntRing } from '../../../src/dataplane/state/punt-ring.js';
import { viewOf } from '../../../src/wire/bytes.js';

const FRAMES = 100;
const frame = viewOf(new Uint8Array(60));

/** @param cost milliseconds of a frame */
function feeding(rings: PuntRing[], cost: number) {
  let now = 0;
  const heard: number[] = [];
  const publish = vi.fn();
  const feed = new PuntFeed(
    {
      model: {} as never,
      punts: new PuntReader(rings.map(({ memory }) => memory)),
      multicast: {
        hear: ({ port }) => {
          heard.push(port);
          now += cost;
        },
        publish,
      },
      loops: { hear: () => undefined },
      trees: { hear: () => undefined, publish: () => undefined },
      tell: () => undefined,
      ownTunnel: () => undefined,
    },
    () => now,
  );
  return { feed, heard, publish };
}

it('reads for a while only, and goes on when others have had their turn', () => {
  vi.useFakeTimers();
  const ring = new PuntRing();
  const { feed, heard, publish } = feeding([ring], 1);
  for (let i = 0; i < FRAMES; i++) ring.push(PUNT_IGMP, 1, 0, 0, frame, 0, 60);
  feed.drain();
  expect([heard.length, publish.mock.calls.length]).toEqual([10, 1]);
  // A further notification makes no second chain of turns.
  feed.drain();
  expect([heard.length, vi.getTimerCount()]).toEqual([20, 1]);
  vi.runAllTimers();
  expect([heard.length, publish.mock.calls.length, vi.getTimerCount()]).toEqual([FRAMES, 10, 0]);
  vi.useRealTimers();
});

it('takes from all engines in turn', () => {
  vi.useFakeTimers();
  const rings = [new PuntRing(), new PuntRing()];
  const { feed, heard } = feeding(rings, 1);
  for (let i = 0; i < FRAMES; i++) rings[0].push(PUNT_IGMP, 1, 0, 0, frame, 0, 60);
  for (let i = 0; i < 3; i++) rings[1].push(PUNT_IGMP, 2, 0, 0, frame, 0, 60);
  feed.drain();
  expect(heard).toEqual([1, 2, 1, 2, 1, 2, 1, 1, 1, 1]);
  vi.useRealTimers();
});
