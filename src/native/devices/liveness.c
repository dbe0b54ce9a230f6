/*
 * Datagrams of liveness sessions, which need what the data path leaves out: the TTL of what comes, and one datagram to
 * an address. The sockets themselves are those of udp.c. Nothing here ever waits but `ot_await_any`.
 */
#include "../overtap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define MOST_DATAGRAMS 64
#define MOST_DESCRIPTORS 256
#define WORDS OT_DATAGRAM_WORDS

union place {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

/* TTL or hop limit, traffic class, and whatever else a socket may tell. */
union control {
  char bytes[128];
  struct cmsghdr align;
};

int ot_tell_ttl(int fd, int family, struct ot_fault *fault) {
  int on = 1;
  bool six = family == AF_INET6;
  if (setsockopt(fd, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_RECVHOPLIMIT : IP_RECVTTL, &on, sizeof on) == 0)
    return 0;
  return ot_fail(fault, errno, "setsockopt", "asking for the TTL of received datagrams");
}

/*
 * By a filter, since IP_MINTTL is for TCP only (tcp_v4_rcv). The TTL is byte 8 of an IPv4 header, the hop limit byte 7
 * of an IPv6 header.
 */
int ot_only_one_hop(int fd, struct ot_fault *fault) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_NET_OFF),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x60, 0, 2),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_NET_OFF + 7)),
      BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_NET_OFF + 8)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 255, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0) return 0;
  return ot_fail(fault, errno, "setsockopt", "refusing datagrams that have passed a router");
}

/* SO_MEMINFO is of Linux 4.12. */
uint32_t ot_dropped_at(int fd) {
  uint32_t info[SK_MEMINFO_VARS] = {0};
  socklen_t size = sizeof info;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &size) < 0) return 0;
  return info[SK_MEMINFO_DROPS];
}

/* -1: the kernel did not tell. */
static int ttl_of(struct msghdr *message) {
  int ttl = -1;
  for (struct cmsghdr *one = CMSG_FIRSTHDR(message); one; one = CMSG_NXTHDR(message, one)) {
    bool four = one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_TTL;
    bool six = one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_HOPLIMIT;
    if ((four || six) && one->cmsg_len >= CMSG_LEN(sizeof ttl)) memcpy(&ttl, CMSG_DATA(one), sizeof ttl);
  }
  return ttl;
}

/* Four words of the address, as PacketIo has them, its UDP port, TTL and length. */
static void describe(int32_t *words, const union place *from, int ttl, unsigned length) {
  uint32_t address[4] = {0, 0, htonl(0xffff), 0};
  memset(words, 0, WORDS * sizeof *words);
  if (from->any.sa_family == AF_INET6) memcpy(address, &from->v6.sin6_addr, sizeof address);
  else address[3] = from->v4.sin_addr.s_addr;
  for (int i = 0; i < 4; i++) words[i] = (int32_t)ntohl(address[i]);
  words[4] = ntohs(from->any.sa_family == AF_INET6 ? from->v6.sin6_port : from->v4.sin_port);
  words[5] = ttl;
  words[6] = (int32_t)length;
}

int ot_read_datagrams(int fd, uint8_t *bytes, size_t size, int32_t *facts, size_t count) {
  struct mmsghdr messages[MOST_DATAGRAMS];
  struct iovec parts[MOST_DATAGRAMS];
  union place from[MOST_DATAGRAMS];
  union control controls[MOST_DATAGRAMS];
  if (count > MOST_DATAGRAMS) count = MOST_DATAGRAMS;
  if (count == 0) return 0;
  size_t stride = size / count;
  memset(messages, 0, sizeof messages);
  for (size_t i = 0; i < count; i++) {
    parts[i] = (struct iovec){.iov_base = bytes + i * stride, .iov_len = stride};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
                                          .msg_namelen = sizeof from[i],
                                          .msg_iov = &parts[i],
                                          .msg_iovlen = 1,
                                          .msg_control = &controls[i],
                                          .msg_controllen = sizeof controls[i]};
  }
  int got;
  do got = recvmmsg(fd, messages, (unsigned)count, MSG_DONTWAIT, NULL);
  while (got < 0 && errno == EINTR);
  /* An error is that of a datagram sent before, or none waits. */
  for (int i = 0; i < got; i++)
    describe(facts + i * WORDS, &from[i], ttl_of(&messages[i].msg_hdr), messages[i].msg_len);
  return got < 0 ? 0 : got;
}

int ot_send_datagram(int fd, const uint8_t *bytes, size_t length, const uint32_t words[4], int port) {
  union place to;
  socklen_t size = sizeof to.v6;
  struct sockaddr_storage own;
  socklen_t own_size = sizeof own;
  ssize_t sent;
  memset(&to, 0, sizeof to);
  if (getsockname(fd, (struct sockaddr *)&own, &own_size) < 0) return errno;
  if (own.ss_family == AF_INET6) {
    to.v6.sin6_family = AF_INET6;
    to.v6.sin6_port = htons((uint16_t)port);
    for (int i = 0; i < 4; i++) to.v6.sin6_addr.s6_addr32[i] = htonl(words[i]);
  } else {
    size = sizeof to.v4;
    to.v4.sin_family = AF_INET;
    to.v4.sin_port = htons((uint16_t)port);
    to.v4.sin_addr.s_addr = htonl(words[3]);
  }
  do sent = sendto(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL, &to.any, size);
  while (sent < 0 && errno == EINTR);
  return sent < 0 ? errno : 0;
}

int ot_await_any(const int32_t *fds, size_t count, uint8_t *ready, int64_t microseconds) {
  struct pollfd polled[MOST_DESCRIPTORS];
  struct timespec limit = {.tv_sec = microseconds / 1000000, .tv_nsec = microseconds % 1000000 * 1000};
  if (count > MOST_DESCRIPTORS) count = MOST_DESCRIPTORS;
  for (size_t i = 0; i < count; i++) polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
  int found = ppoll(polled, count, &limit, NULL);
  for (size_t i = 0; i < count; i++) ready[i] = found > 0 && polled[i].revents != 0;
  return found < 0 ? 0 : found;
}
