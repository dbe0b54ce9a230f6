/** A switch watched over a client that the test stands in for. */
import { afterEach, expect, it } from 'vitest';
import type { DroppedFrame, StatsAnswer, SwitchEvent } from '../../../src/api/api.js';
import type { SwitchClient } from '../../../src/client/client.js';
import type { Happening, PartName, Parts } from '../../../src/page/model/messages.js';
import { MAX_ROWS } from '../../../src/page/server/listings.js';
import { Watcher } from '../../../src/page/server/watcher.js';

const stats = (entries: number, drops: Record<string, number> = {}): StatsAnswer => {
  const none = { rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0 };
  const counted = { rx_packets: 3, rx_bytes: 300, tx_packets: 2, tx_bytes: 200 };
  return {
    links: { vxlan0: { ...counted, rx_dropped: 1, tx_dropped: 0, drops, remotes: { '192.0.2.7': counted } } },
    drops,
    remotes: {},
    vnis: {},
    replicated: 0,
    tunnel_gso: 0,
    retired: { ...none, rx_dropped: 0, tx_dropped: 0, drops: {} },
    fdb: { entries, learned: 0, moved: 0, aged: 0, refused: 0, evicted: 0, capacity: 65_536 },
    unknown_vteps: [],
    mac_moves: [],
    control: { log_lost: 0, connections_refused: 0, faults: {} },
  };
};

const ARP = `ffffffffffff0200000000010806000108000604000102000000000${'1'}0a000001000000000000${'0a000002'}`;
const drop: DroppedFrame = {
  time: '2026-11-29T12:00:00.000Z',
  port: 'tap1',
  direction: 'rx',
  reason: 'no_pvid',
  length: 42,
  frame: ARP,
  engine: 0,
  number: 1,
};

class Stub {
  answers: Record<string, unknown> = {
    '/v1/stats': stats(1),
    '/v1/info': { name: 'h1', version: '1', pid: 1 },
    '/v1/links': [
      { ifname: 'br1', type: 'bridge', operstate: 'UP', mtu: 1450 },
      {
        ifname: 'vxlan0',
        type: 'vxlan',
        master: 'br1',
        operstate: 'UP',
        mtu: 1450,
        local: '192.0.2.1',
        remotes: ['192.0.2.2'],
        id: 7,
      },
    ],
    '/v1/vlans': { vlans: [{ ifname: 'vxlan0', vlans: [{ vlan: 2, vlanEnd: 3, flags: [] }] }], tunnels: [] },
    '/v1/neigh': [],
    '/v1/fdb': [
      {
        mac: '02:00:00:00:00:01',
        ifname: 'vxlan0',
        master: 'br1',
        dst: '192.0.2.8',
        state: 'dynamic',
        flags: [],
        updated: 4,
        moves: 0,
      },
    ],
    '/v1/drops': [],
  };
  readonly asked: string[] = [];
  fails: Error | undefined;
  send: ((event: SwitchEvent) => void) | undefined;

  readonly client = {
    socketPath: '/x',
    get: async (path: string) => {
      this.asked.push(path);
      if (this.fails !== undefined) throw this.fails;
      return this.answers[path];
    },
    post: async () => undefined,
    events: (signal?: AbortSignal) => this.stream(signal),
    capture: () => {
      throw new Error('no such path');
    },
  } as unknown as SwitchClient;

