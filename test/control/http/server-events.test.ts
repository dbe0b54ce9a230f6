import { afterEach, describe, expect, it } from 'vitest';
import type { SwitchEvent } from '../../../src/api/api.js';
import type { Limits } from '../../../src/control/http/server-limits.js';
import { ask, askJson, type Harness, harness, pause, RawClient, until } from './server-harness.js';

let server: Harness;
const start = async (limits: Partial<Limits> = {}): Promise<void> => {
  server = await harness(limits);
};
afterEach(() => server.close());

const learned = (mac: string): SwitchEvent => ({
  event: 'learned',
  mac,
  ifname: 'tap1',
  master: 'br0',
  state: 'dynamic',
});
const missed: SwitchEvent = { event: 'l2miss', mac: '02:00:00:00:00:09', ifname: 'vxlan0', vni: 2 };

async function reader(query = '', reading = true): Promise<RawClient> {
  const before = server.controls.listeners.size;
  const client = await RawClient.connect(server.path, reading);
  client.write(`GET /v1/events${query} HTTP/1.1\r\n\r\n`);
  if (reading) await until('the stream is open', () => client.text.includes(': ok\n\n'));
  else await until('the stream is open', () => server.controls.listeners.size > 0 || before > 0);
  return client;
}

/** The events in what a client has read, without the chunks' lengths. */
function eventsOf(text: string): SwitchEvent[] {
  return [...text.matchAll(/^data: (.*)\n\n/gm)].map(([, json]) => JSON.parse(json as string) as SwitchEvent);
}

