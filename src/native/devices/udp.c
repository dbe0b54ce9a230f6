/*
 * UDP sockets of the underlay and their multicast memberships. Opens them; never receives or sends.
 *
 * An option that a kernel or sandbox refuses is done without where the tunnel works without it, whatever the errno:
 * filters choose their own. self-test/udp.c finds these out, and src/port/refusals.ts says what each costs. What stays
 * fatal would send or receive in the wrong place: the device of a group or of a receiver, a membership, the device and
 * the loop of datagrams to groups; or without the flow label that was asked for.
 */
#include "../host/link-plain.h"
#include "../overtap.h"
#include "socket-options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Of a host, among which that of a route is looked for. */
#define MOST_ADDRESSES 256

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

/* An empty text is the address "any". Returns the length of the address, or -1. */
static int parse(union address *address, int family, const char *text, int port, const char *dev,
                 struct ot_fault *fault) {
  memset(address, 0, sizeof *address);
  void *bytes = family == AF_INET6 ? (void *)&address->v6.sin6_addr : (void *)&address->v4.sin_addr;
  if (text[0] && inet_pton(family, text, bytes) != 1)
    return ot_fail(fault, EINVAL, "inet_pton", "%s is no %s address", text, family == AF_INET6 ? "IPv6" : "IPv4");
  address->any.sa_family = (sa_family_t)family;
  if (family == AF_INET) {
    address->v4.sin_port = htons((uint16_t)port);
    return sizeof address->v4;
  }
  address->v6.sin6_port = htons((uint16_t)port);
  /* A link-local address needs a scope. */
  if (IN6_IS_ADDR_LINKLOCAL(&address->v6.sin6_addr) && dev[0]) address->v6.sin6_scope_id = if_nametoindex(dev);
  return sizeof address->v6;
}

static int set(int fd, int level, int option, int value) { return setsockopt(fd, level, option, &value, sizeof value); }

/* The kernel takes the index in network byte order. Restricts where a socket sends, not where it receives. */
static int send_by(int fd, bool v6, unsigned index) {
  return set(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_UNICAST_IF : IP_UNICAST_IF, (int)htonl(index));
}

/* Before Linux 5.7, and in sandboxes, binding to a device takes CAP_NET_RAW: a sender can do without. */
static int bind_to_device(int fd, int family, const char *dev, bool only_sends) {
  if (!dev[0] || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, dev, (socklen_t)strlen(dev) + 1) == 0) return 0;
  int number = errno;
  unsigned index = only_sends && number != ENODEV ? if_nametoindex(dev) : 0;
  if (index && send_by(fd, family == AF_INET6, index) == 0) return 0;
  errno = number;
  return -1;
}

/* Without the option, and where it is not the host's default, a socket of all addresses would take those of IPv4 too.
 */
static int restrict_to_v6(int fd, const char *local) {
  int value = 0, number;
  socklen_t size = sizeof value;
  if (set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) == 0 || local[0]) return 0;
  number = errno;
  if (getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, &size) == 0 && value) return 0;
  errno = number;
  return -1;
}

/* Opens a socket: the steps common to receivers and senders. */
static int open_socket(int family, const char *local, const char *dev, bool only_sends, struct ot_fault *fault) {
  int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
  if (fd < 0) return ot_fail(fault, errno, "socket", "opening a UDP socket");
  const char *step = NULL;
  if (family == AF_INET6 && restrict_to_v6(fd, local) < 0) step = "restricting a UDP socket to IPv6";
  if (!step && bind_to_device(fd, family, dev, only_sends) < 0) step = "binding a UDP socket to the device";
  if (!step) return fd;
  ot_fail(fault, errno, "setsockopt", "%s %s", step, dev);
  close(fd);
  return -1;
}

