/** Bindings of control programs. */
import { expect, it } from 'vitest';
import {
  createNeighbours,
  HEARD_BY_TUNNEL,
  HEARD_CHANGED,
  HEARD_KEPT,
  HEARD_NEW,
  NEIGH_EXTERN,
  NEIGH_TUNNEL,
  type Neighbours,
  NeighReader,
} from '../../src/neigh/table.js';

const ADDRESS = [0, 0, 0xffff, 0x0a000001];
const before = new Int32Array(8);
const [LOCAL_PORT, TUNNEL_PORT] = [1, 2];

const put = (table: Neighbours, low = 7): boolean => table.setExternal(1, ADDRESS, 0x0200, low, false, TUNNEL_PORT, 1);
const hear = (table: Neighbours, low: number, port: number, traits = 0): number =>
  table.hear(1, ADDRESS, 0, 0x0200, low, port, traits, 1, before);
const row = (table: Neighbours): number[] | null => {
  const found = new NeighReader(table.memory).find(1, ADDRESS);
  return found === null ? null : [found.low, found.port, found.flags];
};

it('stay as they are whatever comes by the tunnel, and never age', () => {
  const table = createNeighbours({ capacity: 8 });
  put(table);
  expect(hear(table, 8, TUNNEL_PORT, HEARD_BY_TUNNEL)).toBe(HEARD_KEPT);
  expect(table.sweep(100_000, table.slots)).toBe(0);
  expect(row(table)).toEqual([7, TUNNEL_PORT, NEIGH_EXTERN | NEIGH_TUNNEL]);
});

it('give way to a local guest, whose binding a source replaces again', () => {
  const table = createNeighbours({ capacity: 8 });
  put(table);
  expect(hear(table, 7, LOCAL_PORT)).toBe(HEARD_CHANGED);
  expect(row(table)).toEqual([7, LOCAL_PORT, 0]);
  expect(table.removeExternal(1, ADDRESS)).toBe(false);
  put(table, 9);
  expect(row(table)).toEqual([9, TUNNEL_PORT, NEIGH_EXTERN | NEIGH_TUNNEL]);
  expect(table.removeExternal(1, ADDRESS)).toBe(true);
  expect(row(table)).toBeNull();
});

it('leave a manual binding alone, and are not evicted by learned ones', () => {
  const table = createNeighbours({ capacity: 1 });
  table.set(1, ADDRESS, 0x0200, 3, false, TUNNEL_PORT, 1);
  expect(put(table)).toBe(true);
  expect(row(table)?.[0]).toBe(3);
  table.remove(1, ADDRESS);
  put(table);
  expect(table.hear(1, [0, 0, 0xffff, 5], 0, 0x0200, 5, LOCAL_PORT, 0, 1, before)).not.toBe(HEARD_NEW);
  expect(row(table)?.[0]).toBe(7);
});
