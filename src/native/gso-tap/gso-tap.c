/*
 * Superframes sent unsegmented, in their outer headers, as the kernel's vxlan device hands them to a NIC that segments
 * them, or to a veth that passes them on. No socket can do that. A TAP with virtio-net headers for UDP tunnels (Linux
 * 6.17) takes such a frame, and the BPF program at its ingress redirects it by its outer destination.
 *
 * Owns that TAP and the format of a written superframe. A refused frame was not sent: the caller sends it through the
 * socket, where errors of the frame or the path show.
 */
#include "gso-tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#ifndef TUN_F_UDP_TUNNEL_GSO
#define TUN_F_UDP_TUNNEL_GSO 0x80
#define TUN_F_UDP_TUNNEL_GSO_CSUM 0x100
#endif

#define VNET_TUNNEL_CSUM 8
#define VNET_GSO_TUNNEL_IPV4 0x20
#define VNET_GSO_TUNNEL_IPV6 0x40

#define UDP_HEADER 8
#define IPV4_DF 0x4000

/* struct virtio_net_hdr_v1_hash_tunnel */
struct vnet_tunnel {
  struct ot_vnet vnet;
  uint32_t hash;
  uint16_t hash_report, padding, outer_l4, inner_l3;
};

/* ---- Its life ---- */

static void set_sysctl(const char *family, const char *ifname, const char *name) {
  char path[128];
  snprintf(path, sizeof path, "/proc/sys/net/%s/conf/%s/%s", family, ifname, name);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  /*
   * Where a family is missing, or the sysctl may not be set, the program refuses frames, and they go through the
   * sockets.
   */
  dprintf(fd, "1");
  close(fd);
}

static int make_tap(char *ifname, struct ot_fault *fault) {
  unsigned long offload =
      TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_UDP_TUNNEL_GSO | TUN_F_UDP_TUNNEL_GSO_CSUM;
  int size = sizeof(struct vnet_tunnel);
  struct ifreq request = {.ifr_name = "otgso%d", .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return ot_fail(fault, errno, "open", "opening /dev/net/tun");
  int result = 0;
  if (ioctl(fd, TUNSETIFF, &request) < 0) result = ot_fail(fault, errno, "TUNSETIFF", "making the GSO TAP");
  else if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0)
    result = ot_fail(fault, errno, "TUNSETVNETHDRSZ", "setting the GSO TAP's header");
  else if (ioctl(fd, TUNSETOFFLOAD, offload) < 0)
    result = ot_fail(fault, errno, "TUNSETOFFLOAD", "asking a TAP for UDP tunnel GSO (Linux 6.17)");
  memcpy(ifname, request.ifr_name, OT_NAME);
  if (result == 0) return fd;
  close(fd);
  return -1;
}

/*
 * The route lookup is that of a frame received by the TAP, and works only with forwarding on. addr_gen_mode 1: no IPv6
 * link-local address, so the TAP sends nothing.
 */
static int prepare_tap(struct ot_gso_tap *gso_tap, const char *ifname, struct ot_fault *fault) {
  struct ot_link link;
  set_sysctl("ipv4", ifname, "forwarding");
  set_sysctl("ipv6", ifname, "forwarding");
  set_sysctl("ipv6", ifname, "addr_gen_mode");
  int number = ot_link_get(gso_tap->netlink, ifname, &link);
  if (number) return ot_fail(fault, number, "RTM_GETLINK", "looking for the GSO TAP");
  gso_tap->program = ot_gso_tap_program(link.index, &gso_tap->shared, fault);
  if (gso_tap->program < 0) return -1;
  number = ot_link_set_up(gso_tap->netlink, link.index);
  return number ? ot_fail(fault, number, "RTM_SETLINK", "setting the GSO TAP up") : 0;
}

/*
 * The verdict must be there when write(2) returns. With RPS on the TAP (the kernel has a default mask for new devices)
 * frames are processed on other CPUs and it is not. Test frames of different flows to an unroutable address find out.
 */
static int try_tap(struct ot_gso_tap *gso_tap, struct ot_fault *fault) {
  struct {
    struct vnet_tunnel vnet;
    uint8_t frame[OT_ETHERNET + 20 + UDP_HEADER + 32];
  } nowhere = {
      .frame = {0x02, [12] = 0x08, [14] = 0x45, [17] = 20 + UDP_HEADER + 32, [22] = 1, [23] = OT_UDP_PROTOCOL}};
  struct iovec vector = {.iov_base = &nowhere, .iov_len = sizeof nowhere};
  for (uint32_t flow = 0; flow < 64; flow++) {
    ot_put_word(nowhere.frame + OT_ETHERNET + 20, 1024 + flow);
    gso_tap->shared->verdict = OT_VERDICT_NONE;
    int number = ot_write(gso_tap->fd, &vector, 1);
    if (number) return ot_fail(fault, number, "write", "trying the GSO TAP");
    if (gso_tap->shared->verdict != OT_VERDICT_REFUSED)
      return ot_fail(fault, EOPNOTSUPP, "write",
                     "frames of a new TAP are handed to other CPUs (net.core.rps_default_mask)");
  }
  return 0;
}

