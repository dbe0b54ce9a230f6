/**
 * The site for measuring the whole path, the same for every variant: two hosts and two guests as network namespaces, the link
 * between the hosts, and the offloads of the column. It knows nothing of switches; the topology files add them.
 *
 *     g1 eth0 --- switch of h1 --- eth0 ======= eth0 --- switch of h2 --- eth0 g2
 *     10.77.0.1                192.0.2.1         192.0.2.2                10.77.0.2
 *
 * In column L one host has both guests, and no underlay. In the scene "routed" guest 2 is 10.77.2.2, guest 1 10.77.1.1, and each has a router.
 */
import { addAddress, addVeth, type End } from '../../../lab/testbed/namespaces.js';
import { must } from '../../../lab/testbed/program.js';
import type { Column, Underlay } from '../types.js';
import { Ground } from './ground.js';

/** VNI of all variants. */
export const VNI = 42;
/** MAC of the router in each subnet. */
export const ROUTER_MAC = '02:00:5e:00:00:01';
/** The MAC behind guest 2 that frames are for: guest 2's own IP stack drops them at once. */
const BEHIND = '02:00:00:00:b0:12';
const UNDERLAY_MTU = 1500;
/** Outer headers: IP, UDP, VXLAN, inner Ethernet. */
const OVERHEAD = { ipv4: 20 + 8 + 8 + 14, ipv6: 40 + 8 + 8 + 14 } as const;
/** Name of the underlay NIC in every host and of the NIC in every guest. */
export const NIC = 'eth0';

/** Offloads of the underlay in column B: segmentation and checksums in software, as for a plain NIC. */
const PLAIN_NIC = {
  'tcp-segmentation-offload': 'off',
  'generic-segmentation-offload': 'off',
  'tx-udp-segmentation': 'off',
  'tx-udp_tnl-segmentation': 'off',
  'tx-udp_tnl-csum-segmentation': 'off',
  'tx-checksum-ip-generic': 'off',
  'generic-receive-offload': 'on',
};

export interface Guest {
  readonly netns: string;
  readonly address: string;
  readonly mac: string;
}

export interface Host {
  readonly name: string;
  readonly netns: string;
  readonly guests: readonly Guest[];
  /** Without it the host has no underlay, and its switch no vxlan port. */
  readonly uplink?: Uplink;
}

/** The underlay addresses of a host, and of the other host. */
export interface Uplink {
  readonly address: string;
  readonly remote: string;
}

export class Site extends Ground {
  readonly hosts: readonly Host[];
  readonly guests: readonly [Guest, Guest];
  /** The guests' MTU: what the underlay carries, less the encapsulation. */
  readonly guestMtu: number;
  /** The host behind guest 2 that counted frames are for: its MAC and address, and the MAC that guest 1 sends them to. */
  readonly behind: { readonly mac: string; readonly address: string; readonly hop: string };
  readonly isRouted: boolean;
  readonly #column: Column;
  readonly #underlay: Underlay;

  /** @param signal when aborted, every wait of this site ends @param isRouted whether the guests are in two subnets */
  constructor(column: Column, underlay: Underlay, signal: AbortSignal, isRouted = false) {
    super(signal);
    this.isRouted = isRouted;
    this.#column = column;
    this.#underlay = underlay;
    this.guestMtu = UNDERLAY_MTU - OVERHEAD[underlay];
    this.guests = [this.#guest(1), this.#guest(2)];
    this.behind = isRouted
      ? { mac: BEHIND, address: '10.77.2.99', hop: ROUTER_MAC }
      : { mac: BEHIND, address: this.guests[1].address, hop: BEHIND };
    const host = (n: number) => ({ name: `h${n}`, netns: this.nameOf(`h${n}`) });
    const network = underlay === 'ipv6' ? '2001:db8::' : '192.0.2.';
    const uplink = (n: number): Uplink => ({ address: `${network}${n}`, remote: `${network}${3 - n}` });
    this.hosts =
      column === 'L'
        ? [{ ...host(1), guests: this.guests }]
        : [1, 2].map((n) => ({ ...host(n), guests: [this.guests[n - 1]], uplink: uplink(n) }));
  }

  #guest(n: number): Guest {
    return {
      netns: this.nameOf(`g${n}`),
      address: `10.77.${this.isRouted ? n : 0}.${n}`,
      mac: `02:00:00:00:b0:0${n}`,
    };
  }

