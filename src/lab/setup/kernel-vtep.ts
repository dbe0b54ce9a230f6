/** The kernel's VTEP on a host without a switch: a bridge and a vxlan device, as FRR expects them, with veth pairs to guests. */
import { LabError, reasonOf } from '../testbed/errors.js';
import { addAddress, addVeth } from '../testbed/namespaces.js';
import { must } from '../testbed/program.js';

export const KERNEL_BRIDGE = 'br0';
export const KERNEL_VXLAN = 'vx0';

export interface KernelVtep {
  readonly vni: number;
  /** Of the bridge, in the guests' subnet, with its prefix length: by talking with it, guests become neighbours of the host's kernel. */
  readonly address: string;
  /** NICs of guests. */
  readonly nics: readonly KernelNic[];
}

export interface KernelNic {
  /** Name of its port. */
  readonly port: string;
  readonly netns: string;
  readonly ifname: string;
  readonly mac: string;
  /** With its prefix length. */
  readonly address: string;
  /** Whether it begins down. */
  readonly isDown?: boolean;
}

/** The host, and its underlay address. */
interface VtepHost {
  readonly name: string;
  readonly netns: string;
  readonly address: string;
}

/**
 * Makes them. No remote is given, and the vxlan device does not learn: entries are FRR's work.
 * @throws LabError LAB_LACKS_TOOL where the kernel has no such devices, LAB_COMMAND_FAILED
 */
export async function addKernelVtep({ netns, name, address }: VtepHost, vtep: KernelVtep): Promise<void> {
  const [bridge, vxlan] = [KERNEL_BRIDGE, KERNEL_VXLAN];
  try {
    await link(netns, `add ${bridge} type bridge`);
    await link(netns, `add ${vxlan} type vxlan id ${vtep.vni} local ${address} dstport 4789 nolearning`);
  } catch (error) {
    const what = `host ${name} needs the bridge and the vxlan device of the kernel, which this one does not make`;
    throw new LabError('LAB_LACKS_TOOL', `${what} (${reasonOf(error)}): use another host`);
  }
  await link(netns, `set ${vxlan} master ${bridge} up`);
  await link(netns, `set dev ${vxlan} type bridge_slave neigh_suppress on learning off`);
  await link(netns, `set ${bridge} up`);
  await addAddress({ netns, ifname: bridge }, vtep.address);
  for (const nic of vtep.nics) await addNic(netns, nic);
}

async function addNic(host: string, { port, netns, ifname, mac, address, isDown = false }: KernelNic): Promise<void> {
  await addVeth({ netns: host, ifname: port }, { netns, ifname });
  await link(host, `set ${port} mtu 1450 master ${KERNEL_BRIDGE}`);
  await link(netns, `set ${ifname} ${isDown ? 'down' : 'up'} mtu 1450 address ${mac}`);
  await addAddress({ netns, ifname }, address);
}

async function link(netns: string, words: string): Promise<void> {
  await must(['ip', '-n', netns, 'link', ...words.split(' ')]);
}
