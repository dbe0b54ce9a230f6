/** Flushes by state, including flood lists, and the count of learned entries. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { FdbRequest } from '../../../src/api/api.js';
import type { VxlanPort } from '../../../src/control/model/model.js';
import { FdbReader } from '../../../src/fdb/table.js';
import { frame } from '../../dataplane/support/frames.js';
import { FDB_SIZE, LiveSwitch } from './live-switch.js';

const R1 = '192.0.2.1';
const R2 = '192.0.2.2';
const MAC = '02:00:00:00:00:0a';
const ZERO = '00:00:00:00:00:00';
const DOCUMENT = {
  name: 'live',
  fdb_size: FDB_SIZE,
  bridges: {
    br1: {
      fdb_max_learned: 3,
      ageing_time: 10,
      ports: {
        t1: { type: 'tap' },
        v1: { type: 'vxlan', id: 50, remotes: [R1, R2], fdb: [{ mac: MAC, dst: R1 }] },
      },
    },
  },
};

let live: LiveSwitch;

beforeEach(async () => {
  live = await LiveSwitch.start(DOCUMENT);
});

afterEach(() => live.stop());

const flush = (words: Omit<Extract<FdbRequest, { op: 'flush' }>, 'op'>) => live.controls.fdb({ op: 'flush', ...words });
const rows = (): string[] => live.fdb().map(({ mac, dst }) => `${mac} ${dst ?? '-'}`);
const learned = (): unknown => live.links()[0]?.fdb_n_learned;

/** A frame from a MAC of t1. @returns where it went */
function send(number: number): string[] {
  live.inject(0, 't1', frame({ source: `02:00:00:00:01:0${number}`, destination: 'ff:ff:ff:ff:ff:ff' }));
  return live.turn(0).map(({ to }) => to);
}

it('"state all" takes the rows of flood lists too, and the remotes that nothing else needs', async () => {
  expect(send(1)).toHaveLength(2);
  expect(await flush({ dst: R1, state: 'all' })).toEqual({ removed: 2 });
  expect(rows()).toEqual([`${ZERO} ${R2}`, '02:00:00:00:01:01 -']);
  expect(send(1)).toEqual([`v1>${R2}:4789 vni 50`]);
  expect(await flush({ dev: 'v1', state: 'all' })).toEqual({ removed: 1 });
  expect(send(1)).toEqual([]);
  expect([...(live.model.ports.get('v1') as VxlanPort).vteps]).toEqual([]);
});

it('every other flush leaves them', async () => {
  await flush({ state: ['permanent', 'static', 'dynamic'] });
  expect(rows()).toEqual([`${ZERO} ${R1}`, `${ZERO} ${R2}`]);
  expect(send(1)).toHaveLength(2);
});

it('of a port or bridge that is not there is refused, whatever is to be flushed', async () => {
  for (const state of [undefined, ['permanent' as const], 'all' as const]) {
    const what = state === undefined ? {} : { state };
    await expect(flush({ br: 'br9', ...what })).rejects.toThrow('br9');
    await expect(flush({ dev: 't9', ...what })).rejects.toThrow('t9');
  }
});

it('fdb_n_learned counts what the limit counts: it ends at the limit, and follows flushes and ageing', async () => {
  expect(learned()).toBe(0);
  for (const number of [1, 2, 3, 4]) send(number);
  expect(learned()).toBe(3);
  await live.controls.fdb({ op: 'replace', mac: '02:00:00:00:01:01', dev: 't1', state: 'static' });
  expect(learned()).toBe(2);
  await flush({ dev: 't1' });
  expect(learned()).toBe(0);
  send(5);
  expect(learned()).toBe(1);
  live.wait(15);
  expect(learned()).toBe(0);
});

it('a command looks up a few entries, however many there are', async () => {
  const find = vi.spyOn(FdbReader.prototype, 'find');
  const looksOf = async (count: number, first: number): Promise<number> => {
    find.mockClear();
    for (let number = first; number < first + count; number++) {
      const mac = `02:00:00:00:02:${number.toString(16).padStart(2, '0')}`;
      await live.controls.fdb({ op: 'add', mac, dev: 't1', state: 'static' });
    }
    return find.mock.calls.length;
  };
  try {
    const few = await looksOf(10, 0);
    expect(few).toBeGreaterThan(0);
    await looksOf(50, 10);
    expect(await looksOf(10, 60)).toBeLessThanOrEqual(few);
  } finally {
    find.mockRestore();
  }
});
