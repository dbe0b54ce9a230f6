/**
 * What leaves a flooding domain and what reaches the host: the kernel's no_forwarding.sh, local_termination.sh and dual_vxlan_bridge.sh
 * (tools/testing/selftests/net/forwarding). Each line of log_test is a row of the table; VLAN IDs are those of the script.
 */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { formatVlans } from '../../src/cli/format/vlan.js';
import { mdbChange } from '../../src/cli/requests/mdb.js';
import { vlanGlobal, vlanSetting } from '../../src/cli/requests/vlan.js';
import { BROADCAST, frame, packet } from '../dataplane/support/frames.js';
import { groupMac } from '../dataplane/support/group-traffic.js';
import { Console } from './support/console.js';

const H1 = '02:00:00:00:01:01';
const H2 = '02:00:00:00:01:02';
const VIDS = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 4000, 4094];

const met: string[] = [];
let host: Console;
afterEach(() => host.stop());

function log(line: string, isSo: boolean): void {
  if (!met.includes(line)) met.push(line);
  expect(isSo, line).toBe(true);
}

/** Where a frame of a TAP goes. */
function sent(port: string, bytes: Uint8Array): string[] {
  host.live.inject(0, port, bytes);
  return host.live.turn(0).map(({ to }) => to);
}

const datagram = (version: 4 | 6, destination: string, group?: string, tci?: number): Uint8Array =>
  packet({
    ...{ version, protocol: 'udp', source: H1, destination },
    ...(group === undefined ? {} : { destinationAddress: group }),
    ...(tci === undefined ? {} : { tci }),
  });

/** The seven frames of no_forwarding.sh. */
function sevenFrames(tci?: number): [string, Uint8Array][] {
  const raw = (destination: string): Uint8Array =>
    frame({ source: H1, destination, etherType: 4, ...(tci === undefined ? {} : { tci }) });
  return [
    ['Unicast non-IP', raw(H2)],
    ['Multicast non-IP', raw('01:02:03:04:05:06')],
    ['Broadcast non-IP', raw(BROADCAST)],
    ['Unicast IPv4', datagram(4, H2, undefined, tci)],
    ['Multicast IPv4', datagram(4, groupMac('224.0.0.1'), '224.0.0.1', tci)],
    ['Unicast IPv6', datagram(6, H2, undefined, tci)],
    ['Multicast IPv6', datagram(6, groupMac('ff02::1'), 'ff02::1', tci)],
  ];
}

function noForwarding(of: string): void {
  for (const vid of [undefined, ...VIDS])
    for (const [what, bytes] of sevenFrames(vid))
      log(
        `no_forwarding.sh ${of}: ${what} ${vid === undefined ? 'untagged' : 'VID $vid'}`,
        sent('swp1', bytes).length === 0,
      );
}

describe('no_forwarding.sh', () => {
  const swp = { type: 'tap' };

  it('standalone', async () => {
    host = await Console.start({ bridges: {}, ports: { swp1: swp, swp2: swp } });
    noForwarding('standalone');
  });

  it('two_bridges', async () => {
    host = await Console.start({ bridges: { br0: { ports: { swp1: swp } }, br1: { ports: { swp2: swp } } } });
    noForwarding('two_bridges');
  });

  it('one_bridge_two_pvids', async () => {
    const ports = {
      swp1: {
        ...swp,
        vlans: [
          { vid: 1, untagged: true },
          { vid: 2, pvid: true, untagged: true },
        ],
      },
      swp2: swp,
    };
    host = await Console.start({ bridges: { br0: { vlan_filtering: true, vlan_default_pvid: 0, ports } } });
    noForwarding('one_bridge_two_pvids');
  });
});

