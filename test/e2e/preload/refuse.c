/*
 * A preload library that refuses parts of the kernel, as sandboxes and old kernels do: OVERTAP_REFUSE names them, each
 * with an errno of its own where the usual one is not meant ("TUNSETPERSIST,UDP_GRO=EPERM"). Unlike a seccomp filter it
 * sees the flags of TUNSETIFF, which lie behind a pointer. What was refused is appended to the file OVERTAP_REFUSED, so
 * that a test knows that it was asked for at all.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BPF_LINK_CREATE 28

#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif
#ifndef UDP_NO_CHECK6_TX
#define UDP_NO_CHECK6_TX 101
#define UDP_NO_CHECK6_RX 102
#endif
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif
#ifndef IPV6_AUTOFLOWLABEL
#define IPV6_AUTOFLOWLABEL 70
#endif

static const struct {
  const char *name;
  int number;
} errnos[] = {{"EINVAL", EINVAL}, {"EPERM", EPERM},   {"EACCES", EACCES},
              {"ENOTTY", ENOTTY}, {"ENOSYS", ENOSYS}, {"EAFNOSUPPORT", EAFNOSUPPORT}};

static void note(const char *name) {
  const char *path = getenv("OVERTAP_REFUSED");
  FILE *file = path ? fopen(path, "ae") : NULL;
  if (!file) return;
  fprintf(file, "%s\n", name);
  fclose(file);
}

static int errno_of(const char *text, int otherwise) {
  for (size_t i = 0; i < sizeof errnos / sizeof *errnos; i++)
    if (!strncmp(text, errnos[i].name, strlen(errnos[i].name))) return errnos[i].number;
  return otherwise;
}

/* Whether this part is refused; sets errno. */
static bool refuses(const char *name, int usual) {
  const char *list = getenv("OVERTAP_REFUSE");
  size_t length = strlen(name);
  for (const char *at = list; at && *at; at += strcspn(at, ","), at += *at == ',') {
    if (strncmp(at, name, length) || (at[length] && at[length] != ',' && at[length] != '=')) continue;
    note(name);
    errno = at[length] == '=' ? errno_of(at + length + 1, usual) : usual;
    return true;
  }
  return false;
}

static bool refuses_device(const struct ifreq *request) {
  return ((request->ifr_flags & IFF_VNET_HDR) && refuses("IFF_VNET_HDR", EINVAL)) ||
         ((request->ifr_flags & IFF_MULTI_QUEUE) && refuses("IFF_MULTI_QUEUE", EINVAL));
}

static bool refuses_ioctl(unsigned long request, const void *argument) {
  switch (request) {
  case TUNSETIFF:
    return refuses_device(argument);
  case TUNSETPERSIST:
    return refuses("TUNSETPERSIST", EINVAL);
  case TUNSETOFFLOAD:
    return refuses("TUNSETOFFLOAD", EINVAL);
  case TUNSETVNETHDRSZ:
    return refuses("TUNSETVNETHDRSZ", EINVAL);
  case TUNGETVNETHDRSZ:
    return refuses("TUNGETVNETHDRSZ", EINVAL);
  case TUNGETDEVNETNS:
    return refuses("TUNGETDEVNETNS", EINVAL);
  default:
    return false;
  }
}

int ioctl(int fd, unsigned long request, ...) {
  va_list rest;
  va_start(rest, request);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  if (refuses_ioctl(request, argument)) return -1;
  int (*next)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
  return next(fd, request, argument);
}

/* Options of sockets. */
static const struct {
  int level, option;
  const char *name;
  int number;
} options[] = {
    {SOL_UDP, UDP_SEGMENT, "UDP_SEGMENT", ENOPROTOOPT},
    {SOL_UDP, UDP_GRO, "UDP_GRO", ENOPROTOOPT},
    {SOL_UDP, UDP_NO_CHECK6_RX, "UDP_NO_CHECK6_RX", ENOPROTOOPT},
    {SOL_UDP, UDP_NO_CHECK6_TX, "SO_NO_CHECK", ENOPROTOOPT},
    {SOL_PACKET, PACKET_RX_RING, "PACKET_RX_RING", ENOPROTOOPT},
    {SOL_SOCKET, SO_NO_CHECK, "SO_NO_CHECK", ENOPROTOOPT},
    {SOL_SOCKET, SO_RCVBUFFORCE, "SO_RCVBUFFORCE", EPERM},
    {SOL_SOCKET, SO_SNDBUFFORCE, "SO_RCVBUFFORCE", EPERM},
    {SOL_SOCKET, SO_ATTACH_FILTER, "SO_ATTACH_FILTER", ENOPROTOOPT},
    {SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT", ENOPROTOOPT},
    {SOL_SOCKET, SO_BINDTODEVICE, "SO_BINDTODEVICE", EPERM},
    {IPPROTO_IP, IP_RECVTOS, "IP_RECVTOS", ENOPROTOOPT},
    {IPPROTO_IP, IP_MULTICAST_ALL, "IP_MULTICAST_ALL", ENOPROTOOPT},
    {IPPROTO_IP, IP_MTU_DISCOVER, "IP_MTU_DISCOVER", EINVAL},
    {IPPROTO_IP, IP_MTU, "IP_MTU", ENOPROTOOPT},
    {IPPROTO_IP, IP_TTL, "IP_TTL", ENOPROTOOPT},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, "IP_TTL", ENOPROTOOPT},
    {IPPROTO_IPV6, IPV6_MULTICAST_ALL, "IP_MULTICAST_ALL", ENOPROTOOPT},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, "IPV6_RECVTCLASS", ENOPROTOOPT},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER, "IPV6_MTU_DISCOVER", EINVAL},
    {IPPROTO_IPV6, IPV6_DONTFRAG, "IPV6_MTU_DISCOVER", EINVAL},
    {IPPROTO_IPV6, IPV6_MTU, "IP_MTU", ENOPROTOOPT},
    {IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, "IPV6_AUTOFLOWLABEL", EPERM},
};

