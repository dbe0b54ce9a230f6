/**
 * The network driver for Docker, with real daemons: two hosts and a VXLAN device of the kernel on one network, restarts and kills
 * of switch, daemon and container, and nothing left over.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../../src/client/client.js';
import { becomesTrue, until } from '../../src/lab/testbed/wait.js';
import { LONG, long } from '../long.js';
import { DockerHost, dockerLack, IMAGE, makeImage } from './docker-host.js';
import { World } from './host-testbed.js';
import { command, type RunningSwitch } from './switch.js';
import { threeHosts } from './topologies.js';

const lack = dockerLack();
const VNI = 100;
const CONTAINERS = long(50, 2);
const LIMIT_MS = 30_000;

let world: World;
let hosts: [DockerHost, DockerHost];
let switches: [RunningSwitch, RunningSwitch];
let bridges: string[];
let guests: [string, string];

/** With a bystander's NIC in a VLAN of its own. */
function bridgesOf(local: string, remote: string, guest: { netns: string; number: number }): string {
  return `  br1:
    vlan_filtering: true
    ports:
      by:
        type: tap
        netns: ${guest.netns}
        ifname: eth0
        persist: true
        addresses: [198.18.0.${guest.number}/24]
        vlans: [{ vid: 900, pvid: true, untagged: true }]
      vxlan0:
        type: vxlan
        local: ${local}
        vlan_tunnel: true
        remotes: [${remote}]
        vlans: [{ vid: 900, tunnel_info: 900 }]
`;
}

beforeAll(async () => {
  if (lack !== null) return;
  world = new World();
  const [one, two, peer] = await threeHosts(world);
  guests = [await world.netns('by1'), await world.netns('by2')];
  hosts = [await DockerHost.make(world, one.netns, '1'), await DockerHost.make(world, two.netns, '2')];
  bridges = [
    bridgesOf(one.address, two.address, { netns: guests[0], number: 1 }),
    bridgesOf(two.address, one.address, { netns: guests[1], number: 2 }),
  ];
  await world.ip(
    peer.netns,
    `link add vx0 type vxlan id ${VNI} local ${peer.address} remote ${one.address} dstport 4789`,
  );
  await world.ip(peer.netns, 'addr add 10.7.0.3/24 dev vx0');
  await world.ip(peer.netns, 'link set vx0 up mtu 1400');
  const image = makeImage(world);
  switches = await both(async (host, at) => host.startSwitch(bridges[at] ?? ''));
  await both(async (host) => {
    await host.startDocker();
    await host.docker('image', 'import', image, IMAGE);
  });
  // The kernel's device is a remote of this network alone.
  await both((host) =>
    host.docker(
      'network',
      'create',
      '-d',
      'overtap',
      '--subnet',
      '10.7.0.0/24',
      '--gateway',
      '10.7.0.3',
      '-o',
      `vni=${VNI}`,
      '-o',
      `remotes=${peer.address}`,
      'net',
    ),
  );
}, 90_000);
afterAll(() => (lack === null ? world.cleanUp() : undefined));

function both<T>(work: (host: DockerHost, at: number) => Promise<T>): Promise<[T, T]> {
  return Promise.all([work(hosts[0], 0), work(hosts[1], 1)]);
}

async function expectPing(host: DockerHost, container: string, address: string): Promise<void> {
  const reached = (): Promise<boolean> =>
    host.tryDocker('exec', container, '/bin/ping', '-c', '1', '-W', '2', address).then(({ status }) => status === 0);
  expect(await becomesTrue(reached, { limitMs: 30_000 }), `${container} reaches ${address}`).toBe(true);
}

/** Neither ports nor NICs nor records of containers. */
async function expectNothingLeft(host: DockerHost, running: RunningSwitch, limitMs = LIMIT_MS): Promise<void> {
  await until(
    'nothing is left over',
    async () => {
      const ports = (await running.links()).filter(({ ifname }) => ifname.startsWith('dk'));
      const left = [
        ...ports.map(({ ifname }) => ifname),
        ...(await host.strays()),
        ...Object.keys(host.records().endpoints),
      ];
      return left.length === 0 || undefined;
    },
    limitMs,
  );
}

