/**
 * What the tests of the fast path share: guests on two hosts, with a switch or a kernel vxlan device in each, an underlay
 * that is a plain network card, loss, and transfers whose hashes are compared.
 */
import { expect } from 'vitest';
import { accounts, type RunningSwitch, settledStats } from '../switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort } from '../topologies.js';
import { transfer } from '../traffic.js';
import type { End, World } from '../world.js';

export const MB = 1_000_000;
export const VNI = 42;

/** Column A: the underlay's offloads as a veth has them. Column B: what is done before a plain network card is reached. */
export type Column = 'A' | 'B';

/** As the benchmark sets it (bench/path/site.mjs). */
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

/**
 * Drops one in a hundred of the VXLAN datagrams that come in for a host (`input`), or that a router passes on (`forward`).
 * @returns a function that tells how many were dropped so far
 */
export async function loseOneInHundred(
  world: World,
  netns: string,
  hook: 'input' | 'forward' = 'input',
): Promise<() => Promise<number>> {
  const rules = `table inet loss {
  chain lossy {
    type filter hook ${hook} priority 0;
    udp dport 4789 numgen random mod 100 < 1 counter drop
  }
}
`;
  await succeed(world, netns, ['nft', '-f', world.file(`loss-${netns}.nft`, rules)]);
  return async () => {
    const listed = await succeed(world, netns, ['nft', 'list', 'table', 'inet', 'loss']);
    const count = /counter packets (\d+)/.exec(listed)?.[1];
    if (count === undefined) throw new Error(`no counter in the rules: ${listed}`);
    return Number(count);
  };
}
