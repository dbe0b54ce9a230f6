/* UDP sockets of the underlay. Owns how they are made; never receives or sends. */
#include "overtap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef UDP_NO_CHECK6_TX
#define UDP_NO_CHECK6_TX 101
#define UDP_NO_CHECK6_RX 102
#endif
#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef IP_PMTUDISC_INTERFACE
#define IP_PMTUDISC_INTERFACE 4
#endif
#ifndef IPV6_PMTUDISC_INTERFACE
#define IPV6_PMTUDISC_INTERFACE 4
#endif
#ifndef IPV6_DONTFRAG
#define IPV6_DONTFRAG 62
#endif
#ifndef SO_NO_CHECK
#define SO_NO_CHECK 11
#endif
#ifndef SO_RCVBUFFORCE
#define SO_SNDBUFFORCE 32
#define SO_RCVBUFFORCE 33
#endif
#ifndef SO_ATTACH_FILTER
#define SO_ATTACH_FILTER 26
#endif
#ifndef IP_MTU
#define IP_MTU 14
#endif
#ifndef IPV6_MTU
#define IPV6_MTU 24
#endif

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

/* An empty text is the address "any". Returns the length of the address, or -1. */
static int parse(union address *address, int family, const char *text, int port, const char *dev, struct ot_fault *fault) {
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
  /* A link-local address means something on one link only. */
  if (IN6_IS_ADDR_LINKLOCAL(&address->v6.sin6_addr) && dev[0]) address->v6.sin6_scope_id = if_nametoindex(dev);
  return sizeof address->v6;
}

static int set(int fd, int level, int option, int value) { return setsockopt(fd, level, option, &value, sizeof value); }

/* What receivers and senders have in common, up to the binding. */
static int open_socket(int family, const char *dev, struct ot_fault *fault) {
  int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
  if (fd < 0) return ot_fail(fault, errno, "socket", "opening a UDP socket");
  const char *step = NULL;
  if (family == AF_INET6 && set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0) step = "restricting a UDP socket to IPv6";
  if (!step && dev[0] && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, dev, (socklen_t)strlen(dev) + 1) < 0)
    step = "binding a UDP socket to the device";
  if (!step) return fd;
  ot_fail(fault, errno, "setsockopt", "%s %s", step, dev);
  close(fd);
  return -1;
}

static int bind_socket(int fd, const struct ot_udp_options *options, int *port, struct ot_fault *fault) {
  union address address;
  int length = parse(&address, options->family, options->local, options->port, options->dev, fault);
  if (length < 0) return -1;
  if (bind(fd, &address.any, (socklen_t)length) < 0)
    return ot_fail(fault, errno, "bind", "binding a UDP socket to %s port %d", options->local[0] ? options->local : "any address",
                   options->port);
  socklen_t size = sizeof address;
  if (getsockname(fd, &address.any, &size) < 0) return ot_fail(fault, errno, "getsockname", "asking for a socket's port");
  *port = ntohs(options->family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
  return 0;
}

static void set_buffer(int fd, int force, int plain, int bytes) {
  /* Without the right to exceed the system's limit, the limit will do. */
  if (bytes > 0 && set(fd, SOL_SOCKET, force, bytes) < 0) set(fd, SOL_SOCKET, plain, bytes);
}

int ot_udp_receiver(const struct ot_udp_options *options, int *port, bool *gro, struct ot_fault *fault) {
  bool v6 = options->family == AF_INET6;
  int fd = open_socket(options->family, options->dev, fault);
  if (fd < 0) return -1;
  int result = v6 ? set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) : set(fd, IPPROTO_IP, IP_RECVTOS, 1);
  /* RFC 7348 section 4.1 and RFC 6935: a tunnel takes datagrams without a checksum, over IPv6 too. */
  if (result == 0 && v6) result = set(fd, SOL_UDP, UDP_NO_CHECK6_RX, 1);
  if (result == 0 && options->reuse_port) result = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (result < 0) {
    ot_fail(fault, errno, "setsockopt", "preparing a receiving UDP socket");
  } else {
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options->buffer);
    *gro = options->gro && set(fd, SOL_UDP, UDP_GRO, 1) == 0;
    result = bind_socket(fd, options, port, fault);
  }
  if (result == 0) return fd;
  close(fd);
  return -1;
}

