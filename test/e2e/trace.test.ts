/** Traces of a running switch: they say what then happens, and change nothing; with `--apply` it happens. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { clientOf, startWith } from './live-support.js';
import { sniff } from './sniffer.js';
import { type Guest, plainBridge, tapPort } from './topologies.js';
import { makeGuest } from './two-hosts.js';

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

const MAC = '02:00:00:00:77:01';

test('a trace leaves the switch as it was; an applied one is learned from and sent', async () => {
  const host = await world.netns('host');
  const guests: Guest[] = [];
  for (const number of [1, 2]) guests.push(await makeGuest(world, number));
  const [one, two] = guests;
  const sw = await startWith(
    world,
    host,
    'host1',
    `bridges:\n${plainBridge(tapPort('one', one), tapPort('two', two))}`,
  );
  const client = clientOf(sw);
  const request = { port: 'one', description: `src ${MAC} dst broadcast type 0x88b5 len 50` };
  const seen = await sniff(world, two, `ether src ${MAC}`);

  const answer = await client.post('/v1/trace', request);
  expect(answer).toMatchObject({ verdict: 'flooded', copies: [{ port: 'two', verdict: 'sent', length: 64 }] });
  expect(await client.get(`/v1/fdb?mac=${MAC}`)).toEqual([]);

  const applied = await client.post('/v1/trace', { ...request, apply: true });
  expect(applied).toEqual({ ...answer, applied: true });
  expect(await client.get(`/v1/fdb?mac=${MAC}`)).toMatchObject([{ mac: MAC, ifname: 'one', state: 'dynamic' }]);
  await until('the frame at the other guest', () => seen.packets.length > 0);
  expect(seen.packets.length).toBe(1);
});