describe('local_termination.sh', () => {
  it.each([
    ['vlan_unaware_bridge', false, undefined],
    ['vlan_aware_bridge', true, undefined],
    ['vlan_over_vlan_unaware_bridge', false, 100],
    ['vlan_over_vlan_aware_bridge', true, 100],
  ] as const)('%s', async (of, filtering, tci) => {
    const mac = '02:00:de:ad:be:ee';
    const vlans = filtering ? { vlans: [{ vid: 1, pvid: true, untagged: true }, { vid: 100 }] } : {};
    const br0 = { vlan_filtering: filtering, host_port: true, mac, ...vlans, ports: { h2: { type: 'tap', ...vlans } } };
    host = await Console.start({ bridges: { br0 } });
    const arrives = (what: string, bytes: Uint8Array): void =>
      log(`local_termination.sh ${of}: ${what}`, sent('h2', bytes).join() === 'br0');
    const unknown = ['de:ad:be:ef:ee:03', 'de:ad:be:ef:ee:04', 'de:ad:be:ef:ee:05'];
    arrives('Unicast IPv4 to primary MAC address', datagram(4, mac, undefined, tci));
    arrives('Unicast IPv4 to macvlan MAC address', datagram(4, '02:00:de:ad:be:ef', undefined, tci));
    for (const [at, mode] of ['', ', promisc', ', allmulti'].entries())
      arrives(`Unicast IPv4 to unknown MAC address${mode}`, datagram(4, unknown[at], undefined, tci));
    for (const [version, prefix] of [
      [4, '225.1.2.'],
      [6, 'ff2e::102:30'],
    ] as const)
      for (const [what, last] of [
        ['joined group', 3],
        // The script expects what it calls a failure (xfail): without a querier a group is flooded.
        ['unknown group', 4],
        ['unknown group, promisc', 5],
        ['unknown group, allmulti', 6],
      ] as const)
        arrives(
          `Multicast IPv${version} to ${what}`,
          datagram(version, groupMac(`${prefix}${last}`), `${prefix}${last}`, tci),
        );
  });
});

describe('dual_vxlan_bridge.sh', () => {
  it('ping_ipv4', async () => {
    // The VLAN device of the script on swp2 is the VLAN of the port here.
    const local = '192.0.2.17';
    const service = { vlans: [{ vid: 100, pvid: true, untagged: true }] };
    const qinq = { vlan_filtering: true, vlan_protocol: '802.1ad', vlan_default_pvid: 0, mcast_snooping: false };
    const br1 = {
      ...qinq,
      ports: {
        swp1: { type: 'tap', ...service },
        vx100: { type: 'vxlan', local, id: 1000, remotes: ['192.0.2.34'], ...service },
      },
    };
    const ports = {
      swp2: { type: 'tap', vlans: [{ vid: 20 }] },
      vx200: {
        type: 'vxlan',
        local,
        id: 2000,
        remotes: ['192.0.2.50'],
        vlans: [{ vid: 20, pvid: true, untagged: true }],
      },
    };
    const br2 = { vlan_filtering: true, vlan_default_pvid: 0, ports };
    host = await Console.start({ bridges: { br1, br2 } });
    for (const [port, vid, to, title, tagged] of [
      ['swp1', 10, 'vx100>192.0.2.34:4789 vni 1000', '802.1ad', true],
      ['swp2', 20, 'vx200>192.0.2.50:4789 vni 2000', '802.1d', false],
    ] as const) {
      const request = frame({ source: H1, destination: BROADCAST, tci: vid });
      host.live.inject(0, port, request);
      const left = host.live.turn(0);
      const inner = left[0]?.frame ?? new Uint8Array();
      const wire = tagged ? request : frame({ source: H1, destination: BROADCAST });
      const isWhole = Buffer.from(inner).equals(Buffer.from(wire));
      host.arriveBytes(
        to.split('>')[0],
        to.replace(/^.*>(.*):.*$/, '$1'),
        Number(to.split(' ')[2]),
        tagged ? frame({ source: H2, destination: H1, tci: vid }) : frame({ source: H2, destination: H1 }),
      );
      const back = host.live.turn(0);
      const isBack = Buffer.from(back[0]?.frame ?? []).equals(
        Buffer.from(frame({ source: H2, destination: H1, tci: vid })),
      );
      log(
        `dual_vxlan_bridge.sh ping_ipv4: local->remote through VxLAN with an ${title} bridge`,
        left.length === 1 && left[0].to === to && isWhole && back.length === 1 && isBack,
      );
    }
  });
});

describe('router_bridge.sh', () => {
  // The router is the host's stack; what it takes is a frame of the host port, both ways.
  it('ping_ipv4, ping_ipv6', async () => {
    const mac = '02:00:00:00:00:99';
    const br1 = { vlan_filtering: true, host_port: true, mac, ports: { swp1: { type: 'tap' } } };
    host = await Console.start({ bridges: { br1 } });
    const passes = (version: 4 | 6): boolean => {
      const there = sent('swp1', datagram(version, mac)).join() === 'br1';
      const back = packet({ version, protocol: 'udp', source: mac, destination: H1 });
      return there && sent('br1', back).join() === 'swp1';
    };
    const ping = (after: string, reaches = true): void => {
      for (const version of [4, 6] as const)
        log(`router_bridge.sh ${after}ping_ipv${version}${reaches ? '' : '_fails'}`, passes(version) === reaches);
    };
    ping('');
    await host.run('link set swp1 nomaster\nlink set swp1 master br1');
    ping('config_remaster, ');
    await host.run('vlan add dev br1 vid 1 self');
    ping('config_remove_pvid, ', false);
    await host.run('vlan add dev br1 vid 1 self pvid untagged');
    ping('config_add_pvid, ');
    await host.run('link set swp1 nomaster\nlink set br1 type bridge vlan_default_pvid 0');
    await host.run('link set swp1 master br1\nlink set br1 type bridge vlan_default_pvid 1');
    ping('config_late_pvid, ');
  });
});

