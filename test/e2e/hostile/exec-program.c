/* Programs under overtap exec that use their sockets as few do. The first word names one; status 0: it went well. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 50
/* More acknowledgements than the smallest receive buffer takes. */
#define FLOOD 64
/* More than overtap exec speaks to at once. */
#define MONITORS 600

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

/* Entries of a folder of /proc/self. */
static int entries(const char *path) {
  DIR *folder = opendir(path);
  int count = 0;
  while (folder != NULL && readdir(folder) != NULL) count++;
  if (folder != NULL) closedir(folder);
  return count;
}

/* A socket that hears of links. */
static int monitor(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  const int group = RTNLGRP_LINK;
  return setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) == 0 ? fd : -1;
}

/* Whether threads and descriptors are as few as before, within some seconds. */
static int settles(int threads, int descriptors) {
  for (int i = 0; i < 100; i++) {
    if (entries("/proc/self/task") == threads && entries("/proc/self/fd") == descriptors) return 1;
    usleep(100000);
  }
  fprintf(stderr, "%d threads of %d, %d descriptors of %d\n", entries("/proc/self/task"), threads,
          entries("/proc/self/fd"), descriptors);
  return 0;
}

/* Monitor sockets that are closed, in whatever way, leave no thread and no descriptor. */
static int monitors(void) {
  int threads = entries("/proc/self/task"), descriptors = entries("/proc/self/fd");
  for (int i = 0; i < MONITORS; i++) {
    int fd = monitor();
    if (fd < 0) return 1;
    if (i % 4 == 0) {
      int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
      close(fd);
      fd = copy;
    }
    if (i % 4 == 1) dup2(2, fd);
    if (i % 4 == 2) close_range((unsigned)fd, (unsigned)fd, 0);
    else close(fd);
  }
  /* Threads end by and by. */
  if (!settles(threads, descriptors)) return 1;
  int fd = monitor();
  syscall(SYS_close, fd);
  if (!settles(threads, descriptors)) return 1;
  fd = monitor();
  const int group = RTNLGRP_LINK;
  setsockopt(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof group);
  if (!settles(threads, descriptors + 1)) return 1;
  close(fd);
  return 0;
}

/* Asks by one call and hears by another; the answer is the switch's. */
static int asks(int to, int from, char how, const char *name, uint32_t seq) {
  struct request request = bridge_named(name);
  request.head.nlmsg_seq = seq;
  char bytes[4096];
  struct iovec asked[2] = {{.iov_base = &request, .iov_len = 20},
                           {.iov_base = (char *)&request + 20, .iov_len = request.head.nlmsg_len - 20}};
  struct iovec heard[2] = {{.iov_base = bytes, .iov_len = 10}, {.iov_base = bytes + 10, .iov_len = sizeof bytes - 10}};
  struct mmsghdr out[1] = {{.msg_hdr = {.msg_iov = asked, .msg_iovlen = 2}}};
  struct mmsghdr in[4] = {{.msg_hdr = {.msg_iov = heard, .msg_iovlen = 2}}};
  ssize_t sent = how == 'r'                     ? write(to, &request, request.head.nlmsg_len)
                 : how == 'v'                   ? writev(to, asked, 2)
                 : sendmmsg(to, out, 1, 0) == 1 ? (ssize_t)out[0].msg_len
                                                : -1;
  if (sent != (ssize_t)request.head.nlmsg_len) return 0;
  int waiting = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  if (epoll_ctl(waiting, EPOLL_CTL_ADD, from, &event) != 0 || epoll_wait(waiting, &event, 1, 5000) != 1) return 0;
  close(waiting);
  ssize_t got = how == 'r'                                         ? read(from, bytes, sizeof bytes)
                : how == 'v'                                       ? readv(from, heard, 2)
                : recvmmsg(from, in, 4, MSG_WAITFORONE, NULL) == 1 ? (ssize_t)in[0].msg_len
                                                                   : -1;
  struct nlmsghdr head;
  int fault;
  if (got < (ssize_t)sizeof head + 4) return 0;
  memcpy(&head, bytes, sizeof head);
  memcpy(&fault, bytes + sizeof head, sizeof fault);
  return head.nlmsg_type == NLMSG_ERROR && head.nlmsg_seq == seq && fault == 0;
}

/* Copies of a descriptor, and all calls that move bytes. */
static int copies(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  int copy = fcntl(fd, F_DUPFD, 50), third = fcntl(fd, F_DUPFD_CLOEXEC, 60), fourth = dup3(fd, 70, O_CLOEXEC);
  if (copy < 50 || third < 60 || fourth != 70) return 1;
  if (!asks(copy, third, 'r', "by-read", 1)) return 2;
  close(fd);
  if (!asks(third, fourth, 'v', "by-readv", 2)) return 3;
  if (!asks(fourth, copy, 'm', "by-mmsg", 3)) return 4;
  char byte;
  return recv(copy, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN ? 0 : 5;
}

/* Events come to a copy whose first descriptor is closed, and wake poll(2), while another socket asks. */
static int hears(void) {
  int fd = monitor(), copy = dup(fd), other = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  close(fd);
  /* "ip link add heard type vxlan id 9 dstport 4789": a link that the kernel does not have. */
  if (system("ip link add heard type vxlan id 9 dstport 4789") != 0) return 1;
  struct pollfd waited = {.fd = copy, .events = POLLIN};
  char bytes[65536];
  for (int i = 0; i < 10 && poll(&waited, 1, 5000) == 1; i++) {
    ssize_t got = read(copy, bytes, sizeof bytes);
    if (got > 0 && memmem(bytes, (size_t)got, "heard", 6) != NULL) return close(other);
  }
  return 2;
}

int main(int count, char **words) {
  const char *word = count > 1 ? words[1] : "";
  if (strcmp(word, "reused") == 0) return reused();
  if (strcmp(word, "forks") == 0) return forks();
  if (strcmp(word, "monitors") == 0) return monitors();
  if (strcmp(word, "copies") == 0) return copies();
  if (strcmp(word, "hears") == 0) return hears();
  return strcmp(word, "overrun") == 0 ? overrun() : 2;
}
