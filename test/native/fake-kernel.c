/*
 * A kernel that has nothing to say, says it late, says too much or says it wrong, to what asks by netlink (netlink.c,
 * rtnetlink.c, gso-tap/guard.c). The calls here stand in for those of the C library. netlink.test.ts runs it by way of
 * fake-kernel-cases.c and fuzz-netlink.c.
 */
#include "fake-kernel.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../src/native/gso-tap/gso-tap.h"

struct fake fake;

struct datagram {
  uint32_t port, groups;
  uint8_t *bytes;
  size_t length;
};

static struct datagram queue[FAKE_QUEUE];
static int queued, taken;
static int64_t now_ms = 1000;

void fake_send(uint32_t port, uint32_t groups, const void *bytes, size_t length) {
  if (queued == FAKE_QUEUE) return;
  /* Exactly as long, so that whoever reads on is found out. */
  struct datagram *datagram = &queue[queued++];
  *datagram = (struct datagram){.port = port, .groups = groups, .bytes = malloc(length ? length : 1), .length = length};
  memcpy(datagram->bytes, bytes, length);
}

void fake_forget(void) {
  for (int i = 0; i < queued; i++) free(queue[i].bytes);
  queued = taken = 0;
}

/* ---- The C library ---- */

int socket(int family, int type, int protocol) {
  (void)family, (void)type;
  fake.asked_of[protocol]++;
  errno = fake.refused_of[protocol];
  return errno ? -1 : dup(1);
}

int connect(int fd, const struct sockaddr *to, socklen_t size) {
  (void)fd, (void)size;
  fake.connected = to->sa_family == AF_NETLINK && ((const struct sockaddr_nl *)to)->nl_pid == 0;
  return 0;
}

/* netlink_connect has given it an address. */
int bind(int fd, const struct sockaddr *to, socklen_t size) {
  (void)fd, (void)to, (void)size;
  errno = EINVAL;
  return fake.connected ? -1 : 0;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size) {
  (void)fd, (void)value, (void)size;
  if (level == SOL_NETLINK && name == NETLINK_ADD_MEMBERSHIP) fake.groups++;
  return 0;
}

ssize_t send(int fd, const void *question, size_t length, int flags) {
  (void)fd, (void)flags;
  fake.questions++;
  if (!fake.keep) fake_forget();
  if (fake.answer) fake.answer(question);
  return (ssize_t)length;
}

/* Each look takes a little time: who looks without end comes to an end. */
ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
  (void)fd;
  now_ms += fake.look_ms;
  if (fake.lost > 0) {
    fake.lost--;
    errno = ENOBUFS;
    return -1;
  }
  errno = EAGAIN;
  if (taken == queued && fake.flood) fake.flood();
  if (taken == queued) return -1;
  const struct datagram *datagram = &queue[taken];
  struct sockaddr_nl from = {.nl_family = AF_NETLINK, .nl_pid = datagram->port, .nl_groups = datagram->groups};
  size_t room = message->msg_iovlen ? message->msg_iov[0].iov_len : 0,
         fits = datagram->length < room ? datagram->length : room;
  if (fits) memcpy(message->msg_iov[0].iov_base, datagram->bytes, fits);
  if (message->msg_name) memcpy(message->msg_name, &from, sizeof from);
  message->msg_namelen = sizeof from;
  message->msg_flags = datagram->length > room ? MSG_TRUNC : 0;
  if (!(flags & MSG_PEEK) && ++taken == queued && fake.flood) fake_forget();
  return (ssize_t)(flags & MSG_TRUNC ? datagram->length : fits);
}

/* Nothing comes any more. Whoever has set no limit waits for ever. */
int poll(struct pollfd *what, nfds_t count, int ms) {
  (void)what, (void)count;
  if (taken < queued || fake.flood) return 1;
  if (ms < 0) pause();
  now_ms += ms;
  return 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  (void)clock;
  *now = (struct timespec){.tv_sec = now_ms / 1000, .tv_nsec = now_ms % 1000 * 1000000 + fake.questions};
  return 0;
}

int access(const char *path, int mode) {
  (void)path, (void)mode;
  return fake.module_is_there ? 0 : -1;
}

/* No tables of iptables. */
int open(const char *path, int flags, ...) {
  (void)path, (void)flags;
  errno = ENOENT;
  return -1;
}
