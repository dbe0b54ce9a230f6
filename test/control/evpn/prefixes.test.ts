/** Prefixes of VRFs, to the speaker and from it. */
import { expect, it } from 'vitest';
import { OwnPrefixes } from '../../../src/control/evpn/own-prefixes.js';
import { RemotePrefixes } from '../../../src/control/evpn/remote-prefixes.js';
import type { LocalVrf } from '../../../src/control/peers/route-contract.js';

const door = { port: 'vx0', l3vni: 5050, routerMac: '02:00:00:00:00:01' };
const way = (prefix: string, last: number, vni = 5050) => ({
  vni,
  prefix,
  remote: `192.0.2.${last}`,
  routerMac: `02:00:00:00:00:0${last}`,
});
const hop = (last: number) => ({ remote: `192.0.2.${last}`, l3vni: 5050, routerMac: `02:00:00:00:00:0${last}` });

it('tells the prefixes of VRFs with a door, and what has changed', () => {
  const own = new OwnPrefixes();
  const vrf = (...prefixes: string[]): LocalVrf => ({
    vrf: 'red',
    door,
    vnis: [],
    prefixes: prefixes.map((prefix) => ({ prefix, kind: 'connected' })),
  });
  expect(own.differenceTo([vrf('10.1.0.0/16'), { ...vrf('10.9.0.0/16'), door: null }])).toEqual({
    announce: [{ vni: 5050, prefix: '10.1.0.0/16' }],
    withdraw: [],
  });
  expect(own.differenceTo([vrf('10.2.0.0/16')])).toEqual({
    announce: [{ vni: 5050, prefix: '10.2.0.0/16' }],
    withdraw: [{ vni: 5050, prefix: '10.1.0.0/16' }],
  });
  own.forget();
  expect(own.differenceTo([vrf('10.2.0.0/16')]).announce).toHaveLength(1);
});

it('makes one route of all ways to a prefix, and refuses those of other VNIs', () => {
  const ways = new RemotePrefixes((vni) => (vni === 5050 ? { vrf: 'red' } : undefined));
  const red = { vrf: 'red', prefix: '10.1.0.0/16' };
  expect(ways.changeOf({ add: [way(red.prefix, 2), way(red.prefix, 3)], remove: [] })).toEqual({
    add: [{ ...red, nexthops: [hop(2), hop(3)] }],
    remove: [],
    refused: 0,
  });
  expect(ways.changeOf({ add: [], remove: [way(red.prefix, 2)] }).add).toEqual([{ ...red, nexthops: [hop(3)] }]);
  const others = [way('10.7.0.0/16', 4, 6060), { ...way('10.8.0.0/16', 4), sentVni: 7 }];
  expect(ways.changeOf({ add: others, remove: [] })).toEqual({ add: [], remove: [], refused: 2 });
  expect(ways.changeOf({ add: [], remove: [way(red.prefix, 3)] }).remove).toEqual([{ ...red, nexthops: [] }]);
});

it('puts routes into another VRF with their VNI', () => {
  let vrf = 'red';
  const ways = new RemotePrefixes(() => ({ vrf }));
  ways.changeOf({ add: [way('10.1.0.0/16', 2), way('10.1.0.0/16', 3), way('10.2.0.0/16', 2)], remove: [] });
  expect(ways.moves()).toEqual({ add: [], remove: [] });
  vrf = 'blue';
  expect(ways.moves()).toEqual({
    remove: [
      { vrf: 'red', prefix: '10.1.0.0/16', nexthops: [] },
      { vrf: 'red', prefix: '10.2.0.0/16', nexthops: [] },
    ],
    add: [
      { vrf: 'blue', prefix: '10.1.0.0/16', nexthops: [hop(2), hop(3)] },
      { vrf: 'blue', prefix: '10.2.0.0/16', nexthops: [hop(2)] },
    ],
  });
  expect(ways.moves()).toEqual({ add: [], remove: [] });
  expect(ways.changeOf({ add: [], remove: [way('10.2.0.0/16', 2)] }).remove).toEqual([
    { vrf: 'blue', prefix: '10.2.0.0/16', nexthops: [] },
  ]);
});
