/** Events for a program that does not read them do not heap up. */
import { expect, test } from 'vitest';
import type { SwitchClient } from '../../src/client/client.js';
import { bringEvents } from '../../src/exec/events.js';
import { LinkCache } from '../../src/exec/view.js';

const CALLER = { netns: 1, pid: 2, portid: 3, strict: true };
const LINKS_GROUP = Buffer.from([1, 0, 0, 0]);
const EVENT_BYTES = 512 * 1024;

test('events that a program does not read are lost beyond a bound, and come again when it reads', async () => {
  const said: Buffer[] = [];
  const conversation = {
    unread: 0,
    ask: async () => null,
    say(_word: number, payload = Buffer.alloc(0)) {
      said.push(payload);
      this.unread += EVENT_BYTES;
    },
  };
  async function* events() {
    for (let at = 0; at < 10; at++) yield { event: 'link', change: 'deleted', type: 'vxlan', ifname: `vx${at}` };
    conversation.unread = 0;
    yield { event: 'link', change: 'deleted', type: 'vxlan', ifname: 'last' };
  }
  const client = { events } as unknown as SwitchClient;
  const switches = { of: async () => ({ client, links: new LinkCache(client) }) };
  await bringEvents(switches, CALLER, LINKS_GROUP, conversation, new AbortController().signal);
  expect(said).toHaveLength(4);
  expect(String(said.at(-1))).toContain('last');
});
