/**
 * Options of UDP sockets that kernels and sandboxes refuse, where they matter: over IPv6, with groups that other programs have
 * joined, on paths with a smaller MTU, and for `dev`, `ttl`, `udpcsum` and `workers`. best-mode.test.ts has the plain cases.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { GROUPS, kernelDevice, twoHostsOf } from './multicast-support.js';
import { compileRefusals, type Refusal, refusedSoFar, refusing, startConfined } from './refuse.js';
import type { RunningSwitch } from './switch.js';
import { type Guest, type Host, plainBridge, tapPort } from './topologies.js';
import { ping } from './traffic.js';
import { expectBalance, expectTransfer, MB, makeGuest, VNI } from './two-hosts.js';

const OPTIONS: Refusal[] = [
  ...(['IP_RECVTOS', 'IPV6_RECVTCLASS', 'UDP_NO_CHECK6_RX', 'IP_MULTICAST_ALL', 'SO_ATTACH_FILTER'] as const),
  ...(['IP_MTU_DISCOVER', 'IPV6_MTU_DISCOVER', 'IP_MTU', 'SO_REUSEPORT', 'SO_BINDTODEVICE', 'IP_TTL'] as const),
  ...(['SO_NO_CHECK', 'IPV6_AUTOFLOWLABEL', 'SO_DOMAIN', 'RECVMMSG'] as const),
];

let folder: string;
let library: string;
let world: World;
let hosts: [Host, Host];
let guest: Guest;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'overtap-udp-'));
  library = compileRefusals(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => world.cleanUp());

/** @param options of the vxlan port, as YAML */
function start(options: string, refusals: readonly Refusal[], more = ''): Promise<RunningSwitch> {
  const vxlan = `      vxlan0: { type: vxlan, id: ${VNI}, remotes: ["${hosts[1].address}"], ${options} }\n`;
  const config = world.config('confined', `${plainBridge(tapPort('tap0', guest), vxlan)}${more}`);
  return startConfined(world, hosts[0].netns, 'confined', config, refusing(library, refusals, world.path('refused')));
}

const peerAt = (to: string): Promise<Guest> =>
  kernelDevice(world, hosts[1], { id: VNI, to, addresses: ['198.18.0.9/24'] });

describe.each([{ family: 4 as const }, { family: 6 as const }])('IPv$family', ({ family }) => {
  beforeEach(async () => {
    world = new World();
    hosts = await twoHostsOf(world, family);
    guest = await makeGuest(world, 1);
  });

  test('all refused: traffic by the device, one engine thread, and no frame is lost to the accounts', async () => {
    const peer = await peerAt(`remote ${hosts[0].address}`);
    const options = `local: "${hosts[0].address}", dev: eth0, ttl: 9, udpcsum: false`;
    const sw = await start(options, OPTIONS, 'workers: 2\n');
    const engine = sw.log().find(({ msg }) => msg === 'engine');
    expect(engine).toMatchObject({ workers: 1 });
    const asked = refusedSoFar(world.path('refused'));
    expect(asked).toEqual(expect.arrayContaining(OPTIONS.filter((part) => family === 6 || !/V6/.test(part))));
    expect(await ping(world, guest.netns, peer.address)).toMatchObject({ sent: 3, received: 3 });
    await expectTransfer(world, guest, peer, 2 * MB, 'options refused');
    await expectTransfer(world, peer, guest, 2 * MB, 'options refused');
    // The MTU of the device is that of the path.
    const [{ mtu }] = await world.ipJson<{ mtu: number }[]>(guest.netns, 'link show eth0');
    expect(mtu).toBe(1500 - (family === 4 ? 50 : 70));
    await expectBalance(sw);
  });

  const rows = [
    { refusals: [], heard: false },
    { refusals: ['IP_MULTICAST_ALL'], heard: false },
    { refusals: ['IP_MULTICAST_ALL', 'SO_ATTACH_FILTER'], heard: true },
  ] satisfies { refusals: Refusal[]; heard: boolean }[];
  // Of IPv6 one in the short run: that all is heard where nothing can be asked for.
  test.each(cases([...rows].reverse(), family === 4 ? 3 : 1))(
    '$refusals refused: datagrams to a group of another program, heard: $heard',
    async (row) => {
      const [group] = GROUPS[family];
      const script = `const s = require('node:dgram').createSocket('udp${family}');
s.bind(5000, () => { s.addMembership('${group}', '${family === 4 ? hosts[0].address : '::%eth0'}'); console.log('joined'); });`;
      const other = world.spawn(hosts[0].netns, [process.execPath, '-e', script]);
      await until('the other program is in the group', () => other.output.includes('joined'));
      const peer = await peerAt(`group ${group} dev eth0`);
      await start('srcport: [4789, 4789]', row.refusals);
      const { received } = await ping(world, peer.netns, guest.address, { count: 2 });
      expect(received).toBe(row.heard ? 2 : 0);
    },
  );
});
