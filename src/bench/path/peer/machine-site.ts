/**
 * The site of two machines: this one is a host, with one guest in a namespace, and its switch runs in the machine's own network. Only
 * switches whose devices end with their process are used here, so nothing of the machine has to be restored.
 *
 *     g1 eth0 --- switch of this machine ====== network ====== switch of the other machine --- eth0 g2
 */
import { must } from '../../../lab/testbed/program.js';
import { type Host, Site, type Uplink } from '../site/site.js';

const OVERHEAD = { v4: 50, v6: 70 };

export class MachineSite extends Site {
  override readonly hosts: readonly Host[];
  override readonly guestMtu: number;
  /**
   * The machine's own network namespace has no name, and the switches need one. It must not begin as the testbed's names do: the
   * sweep ends the programs of namespaces that bear those.
   */
  readonly #own = `overtap-bench-${process.pid}`;

  /** @param index 0: this machine has guest 1; 1: guest 2. @param mtu of the device that leads to the other machine */
  constructor(
    readonly index: 0 | 1,
    uplink: Uplink,
    mtu: number,
    signal: AbortSignal,
  ) {
    super('P', uplink.remote.includes(':') ? 'ipv6' : 'ipv4', signal);
    this.hosts = [{ name: `h${index + 1}`, netns: this.#own, guests: [this.guests[index]], uplink }];
    this.guestMtu = mtu - (uplink.remote.includes(':') ? OVERHEAD.v6 : OVERHEAD.v4);
  }

  override async build(): Promise<void> {
    await must(['ip', 'netns', 'attach', this.#own, `${process.pid}`]);
    await this.addNamespaces([this.guests[this.index].netns]);
  }

  override async takeDown(): Promise<void> {
    try {
      await super.takeDown();
    } finally {
      // The name only: the network itself is the machine's.
      await must(['ip', 'netns', 'del', this.#own]).catch(() => undefined);
    }
  }
}

/** MTU of the device that leads to an address. */
export async function mtuTowards(address: string): Promise<number> {
  const [{ dev }] = JSON.parse(await must(['ip', '-json', 'route', 'get', address]));
  const [{ mtu }] = JSON.parse(await must(['ip', '-json', 'link', 'show', 'dev', dev]));
  return mtu;
}
