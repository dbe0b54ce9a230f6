import { describe, expect, it } from 'vitest';
import type { FdbRow, LinkRow, StatsAnswer, TrafficCounters } from '../../src/api/api.js';
import { parseConfig } from '../../src/config/load.js';
import { type Answers, MOST_REMOTES, planOf } from '../../src/doctor/plan.js';

const ZERO: TrafficCounters = { rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0 };

function stats(port: string, remotes: Record<string, number>): StatsAnswer {
  const counters = Object.fromEntries(
    Object.entries(remotes).map(([address, heard]) => [address, { ...ZERO, rx_packets: heard }]),
  );
  return {
    links: { [port]: { ...ZERO, rx_dropped: 0, tx_dropped: 0, drops: {}, remotes: counters } },
    drops: {},
    remotes: {},
    vnis: {},
    replicated: 0,
    retired: { ...ZERO, drops: {} },
    fdb: { entries: 0, learned: 0, moved: 0, aged: 0, refused: 0 },
  };
}

const link = (ifname: string, type: string, mtu: number, operstate: 'UP' | 'DOWN' = 'UP'): LinkRow => ({
  ifname,
  type,
  mtu,
  operstate,
});
const entry = (dst: string, port?: number): FdbRow => ({
  mac: '00:00:00:00:00:00',
  ifname: 'vxlan0',
  master: 'br1',
  dst,
  ...(port === undefined ? {} : { port }),
  state: 'permanent',
  flags: ['self'],
  moves: 0,
});

const config = (yaml: string) => parseConfig(yaml, 'test.yaml', { netnsExists: () => true, hostname: () => 'host' });

const FILE = `
bridges:
  br1:
    host_port: true
    ports:
      tap0: { type: tap, netns: ns2, ifname: eth0 }
      vxlan0:
        type: vxlan
        id: 42
        local: 192.0.2.1
        remotes: [192.0.2.2]
        peers: [192.0.2.4]
        fdb: [{ mac: "02:00:00:00:00:09", dst: 192.0.2.3, port: 8472 }]
`;

