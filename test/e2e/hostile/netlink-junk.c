/*
 * A guest that means harm: junk for every netlink socket of its network namespace, until SIGTERM.
 *
 *   netlink-junk RATE SECONDS PORT...    RATE in messages a second; it ends by itself after so many seconds
 *
 * PORT: port ids that a socket may have for a moment, such as the pid of the switch. It opens a socket of its own as
 * well, so that junk is known to arrive. Prints "junk" at first, and at the end a line of JSON: messages that the
 * kernel took, of these messages to sockets of others, sockets of others that it found, and what its own socket was
 * sent.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_TARGETS 256
#define BATCH 64

struct target {
  int protocol;
  uint32_t port;
};

static volatile sig_atomic_t over;
static struct target targets[MOST_TARGETS];
static int target_count;
static unsigned long taken, to_others, most_others, arrived;

static void end(int number) {
  (void)number;
  over = 1;
}

/* Lengths around those of the headers, where a difference of unsigned numbers wraps, and absurd ones. */
static uint32_t odd_length(uint32_t really) {
  static const uint32_t lengths[] = {0,  1,  15, 16, 17,         19,         20,         23,        24,
                                     31, 32, 33, 36, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff};
  uint32_t kind = (uint32_t)rand() % (sizeof lengths / sizeof *lengths + 2);
  return kind < sizeof lengths / sizeof *lengths ? lengths[kind] : really - (kind & 1);
}

static size_t fill(uint8_t *message) {
  static const uint16_t types[] = {NLMSG_NOOP,  NLMSG_ERROR, NLMSG_DONE,   RTM_NEWLINK, RTM_DELLINK,
                                   RTM_NEWADDR, RTM_DELADDR, RTM_NEWROUTE, RTM_NEWNEIGH};
  size_t length = 16 + (size_t)rand() % 240;
  for (size_t i = 0; i < length; i++) message[i] = (uint8_t)rand();
  struct nlmsghdr header = {.nlmsg_len = odd_length((uint32_t)length),
                            .nlmsg_type = types[(size_t)rand() % (sizeof types / sizeof *types)],
                            .nlmsg_flags = rand() & 1 ? NLM_F_MULTI : 0,
                            .nlmsg_seq = (uint32_t)rand() % 64};
  memcpy(message, &header, sizeof header);
  return length;
}

/* Sockets of this namespace with a port, this program's own left out: /proc/net/netlink has them all. */
static void look(uint32_t own) {
  char line[512];
  FILE *list = fopen("/proc/self/net/netlink", "r");
  unsigned long others = 0;
  target_count = 0;
  if (list == NULL) exit(1);
  while (fgets(line, sizeof line, list) != NULL && target_count < MOST_TARGETS) {
    struct target one;
    if (sscanf(line, "%*x %d %u", &one.protocol, &one.port) != 2 || one.port == 0) continue;
    if (one.port == own || one.port == (uint32_t)getpid()) continue;
    targets[target_count++] = one;
    others++;
  }
  fclose(list);
  if (others > most_others) most_others = others;
}

static int open_netlink(int protocol, uint32_t groups, uint32_t *port) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, protocol);
  struct sockaddr_nl place = {.nl_family = AF_NETLINK, .nl_groups = groups};
  socklen_t size = sizeof place;
  if (fd < 0) return -1;
  if (bind(fd, (struct sockaddr *)&place, sizeof place) < 0 || getsockname(fd, (struct sockaddr *)&place, &size) < 0)
    exit(1);
  if (port != NULL) *port = place.nl_pid;
  return fd;
}

static int send_junk(int fd, uint32_t port, uint32_t groups) {
  uint8_t message[256];
  struct sockaddr_nl place = {.nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups};
  size_t length = fill(message);
  int done = sendto(fd, message, length, 0, (struct sockaddr *)&place, sizeof place) >= 0;
  taken += (unsigned long)done;
  return done;
}

static void drain(int bait) {
  uint8_t message[512];
  while (recv(bait, message, sizeof message, MSG_TRUNC) >= 0 || errno == ENOBUFS) arrived++;
}

int main(int count, char **words) {
  if (count < 3) return 2;
  int rate = atoi(words[1]);
  uint32_t bait_port = 0;
  int bait = open_netlink(NETLINK_ROUTE, RTMGRP_LINK, &bait_port);
  int fds[MAX_LINKS];
  for (int protocol = 0; protocol < MAX_LINKS; protocol++) fds[protocol] = open_netlink(protocol, 0, NULL);
  signal(SIGTERM, end);
  signal(SIGALRM, end);
  alarm((unsigned)atoi(words[2]));
  srand(7348);
  puts("junk");
  fflush(stdout);
  while (!over) {
    look(bait_port);
    for (int i = 0; i < BATCH; i++) {
      const struct target *one = target_count > 0 ? &targets[rand() % target_count] : NULL;
      if (one != NULL && one->protocol < MAX_LINKS && fds[one->protocol] >= 0)
        to_others += (unsigned long)send_junk(fds[one->protocol], one->port, 0);
      send_junk(fds[NETLINK_ROUTE], bait_port, 0);
      if (count > 3)
        to_others += (unsigned long)send_junk(fds[NETLINK_ROUTE], (uint32_t)atoi(words[3 + i % (count - 3)]), 0);
      /* To everyone who listens for changes of links. */
      send_junk(fds[NETLINK_ROUTE], 0, RTMGRP_LINK);
    }
    drain(bait);
    usleep((useconds_t)(BATCH * 4 * 1000000L / rate));
  }
  printf("{\"taken\":%lu,\"toOthers\":%lu,\"others\":%lu,\"arrived\":%lu}\n", taken, to_others, most_others, arrived);
  return 0;
}