describe('the event stream', () => {
  it('says that it has begun, then each event with its kind', async () => {
    await start();
    const client = await reader();
    server.controls.emit(learned('02:00:00:00:00:01'));
    server.controls.emit(missed);
    await until('both have come', () => eventsOf(client.text).length === 2);
    expect(client.text).toMatch(/^HTTP\/1.1 200 OK\r\ncontent-type: text\/event-stream\r\n/);
    expect(client.text).toContain(`event: learned\ndata: ${JSON.stringify(learned('02:00:00:00:00:01'))}\n\n`);
    expect(client.text).toContain(`event: l2miss\ndata: ${JSON.stringify(missed)}\n\n`);
    client.end();
  });

  it('carries only the kinds asked for, and always what was lost', async () => {
    await start();
    const some = await reader('?kinds=l2miss,moved');
    const all = await reader();
    for (const event of [learned('02:00:00:00:00:01'), missed, { event: 'lost', count: 3 } as const]) {
      server.controls.emit(event);
    }
    await until('all have come', () => eventsOf(all.text).length === 3);
    expect(eventsOf(some.text)).toEqual([missed, { event: 'lost', count: 3 }]);
    some.end();
    all.end();
    expect(await askJson(server.path, 'GET', '/v1/events?kinds=learned,forgotten')).toMatchObject({
      status: 400,
      value: { error: { message: expect.stringContaining('found "forgotten"') } },
    });
  });

  it('listens to the switch only while somebody reads', async () => {
    await start();
    expect(server.controls.listeners.size).toBe(0);
    const one = await reader();
    const two = await reader();
    expect(server.controls.listeners.size).toBe(1);
    one.end();
    two.end();
    await until('nobody reads', () => server.controls.listeners.size === 0);
    const three = await reader();
    expect(server.controls.listeners.size).toBe(1);
    three.end();
  });

  it('does not tell a reader what was before it', async () => {
    await start();
    const one = await reader();
    const connected = await RawClient.connect(server.path);
    server.controls.emit(learned('02:00:00:00:00:01'));
    await until('it has come', () => eventsOf(one.text).length === 1);
    connected.write('GET /v1/events HTTP/1.1\r\n\r\n');
    await until('the stream is open', () => connected.text.includes(': ok'));
    server.controls.emit(missed);
    await until('it has come', () => eventsOf(connected.text).length > 0);
    expect(eventsOf(connected.text)).toEqual([missed]);
    one.end();
    connected.end();
  });

  it('gives a sign of life when nothing happens, and stays open', async () => {
    await start({ pingMs: 30, sendIdleMs: 50, requestMs: 500, headerMs: 500, checkMs: 10, keepAliveMs: 20 });
    const client = await reader();
    await until('some pings', () => client.text.split(': ping\n\n').length > 31, 15_000);
    expect(client.closed).toBe(false);
    client.end();
  });

  it('drops events for a reader that does not keep up, and tells how many', async () => {
    await start();
    const slow = await reader('', false);
    const quick = await reader();
    const count = 40_000;
    for (let i = 0; i < count; i++) {
      server.controls.emit(
        learned(`02:00:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`),
      );
      if (i % 500 === 0) await pause(0);
    }
    await until('the quick one has all', () => eventsOf(quick.text).length === count, 20_000);
    slow.read();
    await until('the slow one is told', () => eventsOf(slow.text).some(({ event }) => event === 'lost'));
    server.controls.emit(missed);
    await until('it goes on', () => eventsOf(slow.text).at(-1)?.event === 'l2miss');
    const got = eventsOf(slow.text);
    const lost = got.filter((event) => event.event === 'lost').reduce((sum, event) => sum + event.count, 0);
    const told = got.filter(({ event }) => event === 'learned').length;
    expect(lost + told).toBe(count);
    expect(lost).toBeGreaterThan(10_000);
    // What it missed is told where it is missing: the events before the first gap are the first ones.
    const gap = got.findIndex(({ event }) => event === 'lost');
    expect(got.slice(0, gap)).toEqual(eventsOf(quick.text).slice(0, gap));
    slow.end();
    quick.end();
  });

  it('a burst within one pass of the event loop is bounded as well', async () => {
    await start();
    const slow = await reader('', false);
    const heap = process.memoryUsage().rss;
    for (let i = 0; i < 300_000; i++) server.controls.emit(learned('02:00:00:00:00:01'));
    expect(process.memoryUsage().rss - heap).toBeLessThan(150 * 1024 * 1024);
    slow.read();
    await until('it is told', () => eventsOf(slow.text).some(({ event }) => event === 'lost'));
    // What is not lost comes before it and behind it; an event of another kind is the last.
    server.controls.emit(missed);
    await until('it goes on', () => eventsOf(slow.text).at(-1)?.event === 'l2miss');
    const got = eventsOf(slow.text);
    const lost = got.filter((event) => event.event === 'lost').reduce((sum, event) => sum + event.count, 0);
    expect(lost + got.filter(({ event }) => event === 'learned').length).toBe(300_000);
    slow.end();
  });

  it('a reader that takes nothing for a while is cut off', async () => {
    await start({ pingMs: 20, eventStallMs: 1000 });
    const stuck = await reader('', false);
    const quick = await reader();
    const fill = async (): Promise<boolean> => {
      for (let i = 0; i < 500; i++) server.controls.emit(learned('02:00:00:00:00:01'));
      return (await server.server.connections()) === 1;
    };
    await until('only the other is left', fill, 20_000);
    expect(quick.closed).toBe(false);
    stuck.end();
    quick.end();
  });

  it('is given to so many and no more', async () => {
    await start({ eventStreams: 3 });
    const readers = [await reader(), await reader(), await reader()];
    expect(await askJson(server.path, 'GET', '/v1/events')).toEqual({
      status: 503,
      value: { error: { code: 'overloaded', message: '3 clients read events already; end one of them first' } },
    });
    readers[0]?.end();
    await until('there is room again', async () => (await server.server.connections()) === 2);
    readers.push(await reader());
    expect((await ask(server.path, 'GET', '/v1/info')).status).toBe(200);
    for (const client of readers) client.end();
  });

  it('ends with the server', async () => {
    await start();
    const client = await reader();
    const began = performance.now();
    await server.server.close();
    await until('it has ended', () => client.closed);
    expect(performance.now() - began).toBeLessThan(4000);
    expect(server.controls.listeners.size).toBe(0);
  });
});
