/**
 * The kernel's switch of a host: a plain bridge with a veth pair to each guest and a vxlan device with one remote. The bridge
 * does not filter VLANs, since not every kernel can; neither do the other variants. Bridged frames do not pass iptables,
 * since the other variants have no firewall either.
 */
import { must } from '../../../lab/testbed/program.js';
import { devicesIn } from '../proof/counters.js';
import type { TunnelCounters } from '../proof/path.js';
import { type Host, type Site, VNI } from '../site/site.js';
import type { RunningSwitch } from './variant.js';

/** Creates the switch of a host. It has no processes: it is part of the kernel. */
export async function attachKernel(site: Site, host: Host): Promise<RunningSwitch> {
  const link = (...words: string[]) => must(['ip', '-n', host.netns, 'link', ...words]);
  const off = 'for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e $f ] || echo 0 >$f; done';
  await must(['ip', 'netns', 'exec', host.netns, 'sh', '-c', off]);
  await link('add', 'br0', 'type', 'bridge');
  const ports = await site.addGuestPairs(host);
  if (host.uplink !== undefined) {
    const { address, remote } = host.uplink;
    const vxlan = ['id', `${VNI}`, 'local', address, 'remote', remote, 'dstport', '4789'];
    await link('add', 'vxlan0', 'mtu', `${site.guestMtu}`, 'type', 'vxlan', ...vxlan);
    ports.push('vxlan0');
  }
  for (const port of ports) await link('set', port, 'master', 'br0', 'up');
  await link('set', 'br0', 'up');
  const tunnel = async (): Promise<TunnelCounters> => {
    const { txBytes, rxBytes } = devicesIn(host.netns).vxlan0;
    return { txBytes, rxBytes, superframes: null };
  };
  return { processes: [], ...(host.uplink === undefined ? {} : { tunnel }) };
}
