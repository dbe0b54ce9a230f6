/**
 * The multicast database of a tunnel against the kernel's vxlan device: what goes to a remote, to a group of the underlay, and to nobody
 * (tools/testing/selftests/net/test_vxlan_mdb.sh, "P2MP").
 */
import { afterEach, describe, expect, test } from 'vitest';
import { quietFor, until } from '../../src/lab/testbed/wait.js';
import { groupMac } from '../dataplane/support/group-traffic.js';
import { packet } from '../dataplane/support/frames.js';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { expectRefused, give, startWith } from './live-support.js';
import { kernelDevice, twoHostsOf } from './multicast-support.js';
import { sniff, type Sniffer } from './sniffer.js';
import { type Guest, type Host, plainBridge, tapPort } from './topologies.js';
import { inject } from './traffic.js';
import { expectBalance, makeGuest } from './two-hosts.js';

const VNI = 42;
const OVERLAYS = [
  { grp: '239.1.1.1', other: '239.2.2.2', valid: '192.0.2.129', invalid: '192.0.2.145', version: 4 as const },
  { grp: 'ff0e::1', other: 'ff0e::2', valid: '2001:db8:100::1', invalid: '2001:db8:200::1', version: 6 as const },
];

let world: World;
let hosts: [Host, Host];
let guest: Guest;
let peer: Guest;
let seen: Sniffer;

afterEach(() => world.cleanUp());

async function begin(family: 4 | 6): Promise<void> {
  world = new World();
  hosts = await twoHostsOf(world, family);
  guest = await makeGuest(world, 1);
  // A device that floods to nobody, and takes in what reaches the host.
  peer = await kernelDevice(world, hosts[1], { id: VNI, to: 'ttl 5', addresses: ['198.18.0.9/24'] });
  seen = await sniff(world, peer, 'udp dst port 54321');
}

/** Sends datagrams of a source to a group, with the given number of bytes. */
const send = (of: (typeof OVERLAYS)[number], from: string, grp: string, data: number): Promise<void> => {
  const fields = {
    destination: groupMac(grp),
    destinationAddress: grp,
    sourceAddress: from,
    destinationPort: 54_321,
  };
  const bytes = packet({ version: of.version, protocol: 'udp', source: guest.mac, data, ...fields });
  return inject(world, guest, Buffer.from(bytes).toString('hex'));
};
/** Payloads of the datagrams that the peer has had, by their lengths. */
const had = (): number[] =>
  seen.packets.map(({ hex, length }) => length - (hex.slice(24, 28) === '86dd' ? 62 : 42)).sort((a, b) => a - b);

const UNDERLAYS = [
  { family: 6 as const, group: 'ff0e::2', plen: 128 },
  { family: 4 as const, group: '238.1.1.1', plen: 32 },
];

describe.each(cases(UNDERLAYS, 1))('over IPv$family', ({ family, group, plen }) => {
  test('group of the underlay', async () => {
    await begin(family);
    const join = (op: string): Promise<string> =>
      world.ip(
        hosts[1].netns,
        `address ${op} ${group}/${plen} dev ${hosts[1].ifname}${op === 'add' ? ' autojoin' : ''}`,
      );
    await join('add');
    const entries = OVERLAYS.map(({ grp, valid, invalid, version }) => {
      const filter = version === 4 ? ['exclude', invalid] : ['include', valid];
      return `{ grp: "${grp}", dst: "${group}", via: eth0, filter_mode: ${filter[0]}, source_list: ["${filter[1]}"] }`;
    });
    const port = `      vxlan0: { type: vxlan, id: ${VNI}, local: "${hosts[0].address}", dev: eth0, mdb: [${entries.join(', ')}] }\n`;
    const sw = await startWith(
      world,
      hosts[0].netns,
      'host1',
      `bridges:\n${plainBridge(tapPort('tap0', guest), port)}`,
    );
    for (const [at, of] of OVERLAYS.entries()) {
      await send(of, of.invalid, of.grp, 100 + at);
      await send(of, of.valid, of.grp, 200 + at);
      await until('the valid source is received', () => had().includes(200 + at));
    }
    expect(had()).toEqual([200, 201]);
    await join('del');
    for (const of of OVERLAYS) await send(of, of.valid, of.grp, 300);
    await quietFor();
    expect(had()).toEqual([200, 201]);
    expect((await sw.stats()).links.vxlan0.tx_packets).toBeGreaterThanOrEqual(4);
    await expectBalance(sw);
  });
});

test('remotes by command, and the catch-all; both are in the running configuration', async () => {
  await begin(4);
  const port = `      vxlan0: { type: vxlan, id: ${VNI}, local: "${hosts[0].address}" }\n`;
  const sw = await startWith(world, hosts[0].netns, 'host1', `bridges:\n${plainBridge(tapPort('tap0', guest), port)}`);
  const [of] = OVERLAYS;
  await send(of, of.valid, of.grp, 100);
  await give(sw, `mdb add dev vxlan0 port vxlan0 grp ${of.grp} permanent dst ${hosts[1].address} proto bgp`);
  await send(of, of.valid, of.grp, 101);
  await until('an entry of the group', () => had().includes(101));
  await send(of, of.valid, of.other, 102);
  await give(sw, `mdb add dev vxlan0 port vxlan0 grp 0.0.0.0 permanent dst ${hosts[1].address}`);
  await send(of, of.valid, of.other, 103);
  await send(of, of.valid, '224.0.0.100', 104);
  await until('the catch-all', () => had().includes(103));
  await quietFor();
  expect(had()).toEqual([101, 103]);
  expect(await give(sw, `-d mdb get dev vxlan0 grp ${of.grp}`)).toBe(
    `dev vxlan0 port vxlan0 grp ${of.grp} dst ${hosts[1].address} permanent filter_mode exclude proto bgp\n`,
  );
  await expectRefused(sw, 'mdb get dev vxlan0 grp 239.9.9.9', /has no entry 239.9.9.9/);
  const to = `dst: ${hosts[1].address}`;
  expect(await give(sw, 'config show')).toContain(`- { grp: ${of.grp}, ${to}, proto: bgp }\n`);
  expect(await give(sw, 'config show')).toContain(`- { grp: 0.0.0.0, ${to} }\n`);
  await give(sw, 'mdb flush dev vxlan0 proto bgp');
  expect(await give(sw, 'mdb show dev vxlan0')).toBe(
    `dev vxlan0 port vxlan0 grp 0.0.0.0 dst ${hosts[1].address} permanent\n`,
  );
  await expectBalance(sw);
});