  private async *stream(signal?: AbortSignal): AsyncGenerator<SwitchEvent> {
    const queue: SwitchEvent[] = [];
    let wake = (): void => undefined;
    this.send = (event) => {
      queue.push(event);
      wake();
    };
    signal?.addEventListener('abort', () => wake());
    while (signal?.aborted !== true) {
      yield* queue.splice(0);
      if (queue.length > 0) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}

const watchers: Watcher[] = [];
afterEach(() => {
  for (const watcher of watchers.splice(0)) watcher.stop();
});

function watch(stub: Stub) {
  const parts: { [P in PartName]?: Parts[P] } = {};
  const changes: PartName[] = [];
  const happenings: Happening[] = [];
  const watcher = new Watcher({
    name: 'h1',
    client: stub.client,
    describe: ({ event }) => `said ${event}`,
    changed: (part, value) => {
      changes.push(part);
      Object.assign(parts, { [part]: value });
    },
    happened: (list) => happenings.push(...list),
    passed: () => undefined,
  });
  watchers.push(watcher);
  watcher.start();
  return { watcher, parts, changes, happenings };
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error('it did not come true');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

it('tells what the switch has: links with their remotes, VTEPs that were met, entries, counters', async () => {
  const { parts } = watch(new Stub());
  await until(() => parts.totals !== undefined);
  expect(parts.health).toMatchObject({ answers: true, version: '1' });
  const vxlan = parts.links?.find(({ name }) => name === 'vxlan0');
  expect(vxlan).toMatchObject({ up: true, local: '192.0.2.1', vni: 7, vlans: ['2-3'], vnis: ['all -> 7'] });
  expect(vxlan?.remotes).toEqual(['192.0.2.2', '192.0.2.7', '192.0.2.8']);
  expect(parts.fdb).toEqual({
    total: 1,
    rows: [{ mac: '02:00:00:00:00:01', port: 'vxlan0', bridge: 'br1', dst: '192.0.2.8', state: 'dynamic', age: 4 }],
  });
  expect(parts.totals?.links.vxlan0).toEqual([3, 300, 2, 200, 0]);
  expect(parts.totals?.remotes).toEqual({ 'vxlan0 192.0.2.7': [3, 300, 2, 200, 0] });
});

it('a part that is as it was is not told again', async () => {
  const { watcher, changes } = watch(new Stub());
  await until(() => changes.includes('totals'));
  watcher.put('neigh', { rows: [], total: 0 });
  expect(changes.filter((part) => part === 'neigh')).toEqual(['neigh']);
});

it('a large FDB is counted, never asked for; of a smaller one some rows are told', async () => {
  const large = new Stub();
  large.answers['/v1/stats'] = stats(1_000_000);
  const one = watch(large);
  await until(() => one.parts.totals !== undefined);
  expect(one.parts.fdb).toEqual({ rows: [], total: 1_000_000 });
  expect(large.asked).not.toContain('/v1/fdb');
  const middle = new Stub();
  middle.answers['/v1/stats'] = stats(3000);
  middle.answers['/v1/fdb'] = Array.from({ length: 3000 }, (_, n) => ({
    mac: `${n}`,
    ifname: 'tap1',
    master: 'br1',
    state: 'dynamic',
  }));
  const other = watch(middle);
  await until(() => other.parts.totals !== undefined);
  expect([other.parts.fdb?.rows.length, other.parts.fdb?.total]).toEqual([MAX_ROWS, 3000]);
});

it('drops are asked for when their counters have grown, and put in words', async () => {
  const stub = new Stub();
  stub.answers['/v1/stats'] = stats(1, { no_pvid: 1 });
  stub.answers['/v1/drops'] = [drop];
  const { parts } = watch(stub);
  await until(() => parts.drops !== undefined);
  expect(parts.drops).toEqual([
    {
      id: '0 no_pvid 1',
      at: Date.parse(drop.time),
      port: 'tap1',
      isReceived: true,
      reason: 'no_pvid',
      length: 42,
      frame: ARP,
      kind: 'ARP',
      text: 'ARP who-has 10.0.0.2 tell 10.0.0.1',
      why: 'Dropped: it has no VLAN tag, and the port has no PVID to give it a VLAN.',
    },
  ]);
  const quiet = new Stub();
  const other = watch(quiet);
  await until(() => other.parts.totals !== undefined);
  expect(quiet.asked).not.toContain('/v1/drops');
});

it('a switch that is gone is told, with the reason, and told again when it is back', async () => {
  const stub = new Stub();
  stub.fails = new Error('no switch answers on /x');
  const { parts } = watch(stub);
  await until(() => parts.health !== undefined);
  expect(parts.health).toMatchObject({ answers: false, reason: 'no switch answers on /x' });
  stub.fails = undefined;
  await until(() => parts.health?.answers === true);
});

it('events are gathered, and beyond a bound counted', async () => {
  const stub = new Stub();
  const { happenings } = watch(stub);
  await until(() => stub.send !== undefined);
  for (let n = 0; n < 1000; n++)
    stub.send?.({ event: 'learned', mac: '02:00:00:00:00:01', ifname: 'tap1', master: 'br1', state: 'dynamic' });
  await until(() => happenings.length > 0);
  expect(happenings[0]).toMatchObject({ kind: 'learned', text: 'said learned', mac: '02:00:00:00:00:01' });
  expect(happenings.length).toBe(61);
  expect(happenings[60].text).toBe('and 940 more, not shown');
});

it('asks nothing after it was stopped', async () => {
  const stub = new Stub();
  const { watcher, parts } = watch(stub);
  await until(() => parts.totals !== undefined);
  watcher.stop();
  const { length } = stub.asked;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(stub.asked.length).toBe(length);
});