static int bind_socket(int fd, const struct ot_udp_options *options, int *port, struct ot_fault *fault) {
  union address address;
  const char *text = options->group[0] ? options->group : options->local;
  int length = parse(&address, options->family, text, options->port, options->dev, fault);
  if (length < 0) return -1;
  if (bind(fd, &address.any, (socklen_t)length) < 0)
    return ot_fail(fault, errno, "bind", "binding a UDP socket to %s port %d", text[0] ? text : "any address",
                   options->port);
  socklen_t size = sizeof address;
  if (getsockname(fd, &address.any, &size) < 0)
    return ot_fail(fault, errno, "getsockname", "asking for a socket's port");
  *port = ntohs(options->family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
  return 0;
}

static void set_buffer(int fd, int force, int plain, int bytes) {
  /* Without the privilege to exceed the system's limit, the limit applies. */
  if (bytes > 0 && set(fd, SOL_SOCKET, force, bytes) < 0) set(fd, SOL_SOCKET, plain, bytes);
}

/* ---- Groups ---- */

static bool is_multicast(const union address *address) {
  if (address->any.sa_family == AF_INET6) return IN6_IS_ADDR_MULTICAST(&address->v6.sin6_addr);
  return IN_MULTICAST(ntohl(address->v4.sin_addr.s_addr));
}

static int ask_device(int fd, unsigned long request, const char *dev, struct ifreq *answer, struct ot_fault *fault) {
  memset(answer, 0, sizeof *answer);
  snprintf(answer->ifr_name, sizeof answer->ifr_name, "%s", dev);
  return ioctl(fd, request, answer) < 0 ? ot_fail(fault, errno, "ioctl", "asking for the device %s", dev) : 0;
}

/* The kernel also joins on a device with IPv6 disabled, and then drops all datagrams. */
static bool ipv6_disabled(const char *dev) {
  char path[64 + OT_NAME], value = '0';
  snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", dev);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  if (read(fd, &value, 1) != 1) value = '0';
  close(fd);
  return value == '1';
}

/*
 * The index of a device that can carry a group's datagrams, or -1: ENODEV, EOPNOTSUPP without multicast, EAFNOSUPPORT
 * without IPv6.
 */
static int multicast_device(int fd, int family, const char *dev, struct ot_fault *fault) {
  struct ifreq flags, index;
  if (ask_device(fd, SIOCGIFFLAGS, dev, &flags, fault) < 0 || ask_device(fd, SIOCGIFINDEX, dev, &index, fault) < 0)
    return -1;
  if (!(flags.ifr_flags & IFF_MULTICAST))
    return ot_fail(fault, EOPNOTSUPP, "ioctl", "%s is a device without multicast", dev);
  if (family == AF_INET6 && ipv6_disabled(dev))
    return ot_fail(fault, EAFNOSUPPORT, "ioctl", "IPv6 is disabled on %s", dev);
  return index.ifr_ifindex;
}

/* Joins for any source (RFC 3376, RFC 3810). Closing the socket leaves the group. */
static int join(int fd, const struct ot_udp_options *options, struct ot_fault *fault) {
  union address address;
  if (parse(&address, options->family, options->group, 0, "", fault) < 0) return -1;
  if (!is_multicast(&address)) return ot_fail(fault, EINVAL, "inet_pton", "%s is no multicast address", options->group);
  int index = multicast_device(fd, options->family, options->dev, fault), result;
  if (index < 0) return -1;
  if (options->family == AF_INET6) {
    struct ipv6_mreq request = {.ipv6mr_multiaddr = address.v6.sin6_addr, .ipv6mr_interface = (unsigned)index};
    result = setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request);
  } else {
    struct ip_mreqn request = {.imr_multiaddr = address.v4.sin_addr, .imr_ifindex = index};
    result = setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request);
  }
  /* Device and group exist: the device lacks the protocol, as with an MTU too small for it. */
  if (result < 0 && (errno == EINVAL || errno == ENODEV)) errno = EAFNOSUPPORT;
  return result < 0 ? ot_fail(fault, errno, "setsockopt", "joining %s on %s", options->group, options->dev) : 0;
}

