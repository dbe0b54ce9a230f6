/**
 * What kernels and sandboxes refuse besides offloads: what is done without each, what that costs, and how to get it. The log of
 * a switch and `overtap doctor` say the same of it. Pure; `self-test.ts` finds out.
 */
import type { SelfTest, Trial } from './self-test.js';

export interface Lack {
  readonly trial: Trial;
  /** The refused part, as programmers and manuals call it. */
  readonly part: string;
  /** What is different without it. */
  readonly costs: string;
  readonly remedy: string;
}

export interface Refusal extends Lack {
  /** The failed step and the kernel's answer. */
  readonly reason: string;
}

const UNKNOWN = 'the kernel lacks it';

const LACKS: readonly Lack[] = [
  {
    trial: 'tap',
    part: 'making TAPs',
    costs: 'a TAP has to be there, made and set up for the user of the switch (ip tuntap add)',
    remedy: 'give it /dev/net/tun and CAP_NET_ADMIN',
  },
  {
    trial: 'multiQueue',
    part: 'IFF_MULTI_QUEUE',
    costs: 'one engine thread, whatever "workers" says',
    remedy: 'a kernel or sandbox with multi-queue TAPs has it',
  },
  {
    trial: 'persist',
    part: 'TUNSETPERSIST',
    costs: 'NICs with "persist" go when the switch ends, as the others do',
    remedy: 'a kernel or sandbox with persistent TAPs has it',
  },
  {
    trial: 'headerSize',
    part: 'TUNSETVNETHDRSZ',
    costs: 'nothing: the size of the virtio-net header is the usual one',
    remedy: 'nothing is to be done',
  },
  {
    trial: 'deviceNetns',
    part: 'TUNGETDEVNETNS',
    costs: 'a NIC that its guest moves to another namespace is not followed',
    remedy: 'Linux 5.2 has it; the sandbox may have to allow it',
  },
  {
    trial: 'buffers',
    part: 'SO_RCVBUFFORCE',
    costs: 'smaller socket buffers, so bursts may be lost',
    remedy: 'give it CAP_NET_ADMIN, or set net.core.rmem_max=8388608 on the host',
  },
  {
    trial: 'ipv6',
    part: 'IPv6 sockets',
    costs: 'vxlan ports over IPv6 wait; all others work',
    remedy: 'start the kernel without ipv6.disable=1, or let the sandbox open AF_INET6 sockets',
  },
  {
    trial: 'netlink',
    part: 'netlink sockets',
    costs:
      'NICs are made in their namespaces, which live until the switch ends; no tunnel_gso; persistent NICs lack the mark of overtap',
    remedy: 'let the sandbox open AF_NETLINK sockets',
  },
  {
    trial: 'setns',
    part: 'setns',
    costs:
      'a NIC in a namespace of its own is DOWN and without addresses until its guest sets it up, and its MTU is not followed',
    remedy: 'give it CAP_SYS_ADMIN; a systemd unit takes namespaces.conf',
  },
];

/** The parts that this host refuses, in a fixed order; offloads are not among them. */
export function refusalsOf(found: SelfTest): Refusal[] {
  return LACKS.filter(({ trial }) => !found[trial]).map((lack) => ({
    ...lack,
    reason: found.reasons[lack.trial] ?? UNKNOWN,
  }));
}

/** What the absence of an offload costs, by its key in the configuration. */
export const OFFLOAD_COSTS = {
  vnet_header: 'each segment of TCP is a frame of its own between guest and switch, with its checksum: more CPU',
  tso: 'each segment of TCP is a frame of its own between guest and switch: more CPU',
  udp_segment: 'each datagram is sent by itself: more CPU',
  udp_gro: 'each datagram is received by itself: more CPU',
  tunnel_gso: 'TCP leaves in trains of datagrams: more CPU',
} as const;
