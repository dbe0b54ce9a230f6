/**
 * Translations of the kernel's tools/testing/selftests/net/test_bridge_backup_port.sh and test_vxlan_nh.sh. The entry of the vxlan device
 * that the kernel's script has beside that of the bridge is the flood list here: there is one table.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { arpRequest, solicitation } from '../dataplane/support/neigh-frames.js';
import { long } from '../long.js';
import { Console } from './support/console.js';

const DMAC = '00:11:22:33:44:55';
const SMAC = '00:aa:bb:cc:dd:ee';
const VIA_NEXTHOP = 'vx0>192.0.2.34:4789 vni 10010';
const VIA_LIST = 'vx0>192.0.2.36:4789 vni 10010';

let sw: Console;

afterEach(() => sw.stop());

/** Where a frame to the MAC behind swp1 goes. */
const send = (): string[] => sw.send('swp2', SMAC, DMAC);
const noDestination = (): number => sw.live.stats().drops.no_destination ?? 0;

describe('test_bridge_backup_port.sh', () => {
  beforeEach(async () => {
    sw = await Console.start({
      bridges: {
        br0: {
          vlan_filtering: true,
          vlan_default_pvid: 10,
          ports: {
            swp1: { type: 'tap', fdb: [{ mac: DMAC, vlan: 10 }] },
            swp2: { type: 'tap' },
            vx0: {
              type: 'vxlan',
              local: '192.0.2.33',
              vlan_tunnel: true,
              learning: false,
              remotes: ['192.0.2.36'],
              vlans: [{ vid: 10, tunnel_info: 10010 }],
            },
          },
        },
      },
    });
  });

  const group = `nexthop replace id 1 via 192.0.2.34 fdb
    nexthop replace id 2 via 192.0.2.34 fdb
    nexthop replace id 10 group 1/2 fdb`;

  it('backup_port', async () => {
    expect(send()).toEqual(['swp1']);
    await sw.run('link set swp1 down');
    expect(send()).toEqual([]);
    await sw.run('link set swp1 up\nlink set swp1 type bridge_slave backup_port vx0');
    expect(sw.link('swp1').backup_port).toBe('vx0');
    expect(send()).toEqual(['swp1']);
    await sw.run('link set swp1 down');
    expect(send()).toEqual([VIA_LIST]);
    await sw.run('link set swp1 up');
    expect(send()).toEqual(['swp1']);
    await sw.run('link set swp1 type bridge_slave nobackup_port');
    expect(sw.link('swp1').backup_port).toBeUndefined();
    expect(send()).toEqual(['swp1']);
    await sw.run('link set swp1 down');
    expect(send()).toEqual([]);
  });

  it('backup_nhid', async () => {
    await sw.run(`${group}\nlink set swp1 type bridge_slave backup_port vx0\nlink set swp1 down`);
    expect(send()).toEqual([VIA_LIST]);
    await sw.run('link set swp1 up\nlink set swp1 type bridge_slave backup_nhid 10');
    expect(sw.link('swp1').backup_nhid).toBe(10);
    expect(send()).toEqual(['swp1']);
    await sw.run('link set swp1 down');
    expect(send()).toEqual([VIA_NEXTHOP]);
    await sw.run('link set swp1 up');
    expect(send()).toEqual(['swp1']);
    await sw.run('link set swp1 type bridge_slave backup_nhid 0\nlink set swp1 down');
    expect(send()).toEqual([VIA_LIST]);
  });

  it('backup_nhid_invalid', async () => {
    await sw.run(`${group}
      link set swp1 type bridge_slave backup_port vx0 backup_nhid 10
      link set swp1 down`);
    expect(send()).toEqual([VIA_NEXTHOP]);
    const before = noDestination();
    await sw.run(`nexthop replace id 100 via 2001:db8:100::1 fdb
      nexthop replace id 200 via 2001:db8:100::1 fdb
      nexthop replace id 300 group 100/200 fdb`);
    // One that is not there, one that is no group, and one of the other address family.
    for (const [index, nhid] of [20, 1, 300].entries()) {
      await sw.run(`link set swp1 type bridge_slave backup_nhid ${nhid}`);
      expect(sw.link('swp1').backup_nhid).toBe(nhid);
      expect(send()).toEqual([]);
      expect(noDestination()).toBe(before + index + 1);
    }
  });

  it('backup_nhid_ping', async () => {
    await sw.run(`nexthop replace id 1 via 192.0.2.34 fdb
      nexthop replace id 10 group 1 fdb
      fdb flush dev vx0 state all
      link set swp1 type bridge_slave backup_port vx0 backup_nhid 10
      link set swp1 down`);
    expect(send()).toEqual([VIA_NEXTHOP]);
    // The way back: a member of the group is a known VTEP.
    sw.arrive('vx0', '192.0.2.34', 10010, DMAC, SMAC);
    expect(sw.turn()).toEqual(['swp2']);
    await sw.run('link set swp1 type bridge_slave backup_nhid 0');
    expect(send()).toEqual([]);
  });

  it('backup_nhid_torture', async () => {
    await sw.run(`${group}
      link set swp1 type bridge_slave backup_port vx0 backup_nhid 10
      link set swp1 down`);
    for (let round = 0; round < long(2000, 50); round++) {
      await sw.run('nexthop del id 10');
      expect(send()).toEqual([]);
      await sw.run('nexthop replace id 10 group 1/2 fdb');
      expect(send()).toEqual([VIA_NEXTHOP]);
    }
  });

  it('a backup is another port of the bridge; one that comes later is taken then', async () => {
    await expect(sw.run('link set swp1 type bridge_slave backup_port swp1')).rejects.toThrow(/own backup/);
    await sw.run('link set swp1 type bridge_slave backup_port swp9\nlink set swp1 down');
    expect(send()).toEqual([]);
    await sw.run('link add swp9 master br0 type tap');
    expect(send()).toEqual(['swp9']);
    await sw.run('link set swp9 type bridge_slave isolated on\nlink set swp2 type bridge_slave isolated on');
    expect(send()).toEqual([]);
    await sw.run('link set swp9 type bridge_slave isolated off\nlink set swp9 nomaster');
    expect(send()).toEqual([]);
    await sw.run('link set swp9 master br0');
    expect(send()).toEqual(['swp9']);
  });
});

