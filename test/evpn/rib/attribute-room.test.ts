/** A neighbour that shares no attributes among its routes, each with the longest communities that fit into a message. */
import { expect, it } from 'vitest';
import type { EventMessage } from '../../../src/evpn/rib/contract.js';
import type { PathAttributes } from '../../../src/wire/bgp/route.js';
import { attributes, config, mac, macRoute, neighbor, ribWith } from './values.js';

const NEIGHBORS = Array.from({ length: 32 }, (_, i) => `10.0.0.${i + 1}`);
const [R1 = '', R2 = ''] = NEIGHBORS;
/** An equal part of 1 GiB. */
const ROOM = 1024 ** 3 / NEIGHBORS.length;

/** Ten digits each, so their text has always the same length. */
function long(seed: number): PathAttributes {
  const communities = Array.from({ length: 950 }, (_, i) => 4_000_000_000 + seed * 1000 + i);
  return attributes('192.0.2.1', 100, {}, { communities });
}

const route = (i: number) => macRoute('192.0.2.1', 100, mac(i));
const SIZE = 1024 + 4 * JSON.stringify(long(0)).length;
const FIT = Math.floor(ROOM / SIZE);

function start() {
  const rib = ribWith(config({ neighbors: NEIGHBORS.map((address) => neighbor(address)) }));
  for (const address of NEIGHBORS) rib.up(address, address);
  const announce = (from: string, i: number, value = long(i)): number =>
    rib.receive(from, { announced: [route(i)], attributes: value, withdrawn: [] }).accepted;
  const withdraw = (from: string, i: number): void =>
    void rib.receive(from, { announced: [], attributes: null, withdrawn: [route(i)] });
  return { rib, announce, withdraw };
}

it('has an equal part of the room, and what is refused comes again when there is room', () => {
  const { rib, announce, withdraw } = start();
  const total = FIT + 100;
  let accepted = 0;
  for (let i = 0; i < total; i++) accepted += announce(R1, i);
  expect(accepted).toBe(FIT);
  expect(rib.counts(R1)).toMatchObject({ received: total, accepted: FIT, crowded: 100 });
  const limit = { tell: 'limit', address: R1, routes: FIT + 1, most: 1_000_000 } as const;
  const refused: EventMessage[] = [{ ...limit, isRefused: true, cause: 'attributes' }];
  expect(rib.events()).toEqual(refused);
  // There are few routes, but a refresh would bring the same again.
  expect(rib.refreshNeeded()).toBeNull();
  expect(announce(R2, 5000)).toBe(1);
  // Attributes that are there already cost nothing more.
  expect(announce(R1, 6000, long(0))).toBe(1);
  expect(announce(R1, 6001, long(5000))).toBe(1);
  for (let i = 0; i < FIT * 0.31; i++) withdraw(R1, i);
  expect(rib.refreshNeeded()).toBe(R1);
  expect(rib.counts(R1)).toMatchObject({ crowded: 0 });
  expect(rib.refreshNeeded()).toBeNull();
  expect(announce(R1, total)).toBe(1);
});

it('cannot put them into routes that it has, either', () => {
  const { rib, announce } = start();
  const total = FIT + 10;
  const short = attributes('192.0.2.1', 100);
  for (let i = 0; i < total; i++) expect(announce(R1, i, short)).toBe(1);
  for (let i = 0; i < total; i++) announce(R1, i);
  // Those that do not fit take the place of nothing: the neighbour said something else before.
  expect(rib.counts(R1)).toMatchObject({ received: total, accepted: FIT });
  for (let i = 0; i < total; i++) announce(R1, i, short);
  expect(rib.counts(R1)).toMatchObject({ accepted: total });
  for (let i = 0; i < FIT; i++) expect(announce(R1, i)).toBe(1);
});