/* ---- Receivers ---- */

/*
 * A filter that drops datagrams to a group: the destination begins at byte 16 of an IPv4 header and at byte 24 of an
 * IPv6 header.
 */
static int drop_groups(int fd, bool v6) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_NET_OFF + (v6 ? 24 : 16))),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, v6 ? 0xff : 0xf0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v6 ? 0xff : 0xe0, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
  };
  struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

/*
 * Do not receive from groups that other sockets of this host have joined (ip_mc_sf_allow, inet6_mc_check). Only a
 * socket of all addresses gets such datagrams: where the kernel lacks the option (for IPv6 before Linux 4.20), a filter
 * keeps them out. A group's socket is bound to it and to its device.
 */
static void refuse_foreign_groups(int fd, const struct ot_udp_options *options) {
  bool v6 = options->family == AF_INET6, all = !options->group[0] && !options->local[0];
  int result = v6 ? set(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0) : set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
  if (result < 0 && all) drop_groups(fd, v6);
}

/* A link-local address binds to its link by itself (inet6_bind). */
static const char *device_of(const struct ot_udp_options *options) {
  return options->group[0] || strncasecmp(options->local, "fe80:", 5) ? options->dev : "";
}

/*
 * A group's socket is bound to its device, since IPv6 memberships do not tell devices apart (inet6_mc_check). It may
 * share its port with the socket bound to any address, which allows sharing only after its own bind has succeeded, so
 * that it cannot displace another program. SO_REUSEPORT, not SO_REUSEADDR: other users must not be able to share.
 */
int ot_udp_receiver(const struct ot_udp_options *options, int *port, bool *gro, struct ot_fault *fault) {
  bool v6 = options->family == AF_INET6, group = options->group[0];
  int fd = open_socket(options->family, options->local, device_of(options), false, fault), result = 0;
  if (fd < 0) return -1;
  /* Without it, a congestion mark of the underlay is not seen (RFC 6040). */
  (void)(v6 ? set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) : set(fd, IPPROTO_IP, IP_RECVTOS, 1));
  /* RFC 7348 section 4.1 and RFC 6935: a tunnel accepts datagrams without a checksum, over IPv6 too. */
  if (v6) set(fd, SOL_UDP, UDP_NO_CHECK6_RX, 1);
  refuse_foreign_groups(fd, options);
  /* Where sharing is refused, bind says whether the port is free. */
  if (options->reuse_port || group) set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options->buffer);
  *gro = options->gro && set(fd, SOL_UDP, UDP_GRO, 1) == 0;
  if (group) result = join(fd, options, fault);
  if (result == 0) result = bind_socket(fd, options, port, fault);
  if (result == 0 && !group && !options->local[0]) set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (result == 0) return fd;
  close(fd);
  return -1;
}

/* ---- Senders ---- */

/* A filter that drops all datagrams to a sending socket before they are queued; where it is refused, a queue for one.
 */
static void drop_input(int fd) {
  struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  struct sock_fprog program = {.len = 1, .filter = nothing};
  setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  set(fd, SOL_SOCKET, SO_RCVBUF, 2048);
}

/*
 * A VTEP never fragments (RFC 7348 section 4.3). IP_PMTUDISC_DO sets DF. IP_PMTUDISC_INTERFACE leaves DF clear, uses
 * the device's MTU only, and like DO fails with EMSGSIZE instead of fragmenting (ip_sk_ignore_df in the kernel's
 * include/net/ip.h).
 *
 * Before Linux 3.13 DO is the only one of them. Without both, the engine still knows the path MTU (mtu-watch.ts).
 *
 * IPv6 has no DF bit and no fragmentation by routers, so the path MTU applies in any case.
 */
