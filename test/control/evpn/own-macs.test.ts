/** What a switch tells other hosts of itself, out of its tables. */
import { expect, it } from 'vitest';
import { type Difference, OwnMacs } from '../../../src/control/evpn/own-macs.js';
import type { SwitchModel } from '../../../src/control/model/model.js';
import { fidOf } from '../../../src/dataplane/state/fid.js';
import type { LocalMac } from '../../../src/evpn/contract.js';
import {
  createFdb,
  FLAG_EXTERN_LEARN,
  FLAG_LOCKED,
  FLAG_PERMANENT,
  FLAG_STATIC,
  FdbReader,
} from '../../../src/fdb/table.js';
import { createNeighbours, HEARD_BY_TUNNEL, NeighReader } from '../../../src/neigh/table.js';

const [TAP, VXLAN, GATEWAY] = [1, 2, 3];
const FID = fidOf(1, 10);
const ADDRESS = [0, 0, 0xffff, 0x0a000001];
const before = new Int32Array(8);

function setup() {
  const bridge = { index: 1, name: 'br0', config: { vlan_filtering: true } };
  const config = { type: 'vxlan', evpn: true, local: '192.0.2.1' };
  const vxlan = { kind: 'vxlan', name: 'vx0', index: VXLAN, bridge, pvid: 0, config, vnis: [{ vni: 10010, vid: 10 }] };
  const ports = new Map<string, unknown>([['vx0', vxlan]]);
  const portAt = [
    undefined,
    { kind: 'tap', name: 'tap1', index: TAP, bridge },
    vxlan,
    { kind: 'gateway', index: GATEWAY, bridge },
  ];
  const fdb = createFdb({ capacity: 1024 });
  const neigh = createNeighbours({ capacity: 64 });
  const own = new OwnMacs({
    model: { ports, portAt } as unknown as SwitchModel,
    fdb: new FdbReader(fdb.memory),
    neigh: new NeighReader(neigh.memory),
  });
  expect(own.follow()).toBe(true);
  return { fdb, neigh, own, ports };
}

const looked = (own: OwnMacs, low: number): Difference => {
  const into: Difference = { announce: [], withdraw: [] };
  own.look(0x0200, low, FID, into);
  return into;
};
const sum = (pieces: Iterable<Difference>): { announce: string[]; withdraw: string[] } => {
  const texts = (macs: LocalMac[]): string[] =>
    macs.map(({ vni, mac, ip, sticky }) =>
      [vni, mac, ...(ip === undefined ? [] : [ip]), ...(sticky ? ['sticky'] : [])].join(' '),
    );
  const all = [...pieces];
  return { announce: all.flatMap((one) => texts(one.announce)), withdraw: all.flatMap((one) => texts(one.withdraw)) };
};
const MAC = '10010 02:00:00:00:00:07';

it('tells a MAC of a local port once, as sticky when it is static, and takes it back', () => {
  const { fdb, own } = setup();
  fdb.learn(0x0200, 7, FID, TAP, TAP, 1);
  expect(sum([looked(own, 7), looked(own, 7)])).toEqual({ announce: [MAC], withdraw: [] });
  fdb.set(0x0200, 7, FID, TAP, TAP, FLAG_STATIC, 1);
  expect(sum([looked(own, 7)]).announce).toEqual([`${MAC} sticky`]);
  fdb.remove(0x0200, 7, FID);
  expect(sum([looked(own, 7), looked(own, 7)]).withdraw).toEqual([`${MAC} sticky`]);
});

it('tells the MAC of a gateway as one that all hosts may have', () => {
  const { fdb, own } = setup();
  fdb.set(0x0200, 9, FID, GATEWAY, GATEWAY, FLAG_PERMANENT, 1);
  const into: Difference = { announce: [], withdraw: [] };
  own.look(0x0200, 9, FID, into);
  expect(into.announce).toEqual([
    { vni: 10010, mac: '02:00:00:00:00:09', sticky: false, isGateway: true, isRouter: false },
  ]);
});

