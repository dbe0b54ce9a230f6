/**
 * Tunnels that use a single UDP port on either side, as between two NATs: the switch sends by the socket that it receives on.
 * The other end is the kernel's vxlan device, which sends from 4789 alone too.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { expectReach, expectRefused, give, startWith } from './live-support.js';
import { kernelDevice, onWire, outerOf, twoHostsOf } from './multicast-support.js';
import { type Sniffer, sniff } from './sniffer.js';
import { type Guest, type Host, plainBridge, tapPort } from './topologies.js';
import { expectBalance, expectTransfer, MB } from './two-hosts.js';

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

interface Ends {
  hosts: [Host, Host];
  guest: Guest;
}

async function ends(family: 4 | 6): Promise<Ends> {
  const hosts = await twoHostsOf(world, family);
  const netns = await world.netns('guest1');
  return { hosts, guest: { netns, ifname: 'eth0', address: '198.18.0.1', mac: '02:00:00:00:00:01' } };
}

/** Source port and TTL of all that a host has sent by now, each pair once. */
function sentBy(wire: Sniffer, host: Host): string[] {
  const own = wire.packets.filter((packet) => outerOf(packet).source === onWire(host.address));
  const at = host.address.includes(':') ? 54 : 34;
  const facts = own.map((packet) => `${Buffer.from(packet.hex, 'hex').readUInt16BE(at)} ${outerOf(packet).ttl}`);
  return [...new Set(facts)];
}

const tunnels = [
  { family: 4, workers: 1, options: { udpcsum: false } },
  { family: 4, workers: 2, options: { dev: 'eth0', df: 'set' } },
  { family: 6, workers: 2, options: {} },
] as const;
test.each(cases<(typeof tunnels)[number]>(tunnels, 2))(
  'srcport [4789, 4789] over IPv$family, $workers workers',
  async ({ family, workers, options }) => {
    const { hosts, guest } = await ends(family);
    const peer = await kernelDevice(world, hosts[1], {
      id: 42,
      to: `remote ${hosts[0].address}`,
      addresses: ['198.18.0.9/24'],
      more: 'srcport 4789 4790 udp6zerocsumrx',
    });
    const port = { type: 'vxlan', id: 42, local: hosts[0].address, remotes: [hosts[1].address], ...options };
    const vxlan = `      vxlan0: ${JSON.stringify({ ...port, srcport: [4789, 4789] })}\n`;
    const settings = `workers: ${workers}\nbridges:\n${plainBridge(tapPort('tap0', guest), vxlan)}`;
    const sw = await startWith(world, hosts[0].netns, 'host1', settings);
    const reaches = async (way: string): Promise<void> => {
      const wire = await sniff(world, hosts[1], 'udp dst port 4789');
      await expectReach(world, guest, peer);
      // A capture tells a moment late, of the answers too.
      await until(
        `datagrams ${way} are on the wire`,
        () => sentBy(wire, hosts[0]).includes(way) && sentBy(wire, hosts[1]).length > 0,
      );
      expect(sentBy(wire, hosts[0])).toEqual([way]);
      expect(sentBy(wire, hosts[1])).toEqual(['4789 64']);
      await wire.stop();
    };
    await reaches('4789 64');
    await expectTransfer(world, guest, peer, 5 * MB, `one port, IPv${family}, ${workers} workers`);
    await expectTransfer(world, peer, guest, 5 * MB, `one port, IPv${family}, ${workers} workers, back`);
    await give(sw, 'link set vxlan0 type vxlan ttl 9');
    await reaches('4789 9');
    await give(sw, 'link set vxlan0 type vxlan srcport 40000 40000');
    await reaches('40000 9');
    await give(sw, 'link set vxlan0 type vxlan srcport 4789 4789 ttl 0');
    await reaches('4789 64');
    await expectBalance(sw);
  },
);

test('ports that share the socket send alike, or are refused; one of them may go', async () => {
  const { hosts, guest } = await ends(4);
  const common = { type: 'vxlan', local: hosts[0].address, remotes: [hosts[1].address] };
  const one = `      vxlan0: ${JSON.stringify({ ...common, id: 42, srcport: [4789, 4789] })}\n`;
  const other = `      vxlan1: ${JSON.stringify({ ...common, id: 43 })}\n`;
  const bridges = `bridges:\n${plainBridge(tapPort('tap0', guest), one)}  br2:\n    ports:\n${other}`;
  const sw = await startWith(world, hosts[0].netns, 'host1', bridges);
  await give(sw, 'link set vxlan1 type vxlan ttl 5');
  await expectRefused(
    sw,
    'link set vxlan1 type vxlan srcport 4789 4789',
    /as port vxlan0 does; give both the same ttl/,
  );
  await give(sw, 'link set vxlan1 type vxlan ttl 0 srcport 4789 4789');
  // A change that cannot be carried out as a whole leaves the socket as it was.
  await expectRefused(sw, 'link set vxlan1 type vxlan dev nix0', /the same dev/);
  await give(sw, 'link del vxlan1');
  const peer = await kernelDevice(world, hosts[1], {
    id: 42,
    to: `remote ${hosts[0].address}`,
    addresses: ['198.18.0.9/24'],
  });
  await expectReach(world, guest, peer);
});
