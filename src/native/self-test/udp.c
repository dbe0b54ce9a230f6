/*
 * Tests which options of UDP sockets this kernel or sandbox has: those that udp.c does without. Each is tried by
 * itself, on sockets that are bound to nothing.
 */
#include "../overtap.h"
#include "../devices/socket-options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* An option of one family, with the value that the switch gives it. */
struct try {
  int trial, family, level, option, value;
  const char *what;
};

static const struct try tries[] = {
    {OT_TRIAL_RECV_TOS, AF_INET, IPPROTO_IP, IP_RECVTOS, 1, "IP_RECVTOS"},
    {OT_TRIAL_RECV_TCLASS, AF_INET6, IPPROTO_IPV6, IPV6_RECVTCLASS, 1, "IPV6_RECVTCLASS"},
    {OT_TRIAL_NO_CHECK6_RX, AF_INET6, SOL_UDP, UDP_NO_CHECK6_RX, 1, "UDP_NO_CHECK6_RX"},
    {OT_TRIAL_MULTICAST_ALL, AF_INET, IPPROTO_IP, IP_MULTICAST_ALL, 0, "IP_MULTICAST_ALL"},
    {OT_TRIAL_MULTICAST_ALL, AF_INET6, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0, "IPV6_MULTICAST_ALL"},
    {OT_TRIAL_MTU_DISCOVER, AF_INET, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO, "IP_MTU_DISCOVER"},
    {OT_TRIAL_MTU_DISCOVER, AF_INET, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_INTERFACE, "IP_PMTUDISC_INTERFACE"},
    {OT_TRIAL_MTU_DISCOVER6, AF_INET6, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO, "IPV6_MTU_DISCOVER"},
    {OT_TRIAL_MTU_DISCOVER6, AF_INET6, IPPROTO_IPV6, IPV6_DONTFRAG, 1, "IPV6_DONTFRAG"},
    {OT_TRIAL_REUSE_PORT, AF_INET, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT"},
    {OT_TRIAL_TTL, AF_INET, IPPROTO_IP, IP_TTL, 64, "IP_TTL"},
    {OT_TRIAL_TTL, AF_INET6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64, "IPV6_UNICAST_HOPS"},
    {OT_TRIAL_NO_CHECKSUM, AF_INET, SOL_SOCKET, SO_NO_CHECK, 1, "SO_NO_CHECK"},
    {OT_TRIAL_NO_CHECKSUM, AF_INET6, SOL_UDP, UDP_NO_CHECK6_TX, 1, "UDP_NO_CHECK6_TX"},
};

/* A trial of several options works until one is refused. */
static void refute(struct ot_trial *trial, const char *what) {
  if (!trial->works) return;
  trial->works = false;
  snprintf(trial->reason, sizeof trial->reason, "%.50s: %m", what);
}

static void try_filter(int fd, struct ot_trial *trial) {
  struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  struct sock_fprog program = {.len = 1, .filter = nothing};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0) refute(trial, "SO_ATTACH_FILTER");
}

/* A connected socket is of no further use. */
static void try_path_mtu(int fd, struct ot_trial *trial) {
  struct sockaddr_in loopback = {
      .sin_family = AF_INET, .sin_port = htons(4789), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int mtu;
  socklen_t size = sizeof mtu;
  /* Without a loopback there is no route, which says nothing. */
  if (connect(fd, (struct sockaddr *)&loopback, sizeof loopback) == 0 &&
      getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &size) < 0)
    refute(trial, "IP_MTU");
}

/* Of no messages: the calls themselves. */
static void try_messages(int fd, struct ot_trial *trial) {
  struct mmsghdr none;
  memset(&none, 0, sizeof none);
  if (recvmmsg(fd, &none, 0, MSG_DONTWAIT, NULL) < 0 && errno != EAGAIN) refute(trial, "recvmmsg");
  if (sendmmsg(fd, &none, 0, MSG_DONTWAIT) < 0) refute(trial, "sendmmsg");
}

static void try_options(int fd, int family, struct ot_trial trials[OT_TRIALS]) {
  for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
    const struct try *one = &tries[i];
    if (one->family == family && setsockopt(fd, one->level, one->option, &one->value, sizeof one->value) < 0)
      refute(&trials[one->trial], one->what);
  }
}

void ot_self_test_udp(struct ot_trial trials[OT_TRIALS]) {
  int v4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), v6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  for (int i = OT_TRIAL_RECV_TOS; i <= OT_TRIAL_MESSAGES; i++) trials[i].works = true;
  if (v6 >= 0) try_options(v6, AF_INET6, trials);
  if (v4 >= 0) {
    try_options(v4, AF_INET, trials);
    if (setsockopt(v4, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof "lo") < 0)
      refute(&trials[OT_TRIAL_BIND_TO_DEVICE], "SO_BINDTODEVICE");
    try_filter(v4, &trials[OT_TRIAL_SOCKET_FILTER]);
    try_messages(v4, &trials[OT_TRIAL_MESSAGES]);
    try_path_mtu(v4, &trials[OT_TRIAL_PATH_MTU]);
  }
  if (v4 >= 0) close(v4);
  if (v6 >= 0) close(v6);
}
