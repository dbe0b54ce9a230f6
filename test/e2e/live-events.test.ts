/**
 * What a running switch tells of itself: events on `overtap monitor`, one for each change and none twice, and `/metrics`,
 * whose numbers are those of `stats`.
 */
import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StatsAnswer, SwitchEvent } from '../../src/api/api.js';
import { quietFor, until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { clientOf, expectReach, give, Monitor, startWith } from './live-support.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { BROADCAST, experimentalFrame, inject } from './traffic.js';
import { kernelPeer, makeGuest, VNI } from './two-hosts.js';

const MAC = '02:00:00:00:aa:01';

let world: World;
let hosts: [Host, Host];
let guests: Guest[];

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
});

afterEach(() => world.cleanUp());

function start(workers: number, options = ''): Promise<RunningSwitch> {
  const ports = guests.map((guest, number) => tapPort(`tap${number + 1}`, guest));
  const bridges = plainBridge(...ports, singlePort(hosts[0].address, [hosts[1].address], VNI));
  return startWith(world, hosts[0].netns, 'host1', `workers: ${workers}\nbridges:\n${bridges}${options}`);
}

/** A frame from that MAC to everybody, at a guest's NIC. */
function frameFrom(source: string, guest: Guest, text = 'here'): Promise<void> {
  return inject(world, guest, experimentalFrame({ destination: BROADCAST, source, text }));
}

describe.each(cases([{ workers: 2 }, { workers: 1 }], 1))('workers: $workers', ({ workers }) => {
  let sw: RunningSwitch;
  let monitor: Monitor;

  beforeEach(async () => {
    sw = await start(workers);
    monitor = await Monitor.begin(world, hosts[0].netns, sw);
  });

  /** What is told of a MAC, once there is so much, and nothing comes after it. */
  async function storyOf(mac: string, length: number): Promise<SwitchEvent[]> {
    const story = (): SwitchEvent[] => monitor.events.filter((event) => 'mac' in event && event.mac === mac);
    await until(`${length} events of ${mac}: ${JSON.stringify(story())}`, () => story().length >= length);
    await quietFor();
    return story();
  }

  test('learned, moved, deleted, added and changed entries', async () => {
    const entry = { mac: MAC, master: 'br1', state: 'dynamic' };
    await frameFrom(MAC, guests[0]);
    await frameFrom(MAC, guests[0], 'again');
    expect(await storyOf(MAC, 1)).toEqual([{ event: 'learned', ...entry, ifname: 'tap1' }]);
    await frameFrom(MAC, guests[1]);
    const moved = { event: 'moved', ...entry, ifname: 'tap2', from: { ifname: 'tap1' } };
    expect((await storyOf(MAC, 2)).slice(1)).toEqual([moved]);
    await give(sw, 'fdb flush dev tap2');
    expect((await storyOf(MAC, 3)).slice(2)).toEqual([{ event: 'deleted', ...entry, ifname: 'tap2' }]);
    const add = (state: string): string => `fdb replace ${MAC} dev tap1 ${state}`;
    await give(sw, add('static'), add('permanent'), `fdb del ${MAC} dev tap1`);
    expect((await storyOf(MAC, 6)).slice(3).map((event) => [event.event, 'state' in event && event.state])).toEqual([
      ['added', 'static'],
      ['changed', 'permanent'],
      ['deleted', 'permanent'],
    ]);
    expect(monitor.of('lost')).toEqual([]);
  });

  test('entries that age, those of a port that goes, and those behind the tunnel', async () => {
    const peer = await kernelPeer(world, hosts[1], hosts[0].address, '198.18.0.9');
    await expectReach(world, guests[0], peer);
    const behind = { ifname: 'vxlan0', vni: VNI, dst: hosts[1].address };
    expect(await storyOf(peer.mac, 1)).toEqual([
      { event: 'learned', mac: peer.mac, master: 'br1', state: 'dynamic', ...behind },
    ]);
    await give(sw, 'link set br1 type bridge ageing_time 1');
    await frameFrom(MAC, guests[0]);
    expect((await storyOf(MAC, 2)).map(({ event }) => event)).toEqual(['learned', 'aged']);
    expect((await storyOf(peer.mac, 2)).slice(1)).toEqual([
      { event: 'aged', mac: peer.mac, master: 'br1', state: 'dynamic', ...behind },
    ]);
    await give(sw, 'link set br1 type bridge ageing_time 300');
    await frameFrom(MAC, guests[0]);
    await storyOf(MAC, 3);
    await give(sw, 'link del tap1');
    expect((await storyOf(MAC, 4)).slice(2)).toMatchObject([
      { event: 'learned', ifname: 'tap1' },
      { event: 'deleted', ifname: 'tap1' },
    ]);
    expect(monitor.of('lost')).toEqual([]);
  });

  test('links that come, go, change, and go up and down; and groups', async () => {
    const told = async (length: number): Promise<unknown[]> => {
      const rows = (): unknown[] =>
        monitor.of('link').map(({ ifname, type, master, change }) => [ifname, type, master, change]);
      await until(`${length} events of links: ${JSON.stringify(rows())}`, () => rows().length >= length);
      await quietFor();
      return rows();
    };
    await give(sw, 'link add br2 type bridge', `link add tap9 type tap netns ${guests[0].netns} master br2`);
    expect(await told(2)).toEqual([
      ['br2', 'bridge', undefined, 'added'],
      ['tap9', 'tap', 'br2', 'added'],
    ]);
    await give(sw, 'link set tap9 down', 'link set tap9 up', 'link set tap9 type bridge_slave learning off');
    expect((await told(5)).slice(2)).toEqual([
      ['tap9', 'tap', 'br2', 'down'],
      ['tap9', 'tap', 'br2', 'up'],
      ['tap9', 'tap', 'br2', 'changed'],
    ]);
    // From outside: the guest's own hand.
    await world.ip(guests[0].netns, 'link set tap9 down');
    expect((await told(6)).slice(5)).toEqual([['tap9', 'tap', 'br2', 'down']]);
    await world.ip(guests[0].netns, 'link set tap9 up');
    expect((await told(7)).slice(6)).toEqual([['tap9', 'tap', 'br2', 'up']]);
    await give(sw, 'mdb add dev br2 port tap9 grp 239.1.2.3', 'mdb del dev br2 port tap9 grp 239.1.2.3');
    await until('both events of the group', () => monitor.of('mdb').length >= 2);
    expect(monitor.of('mdb')).toEqual(
      ['added', 'deleted'].map((change) => ({ event: 'mdb', change, dev: 'br2', port: 'tap9', grp: '239.1.2.3' })),
    );
    await give(sw, 'link del tap9', 'link del br2');
    expect((await told(9)).slice(7)).toEqual([
      ['tap9', 'tap', 'br2', 'deleted'],
      ['br2', 'bridge', undefined, 'deleted'],
    ]);
  });
});

