/*
 * Sockets of local ports: unix stream sockets, and datagram sockets of both families. Opens them; frames are received
 * by stream.c and datagrams.c, and sent by parcel.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../overtap.h"
#include "socket-options.h"

/* Bytes under way in each direction; the kernel doubles the limit and counts its own overhead. */
#define BUFFER (2 << 20)
/* Peers that may wait at a listening socket: one is taken, and others are told to go soon. */
#define BACKLOG 4

static int set(int fd, int level, int option, int value) { return setsockopt(fd, level, option, &value, sizeof value); }

/* Beyond the limit of the system only with CAP_NET_ADMIN; a smaller buffer only holds less. */
static void widen(int fd) {
  if (set(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER) < 0) set(fd, SOL_SOCKET, SO_SNDBUF, BUFFER);
  if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER) < 0) set(fd, SOL_SOCKET, SO_RCVBUF, BUFFER);
}

static int open_socket(int family, int type, struct ot_fault *fault) {
  int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return ot_fail(fault, errno, "socket", "opening a socket");
  widen(fd);
  return fd;
}

/* Returns 0, or -1 when the path is too long for a socket. */
static int name_of(const char *path, struct sockaddr_un *name, struct ot_fault *fault) {
  *name = (struct sockaddr_un){.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (!length || length >= sizeof name->sun_path)
    return ot_fail(fault, EINVAL, "socket", "the path of a socket has 1 to %zu bytes", sizeof name->sun_path - 1);
  memcpy(name->sun_path, path, length);
  return 0;
}

/* Closes `fd` and keeps the fault. */
static int give_up(int fd) {
  close(fd);
  return -1;
}

int ot_stream_connect(const char *path, struct ot_fault *fault) {
  struct sockaddr_un name;
  if (name_of(path, &name, fault) < 0) return -1;
  int fd = open_socket(AF_UNIX, SOCK_STREAM, fault);
  if (fd < 0) return -1;
  if (connect(fd, (struct sockaddr *)&name, sizeof name) == 0) return fd;
  ot_fail(fault, errno, "connect", "connecting to %s", path);
  return give_up(fd);
}

/* The mode of the file is that of the socket, less the umask (unix_bind in the kernel). */
static int bind_path(int fd, const char *path, const struct sockaddr_un *name, struct ot_fault *fault) {
  if (fchmod(fd, 0600) < 0) return ot_fail(fault, errno, "fchmod", "making the socket %s private", path);
  if (bind(fd, (const struct sockaddr *)name, sizeof *name) == 0) return 0;
  return ot_fail(fault, errno, "bind", "making the socket %s", path);
}

static int open_path(const char *path, int type, struct ot_fault *fault) {
  struct sockaddr_un name;
  if (name_of(path, &name, fault) < 0) return -1;
  int fd = open_socket(AF_UNIX, type, fault);
  if (fd < 0) return -1;
  return bind_path(fd, path, &name, fault) < 0 ? give_up(fd) : fd;
}

int ot_stream_listen(const char *path, struct ot_fault *fault) {
  int fd = open_path(path, SOCK_STREAM, fault);
  if (fd < 0) return -1;
  if (listen(fd, BACKLOG) == 0) return fd;
  ot_fail(fault, errno, "listen", "listening on %s", path);
  return give_up(fd);
}

int ot_stream_accept(int listener, struct ot_fault *fault) {
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) {
    widen(fd);
    return fd;
  }
  /* The peer may have gone before it was accepted. */
  if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return 0;
  return ot_fail(fault, errno, "accept4", "accepting a peer");
}

int ot_datagrams_bind(const char *path, struct ot_fault *fault) { return open_path(path, SOCK_DGRAM, fault); }

int ot_socket_answers(const char *path, struct ot_fault *fault) {
  struct sockaddr_un name;
  if (name_of(path, &name, fault) < 0) return -1;
  /* A datagram socket disturbs nobody: it is refused by a stream socket, and sends nothing to another one. */
  int fd = open_socket(AF_UNIX, SOCK_DGRAM, fault);
  if (fd < 0) return -1;
  int number = connect(fd, (struct sockaddr *)&name, sizeof name) < 0 ? errno : 0;
  close(fd);
  if (number == ECONNREFUSED || number == ENOENT) return 0;
  if (!number || number == EPROTOTYPE || number == EPERM || number == EAGAIN) return 1;
  return ot_fail(fault, number, "connect", "asking who has the socket %s", path);
}

/* ---- UDP ---- */

static socklen_t address_of(int family, const char *text, int port, struct sockaddr_in6 *address,
                            struct ot_fault *fault) {
  struct sockaddr_in *v4 = (struct sockaddr_in *)address;
  memset(address, 0, sizeof *address);
  address->sin6_family = (sa_family_t)family;
  /* The port has the same offset in both families. */
  address->sin6_port = htons((uint16_t)port);
  if (inet_pton(family, text, family == AF_INET6 ? (void *)&address->sin6_addr : (void *)&v4->sin_addr) == 1)
    return family == AF_INET6 ? sizeof *address : sizeof *v4;
  ot_fail(fault, EINVAL, "inet_pton", "%s is no %s address", text, family == AF_INET6 ? "IPv6" : "IPv4");
  return 0;
}

int ot_datagrams_connect(int family, const char *local, int local_port, const char *remote, int remote_port,
                         struct ot_fault *fault) {
  struct sockaddr_in6 here, there;
  struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  struct sock_fprog none = {.len = 1, .filter = nothing};
  socklen_t length = address_of(family, local, local_port, &here, fault);
  if (!length || !address_of(family, remote, remote_port, &there, fault)) return -1;
  int fd = open_socket(family, SOCK_DGRAM, fault);
  if (fd < 0) return -1;
  if (family == AF_INET6) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  /* Between bind and connect anybody's datagrams would be taken. */
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &none, sizeof none) < 0)
    ot_fail(fault, errno, "setsockopt", "closing a UDP socket to others");
  else if (bind(fd, (struct sockaddr *)&here, length) < 0)
    ot_fail(fault, errno, "bind", "binding a UDP socket to %s port %d", local, local_port);
  else if (connect(fd, (struct sockaddr *)&there, length) < 0)
    ot_fail(fault, errno, "connect", "connecting a UDP socket to %s port %d", remote, remote_port);
  else if (set(fd, SOL_SOCKET, SO_DETACH_FILTER, 0) < 0)
    ot_fail(fault, errno, "setsockopt", "opening a UDP socket to its remote");
  else return fd;
  return give_up(fd);
}

int ot_datagrams_reconnect(int fd, int family, const char *remote, int remote_port, struct ot_fault *fault) {
  struct sockaddr_in6 there;
  socklen_t length = address_of(family, remote, remote_port, &there, fault);
  if (!length) return -1;
  if (connect(fd, (struct sockaddr *)&there, length) == 0) return 0;
  return ot_fail(fault, errno, "connect", "connecting a UDP socket to %s port %d", remote, remote_port);
}
