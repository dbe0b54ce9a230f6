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

const OPTION = 'let the sandbox set that option of UDP sockets';

/** Options of UDP sockets (`native/self-test/udp.c`). */
const LACKS_OF_SOCKETS: readonly Lack[] = [
  {
    trial: 'recvTos',
    part: 'IP_RECVTOS',
    costs: 'a congestion mark that the underlay sets (ECN) does not reach the guests',
    remedy: OPTION,
  },
  {
    trial: 'recvTclass',
    part: 'IPV6_RECVTCLASS',
    costs: 'a congestion mark that an underlay over IPv6 sets (ECN) does not reach the guests',
    remedy: OPTION,
  },
  {
    trial: 'noCheck6Rx',
    part: 'UDP_NO_CHECK6_RX',
    costs: 'the kernel drops datagrams over IPv6 that have no checksum',
    remedy: 'Linux 3.16 has it; set udpcsum on the remote VTEPs',
  },
  {
    trial: 'multicastAll',
    part: 'IP_MULTICAST_ALL',
    costs:
      'nothing, as a filter keeps foreign groups out; if SO_ATTACH_FILTER is refused too, a port without "local" takes datagrams to groups that other programs have joined',
    remedy: 'Linux 4.20 has it; without SO_ATTACH_FILTER, give each vxlan port its "local"',
  },
  {
    trial: 'socketFilter',
    part: 'SO_ATTACH_FILTER',
    costs: 'nothing: what is sent to a sending socket fills its queue of one datagram in place of being dropped',
    remedy: OPTION,
  },
  {
    trial: 'mtuDiscover',
    part: 'IP_MTU_DISCOVER',
    costs:
      'datagrams of "df: unset" may have DF, or those of "df: set" lack it; when a path MTU shrinks, the host may send fragments until the switch knows it (1 s)',
    remedy: 'Linux 3.13 has it; the sandbox may have to allow it',
  },
  {
    trial: 'mtuDiscover6',
    part: 'IPV6_MTU_DISCOVER',
    costs: 'when a path MTU over IPv6 shrinks, the host may send fragments until the switch knows it (1 s)',
    remedy: OPTION,
  },
  {
    trial: 'pathMtu',
    part: 'IP_MTU',
    costs: 'a path MTU is that of the device: a smaller one further on is not known',
    remedy: 'give the NICs their "mtu", and let the sandbox read that option of UDP sockets',
  },
  {
    trial: 'reusePort',
    part: 'SO_REUSEPORT',
    costs: 'one engine thread, whatever "workers" says; a port with a group needs "local"',
    remedy: 'Linux 3.9 has it; the sandbox may have to allow it',
  },
  {
    trial: 'bindToDevice',
    part: 'SO_BINDTODEVICE',
    costs: 'nothing for senders, which choose the device by IP_UNICAST_IF; a port with a group waits or is refused',
    remedy: 'give it CAP_NET_RAW',
  },
  {
    trial: 'ttl',
    part: 'IP_TTL',
    costs: 'datagrams have the TTL of the host, whatever "ttl" says',
    remedy: OPTION,
  },
  {
    trial: 'noChecksum',
    part: 'SO_NO_CHECK',
    costs: 'datagrams have a UDP checksum, whatever "udpcsum" says: more CPU',
    remedy: OPTION,
  },
  {
    trial: 'messages',
    part: 'recvmmsg',
    costs: 'one system call for each datagram or train: more CPU',
    remedy: 'Linux 3.0 has recvmmsg and sendmmsg; let the sandbox use them',
  },
];

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
    trial: 'tcx',
    part: 'tcx',
    costs: 'the host answers on the interfaces of netdev ports too, as with "host: true"',
    remedy: 'Linux 6.6 has it, for CAP_BPF and CAP_NET_ADMIN of the host; or give the interfaces no addresses',
  },
  {
    trial: 'setns',
    part: 'setns',
    costs:
      'a NIC in a namespace of its own is DOWN and without addresses until its guest sets it up, and its MTU is not followed',
    remedy: 'give it CAP_SYS_ADMIN; a systemd unit takes namespaces.conf',
  },
  ...LACKS_OF_SOCKETS,
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
  packet_ring: 'frames of attached interfaces (netdev) are received by system calls: more CPU',
  flow: 'known flows between attached interfaces (netdev) go through the switch: more CPU, more latency',
  io_uring: 'a system call for each frame from or to a TAP: more CPU',
} as const;
