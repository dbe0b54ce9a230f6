/**
 * The kernel's switch of a host: a plain bridge with a veth pair to each guest and a vxlan device with one remote. The bridge
 * does not filter VLANs, since not every kernel can; neither do the other variants. Bridged frames do not pass iptables,
 * since the other variants have no firewall either.
 */
import { must } from '../../lab/testbed/program.js';
import { GUEST_MTU, type Host, type Site, VNI } from './site.js';

const MTU = ['mtu', `${GUEST_MTU}`];

/** Creates the switch of a host. @returns no processes: it is part of the kernel */
export async function attachKernel(site: Site, host: Host): Promise<[]> {
  const link = (...words: string[]) => must(['ip', '-n', host.netns, 'link', ...words]);
  const off = 'for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e $f ] || echo 0 >$f; done';
  await must(['ip', 'netns', 'exec', host.netns, 'sh', '-c', off]);
  await link('add', 'br0', 'type', 'bridge');
  const ports = await site.addGuestPairs(host);
  if (host.uplink !== undefined) {
    const { address, remote } = host.uplink;
    const vxlan = ['id', `${VNI}`, 'local', address, 'remote', remote, 'dstport', '4789'];
    await link('add', 'vxlan0', ...MTU, 'type', 'vxlan', ...vxlan);
    ports.push('vxlan0');
  }
  for (const port of ports) await link('set', port, 'master', 'br0', 'up');
  await link('set', 'br0', 'up');
  return [];
}