  /** Creates the namespaces and the underlay. */
  async build(): Promise<void> {
    await this.addNamespaces([...this.hosts, ...this.guests].map(({ netns }) => netns));
    const [one, two] = this.hosts.map(({ netns }) => ({ netns, ifname: NIC }));
    if (two !== undefined) await addVeth(one, two);
    for (const { netns, uplink } of this.hosts) {
      if (uplink === undefined) continue;
      await this.addUnderlayAddress({ netns, ifname: NIC }, uplink);
      if (this.#column === 'B') await makePlain(netns);
    }
  }

  /** Puts a host's underlay address on a device. Only this device gets IPv6, if it is needed: others would send by themselves. */
  async addUnderlayAddress(end: End, { address }: Uplink): Promise<void> {
    const isV6 = this.#underlay === 'ipv6';
    if (isV6) {
      const allow = 'echo 0 > "/proc/sys/net/ipv6/conf/$1/disable_ipv6"';
      await must(['ip', 'netns', 'exec', end.netns, 'sh', '-ec', allow, 'sh', end.ifname]);
    }
    await addAddress(end, `${address}/${isV6 ? 64 : 24}`);
  }

  /**
   * Gives each guest of a host a veth pair with the guests' MTU. @returns the names of the ends in the host, which are up
   */
  async addGuestPairs(host: Host): Promise<string[]> {
    const names = host.guests.map((_, index) => `guest${index + 1}`);
    for (const [index, name] of names.entries()) {
      const mtu = ['mtu', `${this.guestMtu}`];
      const peer = `${name}-nic`;
      await must(['ip', '-n', host.netns, 'link', 'add', name, ...mtu, 'type', 'veth', 'peer', 'name', peer]);
      await must(['ip', '-n', host.netns, 'link', 'set', name, 'up']);
      await this.handOver(host, peer, host.guests[index]);
    }
    return names;
  }

  /** Moves a NIC that a switch created in the host's namespace to a guest, and sets MAC, MTU and address. */
  async handOver(host: Host, ifname: string, { netns, mac, address }: Guest): Promise<void> {
    await must(['ip', '-n', host.netns, 'link', 'set', ifname, 'netns', netns, 'name', NIC]);
    await must(['ip', '-n', netns, 'link', 'set', NIC, 'address', mac, 'mtu', `${this.guestMtu}`, 'up']);
    await addAddress({ netns, ifname: NIC }, `${address}/24`);
  }

  /** The router's address in the subnet of guest `number`. */
  routerOf(number: number): string {
    return `10.77.${number}.254`;
  }

  /** Gives each guest its way to the other one's subnet, where that is another one. */
  async routeGuests(): Promise<void> {
    if (!this.isRouted) return;
    for (const [index, { netns }] of this.guests.entries())
      await must(['ip', '-n', netns, 'route', 'add', 'default', 'via', this.routerOf(index + 1)]);
  }

  /** Checks the MTU of the guests: variants with different MTUs cannot be compared. @throws when one is wrong */
  async checkGuests(): Promise<void> {
    for (const { netns } of this.guests) {
      const [link] = JSON.parse(await must(['ip', '-json', '-n', netns, 'link', 'show', 'dev', NIC]));
      if (link.mtu !== this.guestMtu) throw new Error(`${NIC} in ${netns} has MTU ${link.mtu}, not ${this.guestMtu}`);
    }
  }
}

async function makePlain(netns: string): Promise<void> {
  const words = Object.entries(PLAIN_NIC).flat();
  await must(['ip', 'netns', 'exec', netns, 'ethtool', '-K', NIC, ...words]);
  const lines = (await must(['ip', 'netns', 'exec', netns, 'ethtool', '-k', NIC]))
    .split('\n')
    .map((line) => line.trim());
  for (const [feature, wanted] of Object.entries(PLAIN_NIC)) {
    if (!lines.some((line) => line === `${feature}: ${wanted}` || line === `${feature}: ${wanted} [fixed]`))
      throw new Error(`the underlay in ${netns} does not support "${feature} ${wanted}", which column B needs`);
  }
}
