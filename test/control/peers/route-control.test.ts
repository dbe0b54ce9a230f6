/** Routes of sources and of the configuration, as engines are told of them. */
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RouteControl } from '../../../src/control/peers/route-control.js';
import { SAVED_ROUTES } from '../../../src/control/peers/saved-routes.js';
import type { PeerChange, PeerTables } from '../../../src/control/peers/contract.js';
import { RouteSet } from '../../../src/control/reconcile/routes.js';
import { Told } from '../../../src/control/reconcile/told.js';
import { Transition } from '../../../src/control/model/transition.js';
import { MAX_ROUTES } from '../../../src/dataplane/state/routes.js';
import type { SwitchModel } from '../../../src/control/model/model.js';
import type { Operation } from '../../../src/dataplane/operations/operations.js';

const MAC = '02:00:00:00:99:01';

function gatewayPort(index: number, vid: number, config: { addresses: string[]; vrf?: string; routes?: string[] }) {
  const addresses = config.addresses.map((text) => {
    const [address = '', prefix = ''] = text.split('/');
    return { address, prefix: Number(prefix), family: address.includes(':') ? 6 : 4 };
  });
  return {
    kind: 'gateway',
    name: `gw${vid}`,
    index,
    pvid: vid,
    ownMac: addresses.length === 0 ? '02:00:00:00:88:01' : '02:00:5e:00:00:01',
    config: { type: 'gateway', routes: [], ...config, addresses },
    bridge: undefined as unknown,
  };
}

function site() {
  const vxlan = {
    kind: 'vxlan',
    name: 'vxlan0',
    index: 9,
    vnis: [
      { vni: 5000, vid: 4000 },
      { vni: 1010, vid: 10 },
    ],
    bridge: undefined as unknown,
  };
  const ports = [
    gatewayPort(1, 10, { addresses: ['10.0.10.1/24'], vrf: 'red', routes: ['192.0.2.0/24=10.0.10.9'] }),
    gatewayPort(2, 4000, { addresses: [], vrf: 'red' }),
    vxlan,
  ];
  const bridge = { index: 1, name: 'br0', ports };
  for (const port of ports) port.bridge = bridge;
  const model = {
    ports: new Map(ports.map((port) => [port.name, port])),
    portAt: Object.assign([], Object.fromEntries(ports.map((port) => [port.index, port]))),
    bridges: new Map([['br0', bridge]]),
  } as unknown as SwitchModel;
  const routes = new RouteSet(model, new Told());
  const told: Operation[] = [];
  const own = async (operations: () => Transition): Promise<void> => void told.push(...operations().structure);
  const macs: PeerChange[] = [];
  const peers = {
    owner: () => ({
      change: async (change: PeerChange) => {
        macs.push(change);
        return { refused: 0 };
      },
      clear: async () => undefined,
    }),
  } as unknown as PeerTables;
  const control = new RouteControl({ model, routes, peers, own });
  const settle = (): void => {
    const change = new Transition();
    routes.settle(change);
    told.push(...change.structure);
  };
  settle();
  return { control, told, macs, model, settle };
}

const row = (prefix: string, more: object = {}) => ({
  vrf: 'red',
  prefix,
  nexthops: [{ remote: '192.0.2.77', l3vni: 5000, routerMac: MAC }],
  ...more,
});

afterEach(() => void vi.useRealTimers());

