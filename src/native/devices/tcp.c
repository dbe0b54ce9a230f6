/*
 * TCP sockets of sessions with neighbours: options that have to be there before connect and listen, and that Node
 * cannot set. Owns their numbers; Node connects, listens, reads and writes.
 */
#include <arpa/inet.h>
#include <errno.h>
/* Not netinet/tcp.h beside it: both define struct tcp_info. */
#include <linux/tcp.h>
#include <string.h>
#include <unistd.h>

#include "../overtap.h"
#include "socket-options.h"

#define HIGHEST_TTL 255

static int set(int fd, int level, int option, int value) { return setsockopt(fd, level, option, &value, sizeof value); }

static socklen_t address_of(int family, const char *text, int port, struct sockaddr_in6 *address,
                            struct ot_fault *fault) {
  struct sockaddr_in *v4 = (struct sockaddr_in *)address;
  memset(address, 0, sizeof *address);
  address->sin6_family = (sa_family_t)family;
  /* The port has the same offset in both families. */
  address->sin6_port = htons((uint16_t)port);
  if (!*text) return family == AF_INET6 ? sizeof *address : sizeof *v4;
  if (inet_pton(family, text, family == AF_INET6 ? (void *)&address->sin6_addr : (void *)&v4->sin_addr) == 1)
    return family == AF_INET6 ? sizeof *address : sizeof *v4;
  ot_fail(fault, EINVAL, "inet_pton", "%s is no %s address", text, family == AF_INET6 ? "IPv6" : "IPv4");
  return 0;
}

int ot_tcp_open(int family, const char *local, int port, struct ot_fault *fault) {
  struct sockaddr_in6 here;
  socklen_t length = address_of(family, local, port, &here, fault);
  if (!length) return -1;
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return ot_fail(fault, errno, "socket", "opening a TCP socket");
  if (family == AF_INET6) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  /* Old connections of a listening port are no obstacle. */
  set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if ((!*local && !port) || bind(fd, (struct sockaddr *)&here, length) == 0) return fd;
  ot_fail(fault, errno, "bind", "binding a TCP socket to %s port %d", *local ? local : "any address", port);
  close(fd);
  return -1;
}

/* The least TTL that a packet of a neighbour has which is so many hops away (RFC 5082): 255 for 1. */
int ot_tcp_guard(int fd, int family, int hops, struct ot_fault *fault) {
  bool is6 = family == AF_INET6;
  int least = hops ? HIGHEST_TTL + 1 - hops : 0;
  if (set(fd, is6 ? IPPROTO_IPV6 : IPPROTO_IP, is6 ? IPV6_UNICAST_HOPS : IP_TTL, HIGHEST_TTL) < 0)
    return ot_fail(fault, errno, "setsockopt", "setting the TTL of a TCP socket");
  if (set(fd, is6 ? IPPROTO_IPV6 : IPPROTO_IP, is6 ? IPV6_MINHOPCOUNT : IP_MINTTL, least) < 0)
    return ot_fail(fault, errno, "setsockopt", "setting the least TTL that a TCP socket accepts");
  return 0;
}

/* RFC 2385. An empty key takes the neighbour's key away. */
int ot_tcp_sign(int fd, int family, const char *remote, const char *key, size_t length, struct ot_fault *fault) {
  struct tcp_md5sig md5 = {.tcpm_keylen = (uint16_t)length};
  struct sockaddr_in6 there;
  socklen_t size = address_of(family, remote, 0, &there, fault);
  if (!size) return -1;
  if (length > TCP_MD5SIG_MAXKEYLEN)
    return ot_fail(fault, EINVAL, "setsockopt", "a key of TCP has at most %d bytes", TCP_MD5SIG_MAXKEYLEN);
  memcpy(&md5.tcpm_addr, &there, size);
  if (length) memcpy(md5.tcpm_key, key, length);
  int done = setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &md5, sizeof md5);
  memset(&md5, 0, sizeof md5);
  if (done == 0 || (!length && errno == ENOENT)) return 0;
  return ot_fail(fault, errno, "setsockopt", "setting the TCP key for %s (TCP_MD5SIG)", remote);
}