static void forbid_fragments(int fd, bool v6, bool df) {
  if (v6) {
    set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO);
    set(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
  } else if (df || set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_INTERFACE) < 0) {
    set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
  }
}

/* 0: the route's; -1 resets a socket that had another. */
static void set_ttl(int fd, bool v6, int ttl) {
  int value = ttl ? ttl : -1;
  (void)(v6 ? set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, value) : set(fd, IPPROTO_IP, IP_TTL, value));
}

/* Device, TTL and loopback (off) of multicast datagrams. Unicast is not affected. */
static int prepare_groups(int fd, const struct ot_udp_options *options, struct ot_fault *fault) {
  const char *dev = options->multicast_dev;
  bool v6 = options->family == AF_INET6;
  int index = multicast_device(fd, options->family, dev, fault), ttl = options->multicast_ttl;
  if (index < 0) return -1;
  struct ip_mreqn device = {.imr_ifindex = index};
  if ((v6 ? set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, index)
          : setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &device, sizeof device)) < 0)
    return ot_fail(fault, errno, "setsockopt", "sending to groups by way of %s", dev);
  /* The kernel's own value is 1. */
  if (set(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL, ttl) < 0 && ttl != 1)
    return ot_fail(fault, errno, "setsockopt", "setting the TTL of datagrams to groups");
  if (set(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MULTICAST_LOOP : IP_MULTICAST_LOOP, 0) < 0)
    return ot_fail(fault, errno, "setsockopt", "keeping datagrams to groups from coming back");
  return 0;
}

/*
 * No flow label, or one for all datagrams, like the kernel's vxlan device: superframes that bypass the socket
 * (gso-tap.c) have the same, so routers that hash it keep a flow together. Flows differ by source port.
 *
 * The label is in the addresses that datagrams are sent to (sin6_flowinfo, train.c).
 */
static int set_flow_label(int fd, const struct ot_udp_options *options, struct ot_fault *fault) {
  if (options->family != AF_INET6) return 0;
  set(fd, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0);
  if (set(fd, IPPROTO_IPV6, IPV6_FLOWINFO_SEND, options->labels) == 0 || !options->labels) return 0;
  return ot_fail(fault, errno, "setsockopt", "sending with a flow label");
}

/* Where it is refused, datagrams have the checksum that is any socket's default. */
static void set_checksum(int fd, bool v6, bool checksum) {
  (void)(v6 ? set(fd, SOL_UDP, UDP_NO_CHECK6_TX, !checksum) : set(fd, SOL_SOCKET, SO_NO_CHECK, !checksum));
}

/* Sets the header fields of a socket's datagrams; it may have had others before. */
static int prepare_sending(int fd, const struct ot_udp_options *options, struct ot_fault *fault) {
  bool v6 = options->family == AF_INET6;
  forbid_fragments(fd, v6, options->df);
  set_ttl(fd, v6, options->ttl);
  set_checksum(fd, v6, options->checksum);
  set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, options->buffer);
  if (set_flow_label(fd, options, fault) < 0) return -1;
  return options->multicast_dev[0] ? prepare_groups(fd, options, fault) : 0;
}

int ot_udp_sender(const struct ot_udp_options *options, int *port, struct ot_fault *fault) {
  int fd = open_socket(options->family, options->local, options->dev, true, fault);
  if (fd < 0) return -1;
  drop_input(fd);
  int result = prepare_sending(fd, options, fault);
  if (result == 0) result = bind_socket(fd, options, port, fault);
  if (result == 0) return fd;
  close(fd);
  return -1;
}

/* The kernel refuses this for a socket bound to a device, as one with a link-local address is. */
static int send_by_device(int fd, const struct ot_udp_options *options, struct ot_fault *fault) {
  int bound = 0;
  socklen_t size = sizeof bound;
  if (getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &bound, &size) == 0 && bound) return 0;
  unsigned index = options->dev[0] ? if_nametoindex(options->dev) : 0;
  if (options->dev[0] && !index)
    return ot_fail(fault, ENODEV, "if_nametoindex", "asking for the device %s", options->dev);
  if (send_by(fd, options->family == AF_INET6, index) == 0 || !index) return 0;
  return ot_fail(fault, errno, "setsockopt", "sending by the device %s", options->dev);
}

