import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SwitchEvent } from '../../src/api/api.js';
import { type CliResult, type FakeSwitch, fakeSwitch, overtap, scratch } from './harness.js';

const LEARNED: SwitchEvent = {
  event: 'learned',
  mac: '02:00:00:00:00:01',
  ifname: 'tap1',
  master: 'br1',
  vlan: 2,
  state: 'dynamic',
};
const LINK: SwitchEvent = { event: 'link', ifname: 'tap1', type: 'tap', change: 'up', master: 'br1' };
const LEARNED_LINE = '[FDB] 02:00:00:00:00:01 dev tap1 vlan 2 master br1 learned\n';
const LINK_LINE = '[LINK] tap1 type tap master br1 up\n';

const folder = scratch();
afterAll(() => folder.remove());

let served: FakeSwitch;
let stream: Promise<ServerResponse>;
beforeEach(async () => {
  let opened: (outgoing: ServerResponse) => void;
  stream = new Promise((resolve) => {
    opened = resolve;
  });
  served = await fakeSwitch(folder.file('switch.sock'), (_, outgoing) => {
    outgoing.setHeader('content-type', 'text/event-stream');
    outgoing.flushHeaders();
    opened(outgoing);
  });
});
afterEach(() => served.close());

interface Monitoring {
  /** Everything printed so far, once it holds as many lines. */
  lines(count: number): Promise<string>;
  interrupt(): void;
  readonly result: Promise<CliResult>;
}

function monitor(...words: string[]): Monitoring {
  const controller = new AbortController();
  let printed = '';
  let look = (): void => undefined;
  const result = overtap(
    ['-s', served.socket, 'monitor', ...words],
    {},
    {},
    {
      interrupted: () => controller.signal,
      onOutput(out) {
        printed = out;
        look();
      },
    },
  );
  const lines = (count: number): Promise<string> =>
    new Promise((resolve) => {
      look = () => {
        if (printed.split('\n').length > count) resolve(printed);
      };
      look();
    });
  return { lines, result, interrupt: () => controller.abort() };
}

const tell = async (...events: SwitchEvent[]): Promise<void> => {
  const outgoing = await stream;
  for (const event of events) outgoing.write(`event: ${event.event}\ndata: ${JSON.stringify(event)}\n\n`);
};

describe('monitor', () => {
  it('prints each event when it comes, and ends with 0 when it is interrupted', async () => {
    const running = monitor();
    await tell(LEARNED);
    expect(await running.lines(1)).toBe(LEARNED_LINE);
    await tell(LINK);
    expect(await running.lines(2)).toBe(LEARNED_LINE + LINK_LINE);
    running.interrupt();
    expect(await running.result).toEqual({ status: 0, out: LEARNED_LINE + LINK_LINE, err: '' });
    expect(served.requests).toEqual(['GET /v1/events']);
  });

  it('prints JSON lines', async () => {
    const running = monitor('--json');
    await tell(LEARNED, LINK);
    expect(await running.lines(2)).toBe(`${JSON.stringify(LEARNED)}\n${JSON.stringify(LINK)}\n`);
    running.interrupt();
    expect((await running.result).status).toBe(0);
  });

  it('puts the time before each event', async () => {
    const plain = monitor('--timestamp');
    await tell(LEARNED);
    const out = await plain.lines(1);
    plain.interrupt();
    await plain.result;
    const [, time = '', rest] = /^\[([^\]]+)\] (.*\n)$/.exec(out) ?? [];
    expect(rest).toBe(LEARNED_LINE);
    expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(60_000);
  });

  it('has the time in JSON too', async () => {
    const running = monitor('-t', '--json');
    await tell(LINK);
    const row = JSON.parse(await running.lines(1)) as { timestamp: string };
    running.interrupt();
    await running.result;
    expect(row).toEqual({ ...LINK, timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string });
  });

  it('ends with 3 when the switch goes away', async () => {
    const running = monitor();
    await tell(LEARNED);
    await running.lines(1);
    (await stream).destroy();
    const { status, out, err } = await running.result;
    expect({ status, out }).toEqual({ status: 3, out: LEARNED_LINE });
    expect(err).toMatch(/^overtap: .+\n$/);
  });

  it('ends with 3 when there is none', async () => {
    const { status } = await overtap(['monitor', '-s', folder.file('none.sock')]);
    expect(status).toBe(3);
  });
});

describe('the words of monitor', () => {
  it.each([
    ['all', undefined],
    ['fdb all', undefined],
    ['fdb', 'learned,moved,aged,added,changed,deleted,mac_moves'],
    ['link', 'link'],
    ['mdb', 'mdb'],
    ['miss', 'l2miss,l3miss'],
    ['learned l3miss', 'learned,l3miss'],
    ['learned link moved learned', 'learned,link,moved'],
  ])('%s', async (words, kinds) => {
    const running = monitor(...words.split(' '));
    await stream;
    running.interrupt();
    expect((await running.result).status).toBe(0);
    expect(served.requests).toEqual([`GET /v1/events${kinds === undefined ? '' : `?kinds=${kinds}`}`]);
  });

  it('are known, or what was perhaps meant is named', async () => {
    expect(await monitor('lerned').result).toEqual({
      status: 2,
      out: '',
      err: 'overtap: "monitor" does not know "lerned"; did you mean "learned"?\n',
    });
    expect((await monitor('weather').result).err).toBe(
      'overtap: "monitor" does not know "weather"; it takes fdb, link, loop, stp, mdb, evpn, miss, neigh, vtep, peers, remote, learned, moved, aged, added, changed, deleted, mac_moves, l2miss, l3miss, neigh_conflict, vtep_unknown, path_mtu, lost, all\n',
    );
    expect(served.requests).toEqual([]);
  });
});
