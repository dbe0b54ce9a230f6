/* Programs under overtap exec that use their sockets as few do. The first word names one; status 0: it went well. */
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 50
/* More acknowledgements than the smallest receive buffer takes. */
#define FLOOD 64

struct request {
  struct nlmsghdr head;
  struct ifinfomsg link;
  char attributes[64];
};

/* "ip link add NAME type bridge". */
static struct request bridge_named(const char *name) {
  struct request request = {.head = {.nlmsg_len = sizeof request,
                                     .nlmsg_type = RTM_NEWLINK,
                                     .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
                                     .nlmsg_seq = 1}};
  struct rtattr naming = {.rta_len = 4 + 16, .rta_type = IFLA_IFNAME};
  struct rtattr info = {.rta_len = 4 + 12, .rta_type = IFLA_LINKINFO};
  struct rtattr kind = {.rta_len = 4 + 7, .rta_type = IFLA_INFO_KIND};
  memcpy(request.attributes, &naming, 4);
  strncpy(request.attributes + 4, name, 15);
  memcpy(request.attributes + 20, &info, 4);
  memcpy(request.attributes + 24, &kind, 4);
  memcpy(request.attributes + 28, "bridge", 7);
  request.head.nlmsg_len = NLMSG_LENGTH(sizeof request.link) + 36;
  return request;
}

/* The number of a netlink socket is another family's by now; what is said there is no business of the switch. */
static int reused(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  syscall(SYS_close, fd);
  int other = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
  struct request request = bridge_named("wrong");
  if (other != fd || send(other, &request, request.head.nlmsg_len, 0) < 0) return 1;
  return 0;
}

static void *keep_looking(void *given) {
  char bytes[256];
  for (;;) recv(*(int *)given, bytes, sizeof bytes, MSG_DONTWAIT);
  return NULL;
}

/* Children of a process whose other thread uses the library use it too. */
static int forks(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  pthread_t thread;
  if (pthread_create(&thread, NULL, keep_looking, &fd) != 0) return 1;
  for (int i = 0; i < CHILDREN; i++) {
    char bytes[256];
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
      alarm(5);
      recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
      _exit(0);
    }
    if (waitpid(child, &status, 0) != child || status != 0) return 1;
  }
  return 0;
}

/* The place of the switch's answer is lost with what the kernel drops; the answer is not. */
static int overrun(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  const int small = 1;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  struct nlmsghdr empty = {
      .nlmsg_len = sizeof empty, .nlmsg_type = NLMSG_NOOP, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
  for (int i = 0; i < FLOOD; i++) syscall(SYS_sendto, fd, &empty, sizeof empty, 0, &kernel, sizeof kernel);
  struct request request = bridge_named("late");
  request.head.nlmsg_seq = 77;
  if (send(fd, &request, request.head.nlmsg_len, 0) < 0) return 1;
  alarm(5);
  for (;;) {
    struct nlmsghdr head[64];
    if (recv(fd, head, sizeof head, 0) > 0 && head[0].nlmsg_seq == request.head.nlmsg_seq) return 0;
  }
}

int main(int count, char **words) {
  const char *word = count > 1 ? words[1] : "";
  if (strcmp(word, "reused") == 0) return reused();
  if (strcmp(word, "forks") == 0) return forks();
  return strcmp(word, "overrun") == 0 ? overrun() : 2;
}
