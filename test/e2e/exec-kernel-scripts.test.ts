/** What scripts that were written for the kernel need beyond single commands: found by running the kernel's own tests under `overtap exec`. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { run } from '../../src/lab/testbed/program.js';
import { inNamespace } from '../../src/lab/testbed/testbed.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { startWith } from './live-support.js';
import { OVERTAP, type RunningSwitch } from './switch.js';

let world: World;
let netns: string;
let sw: RunningSwitch;

beforeEach(async () => {
  world = new World();
  netns = await world.netns('h');
  sw = await startWith(world, netns, 'one', 'bridges: {}');
});

afterEach(() => world.cleanUp());

/** Runs lines under `overtap exec`. @returns what they print, both streams in order */
async function told(lines: string): Promise<string> {
  const command = [process.execPath, OVERTAP, 'exec', '-s', sw.control, '--', 'sh', '-c', `exec 2>&1\n${lines}`];
  return (await run(inNamespace(netns, command))).stdout;
}

it('a vxlan device without a bridge has a table of its own, which it keeps when it becomes a port', async () => {
  const output = await told(
    `set -e
     ip link add vx0 type vxlan id 7 dstport 4789
     bridge fdb add 02:00:00:00:00:01 dev vx0 dst 192.0.2.1
     bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.2
     bridge fdb add 02:00:00:00:00:03 dev vx0 dst 192.0.2.3 port 4790 vni 8 router
     bridge fdb show dev vx0
     echo --
     ip -br link
     ip link add br0 type bridge
     ip link set vx0 master br0
     echo --
     bridge fdb show dev vx0
     bridge fdb flush dev vx0
     echo --
     bridge fdb show dev vx0`,
  );
  const [first, links, second, last] = output.split('--\n').map((part) => part.trim().split('\n').sort());
  expect(first).toEqual([
    '00:00:00:00:00:00 dst 192.0.2.2 self permanent',
    '02:00:00:00:00:01 dst 192.0.2.1 self permanent',
    '02:00:00:00:00:03 dst 192.0.2.3 port 4790 vni 8 self router permanent',
  ]);
  // The bridge that carries the table is nobody's affair.
  expect(links?.map((line) => line.split(' ')[0])).toEqual(['lo', 'vx0']);
  expect(second).toEqual(first);
  // As in the kernel: a flush leaves the default destination.
  expect(last).toEqual(['00:00:00:00:00:00 dst 192.0.2.2 self permanent']);
  expect((await sw.links()).map(({ ifname }) => ifname).sort()).toEqual(['br0', 'vx0']);
});

it('a vxlan device may be there before its address', async () => {
  const output = await told(
    `set -e
     ip link add vx0 up type vxlan id 7 local 192.0.2.1 dstport 4789
     ip link add br0 up type bridge
     ip link set vx0 master br0
     ip -d link show vx0
     ip addr add 192.0.2.1/32 dev lo`,
  );
  expect(output).toContain('vxlan id 7 local 192.0.2.1');
  await until('the device is up', async () => {
    const shown = await told('ip link show vx0');
    return /LOWER_UP.*state UP/.test(shown) ? true : undefined;
  });
});

it('a refused bridge of a device leaves nothing', async () => {
  const output = await told(
    `ip link add vx0 type vxlan external dstport 4789
     bridge fdb add 02:00:00:00:00:01 dev vx0 dst 192.0.2.1 src_vni 7
     ip link del vx0
     ip link add vx0 type vxlan id 7 dstport 4789
     bridge fdb add 02:00:00:00:00:01 dev vx0 dst 192.0.2.1
     bridge fdb show dev vx0`,
  );
  expect(output).toContain('02:00:00:00:00:01 dst 192.0.2.1 self permanent');
});

it('an entry that a control program has learned may roam, whatever state ip gives it', async () => {
  await told(
    `ip link add br0 type bridge
     ip link add v0 type veth peer name v1
     ip link set v0 master br0
     bridge fdb add 02:00:00:00:00:05 dev v0 master extern_learn`,
  );
  const [entry] = (await sw.fdb()).filter(({ mac }) => mac === '02:00:00:00:00:05');
  expect(entry).toMatchObject({ ifname: 'v0', state: 'dynamic' });
  expect(entry?.flags).toContain('extern_learn');
});

it('a bridge does not read what an entry says of a remote', async () => {
  await told(
    `ip link add br0 type bridge
     bridge fdb add 02:00:00:00:00:06 dev br0 dst 192.0.2.1`,
  );
  const [entry] = (await sw.fdb()).filter(({ mac }) => mac === '02:00:00:00:00:06');
  expect(entry).toMatchObject({ ifname: 'br0', state: 'permanent' });
  expect(entry).not.toHaveProperty('dst');
});

