/** The kernel's tests of rtnetlink that concern bridges and FDBs (tools/testing/selftests/net/rtnetlink.sh), in its own commands. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { run } from '../../src/lab/testbed/program.js';
import { inNamespace } from '../../src/lab/testbed/testbed.js';
import { World } from './host-testbed.js';
import { startWith } from './live-support.js';
import { OVERTAP, type RunningSwitch } from './switch.js';

let world: World;
let netns: string;
let sw: RunningSwitch;

beforeEach(async () => {
  world = new World();
  netns = await world.netns('h', { ipv6: true });
  sw = await startWith(world, netns, 'one', 'bridges: {}');
});

afterEach(() => world.cleanUp());

/** Runs lines under `overtap exec`, each of which has to succeed. @returns what they print */
async function give(lines: string): Promise<string> {
  const command = [process.execPath, OVERTAP, 'exec', '-s', sw.control, '--', 'sh', '-ec', lines];
  const ended = await run(inNamespace(netns, command));
  expect(ended.status, `${ended.stdout}${ended.stderr}`).toBe(0);
  return ended.stdout;
}

it('rtnetlink.sh: kci_test_fdb_get', async () => {
  const mac = 'de:ad:be:ef:13:37';
  // The switch opens its socket at the address, so a device has to have it.
  await world.ip(netns, 'addr add 10.0.2.2/32 dev lo');
  await give(
    `ip link add vxlan10 type vxlan id 10 local 10.0.2.2 dstport 4789
     ip link add name test-br0 type bridge
     ip link set dev vxlan10 master test-br0
     bridge fdb add ${mac} dev vxlan10 master
     bridge fdb add ${mac} dev vxlan10 dst 10.0.2.3 self`,
  );
  const ofBridge = 'dev vxlan10 master test-br0';
  const asked = ['brport vxlan10', 'br test-br0', 'dev vxlan10 self'].map((words) => `bridge fdb get ${mac} ${words}`);
  const [ofPort, ofBr, ofDevice] = (await give(asked.join('\n'))).split('\n');
  expect([ofPort, ofBr]).toEqual([expect.stringContaining(ofBridge), expect.stringContaining(ofBridge)]);
  expect(ofDevice).toContain('dev vxlan10 dst 10.0.2.3');
});

it('rtnetlink.sh: kci_test_bridge', async () => {
  // In place of a dummy device. The bridge filters VLANs, of which the VLAN interface is a TAP.
  await world.veth({ netns, ifname: 'test-dummy0' }, { netns, ifname: 'far' });
  await give(
    `ip link add name test-br0 type bridge vlan_filtering 1
     ip link set dev test-dummy0 master test-br0
     ip link set test-br0 up
     ip link add link test-br0 name testbr-vlan1 type vlan id 1
     ip addr add dev testbr-vlan1 10.200.7.23/30
     ip -6 addr add dev testbr-vlan1 dead:42::1234/64`,
  );
  const names = ['test-br0', 'testbr-vlan1', 'test-dummy0'];
  // Each of them has to succeed.
  const netconf = names.flatMap((name) => ['', '-4 ', '-6 '].map((family) => `ip ${family}netconf show dev ${name}`));
  const shown = await give(['ip -d link', 'ip r s t all', ...netconf].join('\n'));
  for (const name of names.slice(0, 2)) expect(shown).toContain(`: ${name}: `);
  expect(shown).toMatch(/test-dummy0@far: .* master test-br0 /);
  // The script sets no link up but the bridge: an interface that is down has its address and no route.
  expect(shown).toContain('local 10.200.7.23 dev testbr-vlan1');
  expect(shown).not.toContain('10.200.7.20/30 dev testbr-vlan1');
  await give(
    `ip -6 addr del dev testbr-vlan1 dead:42::1234/64
     ip link del dev testbr-vlan1
     ip link del dev test-br0`,
  );
  expect(await world.nics(netns)).toEqual(['far', 'test-dummy0']);
  expect(await sw.json('link show')).toEqual([]);
});
