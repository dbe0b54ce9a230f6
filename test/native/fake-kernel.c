/*
 * What asks by netlink (netlink.c, tunnel-guard.c), over a kernel that has nothing to say, says it late, or says too much. Compiled and run by
 * netlink.test.ts with the name of a case; prints what came of it. The calls below stand in for those of the C library.
 */
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "../../src/native/tunnel.h"

#define LONG 20000

struct message {
  struct nlmsghdr header;
  int32_t number;
  uint8_t rest[LONG];
};

static struct message queue[4];
static int queued, taken;
static int asked_of[64], refused_of[64];
static long most_seconds;
static bool module_is_there;
static void (*answer)(const struct nlmsghdr *question);

static void reply(const struct nlmsghdr *question, int type, int32_t number, size_t more) {
  struct message *message = &queue[queued++];
  uint32_t length = (uint32_t)(NLMSG_LENGTH(sizeof message->number) + more);
  message->header = (struct nlmsghdr){.nlmsg_len = length, .nlmsg_type = (uint16_t)type, .nlmsg_seq = question->nlmsg_seq};
  message->number = number;
}

/* ---- The C library ---- */

int socket(int family, int type, int protocol) {
  (void)family, (void)type;
  asked_of[protocol]++;
  errno = refused_of[protocol];
  return errno ? -1 : dup(1);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size) {
  (void)fd, (void)level, (void)size;
  if (name == SO_RCVTIMEO) most_seconds = ((const struct timeval *)value)->tv_sec;
  return 0;
}

ssize_t send(int fd, const void *question, size_t length, int flags) {
  (void)fd, (void)flags;
  queued = taken = 0;
  if (answer) answer(question);
  return (ssize_t)length;
}

ssize_t sendto(int fd, const void *question, size_t length, int flags, const struct sockaddr *to, socklen_t size) {
  (void)to, (void)size;
  return send(fd, question, length, flags);
}

ssize_t recv(int fd, void *buffer, size_t size, int flags) {
  (void)fd;
  /* Whoever has set no limit waits for ever. */
  if (taken == queued && !most_seconds) pause();
  errno = EAGAIN;
  if (taken == queued) return -1;
  const struct message *message = &queue[taken];
  size_t length = message->header.nlmsg_len, fits = length < size ? length : size;
  if (fits) memcpy(buffer, message, fits);
  if (!(flags & MSG_PEEK)) taken++;
  return (ssize_t)(flags & MSG_TRUNC ? length : fits);
}

int access(const char *path, int mode) {
  (void)path, (void)mode;
  return module_is_there ? 0 : -1;
}

/* No tables of iptables. */
int open(const char *path, int flags, ...) {
  (void)path, (void)flags;
  errno = ENOENT;
  return -1;
}

int ot_fail(struct ot_fault *fault, int number, const char *syscall, const char *format, ...) {
  (void)syscall, (void)format;
  fault->number = number;
  return -1;
}

/* ---- Kernels ---- */

static void answer_late(const struct nlmsghdr *question) {
  struct nlmsghdr before = {.nlmsg_seq = question->nlmsg_seq - 1};
  reply(&before, NLMSG_ERROR, 0, 16);
  reply(question, NLMSG_ERROR, -EPERM, 16);
}

static bool is_xfrm(const struct nlmsghdr *question) { return question->nlmsg_type == XFRM_MSG_GETSPDINFO; }

static void end_with(const struct nlmsghdr *question, int number) {
  if (is_xfrm(question)) reply(question, NLMSG_ERROR, -ENOENT, 16);
  else reply(question, NLMSG_DONE, number, 0);
}

static void answer_nobody(const struct nlmsghdr *question) { end_with(question, 0); }
static void answer_broken(const struct nlmsghdr *question) { end_with(question, -ENOMEM); }
static void answer_absent(const struct nlmsghdr *question) { reply(question, NLMSG_ERROR, -EINVAL, 16); }
static void answer_long(const struct nlmsghdr *question) { reply(question, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN, 0, LONG); }

/* ---- Cases ---- */

static void print_link(void (*kernel)(const struct nlmsghdr *)) {
  struct ot_fault fault;
  answer = kernel;
  int fd = ot_netlink_open(&fault);
  printf("%d\n", ot_link_set_up(fd, 1));
}

static void print_watched(void (*kernel)(const struct nlmsghdr *)) {
  struct ot_tunnel_absence absences[OT_TUNNEL_SUBSYSTEMS] = {{0}};
  answer = kernel;
  printf("%d\n", ot_tunnel_watched(absences, 0));
}

/* How often each of the two was asked for by then. */
static void print_absent(void) {
  struct ot_tunnel_absence absences[OT_TUNNEL_SUBSYSTEMS] = {{0}};
  uint32_t times[] = {0x7fffff00, 1000, 50000, 60000, 61000, 62000};
  answer = answer_absent;
  refused_of[NETLINK_XFRM] = EPROTONOSUPPORT;
  for (int i = 0; i < 6; i++) {
    module_is_there = i == 5;
    bool watched = ot_tunnel_watched(absences, times[i]);
    printf("%d %d %d\n", asked_of[NETLINK_NETFILTER], asked_of[NETLINK_XFRM], watched);
  }
}

int main(int count, char **arguments) {
  const char *name = count > 1 ? arguments[1] : "";
  if (!strcmp(name, "late")) print_link(answer_late);
  else if (!strcmp(name, "silent")) print_link(NULL);
  else if (!strcmp(name, "nobody")) print_watched(answer_nobody);
  else if (!strcmp(name, "mute")) print_watched(NULL);
  else if (!strcmp(name, "broken")) print_watched(answer_broken);
  else if (!strcmp(name, "long")) print_watched(answer_long);
  else if (!strcmp(name, "absent")) print_absent();
  else return 1;
  return 0;
}
