/**
 * The floor as the "switch" of a host (src/bench/native/floor.c): a TAP and one remote, and nothing decided in between. It shows
 * what any switch in user space has to spend on devices, copies and wakeups here, with plain system calls.
 */
import { must, type Program } from '../../../lab/testbed/program.js';
import { compiledProgram } from '../programs/compile.js';
import type { TunnelCounters } from '../proof/path.js';
import { type Host, type Site, VNI } from '../site/site.js';
import type { RunningSwitch } from './variant.js';

const TAP = 'tap0';
/** A superframe of so many segments fits in one send: 44 datagrams of 1472 bytes are less than 65507. */
const SEGMENTS = 44;

/** Starts the floor of a host. */
export async function attachFloor(site: Site, host: Host): Promise<RunningSwitch> {
  if (host.uplink === undefined) throw new Error(`${host.name} has no underlay, which the floor needs`);
  const { address, remote } = host.uplink;
  const path = await compiledProgram('floor', site.signal);
  const program = site.start(host.netns, [path, TAP, `${VNI}`, '4789', address, remote]);
  await program.line(`the floor of ${host.name} is ready`, (line) => line === 'ready');
  await must(['ip', '-n', host.netns, 'link', 'set', TAP, 'gso_max_segs', `${SEGMENTS}`]);
  await site.handOver(host, TAP, host.guests[0]);
  return { processes: [program], tunnel: () => counted(program) };
}

/** It prints its counters when it is asked by a signal. */
async function counted(program: Program): Promise<TunnelCounters> {
  const from = program.lines.length;
  program.signal('SIGUSR1');
  const line = await program.line('the counters of the floor', (text) => text.startsWith('{'), undefined, from);
  const { sent_bytes: txBytes, received_bytes: rxBytes } = JSON.parse(line);
  return { txBytes, rxBytes, superframes: null };
}
