/** Entries of a bridge itself: the host's own MACs, with and without a host port. */
import { afterEach, expect, it } from 'vitest';
import { checkDocument } from '../../../src/config/load.js';
import { frame } from '../../dataplane/support/frames.js';
import { FDB_SIZE, LiveSwitch } from './live-switch.js';

const MAC = '02:00:00:00:00:0a';
const tap = { type: 'tap', vlans: [{ vid: 2, pvid: true, untagged: true }, { vid: 3 }] };

let live: LiveSwitch;

const documentOf = (br1: object): Record<string, unknown> => ({
  name: 'live',
  fdb_size: FDB_SIZE,
  bridges: { br1: { ...br1, ports: { t1: tap, t2: tap, v1: { type: 'vxlan', id: 50, remotes: ['192.0.2.1'] } } } },
});

const start = async (br1: object): Promise<void> => {
  live = await LiveSwitch.start(documentOf(br1));
};

afterEach(() => live.stop());

const add = (words: object = {}): Promise<unknown> => live.controls.fdb({ op: 'add', mac: MAC, dev: 'br1', ...words });
const set = (options: object): Promise<void> => live.controls.link({ op: 'set', name: 'br1', options: { ...options } });

function reaches(): string[] {
  live.inject(0, 't1', frame({ source: '02:00:00:00:00:99', destination: MAC }));
  return live.turn(0).map(({ to }) => to);
}

const rows = (): string[] =>
  live.fdb().flatMap(({ mac, ifname, vlan, state }) => (mac === MAC ? [`${ifname} ${vlan ?? '-'} ${state}`] : []));

it('leads to the host port, and where there is none to nobody, as the host port comes and goes', async () => {
  await start({});
  expect(reaches()).toHaveLength(2);
  await add();
  expect(rows()).toEqual(['br1 - permanent']);
  expect(reaches()).toEqual([]);
  expect(live.stats().drops).toEqual({ no_destination: 1 });
  await set({ host_port: true });
  expect(reaches()).toEqual(['br1']);
  await live.controls.fdb({ op: 'replace', mac: '02:00:00:00:00:0b', dev: 'br1', state: 'static' });
  await set({ host_port: null });
  expect(live.fdb().map(({ mac }) => mac)).not.toContain('02:00:00:00:00:0b');
  expect([rows(), reaches()]).toEqual([['br1 - permanent'], []]);
  // The same MAC from elsewhere teaches nothing, and goes on.
  live.inject(0, 't2', frame({ source: MAC, destination: '02:00:00:00:00:99' }));
  expect(live.turn(0).map(({ to }) => to)).toEqual(['t1']);
  expect(rows()).toEqual(['br1 - permanent']);
});

it('is one of the VLANs of the host port, or of those that it says', async () => {
  await start({ vlan_filtering: true, host_port: true, vlans: [{ vid: 2, pvid: true, untagged: true }, { vid: 3 }] });
  await add();
  expect(rows().sort()).toEqual(['br1 2 permanent', 'br1 3 permanent']);
  expect(reaches()).toEqual(['br1']);
  await expect(add({ vlan: 4 })).rejects.toThrow(/not a member of VLAN 4/);
  await live.controls.vlan({ op: 'del', dev: 'br1', vid: 2 });
  expect(rows()).toEqual(['br1 3 permanent']);
});

it('without a host port is one of the default PVID, or of the VLAN that it says', async () => {
  await start({ vlan_filtering: true });
  await add();
  await add({ vlan: 2 });
  expect(rows().sort()).toEqual(['br1 1 permanent', 'br1 2 permanent']);
  expect(reaches()).toEqual([]);
  await live.controls.fdb({ op: 'del', mac: MAC, dev: 'br1' });
  expect([rows(), reaches().length]).toEqual([[], 1]);
});

it('moves there from a port, and goes with a flush of permanent ones and with its bridge', async () => {
  await start({});
  await live.controls.fdb({ op: 'add', mac: MAC, dev: 't2', state: 'static' });
  await live.controls.fdb({ op: 'replace', mac: MAC, dev: 'br1' });
  expect(rows()).toEqual(['br1 - permanent']);
  expect(await live.controls.fdb({ op: 'flush', br: 'br1', state: ['permanent'] })).toEqual({ removed: 1 });
  expect(rows()).toEqual([]);
  await add();
  for (const name of ['t1', 't2', 'v1', 'br1']) await live.controls.link({ op: 'del', name });
  expect(live.model.entries.size).toBe(0);
  expect(live.engines.fdb.counters().entries).toBe(0);
});

it.each([
  [{ state: 'static' }, /^state: an entry of a bridge without host_port/],
  [{ dst: '192.0.2.1' }, /^dst: is for entries of a vxlan port, and this is a bridge/],
  [{ mac: '01:00:5e:00:00:01' }, /no unicast MAC/],
  [{ vlan: 2 }, /does not look at VLANs/],
])('%j is refused', async (words, message) => {
  await start({});
  await expect(add(words)).rejects.toThrow(message);
});

it('stands in a file, which a running switch prints and finds equal', async () => {
  const said = { fdb: [{ mac: '02:00:00:00:00:0b' }], vlan_filtering: true };
  await start(said);
  await add({ vlan: 3 });
  const config = await live.controls.stated();
  expect((config.bridges as Record<string, { fdb?: unknown }>).br1?.fdb).toEqual([
    { mac: '02:00:00:00:00:0b' },
    { mac: MAC, vlan: 3 },
  ]);
  expect(checkDocument(config, { hostname: () => 'live' }).config.bridges[0]?.fdb).toHaveLength(2);
  expect(await live.controls.apply({ config, dry_run: true })).toEqual({ commands: [] });
  const back = await live.controls.apply({ config: documentOf(said) });
  expect(back.commands).toEqual([`fdb del ${MAC} dev br1 vlan 3`]);
  const forth = await live.controls.apply({ config });
  expect(forth.commands).toEqual([`fdb replace ${MAC} dev br1 vlan 3`]);
});
