/** Rows of sources of peers, through live control over engines in one process. */
import { afterEach, describe, expect, it } from 'vitest';
import type { FdbRow } from '../../../src/api/api.js';
import type { VxlanPort } from '../../../src/control/model/model.js';
import { Transition } from '../../../src/control/model/transition.js';
import { PeerControl } from '../../../src/control/peers/peer-control.js';
import type { PeerMac } from '../../../src/control/peers/contract.js';
import { LiveSwitch } from '../live/live-switch.js';

const TAP = { type: 'tap', vlans: [{ vid: 10, pvid: true, untagged: true }] };
const VXLAN = {
  type: 'vxlan',
  local: '192.0.2.1',
  vlan_tunnel: true,
  vlans: [
    { vid: 10, tunnel_info: 10010 },
    { vid: 20, tunnel_info: 10020 },
  ],
};

/** @param ports beside the tap */
const document = (ports: object) => ({
  name: 'live',
  fdb_size: 4096,
  bridges: { br0: { vlan_filtering: true, ports: { tap1: TAP, ...ports } } },
});
const DOCUMENT = document({ vx0: VXLAN });

const A = '192.0.2.2';
const B = '192.0.2.3';
const MAC = '02:00:00:00:00:0a';

const open: { live: LiveSwitch; peers: PeerControl }[] = [];

afterEach(() => {
  for (const { live, peers } of open.splice(0)) {
    expect(live.broken).toBeNull();
    peers.stop();
    live.stop();
  }
});

async function start(given: object = DOCUMENT): Promise<{ live: LiveSwitch; peers: PeerControl }> {
  const made: { live?: LiveSwitch; peers?: PeerControl } = {};
  const live = await LiveSwitch.start(given as never, {
    fdbCapacity: 4096,
    peers: (parts) => {
      made.peers = new PeerControl({ ...parts, bindings: 8, isOwn: () => false });
      return made.peers;
    },
  });
  const peers = made.peers as PeerControl;
  open.push({ live, peers });
  return { live, peers };
}

const mac = (n: number, more: Partial<PeerMac> = {}): PeerMac => ({
  port: 'vx0',
  vni: 10010,
  remote: A,
  mac: `02:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`,
  sticky: false,
  ...more,
});
const add = (...rows: PeerMac[]) => ({ macs: { add: rows, remove: [] } });
const remove = (...rows: PeerMac[]) => ({ macs: { add: [], remove: rows } });

function setDead(live: LiveSwitch, ...dead: string[]): Promise<void> {
  return live.controls.own(() => {
    const change = new Transition();
    live.reconciler.setDead(live.model.ports.get('vx0') as VxlanPort, new Set(dead), change);
    return change;
  });
}

/** The rows of a MAC, shortened. */
function rows(live: LiveSwitch, wanted = MAC): string[] {
  return live
    .fdb()
    .filter(({ mac: one }: FdbRow) => one === wanted)
    .map(({ ifname, vlan, dst, state, flags, source }) =>
      [ifname, vlan ?? '', dst ?? '', state, ...flags, source ?? ''].join(' '),
    );
}

const ROW = `vx0 10 ${A} dynamic extern_learn evpn`;