int ot_udp_rebind(int fd, const char *dev, struct ot_fault *fault) {
  if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, dev, (socklen_t)strlen(dev) + 1) == 0) return 0;
  return ot_fail(fault, errno, "setsockopt", "binding a UDP socket to %s", dev[0] ? dev : "no device");
}

int ot_udp_send_by_receiver(int fd, const struct ot_udp_options *options, struct ot_fault *fault) {
  return send_by_device(fd, options, fault) < 0 ? -1 : prepare_sending(fd, options, fault);
}

/* ---- The MTU of a path ---- */

/* The MTU of the device that has the address of a connected socket, where the kernel does not tell that of the path. */
static int device_mtu(int fd, int family) {
  struct ot_plain_address rows[MOST_ADDRESSES];
  struct ot_fault ignored;
  union address own;
  struct ifreq answer;
  socklen_t size = sizeof own;
  char text[INET6_ADDRSTRLEN] = "";
  if (getsockname(fd, &own.any, &size) < 0) return -1;
  const void *bytes = family == AF_INET6 ? (void *)&own.v6.sin6_addr : (void *)&own.v4.sin_addr;
  inet_ntop(family, bytes, text, sizeof text);
  int count = ot_plain_addresses(rows, MOST_ADDRESSES);
  for (int i = 0; i < count; i++)
    if (!strcmp(rows[i].text, text))
      return ask_device(fd, SIOCGIFMTU, rows[i].ifname, &answer, &ignored) < 0 ? -1 : answer.ifr_mtu;
  return -1;
}

static int route_mtu(int fd, int family, const union address *there, socklen_t length, const char *remote,
                     struct ot_fault *fault) {
  int mtu = -1;
  socklen_t size = sizeof mtu;
  if (connect(fd, &there->any, length) < 0)
    return ot_fail(fault, errno, "connect", "looking up the route to %s", remote);
  int result = family == AF_INET6 ? getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &size)
                                  : getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &size);
  if (result == 0) return mtu;
  int number = errno;
  mtu = device_mtu(fd, family);
  return mtu < 0 ? ot_fail(fault, number, "getsockopt", "asking for the path MTU to %s", remote) : mtu;
}

/* A group is reached by a device and not by a route, so only the device's MTU is known. */
static int group_mtu(int fd, const char *group, const char *dev, struct ot_fault *fault) {
  struct ifreq answer;
  if (!dev[0])
    return ot_fail(fault, EDESTADDRREQ, "ioctl", "%s is a group: it takes the device by which it is reached", group);
  return ask_device(fd, SIOCGIFMTU, dev, &answer, fault) < 0 ? -1 : answer.ifr_mtu;
}

int ot_path_mtu(const char *remote, const char *local, const char *dev, struct ot_fault *fault) {
  int family = strchr(remote, ':') ? AF_INET6 : AF_INET;
  int fd = open_socket(family, local, dev, true, fault);
  if (fd < 0) return -1;
  union address there, here;
  int length = parse(&there, family, remote, 4789, dev, fault);
  int own = length < 0 ? -1 : parse(&here, family, local, 0, dev, fault), mtu = -1;
  if (own >= 0 && is_multicast(&there)) mtu = group_mtu(fd, remote, dev, fault);
  else if (own >= 0 && local[0] && bind(fd, &here.any, (socklen_t)own) < 0)
    ot_fail(fault, errno, "bind", "binding a UDP socket to %s", local);
  else if (own >= 0) mtu = route_mtu(fd, family, &there, (socklen_t)length, remote, fault);
  close(fd);
  return mtu;
}
