/**
 * The switches for measuring learning: a bridge with three ports, without VXLAN, with an ageing time of an hour. Each function
 * starts one in the host of a LearningSite, and returns a function that deletes all learned entries.
 */
import { must } from '../../../lab/testbed/program.js';
import { NIC } from '../site/site.js';
import { startOvertap } from '../switches/overtap.js';
import type { LearningSite } from './site.js';

/** Longer than all trials of a turn. */
const AGEING_SECONDS = 3600;

/** overtap. @param entries the size of the FDB */
export async function attachLearningOvertap(site: LearningSite, entries: number): Promise<() => Promise<unknown>> {
  const { client } = await startOvertap(site, site.host, (socket) => configuration(site, socket, entries));
  return () => client.post('/v1/fdb', { op: 'flush', dev: 'br0' });
}

function configuration({ host, ports }: LearningSite, socket: string, entries: number): string {
  const taps = ports.map(({ name, netns }) => `      ${name}: { type: tap, netns: ${netns}, ifname: ${NIC} }`);
  return `name: ${host.name}
control: ${socket}
fdb_size: ${entries}
bridges:
  br0:
    ageing_time: ${AGEING_SECONDS}
    ports:
${taps.join('\n')}
`;
}

/** The kernel's bridge with a veth pair to each guest. Its table has no fixed size. */
export async function attachLearningKernel(site: LearningSite): Promise<() => Promise<unknown>> {
  const link = (...words: string[]) => must(['ip', '-n', site.host.netns, 'link', ...words]);
  // In hundredths of a second.
  await link('add', 'br0', 'type', 'bridge', 'ageing_time', `${AGEING_SECONDS * 100}`);
  for (const port of site.ports) {
    await link('add', port.name, 'type', 'veth', 'peer', 'name', 'guest-nic');
    await link('set', port.name, 'master', 'br0', 'up');
    await site.handOver(port, 'guest-nic');
  }
  await link('set', 'br0', 'up');
  return () => link('set', 'br0', 'type', 'bridge', 'fdb_flush');
}