describe('MACs of a source', () => {
  it('are FDB entries with extern_learn, and go when the source takes them back', async () => {
    const { live, peers } = await start();
    const evpn = peers.owner('evpn');
    expect(await evpn.change(add(mac(10)))).toEqual({ refused: 0 });
    expect(rows(live)).toEqual([ROW]);
    expect(live.fdb().find((row) => row.mac === MAC)).toMatchObject({ proto: 'bgp', source: 'evpn' });
    expect(live.model.ports.get('vx0')).toMatchObject({ vteps: new Map([[A, expect.objectContaining({ users: 1 })]]) });
    await evpn.change(remove(mac(10)));
    expect(rows(live)).toEqual([]);
    expect(live.model.ports.get('vx0')).toMatchObject({ vteps: new Map() });
  });

  it('move with their source, and a removal of the former place changes nothing', async () => {
    const { live, peers } = await start();
    const evpn = peers.owner('evpn');
    await evpn.change(add(mac(10)));
    await evpn.change({ macs: { add: [mac(10, { remote: B })], remove: [mac(10)] } });
    expect(rows(live)).toEqual([`vx0 10 ${B} dynamic extern_learn evpn`]);
    await evpn.change(remove(mac(10)));
    expect(rows(live)).toEqual([`vx0 10 ${B} dynamic extern_learn evpn`]);
  });

  it('stay until the last of several sources takes them back', async () => {
    const { live, peers } = await start();
    await peers.owner('evpn').change(add(mac(10)));
    await peers.owner('etcd').change(add(mac(10, { remote: B })));
    expect(rows(live)).toEqual([`vx0 10 ${B} dynamic extern_learn etcd`]);
    await peers.owner('etcd').clear();
    expect(rows(live)).toEqual([ROW]);
    await peers.owner('evpn').clear();
    expect(rows(live)).toEqual([]);
  });

  it('give way to a configured entry, and hold again when that is gone', async () => {
    const { live, peers } = await start();
    await live.controls.fdb({ op: 'add', mac: MAC, dev: 'tap1', vlan: 10, state: 'static' });
    await peers.owner('evpn').change(add(mac(10)));
    expect(rows(live)).toEqual(['tap1 10  static ']);
    await live.controls.fdb({ op: 'del', mac: MAC, dev: 'tap1', vlan: 10 });
    expect(rows(live)).toEqual([ROW]);
    await live.controls.fdb({ op: 'replace', mac: MAC, dev: 'vx0', dst: B, vni: 10010, state: 'static' });
    expect(rows(live)).toEqual([`vx0 10 ${B} static `]);
    await peers.owner('evpn').clear();
    expect(rows(live)).toEqual([`vx0 10 ${B} static `]);
  });

  it('lead elsewhere while their VTEP is dead, and back', async () => {
    const { live, peers } = await start(
      document({ vx0: { ...VXLAN, remotes: [A, B], bfd: 'multi-hop', bfd_backup: B } }),
    );
    const evpn = peers.owner('evpn');
    await evpn.change(add(mac(10)));
    await setDead(live, A);
    expect(rows(live)).toEqual([`vx0 10 ${B} dynamic extern_learn evpn`]);
    // What the source says meanwhile too.
    await evpn.change(add(mac(11)));
    expect(rows(live, mac(11).mac)).toEqual([`vx0 10 ${B} dynamic extern_learn evpn`]);
    await setDead(live);
    for (const row of [mac(10), mac(11)]) expect(rows(live, row.mac)).toEqual([ROW]);
  });

  it('are sticky when the source says so', async () => {
    const { live, peers } = await start();
    await peers.owner('evpn').change(add(mac(10, { sticky: true })));
    expect(rows(live)).toEqual([`vx0 10 ${A} static sticky extern_learn evpn`]);
  });

  it('survive apply, a flush of learned entries, a remapped VNI and a recreated port', async () => {
    const { live, peers } = await start();
    await peers.owner('evpn').change(add(mac(10), ...Array.from({ length: 2500 }, (_, n) => mac(n + 1000))));
    await live.controls.fdb({ op: 'flush' });
    expect(rows(live)).toEqual([ROW]);
    await live.controls.apply({ config: DOCUMENT });
    expect(rows(live)).toEqual([ROW]);
    await live.controls.apply({ config: document({}) });
    expect(rows(live)).toEqual([]);
    await live.controls.apply({ config: DOCUMENT });
    await expect.poll(() => live.fdb().filter(({ source }) => source === 'evpn').length).toBe(2501);
    const moved = { ...VXLAN, vlans: [{ vid: 20, tunnel_info: 10010 }] };
    await live.controls.apply({ config: document({ vx0: moved }) });
    await expect.poll(() => rows(live)).toEqual([`vx0 20 ${A} dynamic extern_learn evpn`]);
    expect(live.fdb().filter(({ vlan, source }) => source === 'evpn' && vlan === 20).length).toBe(2501);
    expect(live.fdb().filter(({ vlan }) => vlan === 10)).toEqual([]);
  });

  it('are flushed only when asked for, and come again when their source names them', async () => {
    const { live, peers } = await start();
    const evpn = peers.owner('evpn');
    await evpn.change(add(mac(10), mac(11, { sticky: true })));
    expect(await live.controls.fdb({ op: 'flush', dev: 'vx0', state: 'all' })).toEqual({ removed: 0 });
    expect(await live.controls.fdb({ op: 'flush', extern_learn: true, state: ['static'] })).toEqual({ removed: 1 });
    expect(live.fdb().map((row) => row.mac)).toEqual([MAC]);
    expect(await live.controls.fdb({ op: 'flush', extern_learn: true })).toEqual({ removed: 1 });
    expect(live.fdb()).toEqual([]);
    await evpn.change(add(mac(10)));
    expect(rows(live)).toEqual([ROW]);
  });

  it('wait for a port that is not there yet', async () => {
    const { live, peers } = await start(document({}));
    expect(await peers.owner('evpn').change(add(mac(10)))).toEqual({ refused: 0 });
    await live.controls.apply({ config: DOCUMENT });
    await expect.poll(() => rows(live)).toEqual([ROW]);
  });

  it('are refused with a reason, each for itself, and an eighth of the table is not for them', async () => {
    const { live, peers } = await start();
    const evpn = peers.owner('evpn');
    const bad = [
      mac(1, { mac: '01:00:5e:00:00:01' }),
      mac(1, { mac: '00:00:00:00:00:00' }),
      mac(1, { mac: 'x' }),
      mac(1, { remote: '239.1.1.1' }),
      mac(1, { remote: '2001:db8::1' }),
      mac(1, { remote: '192.0.2.1' }),
      mac(1, { vni: 0 }),
      mac(1, { vni: 16_777_216 }),
      mac(1, { dstport: 70_000 }),
      mac(1, { port: 'tap1' }),
    ];
    const outcome = await evpn.change(add(...bad, mac(10)));
    expect(outcome).toEqual({ refused: bad.length, reason: expect.stringContaining('multicast MAC') });
    expect(rows(live)).toEqual([ROW]);
    const full = await evpn.change(add(...Array.from({ length: 4096 }, (_, n) => mac(n + 0x1000))));
    expect(full).toEqual({ refused: 4096 - (3584 - 1), reason: expect.stringContaining('set a larger fdb_size') });
    const entry = { op: 'add', dev: 'tap1', vlan: 10 } as const;
    await live.controls.fdb({ ...entry, mac: '02:00:00:00:ff:01' });
    await evpn.clear();
    expect(live.fdb().filter(({ source }) => source !== undefined)).toEqual([]);
  });
});