it('of groups of the bridge itself, and of a port that is down, only those are taken that the kernel takes', async () => {
  const output = await told(
    `ip link add br0 up type bridge mcast_snooping 1
     bridge mdb add dev br0 port br0 grp 239.1.1.2 temp && echo added
     bridge mdb add dev br0 port br0 grp 239.1.1.3 permanent
     bridge mdb add dev br0 port br0 grp 01:02:03:04:05:06 permanent && echo added
     bridge mdb add dev br0 port br0 grp 01:02:03:04:05:07 temp
     ip link add v0 type veth peer name v1
     ip link set v0 master br0
     bridge mdb add dev br0 port v0 grp 239.1.1.4 temp && echo added
     bridge mdb add dev br0 port v0 grp 239.1.1.5 permanent && echo added`,
  );
  expect(output).toContain('Port is in disabled state');
  expect(output.match(/^added$/gm)).toHaveLength(3);
  expect(output).toContain('Flags are not allowed for host groups');
  expect(output).toContain('Only permanent L2 entries allowed');
});

it('what is said of a VNI before a VLAN is mapped to it waits for that', async () => {
  const shown = 'bridge fdb show dev vx0; echo --';
  const output = await told(
    `ip link add br0 up type bridge vlan_filtering 1
     ip link add vx0 master br0 up type vxlan external vnifilter local 127.0.0.1 dstport 4789
     ip link add vx1 type vxlan external vnifilter local 127.0.0.1 dstport 4789
     bridge fdb add 00:00:00:00:00:00 dev vx0 self static dst 127.0.0.2 src_vni 110
     bridge fdb append 00:00:00:00:00:00 dev vx0 dst 127.0.0.3 src_vni 110
     bridge fdb add 02:00:00:00:00:01 dev vx0 dst 127.0.0.2 src_vni 110 vni 210 port 4790 router
     bridge fdb add 02:00:00:00:00:01 dev vx0 dst 127.0.0.2 src_vni 110 && echo twice
     for i in 2 3 4; do bridge fdb add 02:00:00:00:00:0$i dev vx0 dst 127.0.0.$i src_vni 11$i; done
     bridge fdb replace 02:00:00:00:00:02 dev vx0 dst 127.0.0.9 src_vni 112
     bridge vni add dev vx0 vni 110-111
     bridge vni add dev vx0 vni 111 remote 127.0.0.8
     bridge vni add dev vx1 vni 111 && echo shared
     bridge vni show dev vx0; echo --
     ${shown}
     bridge fdb get 02:00:00:00:00:02 dev vx0 self; echo --
     bridge vlan add dev vx0 vid 10-11
     bridge vlan add dev vx0 vid 10-11 tunnel_info id 110-111
     bridge fdb del 02:00:00:00:00:02 dev vx0 dst 127.0.0.9 src_vni 112
     bridge fdb del 02:00:00:00:00:02 dev vx0 dst 127.0.0.9 src_vni 112 && echo gone
     bridge fdb del 02:00:00:00:00:03 dev vx0 dst 127.0.0.3 src_vni 113
     ${shown}
     bridge vni show dev vx0`,
  );
  expect(output).not.toMatch(/twice|shared|gone/);
  const [vnis, first, got, second, mapped] = output.split('--\n').map((part) =>
    part
      .split('\n')
      .map((line) => line.trim().replaceAll(/\s+/g, ' '))
      .filter((line) => line !== ''),
  );
  expect(output).toContain('the entry exists');
  expect(output).toContain('vx0 takes VNI 111 already');
  expect(vnis?.slice(-2)).toEqual(['vx0 110', '111 127.0.0.8']);
  expect(first).toEqual([
    '00:00:00:00:00:00 dst 127.0.0.2 src_vni 110 self static',
    '00:00:00:00:00:00 dst 127.0.0.3 src_vni 110 self permanent',
    '02:00:00:00:00:01 dst 127.0.0.2 port 4790 vni 210 src_vni 110 self router permanent',
    '02:00:00:00:00:02 dst 127.0.0.9 src_vni 112 self permanent',
    '02:00:00:00:00:03 dst 127.0.0.3 src_vni 113 self permanent',
    '02:00:00:00:00:04 dst 127.0.0.4 src_vni 114 self permanent',
  ]);
  expect(got).toEqual(['02:00:00:00:00:02 dev vx0 dst 127.0.0.9 src_vni 112 self permanent']);
  expect(second?.filter((line) => !line.startsWith('Error')).sort()).toEqual([
    '00:00:00:00:00:00 dst 127.0.0.2 src_vni 110 self static',
    '00:00:00:00:00:00 dst 127.0.0.3 src_vni 110 self permanent',
    '00:00:00:00:00:00 dst 127.0.0.8 src_vni 111 self permanent',
    '02:00:00:00:00:01 dst 127.0.0.2 port 4790 vni 210 src_vni 110 self router permanent',
    '02:00:00:00:00:04 dst 127.0.0.4 src_vni 114 self permanent',
  ]);
  expect(mapped).toContain('111 127.0.0.8');
  // The switch has what is mapped, and the command was told of the rest.
  const macs = (await sw.json<{ mac: string; vni: number }[]>('fdb show dev vx0')).map(({ mac }) => mac);
  expect(macs).toContain('02:00:00:00:00:01');
  expect(macs).not.toContain('02:00:00:00:00:04');
});

