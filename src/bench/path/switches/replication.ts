/**
 * The load of variant `replicating`: a second bridge in the switch of a host, whose vxlan port has a thousand remotes, and a
 * sender of broadcasts into it. The other host receives the copies and drops them, since it does not forward. A test
 * (test/e2e/replication.test.ts) proves that each frame leaves in exactly a thousand copies.
 */
import { readFileSync } from 'node:fs';
import { must } from '../../../lab/testbed/program.js';
import { waitUntil } from '../../../lab/testbed/wait.js';
import { startBroadcasts } from '../measures/trafgen.js';
import { type Host, NIC, type Site } from '../site/site.js';
import { attachOvertap } from './overtap.js';
import type { RunningSwitch } from './variant.js';

const REMOTES = 1000;
/** A network for benchmarks (RFC 2544), which the guests do not use. */
const NETWORK = '198.18.0.0/16';
const PORT = 'storm0';
/** Milliseconds between two broadcasts: ten thousand copies per second. */
const GAP_MS = 100;

/** Starts the switch of a host, with the load in its second bridge. */
export async function attachReplicating(site: Site, host: Host): Promise<RunningSwitch> {
  if (host.uplink === undefined) throw new Error(`${host.name} has no underlay to replicate to`);
  const { address, remote } = host.uplink;
  await must(['ip', '-n', host.netns, 'route', 'add', NETWORK, 'via', remote, 'dev', NIC]);
  const running = await attachOvertap(site, host, { beside: secondBridge(address) });
  await startBroadcasts(site, host.netns, PORT, GAP_MS);
  const pid = running.processes[0].pid;
  const start = copies(pid);
  const what = `${host.name} replicates to ${REMOTES} remotes`;
  await waitUntil(() => copies(pid) >= start + 2 * REMOTES, { what, limitMs: 5000, signal: site.signal });
  return running;
}

function secondBridge(address: string): string {
  const remotes = Array.from({ length: REMOTES }, (_, i) => `198.18.${1 + (i >> 7)}.${1 + (i & 127)}`);
  return `  br1:
    ports:
      ${PORT}: { type: tap }
      vxlan1: { type: vxlan, id: 43, local: ${address}, dstport: 4790, remotes: [${remotes.join(', ')}] }
`;
}

/** Packets sent by the host: almost only copies while the guests are silent. */
function copies(pid: number): number {
  const line = readFileSync(`/proc/${pid}/net/dev`, 'latin1')
    .split('\n')
    .find((text) => text.trim().startsWith(`${NIC}:`));
  return Number(line?.split(':')[1].trim().split(/\s+/)[9]);
}
