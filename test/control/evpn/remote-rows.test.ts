/** Routes of other hosts as rows of a source of peers. */
import { expect, it } from 'vitest';
import { RemoteRows } from '../../../src/control/evpn/remote-rows.js';
import type { RemoteMac } from '../../../src/evpn/contract.js';

const NONE = { add: [], remove: [] };
const route = (ip?: string, remote = '192.0.2.2'): RemoteMac => ({
  vni: 10010,
  mac: '02:00:00:00:00:07',
  remote,
  sticky: false,
  isGateway: false,
  isRouter: false,
  ...(ip === undefined ? {} : { ip }),
});
const rows = () => new RemoteRows((vni) => (vni === 10010 ? 'vx0' : undefined));
const add = (...macs: RemoteMac[]) => ({ macs: { add: macs, remove: [] }, floods: NONE });
const remove = (...macs: RemoteMac[]) => ({ macs: { add: [], remove: macs }, floods: NONE });

it('keeps one entry for all routes of a MAC until the last of them goes', () => {
  const made = rows();
  const first = made.changeOf(add(route(), route('10.0.0.1')));
  expect(first.macs).toEqual({ add: [expect.objectContaining({ port: 'vx0', remote: '192.0.2.2' })], remove: [] });
  expect(first.bindings?.add).toEqual([expect.objectContaining({ ip: '10.0.0.1' })]);
  const less = made.changeOf(remove(route()));
  expect(less.macs?.remove).toEqual([]);
  const none = made.changeOf(remove(route('10.0.0.1')));
  expect(none.macs).toEqual({ add: [], remove: [expect.objectContaining({ remote: '192.0.2.2' })] });
  expect(none.bindings?.remove).toEqual([expect.objectContaining({ ip: '10.0.0.1' })]);
});

it('goes by the route that came last, and back to those that are left', () => {
  const made = rows();
  made.changeOf(add(route('10.0.0.1')));
  expect(made.changeOf(add(route(undefined, '192.0.2.3'))).macs?.add).toEqual([
    expect.objectContaining({ remote: '192.0.2.3' }),
  ]);
  expect(made.changeOf(remove(route(undefined, '192.0.2.3'))).macs?.add).toEqual([
    expect.objectContaining({ remote: '192.0.2.2' }),
  ]);
});

it('leaves out VNIs that no port carries', () => {
  const change = rows().changeOf({
    macs: { add: [{ ...route(), vni: 5 }], remove: [] },
    floods: { add: [{ vni: 5, remote: '192.0.2.2' }], remove: [] },
  });
  expect(change).toEqual({ floods: NONE, macs: NONE, bindings: NONE });
});

it('takes rows from a port that has lost its VNI to the one that has it now', () => {
  let port = 'vx0';
  const made = new RemoteRows(() => port);
  const flood = { vni: 10010, remote: '192.0.2.2' };
  made.changeOf({ macs: { add: [route(), route('10.0.0.1')], remove: [] }, floods: { add: [flood], remove: [] } });
  expect([...made.moves()]).toEqual([]);
  port = 'vx1';
  // What comes before the move belongs to the rows that are there.
  const late = { ...route(undefined, '192.0.2.3'), mac: '02:00:00:00:00:08' };
  expect(made.changeOf(add(late)).macs?.add).toEqual([expect.objectContaining({ port: 'vx0' })]);
  const [floods, rest, ...more] = [...made.moves()];
  expect(more).toEqual([]);
  expect(floods).toEqual({
    floods: { remove: [{ port: 'vx0', ...flood }], add: [{ port: 'vx1', ...flood }] },
  });
  const row = (at: string, mac: string, remote: string) => ({ port: at, vni: 10010, mac, remote, sticky: false });
  const rows = (at: string) => [row(at, route().mac, '192.0.2.2'), row(at, late.mac, '192.0.2.3')];
  expect(rest?.macs).toEqual({ remove: rows('vx0'), add: rows('vx1') });
  const binding = (at: string) => ({ port: at, vni: 10010, ip: '10.0.0.1', mac: route().mac, isRouter: false });
  expect(rest?.bindings).toEqual({ remove: [binding('vx0')], add: [binding('vx1')] });
  expect([...made.moves()]).toEqual([]);
  expect(made.changeOf(remove(route(), route('10.0.0.1'))).macs?.remove).toEqual([
    row('vx1', route().mac, '192.0.2.2'),
  ]);
});

it('moves very many rows in pieces', () => {
  let port = 'vx0';
  const made = new RemoteRows(() => port);
  const macs = Array.from({ length: 5000 }, (_, at) => ({
    ...route(),
    mac: `02:00:00:00:${(at >> 8).toString(16).padStart(2, '0')}:${(at & 255).toString(16).padStart(2, '0')}`,
  }));
  made.changeOf(add(...macs));
  port = 'vx1';
  const sizes = [...made.moves()].map((change) => change.macs?.add.length ?? 0);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1024);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(5000);
});
