/** Where loops are looked for: bounded, and no bridge keeps the VLANs of others out. */
import { expect, it } from 'vitest';
import { Suspicions } from '../../../src/control/loops/suspicions.js';
import type { BridgeModel } from '../../../src/control/model/model.js';

const MOVES = 8;
const VLANS = 4094;

function bridgeAt(index: number): BridgeModel {
  return { index } as BridgeModel;
}

function move(suspicions: Suspicions, bridge: BridgeModel, vid: number, now: number): void {
  for (let times = 0; times < MOVES; times++) suspicions.moved(bridge, vid, [1, 2], now);
}

it('guests that move their MACs in every VLAN of their bridges hide no loop of another bridge', () => {
  const suspicions = new Suspicions();
  const hostile = [0, 1, 2].map(bridgeAt);
  const others = [3, 4].map(bridgeAt);
  for (let now = 0; now < 300; now += 100) {
    for (const bridge of hostile) for (let vid = 1; vid <= VLANS / 2; vid++) move(suspicions, bridge, vid, now);
    for (const bridge of others) move(suspicions, bridge, 7, now);
    for (const bridge of hostile) for (let vid = VLANS / 2; vid <= VLANS; vid++) move(suspicions, bridge, vid, now);
    const places = suspicions.places(now);
    expect(places).toHaveLength(8192);
    const found = places.filter(({ bridge }) => others.includes(bridge)).map(({ bridge, vid }) => [bridge.index, vid]);
    expect(found).toEqual([
      [3, 7],
      [4, 7],
    ]);
  }
});

it('nor one of the same bridge, whose VLANs are all watched', () => {
  const suspicions = new Suspicions();
  const bridge = bridgeAt(0);
  for (let vid = 1; vid <= VLANS; vid++) move(suspicions, bridge, vid, 0);
  expect(suspicions.places(0).map(({ vid }) => vid)).toContain(VLANS);
});

it('the latest ports between which MACs move are remembered', () => {
  const suspicions = new Suspicions();
  const bridge = bridgeAt(0);
  for (let port = 1; port <= 8; port++) suspicions.moved(bridge, 7, [port, port + 1], 0);
  expect(suspicions.places(0)[0].ports).toEqual([6, 7, 8, 9]);
});