describe('a plan', () => {
  it('of a file has the remotes and ports that are written there', () => {
    const plan = planOf(config(FILE));
    expect(plan.vxlans).toHaveLength(1);
    expect(plan.vxlans[0]).toMatchObject({
      name: 'vxlan0',
      family: 4,
      local: '192.0.2.1',
      dstport: 4789,
      overhead: 50,
    });
    expect(plan.vxlans[0]?.remotes).toEqual([
      { address: '192.0.2.2', ports: [4789], heard: 0, sent: 0 },
      { address: '192.0.2.3', ports: [8472], heard: 0, sent: 0 },
      { address: '192.0.2.4', ports: [4789], heard: 0, sent: 0 },
    ]);
    // "auto" follows the path, so nothing is known of what guests will send.
    expect(plan.vxlans[0]?.guestMtu).toBeUndefined();
    expect(plan.nics.map(({ name, ifname, netns }) => [name, ifname, netns])).toEqual([
      ['br1', 'br1', undefined],
      ['tap0', 'eth0', 'ns2'],
    ]);
  });

  it('of a file goes by the MTUs that are fixed there', () => {
    const fixed = FILE.replace('ifname: eth0', 'ifname: eth0, mtu: 1400');
    expect(planOf(config(fixed)).vxlans[0]?.guestMtu).toBe(1400);
  });

  it('of a running switch adds what was put in or met at run time', () => {
    const answers: Answers = {
      links: [link('br1', 'bridge', 1450), link('tap0', 'tap', 1450), link('vxlan0', 'vxlan', 1450)],
      stats: stats('vxlan0', { '192.0.2.2': 5, '192.0.2.6': 7, '192.0.2.3': 0 }),
      entries: [entry('192.0.2.2'), entry('192.0.2.5', 9000), entry('192.0.2.2', 9001)],
    };
    const [port] = planOf(config(FILE), answers).vxlans;
    expect(port?.remotes).toEqual([
      { address: '192.0.2.2', ports: [4789, 9001], heard: 5, sent: 0 },
      { address: '192.0.2.3', ports: [8472], heard: 0, sent: 0 },
      { address: '192.0.2.5', ports: [9000], heard: 0, sent: 0 },
      { address: '192.0.2.4', ports: [4789], heard: 0, sent: 0 },
      { address: '192.0.2.6', ports: [4789], heard: 7, sent: 0 },
    ]);
    expect(port?.guestMtu).toBe(1450);
    expect(port?.guests).toEqual(['br1', 'tap0']);
  });

  it('takes the size of what guests send from their NICs, up to what the tunnel takes', () => {
    const sent = (tap: number, host: number, tunnel: number): number | undefined => {
      const links = [link('br1', 'bridge', host), link('tap0', 'tap', tap), link('vxlan0', 'vxlan', tunnel)];
      return planOf(config(FILE), { links, stats: stats('vxlan0', {}), entries: [] }).vxlans[0]?.guestMtu;
    };
    expect(sent(1300, 1350, 1450)).toBe(1350);
    expect(sent(1500, 1450, 1450)).toBe(1450);
  });

  it('knows what the tunnel of a NIC carries, and who is DOWN', () => {
    const links = [
      link('br1', 'bridge', 1450),
      link('tap0', 'tap', 1500, 'DOWN'),
      link('vxlan0', 'vxlan', 1450, 'DOWN'),
    ];
    const plan = planOf(config(FILE), { links, stats: stats('vxlan0', {}), entries: [] });
    expect(plan.nics[1]).toMatchObject({ name: 'tap0', tunnelMtu: 1450, operstate: 'DOWN', up: true });
    // The bridge is seen by its host port's NIC.
    expect(plan.links).toEqual([{ name: 'vxlan0', type: 'vxlan', up: true, operstate: 'DOWN' }]);
  });

  it('looks for a NIC where its owner has moved it, by the name that it has there', () => {
    const moved = (where: string): LinkRow => ({ ...link('tap0', 'tap', 1450), nic: 'eth7', nic_netns: where });
    const nics = (where: string) =>
      planOf(config(FILE), { links: [moved(where)], stats: stats('vxlan0', {}), entries: [] }).nics;
    expect(nics('room')[1]).toMatchObject({ name: 'tap0', ifname: 'eth7', netns: 'room' });
    expect(nics('room')[1]).not.toHaveProperty('unseen');
    expect(nics('net:[4026532177]')[1]).toMatchObject({ ifname: 'eth7', unseen: true });
  });

  it('counts the outer header of the family, and a tag that stays inside', () => {
    const over6 = FILE.replace('192.0.2.1', '"2001:db8::1"').replaceAll(/192\.0\.2\.(\d)/g, '"2001:db8::$1"');
    expect(planOf(config(over6)).vxlans[0]).toMatchObject({ family: 6, overhead: 70 });
    const tagged = FILE.replace('id: 42', 'id: 42\n        vlans: [{ vid: 5 }]').replace(
      'host_port: true',
      'vlan_filtering: true\n    host_port: true',
    );
    expect(planOf(config(tagged.replace(/ {8}fdb:.*\n/, ''))).vxlans[0]?.overhead).toBe(54);
  });

  it('has a link of no bridge down, and its NICs', () => {
    const alone = 'bridges: {}\nports:\n  tap9: { type: tap }\n  vxlan9: { type: vxlan, id: 9, local: 192.0.2.1 }\n';
    const plan = planOf(config(alone));
    expect(plan.links).toEqual([{ name: 'vxlan9', type: 'vxlan', up: false }]);
    expect(plan.nics[0]).toMatchObject({ name: 'tap9', up: false });
  });

  it('is bounded', () => {
    const remotes = Array.from({ length: MOST_REMOTES + 3 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    remotes[0] = '10.1.0.1';
    const many = FILE.replace('remotes: [192.0.2.2]', `remotes: [${remotes.join(', ')}]`);
    const plan = planOf(config(many));
    expect(plan.vxlans[0]?.remotes).toHaveLength(MOST_REMOTES);
    expect(plan.leftOut).toBe(5);
  });
});
