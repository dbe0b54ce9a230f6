/**
 * The kernel's test_vxlan_nolocalbypass.sh: a remote that is an address of this host, at another vxlan port of the switch. What goes
 * there goes through the host's network stack, as with `nolocalbypass`.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { give } from './live-support.js';
import { sniff } from './sniffer.js';
import { settledStats } from './switch.js';
import { type Guest, tapPort } from './topologies.js';
import { experimentalFrame, inject } from './traffic.js';
import { makeGuest, succeed } from './two-hosts.js';

const MAC = '00:0a:0b:0c:0d:0e';
const vxlan = (name: string, local: string, port: number, peers: string): string =>
  `      ${name}: { type: vxlan, id: 100, local: ${local}, dstport: ${port}, peers: [${peers}] }\n`;

let world: World;

beforeEach(() => {
  world = new World();
});
afterEach(() => world.cleanUp());

test('nolocalbypass: delivered once, by way of the host, whose firewall can drop it', async () => {
  const netns = await world.netns('ns1');
  for (const address of ['192.0.2.1/32', '198.51.100.1/32']) await world.address({ netns, ifname: 'lo' }, address);
  const guests: [Guest, Guest] = [await makeGuest(world, 1), await makeGuest(world, 2)];
  const bridge = (name: string, tap: string, port: string): string => `  ${name}:\n    ports:\n${tap}${port}`;
  const lines = [
    bridge('br0', tapPort('tap0', guests[0]), vxlan('vx0', '198.51.100.1', 4789, '')),
    bridge('br1', tapPort('tap1', guests[1]), vxlan('vx1', '192.0.2.1', 4790, '198.51.100.1')),
  ];
  const sw = await world.startSwitch(netns, 'ns1', lines.join(''));
  await give(sw, `fdb add ${MAC} dev vx0 dst 192.0.2.1 port 4790`);
  const behind = await sniff(world, guests[1], 'ether proto 0x88b5');
  const send = (text: string): Promise<void> =>
    inject(world, guests[0], experimentalFrame({ destination: MAC, source: guests[0].mac, text }));

  await send('through the host');
  await behind.rests(1);
  expect(behind.experimental('through the host')).toHaveLength(1);

  const rules = `table ip own {
  chain in {
    type filter hook input priority 0;
    udp dport 4790 counter drop
  }
}
`;
  await succeed(world, netns, ['nft', '-f', world.file('own.nft', rules)]);
  await send('into the firewall');
  await until('the firewall has the datagram', async () =>
    (await succeed(world, netns, ['nft', 'list', 'table', 'ip', 'own'])).includes('packets 1 '),
  );
  expect((await settledStats(sw)).links.vx1?.rx_packets).toBe(1);
  expect(behind.experimental('into the firewall')).toEqual([]);
});
