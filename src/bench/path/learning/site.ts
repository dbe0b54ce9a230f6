/**
 * The site for measuring learning: one host, and three guests at three ports of its one bridge, as in RFC 2889. It knows
 * nothing of switches; topology-learning.ts adds them.
 *
 *     learning eth0 ---+
 *     test     eth0 ---+ switch of h
 *     monitor  eth0 ---+
 */
import { must } from '../../../lab/testbed/program.js';
import { Ground } from '../site/ground.js';
import { NIC } from '../site/site.js';

const PORTS = ['learning', 'test', 'monitor'];

/** A port of the bridge, and the guest behind it. */
export interface Port {
  readonly name: string;
  readonly netns: string;
}

export class LearningSite extends Ground {
  readonly host: { readonly name: string; readonly netns: string };
  readonly ports: readonly Port[];

  /** @param signal when aborted, every wait of this site ends */
  constructor(signal: AbortSignal) {
    super(signal);
    this.host = { name: 'h', netns: this.nameOf('h') };
    this.ports = PORTS.map((name) => ({ name, netns: this.nameOf(name) }));
  }

  /** Creates the namespaces. */
  async build(): Promise<void> {
    await this.addNamespaces([this.host.netns, ...this.ports.map(({ netns }) => netns)]);
  }

  /** Moves a NIC that a switch created in the host's namespace to a guest. Without an address it sends nothing by itself. */
  async handOver(port: Port, ifname: string): Promise<void> {
    await must(['ip', '-n', this.host.netns, 'link', 'set', ifname, 'netns', port.netns, 'name', NIC]);
    await must(['ip', '-n', port.netns, 'link', 'set', NIC, 'up']);
  }

  /** The namespaces of the ports and the name of their NICs, for the tester. */
  get places(): Record<string, string> {
    return { ...Object.fromEntries(this.ports.map(({ name, netns }) => [name, netns])), ifname: NIC };
  }
}
