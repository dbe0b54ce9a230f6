/**
 * FRR under `overtap exec`: zebra takes bridge and vxlan of the switch for the kernel's. Beside it a host with FRR and the kernel's own
 * vxlan device. Each learns the other's guest by EVPN, and none floods for it.
 */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { run } from '../../src/lab/testbed/program.js';
import { inNamespace } from '../../src/lab/testbed/testbed.js';
import { until } from '../../src/lab/testbed/wait.js';
import { Frr } from './bgp-peers.js';
import { World } from './host-testbed.js';
import { startWith } from './live-support.js';
import { OVERTAP, type RunningSwitch } from './switch.js';
import { twoHosts } from './topologies.js';

const VNI = 10010;
const MACS = ['02:00:00:00:00:0a', '02:00:00:00:00:0b'];

let world: World;
const daemons: Frr[] = [];

beforeEach(() => {
  world = new World();
});

afterEach(async () => {
  await world.cleanUp();
  for (const one of daemons.splice(0)) one.remove();
});

/** Bridge, vxlan device and a guest on a veth, in words for the kernel. */
const lines = (local: string, guest: string, number: number): string => `set -e
  ip link add br0 type bridge
  ip link set br0 up
  ip link add vx0 type vxlan id ${VNI} local ${local} dstport 4789 nolearning
  ip link set vx0 master br0
  ip link set vx0 up
  ip link add v0 type veth peer name e0 netns ${guest}
  ip link set v0 master br0
  ip link set v0 up
  ip -n ${guest} link set e0 address ${MACS[number - 1]}
  ip -n ${guest} addr add 198.18.0.${number}/24 dev e0
  ip -n ${guest} link set e0 up`;

const speaker = (own: string, other: string): string => `router bgp 65000
 bgp router-id ${own}
 no bgp default ipv4-unicast
 neighbor ${other} remote-as 65000
 neighbor ${other} timers connect 1
 address-family l2vpn evpn
  neighbor ${other} activate
  advertise-all-vni
 exit-address-family`;

const under = (sw: RunningSwitch): string[] => [process.execPath, OVERTAP, '-s', sw.control, 'exec', '--'];

it('VNIs, flood lists and MACs of FRR reach the switch, and its MACs reach FRR', async () => {
  const [ours, theirs] = await twoHosts(world);
  const guests = [await world.netns('g1'), await world.netns('g2')];
  const sw = await startWith(world, ours.netns, 'one', 'bridges: {}');
  const made = await run(
    inNamespace(ours.netns, [...under(sw), 'sh', '-c', lines(ours.address, guests[0] as string, 1)]),
  );
  expect(made.status, made.stderr).toBe(0);
  const kernel = await run(inNamespace(theirs.netns, ['sh', '-c', lines(theirs.address, guests[1] as string, 2)]));
  expect(kernel.status, kernel.stderr).toBe(0);
  const frr = [new Frr(world, ours.netns, under(sw)), new Frr(world, theirs.netns)] as const;
  daemons.push(...frr);
  await frr[0].start(speaker(ours.address, theirs.address));
  await frr[1].start(speaker(theirs.address, ours.address));

  const vni = await until('zebra has the VNI and its remote', async () => {
    const said = await frr[0].json<{ vxlanInterface?: string; numRemoteVteps?: unknown[] }>(
      `show evpn vni ${VNI} json`,
    );
    return said.vxlanInterface === 'vx0' && said.numRemoteVteps?.length === 1 ? said : undefined;
  });
  expect(vni).toMatchObject({ type: 'L2', vtepIp: ours.address, sviInterface: 'br0' });
  // The first echo is flooded; its answer teaches both sides.
  await until('the guests reach each other', async () => {
    const ended = await world.exec(guests[0] as string, ['ping', '-c', '1', '-W', '1', '198.18.0.2']);
    return ended.status === 0 ? true : undefined;
  });
  const far = await until('the switch has the MAC behind the kernel', async () =>
    (await sw.fdb()).find(({ mac, flags }) => mac === MACS[1] && flags.includes('extern_learn')),
  );
  expect(far).toMatchObject({ ifname: 'vx0', dst: theirs.address });
  expect((await sw.fdb()).filter(({ mac }) => mac === '00:00:00:00:00:00').map(({ dst }) => dst)).toEqual([
    theirs.address,
  ]);
  await until('the kernel has the MAC behind the switch', async () => {
    const { stdout } = await world.exec(theirs.netns, ['bridge', 'fdb', 'show', 'dev', 'vx0']);
    return stdout.includes(`${MACS[0]} dst ${ours.address} self extern_learn`) ? true : undefined;
  });

  // Without its speaker what it has put in goes.
  await frr[1].kill('bgpd');
  await until('the switch has lost what the other speaker said', async () =>
    (await sw.fdb()).some(({ dst }) => dst === theirs.address) ? undefined : true,
  );
}, 60_000);