it('never tells what is behind a tunnel, in another VLAN, or waits on a locked port', () => {
  const { fdb, own } = setup();
  fdb.learn(0x0200, 7, FID, 2048 + VXLAN, VXLAN, 1);
  fdb.learnLocked(0x0200, 8, FID, TAP, TAP, 1);
  fdb.learn(0x0200, 9, fidOf(1, 11), TAP, TAP, 1);
  expect(FLAG_LOCKED).not.toBe(0);
  expect(sum(own.all())).toEqual({ announce: [], withdraw: [] });
  fdb.learn(0x0200, 7, FID, TAP, TAP, 1);
  expect(sum([looked(own, 7)]).announce).toEqual([MAC]);
  fdb.setExternal(0x0200, 7, FID, 2048 + VXLAN, VXLAN, FLAG_EXTERN_LEARN, 1);
  expect(sum([looked(own, 7)]).withdraw).toEqual([MAC]);
});

it('finds by a walk what events have not said', () => {
  const { fdb, own, ports } = setup();
  for (let low = 0; low < 500; low++) fdb.learn(0x0200, low, FID, TAP, TAP, 1);
  expect(sum(own.all()).announce.length).toBe(500);
  for (let low = 0; low < 500; low += 2) fdb.remove(0x0200, low, FID);
  fdb.learn(0x0200, 1000, FID, TAP, TAP, 1);
  const difference = sum(own.all());
  expect([difference.announce.length, difference.withdraw.length]).toEqual([1, 250]);
  expect([...own.everything()].length).toBe(251);
  ports.clear();
  expect(own.follow()).toBe(true);
  expect(sum(own.all()).withdraw.length).toBe(251);
});

it('tells addresses that local guests claim, with their MAC, and no others', () => {
  const { fdb, neigh, own } = setup();
  neigh.hear(FID, ADDRESS, 0, 0x0200, 7, TAP, 0, 1, before);
  neigh.hear(FID, [0, 0, 0xffff, 0x0a000002], 0, 0x0200, 7, VXLAN, HEARD_BY_TUNNEL, 1, before);
  expect(sum(own.bindings())).toEqual({ announce: [], withdraw: [] });
  fdb.learn(0x0200, 7, FID, TAP, TAP, 1);
  looked(own, 7);
  expect(sum(own.bindings())).toEqual({ announce: [`${MAC} 10.0.0.1`], withdraw: [] });
  expect(sum(own.bindings())).toEqual({ announce: [], withdraw: [] });
  neigh.remove(FID, ADDRESS);
  expect(sum(own.bindings())).toEqual({ announce: [], withdraw: [`${MAC} 10.0.0.1`] });
  neigh.hear(FID, ADDRESS, 0, 0x0200, 7, TAP, 0, 1, before);
  [...own.bindings()];
  fdb.remove(0x0200, 7, FID);
  expect(sum([looked(own, 7)]).withdraw).toEqual([`${MAC} 10.0.0.1`, MAC]);
});

it('takes an address back whose MAC has become sticky meanwhile, and asks for a look after each change of a MAC', () => {
  const { fdb, neigh, own } = setup();
  neigh.hear(FID, ADDRESS, 0, 0x0200, 7, TAP, 0, 1, before);
  fdb.learn(0x0200, 7, FID, TAP, TAP, 1);
  const generations = [own.generation];
  looked(own, 7);
  generations.push(own.generation);
  [...own.bindings()];
  fdb.set(0x0200, 7, FID, TAP, TAP, FLAG_STATIC, 1);
  expect(sum([looked(own, 7)]).announce).toEqual([`${MAC} sticky`, `${MAC} 10.0.0.1 sticky`]);
  generations.push(own.generation);
  neigh.remove(FID, ADDRESS);
  expect(sum(own.bindings()).withdraw).toEqual([`${MAC} 10.0.0.1 sticky`]);
  fdb.remove(0x0200, 7, FID);
  looked(own, 7);
  generations.push(own.generation);
  expect(new Set(generations).size).toBe(4);
});