describe('test_vxlan_nh.sh', () => {
  const families = [
    ['basic_tx_ipv4', '192.0.2.1', '192.0.2.2'],
    ['basic_tx_ipv6', '2001:db8:1::1', '2001:db8:1::2'],
  ];
  it.each(families)('%s', async (_name, local, remote) => {
    sw = await Console.start({
      bridges: { br0: { ports: { swp2: { type: 'tap' }, vx0: { type: 'vxlan', id: 10010, local } } } },
    });
    await sw.run(`nexthop add id 1 via ${remote} fdb
      nexthop add id 10 group 1 fdb
      fdb add ${DMAC} dev vx0 self static nhid 10`);
    expect(send()).toEqual([`vx0>${remote}:4789 vni 10010`]);
    expect(sw.live.stats().remotes[remote]?.tx_packets).toBe(1);
  });

  it('learning', async () => {
    const vx1 = { type: 'vxlan', id: 10020, local: '192.0.2.2', dstport: 54321, accept_vteps: 'any' };
    sw = await Console.start({ bridges: { br0: { ports: { swp2: { type: 'tap' }, vx1 } } } });
    await sw.run(`nexthop add id 1 via 192.0.2.3 fdb
      nexthop add id 10 group 1 fdb
      fdb add ${SMAC} dev vx1 self static nhid 10`);
    // Nothing that is learned takes the place of a group: vxlan_snoop drops the frame.
    for (const from of ['192.0.2.1', '192.0.2.3']) {
      sw.arrive('vx1', from, 10020, SMAC, DMAC);
      expect(sw.turn()).toEqual([]);
    }
    expect(sw.live.stats().drops.fdb_static_move).toBe(2);
    expect(sw.fdb('dev vx1')).toEqual([`${SMAC} dev vx1 nhid 10 src_vni 10020 master br0 static`]);
  });

  const proxies = [
    ['proxy_ipv4', '192.0.2.1', '192.0.2.2', '192.0.2.3', arpRequest(SMAC, '192.0.2.9', '192.0.2.3')],
    [
      'proxy_ipv6',
      '2001:db8:1::1',
      '2001:db8:1::2',
      '2001:db8:1::3',
      solicitation(SMAC, '2001:db8:1::9', '2001:db8:1::3'),
    ],
  ] as const;
  it.each(proxies)('%s', async (_name, local, remote, neighbour, request) => {
    const vx0 = { type: 'vxlan', id: 10010, local, proxy: true };
    sw = await Console.start({ bridges: { br0: { ports: { swp2: { type: 'tap' }, vx0 } } } });
    await sw.run(`nexthop add id 1 via ${remote} fdb
      nexthop add id 10 group 1 fdb
      fdb add ${DMAC} dev vx0 self static nhid 10`);
    await sw.live.controls.neigh({ op: 'add', dst: neighbour, lladdr: DMAC, dev: 'vx0' });
    sw.live.inject(0, 'swp2', request);
    // The answer, and nothing into the tunnel.
    expect(sw.turn()).toEqual(['swp2']);
  });
});
