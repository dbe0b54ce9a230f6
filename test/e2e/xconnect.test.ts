/**
 * Cross-connects: a guest behind each end, and every frame that one sends is seen by the other, exactly once and unchanged: those of
 * link protocols, with tags of any kind, and with MACs that no bridge would take.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { expectRefused, give, startWith } from './live-support.js';
import { sniff } from './sniffer.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { type Guest, tapPort, twoHosts } from './topologies.js';
import { inject } from './traffic.js';
import { expectBalance, expectTransfer, MB, makeGuest } from './two-hosts.js';

const VNI = 42;
/** In front of a payload of its own: addresses, tags and EtherType. */
const HEADS = {
  STP: '0180c2000000 020000000a01 0027 424203',
  pause: '0180c2000001 020000000a01 8808 0001',
  LACP: '0180c2000002 020000000a01 8809 01',
  LLDP: '0180c200000e 020000000a01 88cc',
  'a VLAN tag': '020000000b01 020000000a01 8100 0ffe 88b5',
  'a priority tag': '020000000b01 020000000a01 8100 a000 88b5',
  'two tags': '020000000b01 020000000a01 88a8 0064 8100 0065 88b5',
  'a source that is a group': '020000000b01 030000000a01 88b5',
  'a source of zeros': '020000000b01 000000000000 88b5',
  'one MAC twice': '020000000a01 020000000a01 88b5',
};

let world: World;
let guests: [Guest, Guest];

beforeEach(async () => {
  world = new World();
  guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
});

afterEach(() => world.cleanUp());

function framesOf(mark: number): string[] {
  return Object.values(HEADS).map((head, index) => {
    const bytes = Buffer.alloc(80);
    const header = Buffer.from(head.replaceAll(' ', ''), 'hex');
    header.copy(bytes);
    bytes.writeUInt32BE(0xfeed0000 + mark * 100 + index, 40);
    return bytes.toString('hex');
  });
}

/** Sends one frame of each kind, and expects each at the other end, once and with the same bytes. */
async function expectEvery(from: Guest, to: Guest, mark: number): Promise<void> {
  const wire = await sniff(world, to, 'ether[40:2] = 0xfeed or ether[44:2] = 0xfeed or vlan');
  const frames = framesOf(mark);
  await inject(world, from, ...frames);
  await until('every frame is there', () => wire.packets.length >= frames.length);
  await wire.stop();
  // Two engines keep the order within a flow only.
  expect(wire.packets.map(({ hex }) => hex).sort()).toEqual([...frames].sort());
}

const cross = (...ports: string[]): string => `  br1:\n    xconnect: true\n    ports:\n${ports.join('')}`;

async function expectNothingLearned(sw: RunningSwitch): Promise<void> {
  expect((await sw.fdb()).filter((entry) => entry.state !== 'permanent')).toEqual([]);
}

test.each(cases([2, 1], 1))('two TAPs, %i workers', async (workers) => {
  const [a, b] = guests;
  const host = await world.netns('host');
  const lines = `workers: ${workers}\nbridges:\n${cross(tapPort('tap1', a), tapPort('tap2', b))}`;
  const sw = await startWith(world, host, 'cross', lines);
  await expectEvery(a, b, 1);
  await expectEvery(b, a, 2);
  await expectTransfer(world, a, b, 20 * MB, 'cross-connect');
  await expectNothingLearned(sw);
  expect((await settledStats(sw)).drops).toEqual({});
  await expectBalance(sw);
  // As a bridge, and back: link protocols stop, and pass again.
  await give(sw, 'link set br1 type bridge xconnect off');
  await inject(world, a, ...framesOf(3).slice(0, 4));
  await until('link protocols are dropped', async () => (await settledStats(sw)).drops.link_local === 4);
  await give(sw, 'link set br1 type bridge xconnect on');
  await expectEvery(a, b, 4);
  await give(sw, 'link set tap2 down');
  await inject(world, a, framesOf(5)[0] as string);
  await until('the other end is down', async () => ((await settledStats(sw)).drops.port_down ?? 0) > 0);
  await expectRefused(sw, 'link add tap3 master br1 type tap', /br1 is a cross-connect, which has two ports/);
  await expectRefused(sw, 'link set br1 type bridge vlan_filtering 1', /remove vlan_filtering or xconnect/);
});

test('a TAP and a VNI at each host: a virtual private wire', async () => {
  const [a, b] = guests;
  const hosts = await twoHosts(world);
  const start = (index: 0 | 1): Promise<RunningSwitch> => {
    const { address, netns } = hosts[index] as { address: string; netns: string };
    const remote = (hosts[1 - index] as { address: string }).address;
    const vxlan = `      vx: { type: vxlan, id: ${VNI}, local: ${address}, remotes: [${remote}] }\n`;
    const lines = `bridges:\n${cross(tapPort('tap0', guests[index]), vxlan)}`;
    return startWith(world, netns, `host${index + 1}`, lines);
  };
  const switches = [await start(0), await start(1)];
  await expectEvery(a, b, 1);
  await expectEvery(b, a, 2);
  await expectTransfer(world, a, b, 20 * MB, 'cross-connect over VXLAN');
  for (const sw of switches) await expectNothingLearned(sw);
  await expectBalance(...switches);
});
