import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SwitchEvent } from '../../src/api/api.js';
import { createClient, SwitchRefused, SwitchUnreachable } from '../../src/client/client.js';
import { NoEvents, readEvents } from '../../src/client/event-reader.js';
import { type Harness, harness, until } from '../control/http/server-harness.js';

let server: Harness;
let broken: Server | undefined;
beforeEach(async () => {
  server = await harness({ eventStreams: 2 });
});
afterEach(async () => {
  await server.close();
  await new Promise<void>((resolve) => (broken === undefined ? resolve() : broken.close(() => resolve())));
  broken = undefined;
});

const missed = (mac: string): SwitchEvent => ({ event: 'l2miss', mac, ifname: 'vxlan0' });

describe('following events', () => {
  it('gives them one by one, from when it says so', async () => {
    const stop = new AbortController();
    const got: SwitchEvent[] = [];
    const events = createClient(server.path).events(stop.signal, {
      onOpen: () => {
        server.controls.emit(missed('02:00:00:00:00:01'));
        server.controls.emit({ event: 'lost', count: 2 });
      },
    });
    for await (const event of events) {
      got.push(event);
      if (got.length === 2) stop.abort();
    }
    expect(got).toEqual([missed('02:00:00:00:00:01'), { event: 'lost', count: 2 }]);
    await until('the stream is closed', async () => (await server.server.connections()) === 0);
  });

  it('asks for the kinds wanted', async () => {
    const events = createClient(server.path).events(undefined, {
      kinds: ['mdb', 'l2miss'],
      onOpen: () => {
        server.controls.emit({ event: 'link', ifname: 'tap1', type: 'tap', change: 'up' });
        server.controls.emit(missed('02:00:00:00:00:01'));
      },
    });
    for await (const event of events) {
      expect(event).toEqual(missed('02:00:00:00:00:01'));
      break;
    }
    await until('leaving the loop closes it', async () => (await server.server.connections()) === 0);
  });

  it('ends at once when it was stopped before', async () => {
    const got: SwitchEvent[] = [];
    for await (const event of createClient('/nowhere').events(AbortSignal.abort())) got.push(event);
    expect(got).toEqual([]);
  });

  it('says when no switch answers, when it refuses and when it goes away', async () => {
    const first = (path: string) => createClient(path).events().next();
    await expect(first(`${server.path}.none`)).rejects.toMatchObject({
      name: 'SwitchUnreachable',
      message: expect.stringContaining(`no switch answers on ${server.path}.none`),
    });

    let open = 0;
    const opened = () => void open++;
    const streams = [1, 2].map(() => createClient(server.path).events(undefined, { onOpen: opened }).next());
    await until('both are open', () => open === 2);
    await expect(first(server.path)).rejects.toSatisfy(
      (error) => error instanceof SwitchRefused && error.status === 503 && error.code === 'overloaded',
    );

    const ends = Promise.allSettled(streams);
    await server.server.close();
    for (const end of await ends) {
      expect(end).toMatchObject({
        status: 'rejected',
        reason: {
          name: 'SwitchUnreachable',
          message: `the switch on ${server.path} has gone; no more events will come`,
        },
      });
    }
  });

  it('sees a switch that dies, is silent from the start or is none', async () => {
    const socket = `${server.path}.broken`;
    broken = createServer((incoming, outgoing) => {
      if (incoming.url === '/v1/events') outgoing.write(': ok\n\n', () => incoming.socket.destroy());
      else if (incoming.url === '/v1/events?kinds=mdb') outgoing.end('data: <html>\n\n');
    });
    await new Promise<void>((resolve) => broken?.listen(socket, resolve));
    const failing = (kinds?: ['mdb' | 'link'], deadlineMs = 10_000) =>
      createClient(socket, { deadlineMs })
        .events(undefined, kinds === undefined ? {} : { kinds })
        .next();
    await expect(failing()).rejects.toMatchObject({ message: expect.stringContaining('has gone') });
    await expect(failing(['link'], 100)).rejects.toMatchObject({
      message: expect.stringContaining('did not answer within 0.1 s'),
    });
    await expect(failing(['mdb'])).rejects.toMatchObject({
      message: expect.stringContaining('is not an overtap switch'),
    });
    await expect(failing(['mdb'])).rejects.toBeInstanceOf(SwitchUnreachable);
  });
});

describe('reading the stream', () => {
  const read = async (pieces: readonly string[]): Promise<SwitchEvent[]> => {
    const bytes = (async function* () {
      for (const piece of pieces) yield Buffer.from(piece, 'latin1');
    })();
    const got: SwitchEvent[] = [];
    for await (const event of readEvents(bytes)) got.push(event);
    return got;
  };

  it('does not depend on how it is cut', async () => {
    const events = [missed('02:00:00:00:00:01'), { ...missed('02:00:00:00:00:02'), ifname: 'vxlanü' } as SwitchEvent];
    const text = `: ok\n\n${events.map((event) => `event: l2miss\ndata: ${JSON.stringify(event)}\n\n`).join(': ping\n\n')}`;
    const bytes = Buffer.from(text).toString('latin1');
    expect(await read([bytes])).toEqual(events);
    expect(await read([...bytes])).toEqual(events);
    expect(await read([bytes.slice(0, 50), bytes.slice(50, 51), bytes.slice(51)])).toEqual(events);
  });

  it('takes in no message without an end', async () => {
    await expect(read(['data: ', 'x'.repeat(1024 * 1024)])).rejects.toBeInstanceOf(NoEvents);
  });
});