describe('router_bridge_vlan.sh', () => {
  it('ping_ipv4, ping_ipv6, vlan', async () => {
    const mac = '02:00:00:00:00:99';
    const ports = { swp1: { type: 'tap' } };
    const br1 = { vlan_filtering: true, vlan_default_pvid: 0, host_port: true, mac, ports };
    host = await Console.start({ bridges: { br1 } });
    await host.run('vlan add dev br1 vid 555 self pvid untagged\nvlan add dev swp1 vid 555');
    for (const version of [4, 6] as const) {
      const there = sent('swp1', datagram(version, mac, undefined, 555)).join() === 'br1';
      const back = packet({ version, protocol: 'udp', source: mac, destination: H1 });
      log(`router_bridge_vlan.sh ping_ipv${version}`, there && sent('br1', back).join() === 'swp1');
    }
    await host.run('vlan add dev br1 vid 333 self\nvlan del dev br1 vid 333 self');
    log('router_bridge_vlan.sh vlan', true);
  });
});

/** An interface of the host in a VLAN of the bridge: a TAP port, as `ip link add ... type vlan` makes it under `overtap exec`. */
const upper = (vid: number): object => ({ type: 'tap', vlans: [{ vid, pvid: true, untagged: true }] });

describe('bridges with VLAN interfaces as routers', () => {
  const ROUTER = '02:00:00:00:00:99';

  /** Logs whether frames pass between a VLAN of a port and the interface of the host. */
  function ping(script: string, after: string, port: string, vid: number, to: string): void {
    for (const version of [4, 6] as const) {
      const back = packet({ version, protocol: 'udp', source: ROUTER, destination: H1 });
      // The router has spoken before, as it answers ARP.
      sent(to, frame({ source: ROUTER, destination: BROADCAST }));
      const there = sent(port, datagram(version, ROUTER, undefined, vid)).join() === to;
      log(`${script} ${after}ping_ipv${version}`, there && sent(to, back).join() === port);
    }
  }

  it('router_bridge_vlan_upper.sh', async () => {
    const ports = { swp1: { type: 'tap' }, swp2: { type: 'tap' }, 'br1.555': upper(555), 'br1.777': upper(777) };
    host = await Console.start({ bridges: { br1: { vlan_filtering: true, host_port: true, ports } } });
    const both = (after: string): void => {
      ping('router_bridge_vlan_upper.sh', after, 'swp1', 555, 'br1.555');
      ping('router_bridge_vlan_upper.sh', after, 'swp2', 777, 'br1.777');
    };
    const vlans = 'vlan add dev swp1 vid 555\nvlan add dev swp2 vid 777';
    await host.run(`vlan add dev br1 vid 555 self\nvlan add dev br1 vid 777 self\n${vlans}`);
    both('');
    await host.run('link set swp2 nomaster\nlink set swp1 nomaster');
    await host.run(`link set swp1 master br1\nlink set swp2 master br1\n${vlans}`);
    both('respin_config, ');
  });

  it('router_bridge_pvid_vlan_upper.sh', async () => {
    const ports = { swp1: { type: 'tap' } };
    const br1 = { vlan_filtering: true, vlan_default_pvid: 0, host_port: true, mac: ROUTER, ports };
    host = await Console.start({ bridges: { br1 } });
    await host.run('vlan add dev br1 vid 10 pvid untagged self\nvlan add dev swp1 vid 10');
    ping('router_bridge_pvid_vlan_upper.sh', '', 'swp1', 10, 'br1');
    await host.run('link add br1.10 type tap master br1\nvlan add dev br1.10 vid 10 pvid untagged\nlink del br1.10');
    ping('router_bridge_pvid_vlan_upper.sh', 'shuffle_pvid, ', 'swp1', 10, 'br1');
  });

  it('router_bridge_vlan_upper_pvid.sh', async () => {
    const ports = { swp1: { type: 'tap' }, 'br1.10': upper(10) };
    host = await Console.start({
      bridges: { br1: { vlan_filtering: true, vlan_default_pvid: 0, host_port: true, ports } },
    });
    await host.run('vlan add dev br1 vid 10 self\nvlan add dev swp1 vid 10');
    const ofAll = (after: string): void => ping('router_bridge_vlan_upper_pvid.sh', after, 'swp1', 10, 'br1.10');
    ofAll('');
    await host.run('vlan add dev br1 vid 10 pvid self\nvlan add dev br1 vid 10 self');
    ofAll('pvid_set_unset, ');
    await host.run('vlan add dev br1 vid 10 pvid self\nvlan add dev br1 vid 20 pvid self');
    ofAll('pvid_set_move, ');
  });
});