describe('routes of a source', () => {
  it('lead to the router of another host by the gateway of the layer-3 VNI', async () => {
    const { control, told, macs } = site();
    const owner = control.owner('evpn');
    expect(await owner.change({ add: [row('10.9.0.0/16')], remove: [] })).toEqual({ refused: 0 });
    expect(told.at(-1)).toEqual({
      op: 'route',
      vrf: 1,
      words: [0, 0, 0xffff, 0x0a090000],
      prefix: 112,
      kind: 2,
      ways: [{ port: 2, mac: { high: 0x0200, low: 0x00009901 } }],
    });
    expect(macs).toEqual([
      { macs: { add: [{ port: 'vxlan0', vni: 5000, remote: '192.0.2.77', mac: MAC, sticky: true }], remove: [] } },
    ]);
    expect(control.list().find(({ dst }) => dst === '10.9.0.0/16')).toEqual({
      dst: '10.9.0.0/16',
      vrf: 'red',
      protocol: 'evpn',
      nexthops: [{ lladdr: MAC, dev: 'gw4000' }],
    });
    await owner.clear();
    expect(told.at(-1)).toMatchObject({ op: 'route-del', prefix: 112 });
    expect(macs.at(-1)?.macs?.remove).toHaveLength(1);
  });

  it('replace none of the configuration, and wait for their gateway', async () => {
    const { control, told, model, settle } = site();
    const owner = control.owner('evpn');
    const before = told.length;
    await owner.change({
      add: [row('192.0.2.0/24'), row('10.0.10.0/24'), row('10.9.0.0/16', { vrf: 'blue' })],
      remove: [],
    });
    expect(told.length).toBe(before);
    const door = model.ports.get('gw4000') as unknown as { config: { vrf: string } };
    door.config.vrf = 'blue';
    settle();
    expect(told.filter(({ op }) => op === 'route').at(-1)).toMatchObject({ vrf: 2, prefix: 112, ways: [{ port: 2 }] });
  });

  it('that cannot be are refused, and the others are in', async () => {
    const { control } = site();
    const change = control.owner('evpn').change({
      add: [
        row('10.9.0.1/16'),
        row('10.9.0.0/33'),
        row('10.8.0.0/16', { nexthops: [] }),
        row('10.8.0.0/16', { nexthops: [{ remote: '224.0.0.1', l3vni: 5000, routerMac: MAC }] }),
        row('10.8.0.0/16', { nexthops: [{ remote: '192.0.2.77', l3vni: 0, routerMac: MAC }] }),
        row('10.7.0.0/16'),
      ],
      remove: [],
    });
    expect(await change).toMatchObject({ refused: 5 });
    expect(control.list().map(({ dst }) => dst)).toContain('10.7.0.0/16');
  });

  it('stay while their source starts anew, and go when it has not named them in time', async () => {
    vi.useFakeTimers();
    const { control } = site();
    const owner = control.owner('evpn');
    const learned = (): string[] => control.list().flatMap(({ dst, protocol }) => (protocol === 'evpn' ? [dst] : []));
    await owner.change({ add: [row('10.7.0.0/16'), row('10.8.0.0/16'), row('10.9.0.0/16')], remove: [] });
    owner.renew(120);
    await owner.change({ add: [row('10.8.0.0/16')], remove: [row('10.9.0.0/16')] });
    await vi.advanceTimersByTimeAsync(119_000);
    expect(learned()).toEqual(['10.7.0.0/16', '10.8.0.0/16']);
    await vi.advanceTimersByTimeAsync(2000);
    expect(learned()).toEqual(['10.8.0.0/16']);
    owner.renew(120);
    await owner.settled();
    expect(learned()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('are there in the next process, until their source has spoken', async () => {
    vi.useFakeTimers();
    const before = site().control;
    await before.owner('evpn').change({ add: [row('10.7.0.0/16'), row('10.8.0.0/16')], remove: [] });
    before.owner('nobody');
    const saved = SAVED_ROUTES.parse(JSON.parse(JSON.stringify(before.saved())));
    expect(saved).toEqual([{ source: 'evpn', routes: [row('10.7.0.0/16'), row('10.8.0.0/16')] }]);
    const { control, macs } = site();
    const learned = (): string[] => control.list().flatMap(({ dst, protocol }) => (protocol === 'evpn' ? [dst] : []));
    await control.restore(saved);
    expect(learned()).toEqual(['10.7.0.0/16', '10.8.0.0/16']);
    expect(macs[0]?.macs?.add).toMatchObject([{ mac: MAC, remote: '192.0.2.77' }]);
    await control.owner('evpn').change({ add: [row('10.7.0.0/16')], remove: [] });
    await vi.advanceTimersByTimeAsync(121_000);
    expect(learned()).toEqual(['10.7.0.0/16']);
    control.stop();
  });

  it('that share a router share its MAC, which goes with the last of them', async () => {
    const { control, macs } = site();
    const owner = control.owner('evpn');
    await owner.change({ add: [row('10.7.0.0/16'), row('10.8.0.0/16')], remove: [] });
    await owner.change({ add: [], remove: [row('10.7.0.0/16')] });
    expect(macs).toHaveLength(1);
    const other = [{ remote: '192.0.2.78', l3vni: 5000, routerMac: '02:00:00:00:99:02' }];
    await owner.change({ add: [row('10.8.0.0/16', { nexthops: other })], remove: [] });
    expect(macs.slice(1)).toMatchObject([
      { macs: { add: [{ remote: '192.0.2.78' }], remove: [] } },
      { macs: { add: [], remove: [{ remote: '192.0.2.77' }] } },
    ]);
  });

  it('keep the MACs of their routers in step with routes and gateways, whatever the order', async () => {
    const hops = [77, 78, 79].map((host) => ({
      remote: `192.0.2.${host}`,
      l3vni: host === 79 ? 1010 : 5000,
      routerMac: `02:00:00:00:99:${host}`,
    }));
    const step = fc.oneof(
      fc.record({
        add: fc.array(
          fc.record({
            net: fc.integer({ min: 1, max: 4 }),
            vrf: fc.constantFrom('red', 'blue'),
            nexthops: fc.subarray(hops, { minLength: 1 }),
          }),
        ),
        remove: fc.array(fc.record({ net: fc.integer({ min: 1, max: 4 }), vrf: fc.constantFrom('red', 'blue') })),
      }),
      fc.constantFrom('red', 'blue'),
    );
    const run = async (steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[]): Promise<void> => {
      const { control, macs, model, settle } = site();
      const door = model.ports.get('gw4000') as unknown as { config: { vrf: string } };
      const owner = control.owner('evpn');
      const rows = new Map<string, ReturnType<typeof row>>();
      for (const one of steps) {
        if (typeof one === 'string') {
          door.config.vrf = one;
          settle();
          await new Promise(setImmediate);
        } else {
          const add = one.add.map(({ net, ...more }) => row(`10.${net}.0.0/16`, more));
          const remove = one.remove.map(({ net, vrf }) => row(`10.${net}.0.0/16`, { vrf }));
          await owner.change({ add, remove });
          for (const { vrf, prefix } of remove) rows.delete(vrf + prefix);
          for (const each of add) rows.set(each.vrf + each.prefix, each);
        }
        const there = new Set<string>();
        for (const { macs: delta } of macs) {
          for (const { vni, remote } of delta?.add ?? []) there.add(`${vni} ${remote}`);
          for (const { vni, remote } of delta?.remove ?? []) there.delete(`${vni} ${remote}`);
        }
        const doors = (l3vni: number): string => (l3vni === 5000 ? door.config.vrf : 'red');
        const wanted = [...rows.values()].flatMap(({ vrf, nexthops }) =>
          nexthops.flatMap(({ l3vni, remote }) => (doors(l3vni) === vrf ? [`${l3vni} ${remote}`] : [])),
        );
        expect([...there].sort()).toEqual([...new Set(wanted)].sort());
      }
    };
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), run), { numRuns: 300 });
  });

  it('leave out routers behind dead VTEPs while there is another one', async () => {
    const { control, told, model } = site();
    const other = { remote: '192.0.2.78', l3vni: 5000, routerMac: '02:00:00:00:99:02' };
    const owner = control.owner('evpn');
    const nexthops = [...row('').nexthops, other];
    await owner.change({ add: [row('10.7.0.0/16', { nexthops }), row('10.8.0.0/16')], remove: [] });
    const tunnel = model.ports.get('vxlan0') as unknown as { dead?: ReadonlySet<string> };
    const follow = (...dead: string[]): unknown[] => {
      const affected = new Set([...(tunnel.dead ?? []), ...dead]);
      tunnel.dead = new Set(dead);
      const change = new Transition();
      control.followLiveness(affected, change);
      return change.structure.map((operation) =>
        operation.op === 'route' ? operation.ways.map(({ mac }) => mac?.low.toString(16)) : operation.op,
      );
    };
    expect(told.at(-2)).toMatchObject({ op: 'route', ways: [{ port: 2 }, { port: 2 }] });
    expect(follow('192.0.2.77')).toEqual([['9902']]);
    // What comes while it is dead does without it, too.
    await owner.change({ add: [row('10.9.0.0/16', { nexthops })], remove: [] });
    expect(told.at(-1)).toMatchObject({ op: 'route', ways: [{ mac: { low: 0x9902 } }] });
    expect(follow('192.0.2.77', '192.0.2.78')).toEqual([
      ['9901', '9902'],
      ['9901', '9902'],
    ]);
    expect(follow('192.0.2.78')).toEqual([['9901'], ['9901']]);
    expect(follow()).toEqual([
      ['9901', '9902'],
      ['9901', '9902'],
    ]);
    expect(follow('192.0.2.1')).toEqual([]);
  });

  it('cost a change what it touches, however many there are', async () => {
    const { control, model } = site();
    const owner = control.owner('evpn');
    const values = vi.spyOn(model.ports, 'values');
    const looks = async (change: () => Promise<unknown>): Promise<number> => {
      values.mockClear();
      await change();
      return values.mock.calls.length;
    };
    const first = await looks(() => owner.change({ add: [row('10.7.0.0/16')], remove: [] }));
    const many = Array.from({ length: 5000 }, (_, index) => row(`10.9.${index >> 8}.${index & 255}/32`));
    await owner.change({ add: many, remove: [] });
    expect(await looks(() => owner.change({ add: [row('10.8.0.0/16')], remove: [] }))).toBeLessThanOrEqual(first);
  });

  it('that find the table full are refused, with and without a gateway', async () => {
    const { control } = site();
    const table = (vrf: string, count: number): ReturnType<typeof row>[] =>
      Array.from({ length: count }, (_, index) => {
        const at = 0x20_0000 + index;
        return row(`10.${at >> 16}.${(at >> 8) & 255}.${at & 255}/32`, { vrf });
      });
    const owner = control.owner('evpn');
    // The site has four: a prefix, its gateway and broadcast address, and a static one.
    expect(await owner.change({ add: table('red', MAX_ROUTES), remove: [] })).toEqual({
      refused: 4,
      reason: 'the routing table is full',
    });
    expect(control.list()).toHaveLength(MAX_ROUTES);
    const waiting = control.owner('other');
    expect(await waiting.change({ add: table('blue', 9), remove: [] })).toMatchObject({ refused: 9 });
    await owner.clear();
    expect(await waiting.change({ add: table('blue', MAX_ROUTES + 5), remove: [] })).toMatchObject({ refused: 9 });
    expect(await waiting.change({ add: table('blue', MAX_ROUTES + 5), remove: [] })).toMatchObject({ refused: 5 });
  });

  it('are offered what the switch has itself', () => {
    expect(site().control.locals()).toEqual([
      {
        vrf: 'red',
        door: { port: 'vxlan0', l3vni: 5000, routerMac: '02:00:00:00:88:01' },
        vnis: [1010],
        prefixes: [
          { prefix: '192.0.2.0/24', kind: 'static' },
          { prefix: '10.0.10.0/24', kind: 'connected' },
        ],
      },
    ]);
  });
});
