/**
 * Owns what stands when addresses are learned: one host, and three guests at three ports of its one bridge, as RFC 2889
 * wants them. It knows nothing of switches; topology-learning.mjs puts them in.
 *
 *     learning eth0 ---+
 *     test     eth0 ---+ switch of h
 *     monitor  eth0 ---+
 */
import { run } from '../../dist/lab/testbed/command.js';
import { Ground, namespaceName } from './ground.mjs';
import { NIC } from './site.mjs';

const PORTS = ['learning', 'test', 'monitor'];

export class LearningSite extends Ground {
  /** @param {AbortSignal} signal ends every wait of this site */
  constructor(signal) {
    const host = { name: 'h', netns: namespaceName('h') };
    const ports = PORTS.map((name) => ({ name, netns: namespaceName(name) }));
    super(signal, [host.netns, ...ports.map(({ netns }) => netns)]);
    this.host = host;
    this.ports = ports;
  }

  /** Gives a guest the NIC that a switch made for it in the host's namespace. It has no address: nothing speaks there. */
  async handOver(port, ifname) {
    await run('ip', ['-n', this.host.netns, 'link', 'set', ifname, 'netns', port.netns, 'name', NIC]);
    await run('ip', ['-n', port.netns, 'link', 'set', NIC, 'up']);
  }

  /** Where the tester finds the ports. */
  get places() {
    return { ...Object.fromEntries(this.ports.map(({ name, netns }) => [name, netns])), ifname: NIC };
  }
}