// ---- metrics ----

/** A plain HTTP client. */
function read(
  socketPath: string,
  path: string,
): Promise<{ status: number | undefined; type: string | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () => resolve({ status: answer.statusCode, type: answer.headers['content-type'], text }));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** By name and labels, as they are written. */
function samples(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const [, key, value] = /^([a-z_]+(?:\{.*\})?) ([-+.e\d]+)$/.exec(line) ?? [];
      if (key === undefined) throw new Error(`no sample: ${line}`);
      return [key, Number(value)];
    }),
  );
}

test('/metrics has the numbers of "stats"', async () => {
  const sw = await start(1);
  const peer = await kernelPeer(world, hosts[1], hosts[0].address, '198.18.0.9');
  await expectReach(world, guests[0], guests[1]);
  await expectReach(world, guests[0], peer);
  await give(sw, 'link set tap2 down');
  await frameFrom(MAC, guests[1]);
  await give(sw, 'link add gone type tap', 'link del gone');
  const stats: StatsAnswer = await settledStats(sw);
  expect(stats.drops.port_down).toBeGreaterThan(0);

  const { status, type, text } = await read(sw.control, '/metrics');
  expect({ status, type }).toEqual({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' });
  const found = samples(text);
  const traffic = {
    rx_packets: 'receive_packets',
    rx_bytes: 'receive_bytes',
    tx_packets: 'transmit_packets',
    tx_bytes: 'transmit_bytes',
  } as const;
  for (const [kind, rows] of [
    ['link', stats.links],
    ['remote', stats.remotes],
    ['vni', stats.vnis],
  ] as const)
    for (const [name, row] of Object.entries(rows))
      for (const key of Object.keys(traffic) as (keyof typeof traffic)[]) {
        const metric = `overtap_${kind}_${traffic[key]}_total{${kind}="${name}"}`;
        expect(found.get(metric), metric).toBe(row[key]);
      }
  for (const [link, { drops }] of Object.entries(stats.links))
    for (const [reason, count] of Object.entries(drops))
      expect(found.get(`overtap_link_drops_total{link="${link}",reason="${reason}"}`)).toBe(count);
  for (const key of ['learned', 'moved', 'aged', 'refused'] as const)
    expect(found.get(`overtap_fdb_${key}_total`), key).toBe(stats.fdb[key]);
  expect(found.get('overtap_fdb_entries')).toBe(stats.fdb.entries);
  expect(found.get('overtap_replicated_packets_total')).toBe(stats.replicated);
  expect(found.get('overtap_retired_receive_packets_total')).toBe(stats.retired.rx_packets);
  const links = await clientOf(sw).get('/v1/links');
  for (const { ifname, operstate } of links) {
    const [, value] = [...found].find(([key]) => key.startsWith(`overtap_link_up{link="${ifname}",`)) ?? [];
    expect(value, ifname).toBe(operstate === 'UP' ? 1 : 0);
  }
});
