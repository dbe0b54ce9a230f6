/*
 * Raw ICMP sockets for the doctor's probes, raw(7) and icmp(7): packets leave with the IP header that the caller made.
 * Not used by the data path.
 */
#include "../overtap.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif
/* musl has these only under names of its own. */
#define ICMP_FILTER_OPTION 1
#define ICMPV6_FILTER_OPTION 1
/* DF is set, and the kernel's own idea of the path's MTU is not asked: IP_PMTUDISC_PROBE and its IPv6 twin. */
#define PMTUDISC_PROBE 3
/* Answers of a thousand remotes at once, in bytes. */
#define RECEIVE_BUFFER (4 * 1024 * 1024)

static int set(int fd, int level, int option, const void *value, size_t size, struct ot_fault *fault) {
  if (setsockopt(fd, level, option, value, (socklen_t)size) == 0) return 0;
  return ot_fail(fault, errno, "setsockopt", "preparing an ICMP socket");
}

static int prepare(int fd, const struct ot_icmp_options *options, struct ot_fault *fault) {
  int on = 1, probe = PMTUDISC_PROBE, room = RECEIVE_BUFFER;
  bool six = options->family == AF_INET6;
  int level = six ? IPPROTO_IPV6 : IPPROTO_IP;
  /* Without CAP_NET_ADMIN the system's default has to do: few remotes need more. */
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  if (options->dev[0] && set(fd, SOL_SOCKET, SO_BINDTODEVICE, options->dev, strlen(options->dev) + 1, fault) < 0)
    return -1;
  if (set(fd, level, six ? IPV6_HDRINCL : IP_HDRINCL, &on, sizeof on, fault) < 0) return -1;
  if (set(fd, level, six ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, &probe, sizeof probe, fault) < 0) return -1;
  return set(fd, six ? IPPROTO_ICMPV6 : IPPROTO_RAW, six ? ICMPV6_FILTER_OPTION : ICMP_FILTER_OPTION, options->filter,
             options->filter_length, fault);
}

int ot_icmp_open(const struct ot_icmp_options *options, struct ot_fault *fault) {
  int protocol = options->family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
  int fd = socket(options->family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0) return ot_fail(fault, errno, "socket", "opening an ICMP socket");
  if (prepare(fd, options, fault) == 0) return fd;
  close(fd);
  return -1;
}

int ot_icmp_send(int fd, const uint8_t *packet, size_t length, const char *address, struct ot_fault *fault) {
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM}, *to;
  if (getaddrinfo(address, NULL, &hints, &to) != 0)
    return ot_fail(fault, EINVAL, "getaddrinfo", "reading the address %s", address);
  ssize_t sent;
  do sent = sendto(fd, packet, length, MSG_DONTWAIT, to->ai_addr, to->ai_addrlen);
  while (sent < 0 && errno == EINTR);
  int number = errno;
  freeaddrinfo(to);
  return sent < 0 ? ot_fail(fault, number, "sendto", "sending to %s", address) : 0;
}

int ot_icmp_read(int fd, uint8_t *buffer, size_t length, char source[OT_ADDRESS], struct ot_fault *fault) {
  struct sockaddr_storage from;
  socklen_t size = sizeof from;
  ssize_t got;
  do got = recvfrom(fd, buffer, length, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
  while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
  if (got < 0) return ot_fail(fault, errno, "recvfrom", "reading an ICMP packet");
  if (getnameinfo((struct sockaddr *)&from, size, source, OT_ADDRESS, NULL, 0, NI_NUMERICHOST) != 0) source[0] = 0;
  return (int)got;
}
