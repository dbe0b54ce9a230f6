/*
 * Packet sockets as the data path's end of an existing interface, packet(7): opens them, one for each engine, and reads
 * the interface's state. Frames have a virtio-net header, so superframes and unfinished checksums pass both ways.
 * ring-read.c, netdev-read.c, netdev-tunnel.c and netdev-write.c move the frames; packet.c is for observers.
 */
#include "packet-ring.h"
#include "socket-options.h"
#include "tcx.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23 /* Linux 4.20 */
#endif
#ifndef PACKET_FANOUT_FLAG_UNIQUEID
#define PACKET_FANOUT_FLAG_UNIQUEID 0x2000 /* Linux 4.12 */
#endif
#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000 /* Linux 5.14 */
#endif

#define RECEIVE_BYTES (8 << 20)
#define SEND_BYTES_QUEUED (4 << 20)

static int set(int fd, int option, int value) { return setsockopt(fd, SOL_PACKET, option, &value, sizeof value); }

static int filter(int fd, struct sock_filter *text, unsigned short count, struct ot_fault *fault) {
  struct sock_fprog program = {.len = count, .filter = text};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0) return 0;
  return ot_fail(fault, errno, "setsockopt", "filtering a packet socket");
}

/*
 * Nothing is received before the socket is attached: until then the frames belong to nobody, or to the port that has
 * the interface by a socket of its own.
 */
static void close_ears(int fd) {
  struct sock_filter none = {.code = BPF_RET | BPF_K, .k = 0};
  struct ot_fault ignored;
  /* Where filters are refused, frames of that short time may come twice. */
  filter(fd, &none, 1, &ignored);
}

/* Whether the kernel leaves out what this host sends by the interface, the switch's own frames among it. */
static bool ignores_outgoing(int fd) {
  int group = 0, ignores = 0;
  socklen_t size = sizeof group;
  if (getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &group, &size) == 0 && group)
    return (uint32_t)group >> 16 & PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
  return getsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &ignores, &size) == 0 && ignores;
}

int ot_netdev_listen(int fd, struct ot_fault *fault) {
  struct sock_filter others[] = {
      {.code = BPF_LD | BPF_B | BPF_ABS, .k = (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)},
      {.code = BPF_JMP | BPF_JEQ | BPF_K, .k = PACKET_OUTGOING, .jt = 1},
      {.code = BPF_RET | BPF_K, .k = 0xffffffff},
      {.code = BPF_RET | BPF_K, .k = 0},
  };
  if (!ignores_outgoing(fd)) return filter(fd, others, 4, fault);
  int unused = 0;
  if (setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused) == 0 || errno == ENOENT) return 0;
  return ot_fail(fault, errno, "setsockopt", "opening a packet socket");
}

static void set_buffer(int fd, int forced, int plain, int bytes) {
  if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) < 0)
    setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof bytes);
}

/*
 * Protocol 0 until it is bound: otherwise it would first receive frames of all other interfaces. `*ring`: whether it is
 * to have a ring, and whether it has one.
 */
static int make_socket(int device, bool *ring, struct ot_fault *fault) {
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = device};
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return ot_fail(fault, errno, "socket", "opening a packet socket");
  set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_BYTES);
  set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BYTES_QUEUED);
  close_ears(fd);
  int result = 0;
  if (set(fd, PACKET_VNET_HDR, 1) < 0 || set(fd, PACKET_AUXDATA, 1) < 0)
    result = ot_fail(fault, errno, "setsockopt", "asking a packet socket for virtio-net headers and tags");
  if (result == 0 && *ring) *ring = ot_packet_ring_make(fd) == 0;
  if (result == 0 && bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
    result = ot_fail(fault, errno, "bind", "binding a packet socket to interface %d", device);
  if (result == 0) return fd;
  close(fd);
  return -1;
}

static int fanout(int fd, int id, int flags) { return set(fd, PACKET_FANOUT, id | (PACKET_FANOUT_HASH | flags) << 16); }

/* Spreads flows over the sockets: each frame goes to one of them, by a hash that is the same in both directions. */
static int join_group(const struct ot_netdev *netdev, struct ot_fault *fault) {
  int first = netdev->fds[0], flags = PACKET_FANOUT_FLAG_IGNORE_OUTGOING, id = 0;
  socklen_t size = sizeof id;
  if (fanout(first, 0, flags | PACKET_FANOUT_FLAG_UNIQUEID) < 0) {
    flags = 0;
    if (fanout(first, 0, PACKET_FANOUT_FLAG_UNIQUEID) < 0)
      return ot_fail(fault, errno, "setsockopt", "making a fanout group");
  }
  if (getsockopt(first, SOL_PACKET, PACKET_FANOUT, &id, &size) < 0)
    return ot_fail(fault, errno, "getsockopt", "making a fanout group");
  for (int i = 1; i < netdev->count; i++)
    if (fanout(netdev->fds[i], id & 0xffff, flags) < 0)
      return ot_fail(fault, errno, "setsockopt", "joining a fanout group");
  return 0;
}