/* Whatever comes to a sending socket is dropped before it is queued. */
static int drop_input(int fd) {
  struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  struct sock_fprog program = {.len = 1, .filter = nothing};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

/*
 * Fragments are never made here (RFC 7348 section 4.3). DO sets the DF bit. INTERFACE leaves it clear, goes by the MTU of the device
 * alone, and like DO answers EMSGSIZE instead of fragmenting (ip_sk_ignore_df in the kernel's include/net/ip.h).
 */
static int forbid_fragments(int fd, bool v6, bool df) {
  if (!v6) return set(fd, IPPROTO_IP, IP_MTU_DISCOVER, df ? IP_PMTUDISC_DO : IP_PMTUDISC_INTERFACE);
  if (set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, df ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_INTERFACE) < 0) return -1;
  return set(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
}

static int set_ttl(int fd, bool v6, int ttl) {
  if (!ttl) return 0;
  if (v6) return set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl) < 0 ? -1 : set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ttl);
  return set(fd, IPPROTO_IP, IP_TTL, ttl) < 0 ? -1 : set(fd, IPPROTO_IP, IP_MULTICAST_TTL, ttl);
}

int ot_udp_sender(const struct ot_udp_options *options, int *port, struct ot_fault *fault) {
  bool v6 = options->family == AF_INET6;
  int fd = open_socket(options->family, options->dev, fault);
  if (fd < 0) return -1;
  const char *step = NULL;
  if (drop_input(fd) < 0) step = "closing the receiving side of a sending socket";
  else if (forbid_fragments(fd, v6, options->df) < 0) step = "forbidding fragments";
  else if (set_ttl(fd, v6, options->ttl) < 0) step = "setting the TTL";
  else if (!options->checksum && (v6 ? set(fd, SOL_UDP, UDP_NO_CHECK6_TX, 1) : set(fd, SOL_SOCKET, SO_NO_CHECK, 1)) < 0)
    step = "switching the UDP checksum off";
  int result = step ? ot_fail(fault, errno, "setsockopt", "%s", step) : 0;
  if (result == 0) {
    set(fd, SOL_SOCKET, SO_RCVBUF, 2048);
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, options->buffer);
    result = bind_socket(fd, options, port, fault);
  }
  if (result == 0) return fd;
  close(fd);
  return -1;
}

int ot_path_mtu(const char *remote, const char *local, const char *dev, struct ot_fault *fault) {
  int family = strchr(remote, ':') ? AF_INET6 : AF_INET;
  int fd = open_socket(family, dev, fault);
  if (fd < 0) return -1;
  union address there, here;
  int mtu = -1;
  socklen_t size = sizeof mtu;
  int length = parse(&there, family, remote, 4789, dev, fault);
  int own = length < 0 ? -1 : parse(&here, family, local, 0, dev, fault);
  int result = own < 0 ? -1 : 0;
  if (result == 0 && local[0] && bind(fd, &here.any, (socklen_t)own) < 0)
    result = ot_fail(fault, errno, "bind", "binding a UDP socket to %s", local);
  if (result == 0 && connect(fd, &there.any, (socklen_t)length) < 0)
    result = ot_fail(fault, errno, "connect", "looking up the route to %s", remote);
  if (result == 0 && (family == AF_INET6 ? getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &size)
                                         : getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &size)) < 0)
    result = ot_fail(fault, errno, "getsockopt", "asking for the path MTU to %s", remote);
  close(fd);
  return result < 0 ? -1 : mtu;
}