it('an entry whose VNI has no VLAN at the end is told, and a VLAN does not fail for others', async () => {
  const command = [process.execPath, OVERTAP, 'exec', '-s', sw.control, '--', 'sh', '-ec'];
  const lines = `ip link add br0 type bridge vlan_filtering 1
    ip link add vx0 master br0 type vxlan external local 127.0.0.1
    bridge fdb add 02:00:00:00:00:01 dev vx0 dst 127.0.0.2 src_vni 110
    bridge fdb add 02:00:00:00:00:02 dev vx0 dst 127.0.0.2 src_vni 110`;
  const ended = await run(inNamespace(netns, [...command, lines]));
  expect(ended).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/not kept: .* on vx0 and 1 more, .* VNI 110; map it first: bridge vlan add dev vx0 /),
  });
  const wrong = `bridge fdb add 02:00:00:00:00:01 dev vx0 dst 2001:db8::2 src_vni 110
    bridge fdb add 02:00:00:00:00:02 dev vx0 dst 127.0.0.2 src_vni 110
    bridge vlan add dev vx0 vid 10
    bridge vlan add dev vx0 vid 10 tunnel_info id 110`;
  const refused = await run(inNamespace(netns, [...command, wrong]));
  expect(refused.status).not.toBe(0);
  expect(refused.stderr).toContain('the VLAN is mapped, but the entry of 02:00:00:00:00:01 in VNI 110 is not taken');
  expect(refused.stderr).not.toContain('not kept');
  expect((await sw.json<{ mac: string }[]>('fdb show dev vx0')).map(({ mac }) => mac)).toEqual(['02:00:00:00:00:02']);
});

it('brctl sees at once what ip has added', async () => {
  const output = await told(
    `ip link add br0 type bridge
     brctl show br0 > /dev/null
     ip link add br1 type bridge
     brctl show br1 | tail -n 1 | cut -f 1`,
  );
  expect(output.trim()).toBe('br1');
});

it('monitors of VLANs, VNIs and addresses', async () => {
  const file = (name: string): string => world.path(name);
  const output = await told(
    `ip link add br0 up type bridge vlan_filtering 1
     ip link add vx0 type vxlan external dstport 4789
     ip link set vx0 master br0
     stdbuf -oL bridge monitor vlan > ${file('vlans')} & A=$!
     stdbuf -oL bridge monitor vni > ${file('vnis')} & B=$!
     stdbuf -oL ip monitor address > ${file('addresses')} & C=$!
     sleep 1
     bridge vlan add dev vx0 vid 10-12
     bridge vlan add dev vx0 vid 10-12 tunnel_info id 110-112
     bridge vlan tunnelshow dev vx0
     bridge vlan del dev vx0 vid 11
     ip addr add 198.18.0.1/24 dev br0
     ip addr add 198.18.1.1/24 dev vx0
     for i in $(seq 80); do
       grep -q Deleted ${file('vlans')} && grep -q Deleted ${file('vnis')} && grep -q 198.18.1.1 ${file('addresses')} && break
       sleep 0.1
     done
     kill $A $B $C
     for one in ${file('vlans')} ${file('vnis')} ${file('addresses')}; do echo "-- $one"; cat $one; done`,
  );
  expect(output).toMatch(/10-12\s+110-112/);
  const [, vlans = '', vnis = '', addresses = ''] = output.split(/^-- .*$/m);
  expect(vlans).toMatch(/^vx0\s+10-12$/m);
  expect(vlans).toMatch(/^Deleted vx0\s+11$/m);
  expect(vnis).toMatch(/^vx0\s+110-112\s*$/m);
  expect(vnis).toMatch(/^Deleted vx0\s+111\s*$/m);
  expect(addresses).toMatch(/br0\s+inet 198.18.0.1\/24/);
  expect(addresses).toMatch(/vx0\s+inet 198.18.1.1\/24/);
});

it('brctl sets cost and priority of a port, and shows them', async () => {
  const output = await told(
    `ip link add br0 up type bridge
     for one in v0 w0; do
       ip link add $one up type veth peer name p$one
       brctl addif br0 $one
     done
     brctl stp br0 on
     brctl setpathcost br0 w0 77
     brctl setportprio br0 w0 5
     brctl showstp br0
     brctl setpathcost br0 lo 5 || echo refused`,
  );
  const port = output.slice(output.indexOf('w0 ('));
  expect(port).toMatch(/path cost\s+77/);
  expect(await sw.json('link show w0')).toMatchObject([{ cost: 77, priority: 5 }]);
  expect(await sw.json('link show v0')).not.toMatchObject([{ cost: 77 }]);
  expect(output).toContain('refused');
});