describe.skipIf(lack !== null)(`docker${lack === null ? '' : `, left out: ${lack}`}`, () => {
  test('containers of two hosts and a kernel device are one network, with what Docker has given them', async () => {
    const [one, two] = hosts;
    await Promise.all([
      one.start('one', 'net', '--ip', '10.7.0.11', '--mac-address', '02:00:00:00:00:11'),
      two.start('two', 'net', '--ip', '10.7.0.12'),
    ]);
    await Promise.all([expectPing(one, 'one', '10.7.0.12'), expectPing(two, 'two', '10.7.0.11')]);
    await expectPing(one, 'one', '10.7.0.3');
    const nic = await one.docker('exec', 'one', '/bin/ip', 'addr', 'show', 'eth0');
    expect(nic).toMatch(/mtu 1450 .*link\/ether 02:00:00:00:00:11 .*inet 10\.7\.0\.11\/24/s);
    expect(await one.docker('exec', 'one', '/bin/ip', 'route')).toContain('default via 10.7.0.3 dev eth0');
    expect(await two.docker('exec', 'two', '/bin/ip', 'link', 'show', 'eth0')).toContain('02:42:0a:07:00:0c');
    expect(await switches[0].tunnels()).toContainEqual({
      ifname: 'vxlan0',
      tunnels: [
        { vlan: 2, tunid: VNI },
        { vlan: 900, tunid: 900 },
      ],
    });
  });

  test('a file that knows no containers leaves them alone, and none is in the running configuration', async () => {
    const [running] = switches;
    const config = world.path('switch-1.yaml');
    expect(await command('-s', running.control, 'apply', '-c', config)).toMatchObject({
      status: 0,
      stdout: 'nothing to do: the switch has this configuration\n',
    });
    await expectPing(hosts[0], 'one', '10.7.0.12');
    const shown = await command('-s', running.control, 'config', 'show');
    expect(shown.stdout).not.toMatch(/dk[0-9a-f]{12}|tunnel_info: 100/);
  });

  test('the switch is killed: containers keep their NICs, and go on with the next one', async () => {
    await hosts[0].killSwitch(switches[0]);
    switches[0] = await hosts[0].startSwitch(bridges[0] ?? '');
    await expectPing(hosts[0], 'one', '10.7.0.12');
    await expectPing(hosts[1], 'two', '10.7.0.11');
  });

  test('an upgraded switch goes on with its containers, and with Docker', async () => {
    const [host] = hosts;
    const [running] = switches;
    expect(await command('-s', running.control, 'upgrade')).toMatchObject({ status: 0 });
    await expectPing(host, 'one', '10.7.0.12');
    await host.start('later', 'net');
    await expectPing(host, 'later', '10.7.0.12');
    await host.docker('rm', '-f', 'later');
    expect(Object.keys(host.records().endpoints)).toHaveLength(1);
    await host.kill((await createClient(running.control).get('/v1/info')).pid);
    switches[0] = await host.startSwitch(bridges[0] ?? '');
    await expectPing(host, 'one', '10.7.0.12');
  });

  test('a container is removed while no switch runs: the next one removes its NIC', async () => {
    await hosts[0].killSwitch(switches[0]);
    const removed = hosts[0].docker('rm', '-f', 'one');
    // Docker asks again for half a minute; without an answer it puts the NIC back into the host.
    if (LONG)
      await until(
        'Docker has given the NIC back',
        async () => (await hosts[0].strays()).length === 1 || undefined,
        2 * LIMIT_MS,
      );
    switches[0] = await hosts[0].startSwitch(bridges[0] ?? '');
    await removed;
    await expectNothingLeft(hosts[0], switches[0]);
  });

  test('a refused network says why, and leaves nothing', async () => {
    const create = (...words: string[]) =>
      hosts[0].tryDocker('network', 'create', '-d', 'overtap', '--subnet', '10.9.0.0/24', ...words, 'bad');
    expect((await create('-o', 'vni=0')).stderr).toContain('option vni: expected a number from 1 to 16777215');
    expect((await create('-o', `vni=${VNI}`)).stderr).toContain(`another network has VNI ${VNI}`);
    expect((await create('-o', 'colour=red')).stderr).toContain('unknown option colour; there are: vni, vlan, remotes');
    expect(Object.keys(hosts[0].records().networks)).toHaveLength(1);
  });

  test.each(LONG ? [''] : [])('a container joins and leaves a network as it runs, and is restarted', async () => {
    const [host] = hosts;
    await host.docker(
      'network',
      'create',
      '-d',
      'overtap',
      '--internal',
      '--subnet',
      '10.8.0.0/24',
      '-o',
      'vni=200',
      'in',
    );
    await host.start('db', 'net', '--ip', '10.7.0.21');
    await host.docker('network', 'connect', '--alias', 'store', '--ip', '10.8.0.21', 'in', 'db');
    expect(await host.docker('exec', 'db', '/bin/ip', '-o', 'addr')).toMatch(/eth1 .*10\.8\.0\.21\/24/);
    await host.docker('restart', '-t', '0', 'db');
    await expectPing(host, 'db', '10.7.0.12');
    await host.docker('network', 'disconnect', 'in', 'db');
    expect(await host.docker('exec', 'db', '/bin/ip', '-o', 'addr')).not.toContain('10.8.0.21');
    await host.docker('rm', '-f', 'db');
    await host.docker('network', 'rm', 'in');
    await expectNothingLeft(host, switches[0]);
  });

  test.each(LONG ? [''] : [])('container and daemon are killed: nothing is left over', async () => {
    const [host] = hosts;
    await host.start('hit', 'net');
    await host.kill(Number((await host.docker('inspect', '-f', '{{.State.Pid}}', 'hit')).trim()));
    await expectNothingLeft(host, switches[0]);
    await host.docker('start', 'hit');
    await host.killDocker();
    await host.startDocker();
    await expectNothingLeft(host, switches[0]);
    await host.docker('start', 'hit');
    await expectPing(host, 'hit', '10.7.0.12');
    await host.docker('rm', '-f', 'hit');
  });

  test(
    `${CONTAINERS} containers start and stop on two hosts, and bystanders lose nothing`,
    async () => {
      const pinger = world.spawn(guests[0], ['ping', '-i', '0.05', '-q', '198.18.0.2']);
      const names = Array.from({ length: CONTAINERS / 2 }, (_, at) => `c${at}`);
      await Promise.all(
        hosts.map(async (host) => {
          for (const name of names) {
            await host.start(name, 'net');
            if (names.indexOf(name) % 5 === 0) await expectPing(host, name, '10.7.0.12');
            await host.docker('rm', '-f', name);
          }
        }),
      );
      const { ended } = await pinger.stop('SIGINT');
      const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(ended.stdout) ?? [];
      console.log(`bystanders: ${received} of ${sent} pings answered while ${CONTAINERS} containers came and went`);
      // The last one may be under way.
      expect(Number(sent) - Number(received)).toBeLessThanOrEqual(1);
      await expectNothingLeft(hosts[0], switches[0]);
    },
    20 * 60_000,
  );

  test.each(LONG ? [''] : [])(
    'kills in the middle of starts and stops: nothing is left over',
    async () => {
      const [host] = hosts;
      for (let round = 0; round < 6; round++) {
        const name = `k${round}`;
        const work = host.tryDocker('run', '-d', '--name', name, '--network', 'net', IMAGE, '/bin/sleep', '1000');
        await new Promise((resolve) => setTimeout(resolve, 150 + round * 150));
        if (round % 2 === 0) {
          await host.killSwitch(switches[0]);
          switches[0] = await host.startSwitch(bridges[0] ?? '');
          await work;
        } else {
          await host.killDocker();
          await work;
          await host.startDocker();
        }
        await host.tryDocker('rm', '-f', name);
        // Of a daemon that was killed between two requests, the endpoint has no port yet.
        await expectNothingLeft(host, switches[0], 90_000);
      }
    },
    10 * 60_000,
  );

  test('a removed network takes its VLAN along', async () => {
    await hosts[1].docker('rm', '-f', 'two');
    await both((host) => host.docker('network', 'rm', 'net'));
    await both((host, at) => expectNothingLeft(host, switches[at] ?? switches[0]));
    expect(hosts[0].records().networks).toEqual({});
    expect(await switches[0].tunnels()).toEqual([{ ifname: 'vxlan0', tunnels: [{ vlan: 900, tunid: 900 }] }]);
  });
});
