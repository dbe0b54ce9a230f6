/**
 * A switch on a host that refuses parts of the kernel: the preload library of preload/refuse.c, and what it has refused.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { World } from './host-testbed.js';
import { RunningSwitch, switchCommand } from './switch.js';

const SOURCE = fileURLToPath(new URL('preload/refuse.c', import.meta.url));

/** What can be refused; `=ERRNO` behind one replaces its usual errno. */
export type Part =
  | 'IFF_VNET_HDR'
  | 'IFF_MULTI_QUEUE'
  | 'TUNSETPERSIST'
  | 'TUNSETOFFLOAD'
  | 'TUNSETVNETHDRSZ'
  | 'TUNGETVNETHDRSZ'
  | 'TUNGETDEVNETNS'
  | 'UDP_SEGMENT'
  | 'UDP_GRO'
  | 'SO_RCVBUFFORCE'
  | 'IPV6'
  | 'NETLINK'
  | 'SETNS'
  | 'IP_RECVTOS'
  | 'IPV6_RECVTCLASS'
  | 'UDP_NO_CHECK6_RX'
  | 'IP_MULTICAST_ALL'
  | 'SO_ATTACH_FILTER'
  | 'IP_MTU_DISCOVER'
  | 'IPV6_MTU_DISCOVER'
  | 'IP_MTU'
  | 'SO_REUSEPORT'
  | 'SO_BINDTODEVICE'
  | 'IP_TTL'
  | 'SO_NO_CHECK'
  | 'RECVMMSG'
  | 'TCX'
  | 'PACKET_RX_RING'
  | 'IPV6_AUTOFLOWLABEL'
  | 'SO_DOMAIN'
  | 'IO_URING'
  | 'IO_URING_LATER'
  | 'TUN';
export type Refusal = Part | `${Part}=${string}`;

/** @returns the path of the library */
export function compileRefusals(folder: string): string {
  const library = `${folder}/refuse.so`;
  const flags = ['-O1', '-D_GNU_SOURCE', '-shared', '-fPIC'];
  execFileSync(process.env.CC ?? 'cc', [...flags, '-o', library, SOURCE, '-ldl']);
  return library;
}

/** The words in front of a command that run it so. @param log file with a line for each refusal that was met */
export function refusing(library: string, refusals: readonly Refusal[], log: string): string[] {
  return ['env', `LD_PRELOAD=${library}`, `OVERTAP_REFUSE=${refusals.join(',')}`, `OVERTAP_REFUSED=${log}`];
}

/** The parts that a process has asked for and did not get, each once. */
export function refusedSoFar(log: string): string[] {
  return existsSync(log) ? [...new Set(readFileSync(log, 'utf8').trim().split('\n'))] : [];
}

/** Starts a switch as World.startSwitch does. @param config path of its file @param before words in front of the command */
export async function startConfined(
  world: World,
  netns: string,
  name: string,
  config: string,
  before: readonly string[],
): Promise<RunningSwitch> {
  const program = world.spawn(netns, [...before, ...switchCommand(config)]);
  const started = new RunningSwitch(program, world.control(name));
  await started.ready();
  return started;
}
