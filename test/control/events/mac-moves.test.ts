/** MACs that move too often: reported once until stable, remembered with their ports, limited in number. */
import { afterEach, expect, it } from 'vitest';
import type { SwitchEvent } from '../../../src/api/api.js';
import { EventFeed } from '../../../src/control/events/event-feed.js';
import { NoticeLimit } from '../../../src/control/events/notice-limit.js';
import type { SwitchModel } from '../../../src/control/model/model.js';
import { destinationOf } from '../../../src/dataplane/state/destination.js';
import { fidOf } from '../../../src/dataplane/state/fid.js';
import { createRemotes } from '../../../src/encap/remotes.js';
import { FdbEvents } from '../../../src/fdb/events.js';
import { createFdb } from '../../../src/fdb/table.js';

const LIMIT = 10;
let feed: EventFeed | undefined;

afterEach(() => feed?.stop());

function scene() {
  const fdb = createFdb({ capacity: 1024, events: 4096 });
  const ports = [1, 2].map((index) => ({ kind: 'tap', index, name: `t${index}` }));
  const bridge = { index: 1, name: 'br0', config: { mac_move_limit: LIMIT } };
  const model = {
    portAt: [undefined, ...ports],
    ports: new Map(ports.map((port) => [port.name, port])),
    bridgeAt: [undefined, bridge],
    bridges: new Map([['br0', bridge]]),
  } as unknown as SwitchModel;
  const restless: SwitchEvent[] = [];
  const made = new EventFeed({
    model,
    remotes: createRemotes(),
    events: FdbEvents.attach(fdb.memory),
    moved: () => 0,
    restless: (event) => restless.push(event),
  });
  feed = made;
  const move = (low: number, times: number): void => {
    for (let n = 0; n <= times; n++) fdb.learn(0x0200, low, fidOf(1, 2), destinationOf(1 + (n % 2), 0), 1 + (n % 2), n);
    made.drain();
  };
  return { feed: made, move, restless };
}

it('a MAC above the limit is named with its ports, once', () => {
  const { feed, move, restless } = scene();
  move(1, LIMIT);
  expect(restless).toEqual([]);
  move(2, LIMIT + 5);
  const named = { mac: '02:00:00:00:00:02', master: 'br0', vlan: 2, moves: LIMIT + 1, ports: ['t2', 't1'] };
  expect(restless).toEqual([{ event: 'mac_moves', ...named }]);
  expect(feed.macMoves).toEqual([{ ...named, last: expect.stringMatching(/^\d{4}-/) }]);
});

it('of any number the latest few are remembered', () => {
  const { feed, move } = scene();
  for (let low = 1; low <= 200; low++) move(low, LIMIT + 1);
  expect(feed.macMoves).toHaveLength(64);
  expect(feed.macMoves[0]?.mac).toBe('02:00:00:00:00:c8');
});

it('what is said too often is held back, and counted for the next time', () => {
  const clock = { ms: 0 };
  const limit = new NoticeLimit(2, 1000, () => clock.ms);
  const said: number[] = [];
  for (let n = 0; n < 10; n++) limit.offer((heldBack) => said.push(heldBack));
  clock.ms = 999;
  limit.offer((heldBack) => said.push(heldBack));
  clock.ms = 1000;
  limit.offer((heldBack) => said.push(heldBack));
  expect(said).toEqual([0, 0, 9]);
});
