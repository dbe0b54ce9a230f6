/**
 * The kernel's test_vxlan_vnifiltering.sh, by commands: VNIs with a multicast group or a remote of their own. A VNI is there once a VLAN
 * is mapped to it, which the script does before `bridge vni add` too.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatVnis, statsOf } from '../../src/cli/format/vni.js';
import { frame } from '../dataplane/support/frames.js';
import { Console } from './support/console.js';

const [A, ALL] = ['02:00:00:00:00:0a', 'ff:ff:ff:ff:ff:ff'];
const LOCAL = '172.16.0.1';

let sw: Console;

const vxlan = (more: object = {}) => ({
  type: 'vxlan',
  vlan_tunnel: true,
  local: LOCAL,
  dev: 'eth0',
  vlans: [],
  ...more,
});
const vnisOf = (port: string) => sw.live.vlans().vnis?.find(({ ifname }) => ifname === port)?.vnis;

beforeEach(async () => {
  const bridge = (ports: object) => ({ vlan_filtering: true, vlan_default_pvid: 0, ports });
  sw = await Console.start({
    bridges: {
      br1: bridge({ veth1: { type: 'tap', vlans: [{ vid: '10-40' }] }, 'vxlan-ext1': vxlan() }),
      br2: bridge({ 'vxlan-ext2': vxlan({ vlans: [{ vid: '1-9' }] }) }),
    },
  });
});

afterEach(() => sw.stop());

/** Where a broadcast in a VLAN goes. */
function flood(vid: number): string[] {
  sw.live.inject(0, 'veth1', frame({ source: A, destination: ALL, tci: vid }));
  return sw.live.turn(0).map(({ to }) => to);
}

