/*
 * Netlink sockets and datagrams. Accepts the kernel as the only sender, checks all lengths and bounds every wait; knows
 * no message's content.
 */
#include "netlink.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Datagrams of other senders discarded before the clock is read again. */
#define MOST_OTHERS 64

/* How often a request is sent when its answer is lost. */
#define MOST_ASKED 3
/* Not an errno. */
#define UNANSWERED (-1)

int64_t ot_netlink_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int ot_netlink_socket(int protocol) {
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  /* netlink_getsockbyportid: others that send to a connected socket get ECONNREFUSED. */
  if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof kernel) == 0) return fd;
  int number = errno;
  close(fd);
  errno = number;
  return -1;
}

/* Whether the kernel is the sender: only it has port id 0. */
static bool is_kernel(const struct msghdr *message, bool multicast) {
  const struct sockaddr_nl *from = message->msg_name;
  if (message->msg_namelen < sizeof *from || from->nl_family != AF_NETLINK || from->nl_pid != 0) return false;
  return multicast || from->nl_groups == 0;
}

/* Takes one datagram off the queue, or peeks with MSG_PEEK. Returns its full length, or -1 with errno. */
static ssize_t take(int fd, uint8_t *bytes, size_t size, int flags, bool multicast, bool *kernel) {
  struct sockaddr_nl from = {0};
  struct iovec vector = {.iov_base = bytes, .iov_len = size};
  struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &vector, .msg_iovlen = 1};
  ssize_t length;
  do length = recvmsg(fd, &message, flags | MSG_TRUNC | MSG_DONTWAIT);
  while (length < 0 && errno == EINTR);
  if (length >= 0) *kernel = is_kernel(&message, multicast);
  return length;
}

/* Copies nothing before the sender is checked. Returns -1 with EPROTO for another sender than the kernel. */
static ssize_t take_next(int fd, bool multicast, uint8_t **datagram) {
  bool kernel = false;
  ssize_t length = take(fd, NULL, 0, MSG_PEEK, multicast, &kernel);
  if (length < 0) return -1;
  uint8_t *bytes = kernel && length > 0 ? malloc((size_t)length) : NULL;
  if (kernel && length > 0 && !bytes) return -1;
  ssize_t got = take(fd, bytes, bytes ? (size_t)length : 0, 0, multicast, &kernel);
  if (bytes && kernel && got == length) {
    *datagram = bytes;
    return got;
  }
  int number = got < 0 ? errno : EPROTO;
  free(bytes);
  errno = number;
  return -1;
}

long ot_netlink_receive(int fd, int64_t until_ms, bool multicast, uint8_t **datagram) {
  for (int others = 0;;) {
    ssize_t length = take_next(fd, multicast, datagram);
    if (length >= 0 || (errno != EAGAIN && errno != EPROTO)) return length;
    if (errno == EPROTO && others++ < MOST_OTHERS) continue;
    int64_t left = until_ms - ot_netlink_now();
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    if (left <= 0 || (poll(&waiting, 1, (int)left) == 0 && until_ms <= ot_netlink_now())) break;
  }
  errno = ETIMEDOUT;
  return -1;
}

const struct nlmsghdr *ot_netlink_next(struct ot_datagram *rest) {
  const struct nlmsghdr *message = (const struct nlmsghdr *)rest->at;
  if (rest->left < NLMSG_HDRLEN || message->nlmsg_len < NLMSG_HDRLEN || message->nlmsg_len > rest->left) return NULL;
  size_t step = ((size_t)message->nlmsg_len + NLMSG_ALIGNTO - 1) / NLMSG_ALIGNTO * NLMSG_ALIGNTO;
  if (step > rest->left) step = rest->left; /* the last message needs no padding */
  rest->at += step;
  rest->left -= step;
  return message;
}

int ot_netlink_error(const struct nlmsghdr *message) {
  int32_t number = 0;
  if (ot_netlink_payload(message) >= sizeof number) memcpy(&number, NLMSG_DATA(message), sizeof number);
  /* The kernel sends it negated; values out of range are invalid. */
  return number < 0 && number > -4096 ? -number : number ? EPROTO : 0;
}

/* A new sequence number for each request, so that a late answer is not taken for the next one's. */
static uint32_t next_sequence(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint32_t)((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
}

static int read_answer(const uint8_t *bytes, size_t length, uint32_t sequence, int type, ot_netlink_reader *read,
                       void *answer) {
  struct ot_datagram rest = {.at = bytes, .left = length};
  for (const struct nlmsghdr *at = ot_netlink_next(&rest); at; at = ot_netlink_next(&rest)) {
    if (at->nlmsg_seq != sequence) continue;
    if (at->nlmsg_type == NLMSG_ERROR) {
      int number = ot_netlink_error(at);
      if (number || !read) return number;
    } else if (read && at->nlmsg_type == type) {
      return read(at, answer);
    }
  }
  return UNANSWERED;
}

static int ask_once(int fd, struct nlmsghdr *request, int64_t until_ms, int type, ot_netlink_reader *read,
                    void *answer) {
  ssize_t sent;
  request->nlmsg_seq = next_sequence();
  do sent = send(fd, request, request->nlmsg_len, 0);
  while (sent < 0 && errno == EINTR);
  if (sent < 0) return errno;
  int number = UNANSWERED;
  while (number == UNANSWERED) {
    uint8_t *datagram;
    long length = ot_netlink_receive(fd, until_ms, false, &datagram);
    if (length < 0) return errno;
    number = read_answer(datagram, (size_t)length, request->nlmsg_seq, type, read, answer);
    free(datagram);
  }
  return number;
}

int ot_netlink_ask(int fd, struct nlmsghdr *request, int type, ot_netlink_reader *read, void *answer) {
  int64_t until_ms = ot_netlink_now() + OT_NETLINK_MS;
  int number = ENOBUFS;
  for (int i = 0; i < MOST_ASKED && number == ENOBUFS; i++)
    number = ask_once(fd, request, until_ms, type, read, answer);
  return number;
}