struct ot_gso_tap *ot_gso_tap_open(bool guarded, struct ot_fault *fault) {
  struct ot_gso_tap *gso_tap = calloc(1, sizeof *gso_tap);
  if (!gso_tap) {
    ot_fail(fault, ENOMEM, "malloc", "making the GSO TAP");
    return NULL;
  }
  gso_tap->guarded = guarded;
  gso_tap->fd = gso_tap->program = gso_tap->ioctl = gso_tap->listener = -1;
  gso_tap->netlink = ot_netlink_open(fault);
  if (gso_tap->netlink >= 0 && (gso_tap->ioctl = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
    ot_fail(fault, errno, "socket", "opening a socket for ethtool");
  if (gso_tap->ioctl >= 0) gso_tap->listener = ot_netlink_listen(fault);
  if (gso_tap->listener >= 0) {
    ot_gso_tap_name_features(gso_tap);
    /* A random start, so that engines do not use the same identifications. */
    if (getrandom(&gso_tap->id, sizeof gso_tap->id, GRND_NONBLOCK) < 0) gso_tap->id = 0;
    return gso_tap;
  }
  ot_gso_tap_close(gso_tap);
  return NULL;
}

int ot_gso_tap_start(struct ot_gso_tap *gso_tap, struct ot_fault *fault) {
  char ifname[OT_NAME];
  gso_tap->fd = make_tap(ifname, fault);
  if (gso_tap->fd < 0 || prepare_tap(gso_tap, ifname, fault) < 0 || try_tap(gso_tap, fault) < 0) return -1;
  return 0;
}

void ot_gso_tap_close(struct ot_gso_tap *gso_tap) {
  if (!gso_tap) return;
  int descriptors[] = {gso_tap->fd, gso_tap->program, gso_tap->netlink, gso_tap->ioctl, gso_tap->listener};
  for (int i = 0; i < 5; i++)
    if (descriptors[i] >= 0) close(descriptors[i]);
  if (gso_tap->shared) ot_gso_tap_unmap(gso_tap->shared);
  free(gso_tap);
}

/* ---- Superframes ---- */

struct outer {
  struct vnet_tunnel vnet;
  struct ot_gso_tap_ethernet ethernet;
  uint8_t headers[40 + UDP_HEADER];
} __attribute__((packed));

static void write_ipv4(struct ot_nic *nic, const struct ot_port *sender, const struct ot_remote *remote,
                       const int32_t *tx, uint32_t total, uint32_t segments, uint8_t *ip) {
  memset(ip, 0, 20);
  ip[0] = 0x45;
  ip[1] = (uint8_t)tx[TX_TOS];
  ot_put_word(ip + 2, total);
  /* Each segment gets the next identification. */
  ot_put_word(ip + 4, nic->gso_tap->id);
  nic->gso_tap->id = (uint16_t)(nic->gso_tap->id + segments);
  ot_put_word(ip + 6, sender->df ? IPV4_DF : 0);
  ip[8] = sender->ttl;
  ip[9] = OT_UDP_PROTOCOL;
  memcpy(ip + 12, remote->path.source, 4);
  memcpy(ip + 16, &remote->v4.sin_addr, 4);
  uint16_t checksum = (uint16_t)~ot_sum(ip, 20);
  memcpy(ip + 10, &checksum, 2);
}

static void write_ipv6(const struct ot_port *sender, const struct ot_remote *remote, const int32_t *tx, uint32_t total,
                       uint8_t *ip) {
  uint32_t first = htonl(6u << 28 | ((uint32_t)tx[TX_TOS] & 0xff) << 20) | ot_flow_label(sender, tx[TX_TOS]);
  memcpy(ip, &first, 4);
  ot_put_word(ip + 4, total - 40);
  ip[6] = OT_UDP_PROTOCOL;
  ip[7] = sender->ttl;
  memcpy(ip + 8, remote->path.source, 16);
  memcpy(ip + 24, &remote->v6.sin6_addr, 16);
}

/* The field holds the pseudo-header's sum, for the NIC to complete, or 0: no checksum. */
static void write_udp(const struct ot_port *sender, const struct ot_remote *remote, const uint8_t *ip, uint32_t length,
                      uint8_t *udp) {
  uint16_t sum = 0;
  ot_put_word(udp, sender->source_port);
  memcpy(udp + 2, &remote->v6.sin6_port, 2);
  ot_put_word(udp + 4, length);
  if (sender->checksum)
    sum = ot_fold(ot_pseudo_sum(ip, sender->family == AF_INET6 ? 6 : 4, OT_UDP_PROTOCOL) + htons((uint16_t)length));
  memcpy(udp + 6, &sum, 2);
}

/*
 * Writes all outer headers. Returns their length, or 0 when the superframe exceeds 64 KiB, or a segment the path MTU.
 */
static uint32_t write_outer(struct ot_nic *nic, const struct ot_port *sender, const int32_t *tx,
                            const struct ot_split *split, struct outer *outer) {
  const struct ot_remote *remote = &nic->remotes[tx[TX_REMOTE]];
  bool v6 = sender->family == AF_INET6;
  uint32_t ip_header = v6 ? 40 : 20, encapsulation = (uint32_t)tx[TX_HEADER_LENGTH];
  uint32_t inner = (uint32_t)(tx[TX_LENGTH] + ot_tag_shift(tx)), total = ip_header + UDP_HEADER + encapsulation + inner;
  uint32_t largest = total - split->payload_length + split->segment;
  /* When forwarding, the kernel applies a route's MTU only if it is locked or learned, so it is checked here. */
  if (total > 65535 || (sender->df && remote->path.mtu && largest > remote->path.mtu)) return 0;
  if (v6) write_ipv6(sender, remote, tx, total, outer->headers);
  else write_ipv4(nic, sender, remote, tx, total, split->count, outer->headers);
  write_udp(sender, remote, outer->headers, total - ip_header, outer->headers + ip_header);
  outer->ethernet = (struct ot_gso_tap_ethernet){.local = 0x02,
                                                 .open_source = !ot_is_bound(sender),
                                                 .device = remote->path.device,
                                                 .largest = (uint16_t)largest,
                                                 .type = htons(v6 ? 0x86dd : 0x0800)};
  uint32_t before = OT_ETHERNET + ip_header + UDP_HEADER + encapsulation;
  outer->vnet = (struct vnet_tunnel){
      .vnet = {.flags = VNET_NEEDS_CSUM | (sender->checksum ? VNET_TUNNEL_CSUM : 0),
               .gso_type = (uint8_t)((uint32_t)tx[TX_VNET] >> 8 | (v6 ? VNET_GSO_TUNNEL_IPV6 : VNET_GSO_TUNNEL_IPV4)),
               .hdr_len = (uint16_t)(before + split->header_length),
               .gso_size = (uint16_t)split->segment,
               .csum_start = (uint16_t)(before + split->l4),
               .csum_offset = (uint16_t)split->checksum},
      .outer_l4 = (uint16_t)(OT_ETHERNET + ip_header),
      .inner_l3 = (uint16_t)(before + split->l3),
  };
  return (uint32_t)(sizeof *outer - sizeof outer->headers) + ip_header + UDP_HEADER;
}

/* The kernel expects the inner IP header directly behind an untagged Ethernet header (virtio_net_hdr_tnl_to_skb). */
static bool fits(const int32_t *tx, const struct ot_split *split) {
  return split->tcp && split->count > 1 && split->l3 == OT_ETHERNET && tx[TX_VNET] & VNET_NEEDS_CSUM;
}

/* Closes the TAP for good. Nothing is lost: this superframe and all later ones go through the socket. */
static void give_up(struct ot_nic *nic) {
  ot_gso_tap_close(nic->gso_tap);
  nic->gso_tap = NULL;
  nic->latched |= LATCHED_TUNNEL_GSO;
}

bool ot_gso_tap_ready(struct ot_nic *nic, const struct ot_port *sender, const int32_t *tx,
                      const struct ot_split *split) {
  struct ot_fault fault;
  if (!nic->gso_tap || !fits(tx, split) || !ot_gso_tap_judge(nic, sender, &nic->remotes[tx[TX_REMOTE]], split->count))
    return false;
  if (nic->gso_tap->fd >= 0 || ot_gso_tap_start(nic->gso_tap, &fault) == 0) return true;
  give_up(nic);
  return false;
}

bool ot_gso_tap_send(struct ot_nic *nic, const struct ot_port *sender, const int32_t *tx,
                     const struct ot_split *split) {
  struct ot_gso_tap *gso_tap = nic->gso_tap;
  struct outer outer;
  uint8_t tag[4];
  struct iovec vectors[5] = {{.iov_base = &outer, .iov_len = write_outer(nic, sender, tx, split, &outer)},
                             {.iov_base = nic->arena + tx[TX_HEADER], .iov_len = (size_t)tx[TX_HEADER_LENGTH]}};
  if (!vectors[0].iov_len) return false;
  int count = 2 + ot_gather(nic, tx, vectors + 2, tag);
  struct ot_path *path = &nic->remotes[tx[TX_REMOTE]].path;
  gso_tap->shared->verdict = OT_VERDICT_NONE;
  gso_tap->shared->hop_family = path->hop_family;
  memcpy((void *)gso_tap->shared->hop, path->hop, sizeof path->hop);
  int number = ot_write(gso_tap->fd, vectors, count);
  uint32_t verdict = gso_tap->shared->verdict;
  if (number == 0 && verdict == OT_VERDICT_TAKEN) {
    nic->status[STATUS_TUNNELLED] = (int32_t)(++nic->tunnelled & 0x7fffffff);
    return true;
  }
  /* Until the next path query, in a second. */
  path->device = 0;
  /* The device is gone or down, or another qdisc or program runs before ours. */
  if (number == EIO || number == EBADFD || (number == 0 && verdict == OT_VERDICT_NONE)) give_up(nic);
  return false;
}
