/**
 * Two hosts of which one does not know the other: what it drops is said with the address, in the log, in events, in the
 * counters and by doctor, and the doctor of the other host says that it is not heard.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Diagnosis } from '../../src/doctor/check.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { give, startWith } from './live-support.js';
import { OVERTAP, type RunningSwitch } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { BROADCAST, experimentalFrame, inject } from './traffic.js';
import { makeGuest, VNI } from './two-hosts.js';

const FRAMES = 5;

let world: World;
let hosts: [Host, Host];
let guests: Guest[];

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
});

afterEach(() => world.cleanUp());

const frame = (source: string): string => experimentalFrame({ destination: BROADCAST, source, text: 'hello' });

async function diagnose(sw: RunningSwitch, netns: string): Promise<Diagnosis> {
  const ended = await world.exec(netns, [process.execPath, OVERTAP, '-s', sw.control, '--json', 'doctor']);
  expect(ended.stderr).toBe('');
  return JSON.parse(ended.stdout) as Diagnosis;
}

test('a host that does not know the other names it, and the other says that nothing comes back', async () => {
  const deaf = singlePort(hosts[1].address, [], VNI);
  const two = await startWith(
    world,
    hosts[1].netns,
    'two',
    `bridges:\n${plainBridge(tapPort('tap0', guests[1]), deaf)}`,
  );
  const monitor = world.spawn(hosts[1].netns, [process.execPath, OVERTAP, '-s', two.control, '--json', 'monitor']);
  await until('the monitor hears', async () => {
    await give(two, 'link set tap0 down', 'link set tap0 up');
    return monitor.lines.length > 0;
  });
  const port = singlePort(hosts[0].address, [hosts[1].address], VNI);
  const one = await startWith(
    world,
    hosts[0].netns,
    'one',
    `bridges:\n${plainBridge(tapPort('tap0', guests[0]), port)}`,
  );
  await inject(world, guests[0], ...Array.from({ length: FRAMES }, () => frame(guests[0].mac)));

  const named = { port: 'vxlan0', address: hosts[0].address, vni: VNI };
  const rows = await until('the frames are counted', async () => {
    const { unknown_vteps = [], links } = await two.stats();
    const dropped = links.vxlan0.drops.vtep_unknown ?? 0;
    return dropped >= FRAMES && unknown_vteps.length > 0 ? { unknown_vteps, dropped } : undefined;
  });
  expect(rows.unknown_vteps).toMatchObject([named]);
  expect(rows.unknown_vteps[0]?.count).toBeGreaterThanOrEqual(FRAMES);
  expect(await two.logged('the address', ({ msg }) => msg.includes('vtep_unknown'))).toMatchObject({
    ...named,
    level: 40,
  });

  const findings = (await diagnose(two, hosts[1].netns)).checks;
  const drops = findings.find(({ subject }) => subject === 'drops vtep_unknown');
  expect(drops?.finding).toContain(`from ${hosts[0].address} to vxlan0`);
  const silence = (await diagnose(one, hosts[0].netns)).checks.find(({ finding }) =>
    finding.includes('nothing has come'),
  );
  expect(silence).toMatchObject({ level: 'warn', subject: `vxlan0 ${hosts[1].address}` });
  expect(silence?.remedy).toContain(hosts[0].address);

  const told = await monitor.line('the event', (line) => line.includes('vtep_unknown'));
  expect(JSON.parse(told)).toMatchObject({
    event: 'vtep_unknown',
    ifname: 'vxlan0',
    address: hosts[0].address,
    vni: VNI,
  });
});