describe('fdb_notify.sh', () => {
  const MAC = '00:11:22:33:44:55';

  it.each([
    ['test_dup_bridge', 'bridge', 'dev br self'],
    ['test_dup_vxlan_self', 'vxlan', 'dev vx self dst 192.0.2.1'],
    ['test_dup_vxlan_master', 'vxlan master', 'dev vx master static'],
  ])('%s', async (of, what, words) => {
    const vx = { type: 'vxlan', id: 2000 };
    host = await Console.start({ bridges: { br: { vlan_filtering: true, host_port: true, ports: { vx } } } });
    const told: string[] = [];
    const stop = host.live.controls.subscribe((event) => told.push(JSON.stringify(event)));
    for (const op of ['add', 'del']) {
      told.length = 0;
      await host.run(`fdb ${op} ${MAC} vlan 1 ${words}`);
      host.turn();
      host.live.drainEvents();
      log(
        `fdb_notify.sh ${of}: ${what} ${op}: Duplicate notifications`,
        told.filter((line) => line.includes(MAC)).length === 1,
      );
    }
    stop();
  });
});

describe('bridge_vlan_dump.sh', () => {
  const MDB = 'dev br0 port dummy0 grp';

  /** VLANs of the port as `vlan show` groups them, such as `10-11`. */
  const shown = (): string[] =>
    formatVlans(
      host.live.vlans().vlans.filter(({ ifname }) => ifname === 'dummy0'),
      true,
    )
      .split('\n')
      .slice(1, -1)
      .map(
        (line) =>
          line
            .replace(/^dummy0/, '')
            .trim()
            .split(' ')[0],
      );

  it.each([
    ['vlan_range_neigh_suppress', 'neigh_suppress', ['on', 'off']],
    ['vlan_range_mcast_max_groups', 'mcast_max_groups', ['100', '200']],
    ['vlan_range_mcast_n_groups', 'mcast_n_groups', undefined],
    ['vlan_range_mcast_enabled', 'mcast_enabled', ['0', '1']],
  ] as const)('%s', async (of, option, values) => {
    const dummy0 = { type: 'tap', neigh_vlan_suppress: true, vlans: [{ vid: 10 }, { vid: 11 }] };
    const options = { vlan_filtering: true, vlan_default_pvid: 0, mcast_vlan_snooping: true };
    host = await Console.start({ bridges: { br0: { ...options, ports: { dummy0 } } } });
    const { controls } = host.live;
    const add = (words: string): Promise<void> => controls.mdb(mdbChange('add', `${MDB} ${words}`.split(' ')));
    const set = (vid: number, value: string): Promise<void> =>
      option === 'mcast_enabled'
        ? controls.vlan(vlanGlobal(`vid ${vid} dev br0 mcast_snooping ${value}`.split(' ')))
        : controls.vlan(vlanSetting(`vid ${vid} dev dummy0 ${option} ${value}`.split(' ')));
    if (values === undefined)
      for (const words of ['239.1.1.1 vid 10', '239.1.1.2 vid 10', '239.1.1.1 vid 11']) await add(words);
    else for (const vid of [10, 11]) await set(vid, values[vid - 10]);
    const apart = shown();
    if (values === undefined) await add('239.1.1.2 vid 11');
    else await set(11, values[0]);
    log(
      `bridge_vlan_dump.sh ${of}: VLAN range grouping with ${option}`,
      apart.join() === '10,11' && shown().join() === '10-11',
    );
  });
});

it('has a line for each row that passes here', () => {
  const path = new URL('cases/bridge-domains.json', import.meta.url);
  const rows = JSON.parse(readFileSync(path, 'utf8')) as { script: string; case: string; test?: string }[];
  const named = rows.filter(({ test }) => test?.endsWith('/bridge-domains.test.ts') === true);
  expect(met.sort()).toEqual(named.map((row) => `${row.script.replace('forwarding/', '')} ${row.case}`).sort());
  host = { stop: () => undefined } as Console;
});
