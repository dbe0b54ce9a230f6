import { describe, expect, test } from 'vitest';
import type { SwitchEvent } from '../../../src/api/api.js';
import type { EventOptions } from '../../../src/client/client.js';
import { ControlProgram, type Resident } from '../../../src/lab/checks/control-program.js';
import { EventLog, readEvents } from '../../../src/lab/checks/event-log.js';
import type { SwitchClient } from '../../../src/lab/setup/environment.js';
import { becomesTrue } from '../../../src/lab/testbed/wait.js';

const DEV = 'vxlan0';
const TABLE: readonly Resident[] = [
  { address: '10.0.0.2', mac: '02:00:00:00:00:02', vtep: '192.0.2.2' },
  { address: 'fd00::2', mac: '02:00:00:00:00:02', vtep: '192.0.2.2' },
  { address: '10.0.0.254', mac: '02:00:00:00:00:fe', vtep: '192.0.2.3', router: true },
];

const l3miss = (dst: string, ifname = DEV): SwitchEvent => ({ event: 'l3miss', dst, ifname, vni: 42 });
const l2miss = (mac: string, ifname = DEV): SwitchEvent => ({ event: 'l2miss', mac, ifname, vni: 42 });

/** A switch that sends given events and records requests. */
class FakeSwitch implements SwitchClient {
  readonly posts: { path: string; body: unknown }[] = [];
  readonly asked: (readonly string[] | undefined)[] = [];
  refusal: Error | null = null;
  #queue: SwitchEvent[] = [];
  #wake = (): void => {};
  #isGone = false;

  send(...events: SwitchEvent[]): void {
    this.#queue.push(...events);
    this.#wake();
  }

  go(): void {
    this.#isGone = true;
    this.#wake();
  }

  get<T>(): Promise<T> {
    return Promise.reject(new Error('the test expects no get'));
  }

  post<T>(path: string, body: unknown): Promise<T> {
    if (this.refusal) return Promise.reject(this.refusal);
    this.posts.push({ path, body });
    return Promise.resolve(undefined as T);
  }

  async *events(signal?: AbortSignal, options: EventOptions = {}): AsyncGenerator<SwitchEvent, void, undefined> {
    this.asked.push(options.kinds);
    if (this.#isGone) throw new Error('no switch answers');
    signal?.addEventListener('abort', () => this.#wake());
    options.onOpen?.();
    for (;;) {
      const event = this.#queue.shift();
      if (event !== undefined) yield event;
      else if (signal?.aborted) return;
      else if (this.#isGone) throw new Error('the switch has gone');
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

const limitMs = 10_000;
const settled = (condition: () => boolean): Promise<boolean> => becomesTrue(condition, { limitMs, everyMs: 1 });

describe('the control program', () => {
  test('subscribes to misses only, and adds neighbours and FDB entries from its table', async () => {
    const sw = new FakeSwitch();
    const program = await ControlProgram.start(sw, DEV, TABLE);
    expect(sw.asked).toEqual([['l2miss', 'l3miss']]);
    sw.send(l3miss('10.0.0.2'), l2miss('02:00:00:00:00:02'), l3miss('fd00::2'), l3miss('10.0.0.254'));
    await settled(() => sw.posts.length === 4);
    await program.stop();
    const neigh = { op: 'replace', dev: DEV, lladdr: '02:00:00:00:00:02', router: false };
    expect(sw.posts).toEqual([
      { path: '/v1/neigh', body: { ...neigh, dst: '10.0.0.2' } },
      { path: '/v1/fdb', body: { op: 'replace', dev: DEV, mac: '02:00:00:00:00:02', dst: '192.0.2.2' } },
      { path: '/v1/neigh', body: { ...neigh, dst: 'fd00::2' } },
      { path: '/v1/neigh', body: { ...neigh, dst: '10.0.0.254', lladdr: '02:00:00:00:00:fe', router: true } },
    ]);
    expect(program.answered).toEqual({ neighbours: 3, entries: 1, unknown: 0 });
  });

  test('counts misses without an answer, and ignores other ports and events', async () => {
    const sw = new FakeSwitch();
    const program = await ControlProgram.start(sw, DEV, TABLE);
    sw.send(l3miss('10.0.0.9'), l2miss('02:00:00:00:00:09'));
    sw.send(l3miss('10.0.0.2', 'vxlan1'), l2miss('02:00:00:00:00:02', 'vxlan1'), { event: 'lost', count: 3 });
    sw.send(l2miss('02:00:00:00:00:fe'));
    await settled(() => program.answered.entries === 1);
    await program.stop();
    expect(sw.posts).toHaveLength(1);
    expect(program.answered).toEqual({ neighbours: 0, entries: 1, unknown: 2 });
  });

  test('reports on stop that the switch has refused an entry', async () => {
    const sw = new FakeSwitch();
    sw.refusal = new Error('the table is full');
    const program = await ControlProgram.start(sw, DEV, TABLE);
    sw.send(l2miss('02:00:00:00:00:02'));
    await expect(program.stop()).rejects.toThrow('the table is full');
    expect(program.answered.entries).toBe(0);
  });

  test('does not start without a switch', async () => {
    const sw = new FakeSwitch();
    sw.go();
    await expect(ControlProgram.start(sw, DEV, TABLE)).rejects.toThrow('no switch answers');
  });
});

describe('a log of events', () => {
  test('keeps them in order, by kind, until it is stopped', async () => {
    const sw = new FakeSwitch();
    const log = await EventLog.open(sw, ['l2miss', 'l3miss']);
    sw.send(l3miss('10.0.0.2'), l2miss('02:00:00:00:00:02'), l3miss('10.0.0.3'));
    expect(await log.sees(() => log.events.length === 3, new AbortController().signal, limitMs)).toBe(true);
    await log.stop();
    await log.stop();
    sw.send(l3miss('10.0.0.4'));
    expect(log.of('l3miss').map(({ dst }) => dst)).toEqual(['10.0.0.2', '10.0.0.3']);
    expect(log.of('l2miss').map(({ mac }) => mac)).toEqual(['02:00:00:00:00:02']);
    expect(log.of('aged')).toEqual([]);
  });

  test('has a bound, and fails when it is reached', async () => {
    const sw = new FakeSwitch();
    const log = await EventLog.open(sw, ['l3miss']);
    sw.send(...Array<SwitchEvent>(10_001).fill(l3miss('10.0.0.2')));
    await settled(() => log.events.length === 10_000);
    await expect(log.stop()).rejects.toThrow('more than 10000 events');
  });

  test('the next event is taken when the previous one is finished', async () => {
    const sw = new FakeSwitch();
    const order: string[] = [];
    const reading = await readEvents(sw, ['l3miss'], async (event) => {
      order.push(`take ${event.event}`);
      await Promise.resolve();
      order.push('done');
    });
    sw.send(l3miss('10.0.0.2'), l3miss('10.0.0.3'));
    await settled(() => order.length === 4);
    sw.go();
    await expect(reading.stop()).resolves.toBeUndefined();
    expect(order).toEqual(['take l3miss', 'done', 'take l3miss', 'done']);
  });
});
