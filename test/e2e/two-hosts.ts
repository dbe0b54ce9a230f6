/**
 * What the tests of the fast path share: guests on two hosts, with a switch or a kernel vxlan device in each, an underlay
 * that is a plain network card, loss, and transfers whose hashes are compared.
 */
import { expect } from 'vitest';
import { must } from '../../src/lab/testbed/program.js';
import type { SelfTest } from '../../src/port/self-test.js';
import { type End, World } from './host-testbed.js';
import type { Packet } from './sniffer.js';
import { accounts, type RunningSwitch, settledStats } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort } from './topologies.js';
import { transfer } from './traffic.js';

export const MB = 1_000_000;
export const VNI = 42;

/** Column A: the underlay's offloads as a veth has them. Column B: what is done before a plain network card is reached. */
export type Column = 'A' | 'B';

/** As the benchmark sets it (src/bench/path/site/site.ts). */
const PLAIN_NIC = [
  ...['tcp-segmentation-offload', 'generic-segmentation-offload', 'tx-udp-segmentation'],
  ...['tx-udp_tnl-segmentation', 'tx-udp_tnl-csum-segmentation', 'tx-checksum-ip-generic'],
];

/** Makes the underlay what the column says. */
export async function setColumn(world: World, hosts: readonly End[], column: Column): Promise<void> {
  if (column === 'B') for (const host of hosts) await makePlain(world, host);
}

async function makePlain(world: World, { netns, ifname }: End): Promise<void> {
  const words = [...PLAIN_NIC.flatMap((feature) => [feature, 'off']), 'generic-receive-offload', 'on'];
  await succeed(world, netns, ['ethtool', '-K', ifname, ...words]);
  const shown = await succeed(world, netns, ['ethtool', '-k', ifname]);
  for (const feature of PLAIN_NIC) expect(shown).toMatch(new RegExp(`^\\s*${feature}: off`, 'm'));
}

/** Runs a program in a namespace that has to succeed. @returns its standard output */
export async function succeed(world: World, netns: string, command: readonly string[]): Promise<string> {
  const ended = await world.exec(netns, command);
  expect(ended.status, `${command.join(' ')}: ${ended.stderr}`).toBe(0);
  return ended.stdout;
}

/** @param number which is also the last byte of its addresses */
export async function makeGuest(world: World, number: number): Promise<Guest> {
  return {
    netns: await world.netns(`guest${number}`),
    ifname: 'eth0',
    address: `198.18.0.${number}`,
    mac: `02:00:00:00:00:0${number}`,
  };
}

/** A guest whose NIC is one end of a cable; the other end is `port` of the host. */
export async function cabledGuest(world: World, host: string, number: number, port: string): Promise<Guest> {
  const guest = await makeGuest(world, number);
  await world.veth(guest, { netns: host, ifname: port });
  await world.ip(guest.netns, `link set ${guest.ifname} address ${guest.mac}`);
  await world.address(guest, `${guest.address}/24`);
  return guest;
}

/** Starts the switch of a host, with its guests at tap0, tap1... `settings`: further lines of YAML at the top level. */
export function startSwitch(
  world: World,
  host: Host,
  remotes: readonly string[],
  guests: readonly Guest[],
  settings = '',
): Promise<RunningSwitch> {
  const ports = guests.map((guest, index) => tapPort(`tap${index}`, guest));
  const bridges = plainBridge(...ports, singlePort(host.address, remotes, VNI));
  return world.startSwitch(host.netns, `host-${host.address}`, `${bridges}${settings}`);
}

/** Two switches, each the remote of the other. */
export function startPair(
  world: World,
  hosts: readonly [Host, Host],
  guests: readonly [readonly Guest[], readonly Guest[]],
  settings: readonly [string, string] = ['', ''],
): Promise<RunningSwitch[]> {
  const other = [hosts[1].address, hosts[0].address];
  return Promise.all(
    hosts.map((host, index) => startSwitch(world, host, [other[index]], guests[index], settings[index])),
  );
}

/** A vxlan device of the kernel in the host, with a guest's address on it. @returns that guest */
export async function kernelPeer(world: World, host: Host, remote: string, address: string): Promise<Guest> {
  const mac = '02:00:00:00:00:99';
  const vxlan = `link add vx0 address ${mac} type vxlan id ${VNI} remote ${remote} local ${host.address} dstport 4789`;
  await world.ip(host.netns, vxlan);
  await world.ip(host.netns, 'link set vx0 up');
  const guest = { netns: host.netns, ifname: 'vx0', address, mac };
  await world.address(guest, `${address}/24`);
  return guest;
}

