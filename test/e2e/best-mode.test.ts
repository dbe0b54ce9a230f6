/**
 * Hosts and sandboxes that refuse parts of the kernel: the switch starts and does without, and traffic flows. The other end is
 * the kernel's vxlan device.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { compileRefusals, type Refusal, refusedSoFar, refusing, startConfined } from './refuse.js';
import type { RunningSwitch } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { ping } from './traffic.js';
import { expectTransfer, kernelPeer, MB, makeGuest, VNI } from './two-hosts.js';

let folder: string;
let library: string;
let world: World;
let hosts: [Host, Host];
let guest: Guest;
let peer: Guest;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'overtap-refuse-'));
  library = compileRefusals(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guest = await makeGuest(world, 1);
  peer = await kernelPeer(world, hosts[1], hosts[0].address, '198.18.0.9');
});
afterEach(() => world.cleanUp());

const log = (): string => world.path('refused');

/** A switch with one guest, for which the kernel refuses parts. */
function start(refusals: readonly Refusal[], settings = ''): Promise<RunningSwitch> {
  const ports = plainBridge(tapPort('tap0', guest), singlePort(hosts[0].address, [hosts[1].address], VNI));
  return startConfined(world, hosts[0].netns, 'confined', `${ports}${settings}`, refusing(library, refusals, log()));
}

async function expectTraffic(label: string): Promise<void> {
  const { received, output } = await ping(world, guest.netns, peer.address, { count: 2 });
  expect(received, output).toBe(2);
  await expectTransfer(world, guest, peer, 2 * MB, label);
  await expectTransfer(world, peer, guest, 2 * MB, label);
}

const ALONE: Refusal[][] = [
  ['IFF_VNET_HDR'],
  ['TUNSETOFFLOAD'],
  ['TUNSETOFFLOAD=EPERM'],
  ['UDP_SEGMENT'],
  ['UDP_GRO'],
  ['SO_RCVBUFFORCE'],
  ['TUNGETDEVNETNS'],
  ['TUNGETDEVNETNS=EPERM'],
  ['TUNSETVNETHDRSZ'],
  ['TUNSETPERSIST'],
  ['IFF_MULTI_QUEUE'],
  ['NETLINK'],
];

test.each(cases(ALONE, 4))('%s', async (...refusals) => {
  await start(refusals);
  expect(refusedSoFar(log())).toEqual(refusals.map((refusal) => refusal.replace(/=.*/, '')));
  await expectTraffic(refusals.join(' '));
});