describe('test_vxlan_vnifiltering.sh', () => {
  it('vxlan_vnifilter_api', async () => {
    await sw.run(`
      vlan add dev vxlan-ext1 vid 20 tunnel_info id 200
      vni add dev vxlan-ext1 vni 200
      vlan add dev vxlan-ext2 vid 3 tunnel_info id 300`);
    // One VNI at one address and UDP port.
    await expect(sw.run('vlan add dev vxlan-ext2 vid 2 tunnel_info id 200')).rejects.toThrow(/VNI 200/);
    await expect(sw.run('vni add dev vxlan-ext2 vni 200')).rejects.toThrow(
      'no VLAN of vxlan-ext2 is mapped to VNI 200; map one first: overtap vlan add dev vxlan-ext2 vid VLAN tunnel_info id 200',
    );
    await sw.run('vni add dev vxlan-ext2 vni 300');
    await sw.run(`
      vlan add dev vxlan-ext2 vid 4 tunnel_info id 400
      vni add dev vxlan-ext2 vni 400
      vni add dev vxlan-ext1 vni 200 group 239.1.1.101
      vni add dev vxlan-ext2 vni 300 group 239.1.1.101`);
    expect(vnisOf('vxlan-ext1')).toEqual([{ vni: 200, group: '239.1.1.101' }]);
    expect(vnisOf('vxlan-ext2')).toEqual([{ vni: 300, group: '239.1.1.101' }, { vni: 400 }]);
    await expect(sw.run('vni add dev vxlan-ext1 vni 200 group 192.0.2.1')).rejects.toThrow(/not a multicast address/);
    await expect(sw.run('vni add dev vxlan-ext1 vni 200 group ff05::1')).rejects.toThrow(/use one family/);
    await sw.run('vni del dev vxlan-ext1 vni 200');
    expect(vnisOf('vxlan-ext1')).toBeUndefined();
    await expect(sw.run('vni del dev vxlan-ext1 vni 200')).rejects.toThrow(/no VLAN of vxlan-ext1/);
  });

  it('vxlan_vnifilter_datapath_mgroup_pervni', async () => {
    await sw.run(`
      vlan add dev vxlan-ext1 vid 10-20 tunnel_info id 110-120
      vni add dev vxlan-ext1 vni 110 group 239.1.1.100
      vni add dev vxlan-ext1 vni 120 group 239.1.1.101`);
    expect(flood(10)).toEqual(['vxlan-ext1>239.1.1.100:4789 vni 110']);
    expect(flood(20)).toEqual(['vxlan-ext1>239.1.1.101:4789 vni 120']);
    expect(flood(15)).toEqual([]);
    sw.arrive('vxlan-ext1', '172.16.0.2', 110, '02:00:00:00:00:0b', ALL);
    expect(sw.live.turn(0).map(({ to }) => to)).toEqual(['veth1']);
  });

  it('a group of a VNI is in place of that of the port, and remotes are beside both; without, it has that of the port', async () => {
    await sw.run(`
      link set vxlan-ext1 type vxlan group 239.1.1.1
      vlan add dev vxlan-ext1 vid 10-12 tunnel_info id 110-112
      vni add dev vxlan-ext1 vni 110 group 239.1.1.100
      vni add dev vxlan-ext1 vni 111 remote 172.16.0.9`);
    expect(flood(10)).toEqual(['vxlan-ext1>239.1.1.100:4789 vni 110']);
    expect(flood(11)).toEqual(['vxlan-ext1>239.1.1.1:4789 vni 111', 'vxlan-ext1>172.16.0.9:4789 vni 111']);
    expect(flood(12)).toEqual(['vxlan-ext1>239.1.1.1:4789 vni 112']);
    await sw.run('vni add dev vxlan-ext1 vni 110');
    expect(flood(10)).toEqual(['vxlan-ext1>239.1.1.1:4789 vni 110']);
  });

  it('groups in a file are commands of `apply`, and the running configuration has those of commands', async () => {
    await sw.run(`
      vlan add dev vxlan-ext1 vid 10-12 tunnel_info id 110-112
      vni add dev vxlan-ext1 vni 110-111 group 239.1.1.100`);
    const config = structuredClone(await sw.live.controls.stated());
    const { vlans } = (config as { bridges: Record<string, { ports: Record<string, { vlans: object[] }> }> }).bridges
      .br1.ports['vxlan-ext1'];
    expect(vlans).toEqual([
      { vid: '10-11', tunnel_info: '110-111', group: '239.1.1.100' },
      { vid: 12, tunnel_info: 112 },
    ]);
    expect((await sw.live.controls.apply({ config: structuredClone(config) })).commands).toEqual([]);
    vlans.splice(0, 2, { vid: '10-12', tunnel_info: '110-112', group: '239.1.1.101' });
    vlans.push({ vid: 13, tunnel_info: 113 });
    expect((await sw.live.controls.apply({ config })).commands).toEqual([
      'vlan add dev vxlan-ext1 vid 13 tunnel_info id 113',
      'vni add dev vxlan-ext1 vni 110-112 group 239.1.1.101',
    ]);
    expect((await sw.live.controls.apply({ config })).commands).toEqual([]);
    expect(flood(10)).toEqual(['vxlan-ext1>239.1.1.101:4789 vni 110']);
  });

  it('the counters of each VNI, under the names of `bridge -s vni`', async () => {
    await sw.run(`
      vlan add dev vxlan-ext1 vid 10-11 tunnel_info id 110-111
      vni add dev vxlan-ext1 vni 110 group 239.1.1.100`);
    flood(10);
    flood(11);
    sw.arrive('vxlan-ext1', '172.16.0.2', 110, '02:00:00:00:00:0b', ALL);
    sw.arrive('vxlan-ext1', '172.16.0.2', 110, '01:00:00:00:00:0b', ALL);
    sw.live.turn(0);
    const { vnis = {} } = sw.live.stats().links['vxlan-ext1'];
    const none = {
      rx_bytes: 0,
      rx_pkts: 0,
      rx_drops: 0,
      rx_errors: 0,
      tx_bytes: 0,
      tx_pkts: 0,
      tx_drops: 0,
      tx_errors: 0,
    };
    const first = { ...none, rx_bytes: 60, rx_pkts: 1, rx_drops: 1, tx_bytes: 60, tx_pkts: 1 };
    expect(statsOf(vnis[110])).toEqual(first);
    expect(statsOf(vnis[111])).toEqual({ ...none, tx_drops: 1 });
    const listing = [{ ifname: 'vxlan-ext1', vnis: [{ vni: 110, group: '239.1.1.100', stats: first }, { vni: 111 }] }];
    expect(formatVnis(listing)).toBe(
      'dev               vni              group/remote\n' +
        'vxlan-ext1         110             239.1.1.100\n' +
        '                   RX: bytes 60 pkts 1 drops 1 errors 0\n' +
        '                   TX: bytes 60 pkts 1 drops 0 errors 0\n' +
        '                   111\n',
    );
  });
});