/** Moves bytes over TCP; everything has to arrive, with an equal hash. @returns megabits a second */
export async function expectTransfer(
  world: World,
  from: Guest,
  to: Guest,
  bytes: number,
  label: string,
): Promise<number> {
  const { sent, received, megabitsPerSecond } = await transfer(world, from.netns, to.netns, to.address, bytes);
  expect(sent.bytes).toBe(bytes);
  expect(received).toEqual({ bytes, sha256: sent.sha256 });
  console.log(`${label}, ${bytes / MB} MB: ${megabitsPerSecond} Mb/s`);
  return megabitsPerSecond;
}

/** Every frame that went into the switch has come out or was counted as dropped. */
export async function expectBalance(...switches: readonly RunningSwitch[]): Promise<void> {
  for (const sw of switches) {
    const { in: received, out } = accounts(await settledStats(sw));
    expect(out).toBe(received);
    expect(received).toBeGreaterThan(0);
  }
}

const SELF_TEST = new URL('../../dist/port/self-test.js', import.meta.url).href;

/** Why this kernel has no UDP tunnel GSO, tried in a namespace of its own; null: it has. Says so aloud, since tests depend on it. */
export async function tunnelGsoLack(): Promise<string | null> {
  const world = new World();
  try {
    const netns = await world.netns('features');
    const script = `import('${SELF_TEST}').then(({ selfTest }) => console.log(JSON.stringify(selfTest())))`;
    const found = JSON.parse(await must(['ip', 'netns', 'exec', netns, process.execPath, '-e', script])) as SelfTest;
    if (found.tunnelGso) return null;
    const reason = found.reasons.tunnelGso ?? 'the kernel lacks it';
    console.warn(`no UDP tunnel GSO here, so that tests of it are left out: ${reason}`);
    return reason;
  } finally {
    await world.cleanUp();
  }
}

/** libpcap's filter of VXLAN datagrams above an MTU of 1500: trains, and superframes that are whole. */
export const LONG = 'udp dst port 4789 and greater 1515';

/** Whether a datagram holds one frame, whatever its length: no train, whose first frame ends before the datagram does. */
export function isWhole({ hex, length }: Packet): boolean {
  const bytes = Buffer.from(hex, 'hex');
  const inner = 14 + (bytes.readUInt16BE(12) === 0x86dd ? 40 : 20) + 8 + 8;
  const type = innerType(bytes, inner);
  const ip = inner + type.length;
  const size = type.value === 0x86dd ? 40 + bytes.readUInt16BE(ip + 4) : bytes.readUInt16BE(ip + 2);
  return ip + size === length;
}

function innerType(bytes: Buffer, inner: number): { value: number; length: number } {
  const tagged = bytes.readUInt16BE(inner + 12) === 0x8100;
  return { value: bytes.readUInt16BE(inner + (tagged ? 16 : 12)), length: tagged ? 18 : 14 };
}

/**
 * Drops one in a hundred of the VXLAN datagrams that come in for a host (`input`), or that a router passes on (`forward`), or
 * that a host sends (`output`).
 * @returns a function that tells how many were dropped so far
 */
export async function loseOneInHundred(
  world: World,
  netns: string,
  hook: 'input' | 'forward' | 'output' = 'input',
): Promise<() => Promise<number>> {
  const rules = `table inet loss {
  chain lossy {
    type filter hook ${hook} priority 0;
    udp dport 4789 numgen random mod 100 < 1 counter drop
  }
}
`;
  await succeed(world, netns, ['nft', '-f', world.file(`loss-${netns}.nft`, rules)]);
  return async () => (await counterOf(world, netns, 'loss')).packets;
}

/** What the counter of a table of nftables says, which has one. */
export async function counterOf(
  world: World,
  netns: string,
  table: string,
): Promise<{ packets: number; bytes: number }> {
  const listed = await succeed(world, netns, ['nft', 'list', 'table', 'inet', table]);
  const [, packets, bytes] = /counter packets (\d+) bytes (\d+)/.exec(listed) ?? [];
  if (packets === undefined) throw new Error(`no counter in the rules: ${listed}`);
  return { packets: Number(packets), bytes: Number(bytes) };
}