describe('the other rows of a source', () => {
  it('flood lists: of the VNI only, beside configured ones, in the listing', async () => {
    const { live, peers } = await start();
    const evpn = peers.owner('evpn');
    const floods = (remote: string, vni = 10010) => ({ port: 'vx0', vni, remote });
    await evpn.change({ floods: { add: [floods(A), floods(B, 10020)], remove: [] } });
    const lists = () =>
      live.engines.lists
        .flat()
        .filter((o) => o.op === 'flood')
        .map(({ vid, remotes }) => [vid, remotes.length]);
    expect(lists().slice(-2)).toEqual([
      [10, 1],
      [20, 1],
    ]);
    const shown = live.fdb().filter(({ mac: one }) => one === '00:00:00:00:00:00');
    expect(shown).toEqual([
      expect.objectContaining({ dst: A, vni: 10010, flags: ['self', 'extern_learn'], source: 'evpn', proto: 'bgp' }),
      expect.objectContaining({ dst: B, vni: 10020 }),
    ]);
    await evpn.change({ floods: { add: [], remove: [floods(A)] } });
    expect(lists().at(-1)).toEqual([10, 0]);
    expect(live.model.ports.get('vx0')).toMatchObject({ vteps: new Map([[B, expect.anything()]]) });
  });

  it('bindings: shown as external, below permanent ones', async () => {
    const { live, peers } = await start();
    const binding = { port: 'vx0', vni: 10010, ip: '198.18.0.9', mac: MAC, isRouter: false };
    await peers.owner('evpn').change({ bindings: { add: [binding], remove: [] } });
    const shown = () =>
      [...live.neigh.list()].flatMap((row) => (row === undefined ? [] : [`${row.lladdr} ${row.origin}`]));
    expect(shown()).toEqual([`${MAC} extern_learn`]);
    const place = { dst: '198.18.0.9', dev: 'vx0', vlan: 10 };
    await live.controls.neigh({ op: 'add', ...place, lladdr: '02:00:00:00:00:77' });
    expect(shown()).toEqual(['02:00:00:00:00:77 manual']);
    await live.controls.neigh({ op: 'del', ...place });
    expect(shown()).toEqual([`${MAC} extern_learn`]);
    await peers.owner('evpn').clear();
    expect(shown()).toEqual([]);
  });
});

describe('a source that starts anew', () => {
  it('keeps its rows until it has spoken; what it does not name goes', async () => {
    const { live, peers } = await start();
    const evpn = peers.owner('evpn');
    await evpn.change(add(mac(10), mac(11)));
    evpn.renew(60);
    await evpn.change(add(mac(10)));
    expect(live.fdb().filter(({ source }) => source === 'evpn').length).toBe(2);
    await evpn.settled();
    expect(rows(live)).toEqual([ROW]);
    expect(live.fdb().filter(({ source }) => source === 'evpn').length).toBe(1);
  });

  it('or not in time', async () => {
    const { live, peers } = await start();
    await peers.owner('evpn').change(add(mac(10)));
    peers.owner('evpn').renew(0.05);
    await expect.poll(() => rows(live)).toEqual([]);
  });

  it('in the next process has the rows that the one before had', async () => {
    const one = await start();
    await one.peers.owner('evpn').change({
      ...add(mac(10), mac(11, { sticky: true }), mac(12, { remote: B, sentVni: 77, vni: 10020 })),
      floods: { add: [{ port: 'vx0', vni: 10010, remote: A }], remove: [] },
      bindings: { add: [{ port: 'vx0', vni: 10010, ip: '2001:db8::9', mac: MAC, isRouter: true }], remove: [] },
    });
    const saved = one.peers.saved();
    const other = await start();
    await other.peers.restore(JSON.parse(JSON.stringify(saved)));
    expect(other.peers.saved()).toEqual(saved);
    expect(other.live.fdb()).toEqual(one.live.fdb());
    await other.peers.owner('evpn').change(add(mac(10)));
    await other.peers.owner('evpn').settled();
    expect(other.live.fdb().map((row) => row.mac)).toEqual([MAC]);
  });
});
