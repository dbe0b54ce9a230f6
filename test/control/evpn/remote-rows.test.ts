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