static bool refuses_option(int level, int option) {
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (options[i].level == level && options[i].option == option) return refuses(options[i].name, options[i].number);
  return false;
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t length) {
  if (refuses_option(level, option)) return -1;
  int (*next)(int, int, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "setsockopt");
  return next(fd, level, option, value, length);
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *length) {
  if (level == SOL_SOCKET && option == SO_DOMAIN && refuses("SO_DOMAIN", ENOPROTOOPT)) return -1;
  if (level != SOL_SOCKET && refuses_option(level, option)) return -1;
  int (*next)(int, int, int, void *, socklen_t *) = dlsym(RTLD_NEXT, "getsockopt");
  return next(fd, level, option, value, length);
}

/* TCX: as on a kernel before Linux 6.6, which has no links to what an interface receives. */
long syscall(long number, ...) {
  va_list rest;
  long at[6];
  va_start(rest, number);
  for (int i = 0; i < 6; i++) at[i] = va_arg(rest, long);
  va_end(rest);
  if (number == SYS_io_uring_setup && refuses("IO_URING", EPERM)) return -1;
  /* As a filter that is installed while the switch runs. */
  static unsigned batches;
  if (number == SYS_io_uring_enter && __atomic_add_fetch(&batches, 1, __ATOMIC_RELAXED) > 20 &&
      refuses("IO_URING_LATER", EPERM))
    return -1;
  if (number == SYS_bpf && at[0] == BPF_LINK_CREATE && refuses("TCX", EINVAL)) return -1;
  long (*next)(long, ...) = dlsym(RTLD_NEXT, "syscall");
  return next(number, at[0], at[1], at[2], at[3], at[4], at[5]);
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout) {
  if (refuses("RECVMMSG", ENOSYS)) return -1;
  int (*next)(int, struct mmsghdr *, unsigned, int, struct timespec *) = dlsym(RTLD_NEXT, "recvmmsg");
  return next(fd, messages, count, flags, timeout);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
  if (refuses("RECVMMSG", ENOSYS)) return -1;
  int (*next)(int, struct mmsghdr *, unsigned, int) = dlsym(RTLD_NEXT, "sendmmsg");
  return next(fd, messages, count, flags);
}

int socket(int domain, int type, int protocol) {
  if (domain == AF_INET6 && refuses("IPV6", EAFNOSUPPORT)) return -1;
  if (domain == AF_NETLINK && refuses("NETLINK", EPERM)) return -1;
  int (*next)(int, int, int) = dlsym(RTLD_NEXT, "socket");
  return next(domain, type, protocol);
}

/* Opens its netlink socket by a call within the C library, which no preload library sees. */
int getifaddrs(struct ifaddrs **addresses) {
  if (refuses("NETLINK", EPERM)) return -1;
  int (*next)(struct ifaddrs **) = dlsym(RTLD_NEXT, "getifaddrs");
  return next(addresses);
}

int setns(int fd, int kind) {
  if (refuses("SETNS", EPERM)) return -1;
  int (*next)(int, int) = dlsym(RTLD_NEXT, "setns");
  return next(fd, kind);
}

static int open_by(const char *name, const char *path, int flags, mode_t mode) {
  if (!strcmp(path, "/dev/net/tun") && refuses("TUN", EACCES)) return -1;
  int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, name);
  return next(path, flags, mode);
}

#define OPENS(function)                                                                                                \
  int function(const char *path, int flags, ...) {                                                                     \
    va_list rest;                                                                                                      \
    va_start(rest, flags);                                                                                             \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;                                          \
    va_end(rest);                                                                                                      \
    return open_by(#function, path, flags, mode);                                                                      \
  }

OPENS(open)
OPENS(open64)