static int open_sockets(int device, int queues, bool ring, struct ot_netdev *netdev, struct ot_fault *fault) {
  while (netdev->count < queues) {
    int fd = make_socket(device, &ring, fault);
    if (fd < 0) return -1;
    netdev->fds[netdev->count++] = fd;
  }
  if (queues > 1 && join_group(netdev, fault) < 0) return -1;
  /* Where the kernel lacks it, a filter does it. */
  if (queues == 1) set(netdev->fds[0], PACKET_IGNORE_OUTGOING, 1);
  struct packet_mreq request = {.mr_ifindex = device, .mr_type = PACKET_MR_PROMISC};
  if (setsockopt(netdev->fds[0], SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) < 0)
    return ot_fail(fault, errno, "setsockopt", "setting interface %d promiscuous", device);
  return 0;
}

/* In the interface's namespace. */
static int open_here(const struct ot_netdev_options *options, struct ot_netdev *netdev, struct ot_fault *fault) {
  struct ot_link link;
  struct ot_fault refused;
  int number = ot_link_look(options->ifname, &link);
  if (number) return ot_fail(fault, number, "ioctl", "looking for the interface %s", options->ifname);
  if (link.type != ARPHRD_ETHER)
    return ot_fail(fault, EAFNOSUPPORT, "bind", "%s is no Ethernet interface", options->ifname);
  /* Where it is refused, netdev-lro.c takes what comes. */
  ot_link_receive_plain(options->ifname);
  if (open_sockets(link.index, options->queues, options->ring, netdev, fault) < 0) return -1;
  if (!options->silence) return 0;
  /* Done without where the kernel refuses it: the self-test reports that. */
  netdev->silencer = ot_tcx_silence(link.index, &refused);
  return 0;
}

int ot_netdev_open(const struct ot_netdev_options *options, struct ot_netdev *netdev, struct ot_fault *fault) {
  int home;
  *netdev = (struct ot_netdev){.silencer = -1};
  if (ot_netns_enter(options->netns, &home, fault) < 0) return -1;
  int result = open_here(options, netdev, fault);
  ot_netns_leave(home);
  for (int i = 0; result < 0 && i < netdev->count; i++) close(netdev->fds[i]);
  return result;
}

/* ---- Its state, by the descriptor: it works wherever the caller is ---- */

/* The kernel takes the index away when the interface is deleted, or leaves the namespace, and never gives it back. */
static int device_of(int fd) {
  struct sockaddr_ll address;
  socklen_t size = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 || address.sll_ifindex <= 0) return 0;
  return address.sll_ifindex;
}

bool ot_netdev_is_packet(int fd) {
  struct sockaddr_ll address = {.sll_family = AF_UNSPEC};
  socklen_t size = sizeof address;
  return getsockname(fd, (struct sockaddr *)&address, &size) == 0 && address.sll_family == AF_PACKET;
}

bool ot_netdev_is_gone(int fd) { return device_of(fd) == 0; }

/* Returns 0 or an errno. */
static int ask(int fd, unsigned long what, struct ifreq *request) { return ioctl(fd, what, request) < 0 ? errno : 0; }

/* IFF_RUNNING of a device that cannot tell; it lags behind by up to a second. */
static bool carrier_of(int fd, const char *ifname, bool running) {
  struct ethtool_value link = {.cmd = ETHTOOL_GLINK};
  struct ifreq request = {.ifr_data = (void *)&link};
  memcpy(request.ifr_name, ifname, IFNAMSIZ);
  return ask(fd, SIOCETHTOOL, &request) ? running : link.data != 0;
}

bool ot_netdev_has_carrier(int fd) {
  struct ifreq request = {.ifr_ifindex = device_of(fd)};
  return request.ifr_ifindex && !ask(fd, SIOCGIFNAME, &request) && carrier_of(fd, request.ifr_name, true);
}

unsigned ot_netdev_missed(int fd) {
  struct tpacket_stats counts = {0};
  socklen_t size = sizeof counts;
  if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &counts, &size) < 0) return 0;
  uint8_t *ring = ot_packet_ring_map(fd);
  if (!ring) return counts.tp_drops;
  struct ot_ring_record *record = ot_ring_record(ring);
  unsigned cut = __atomic_exchange_n(&record->cut, 0, __ATOMIC_RELAXED);
  /* Lost ones are among the frames that the kernel counts. */
  if (counts.tp_drops && counts.tp_packets == counts.tp_drops) __atomic_fetch_add(&record->stalls, 1, __ATOMIC_RELAXED);
  ot_packet_ring_unmap(ring);
  return counts.tp_drops + cut;
}

int ot_netdev_state(int fd, char ifname[OT_NAME], struct ot_link *link, struct ot_fault *fault) {
  struct ifreq request = {.ifr_ifindex = device_of(fd)};
  memset(link, 0, sizeof *link);
  if (!request.ifr_ifindex) return 0;
  link->index = request.ifr_ifindex;
  int number = ask(fd, SIOCGIFNAME, &request);
  memcpy(ifname, request.ifr_name, OT_NAME);
  if (!number) number = ot_link_ask(fd, ifname, link);
  /* Renamed, or deleted, since the first question. */
  if (number == ENODEV && ot_netdev_is_gone(fd)) return 0;
  if (number) return ot_fail(fault, number, "ioctl", "reading the state of interface %d", link->index);
  link->carrier = carrier_of(fd, ifname, link->flags & IFF_RUNNING);
  return 1;
}
